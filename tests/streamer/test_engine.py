"""The engine: what a musician hears after each change, and that it is the same every time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soxr
from hypothesis import example, given, settings
from hypothesis import strategies as st

from musicgen import MusicGen
from osc.values import Value
from streamer import Controls, Engine, UserError
from streamer.control.change import Change, Frame, Wall
from streamer.control.table import accept
from streamer.engine.core import Core
from streamer.engine.engine import LogEntry
from streamer.engine.events import Applied, Event, Turned, to_repeat
from streamer.sound.dynamics import Samples
from tests.musicgen.load.test_lora import save_adapter
from tests.streamer.sine import LEVEL, SineModel

HOP = 640
STEEPEST = LEVEL * 2 * np.pi * 220 * 2 ** (18 / 12) / 32_000
"""The largest step from sample to sample that the stand-in model makes at its default temperature and 0 dB."""


def engine_of(model: SineModel | None = None, **controls: Value) -> Engine:
    """An engine whose loudness stays as the model made it: 32 kHz mono, one frame at a time."""
    return Engine(model or SineModel(), Controls(**controls), channels=1, chunk_frames=1)


def step(samples: Samples) -> float:
    return float(np.abs(np.diff(samples, axis=0)).max())


# The same samples, always

changes = st.one_of(
    st.tuples(st.just("volume"), st.floats(-60, 12)),
    st.tuples(st.just("prompt"), st.text(max_size=5)),
    st.tuples(st.just("temperature"), st.floats(0.1, 2)),
    st.tuples(st.just("seed"), st.integers(0, 9)),
    st.tuples(st.just("mute"), st.booleans()),
    st.tuples(st.sampled_from(["echo", "width"]), st.sampled_from([0.0, 0.5])),
    st.tuples(st.just("tempo"), st.sampled_from([0.0, 60.0, 174.0])),
    st.tuples(st.sampled_from(["echo", "space"]), st.sampled_from([0.0, 0.5])),
    st.tuples(st.just("reset"), st.none()),
)
schedule = st.lists(st.tuples(st.integers(0, 4000), st.lists(changes, max_size=3)), max_size=4)


@given(
    st.lists(st.integers(0, 3000), min_size=1, max_size=8),
    schedule,
    st.sampled_from([32_000, 44_100, 48_000]),
    st.integers(0, 2500),
    st.integers(1, 3),
    st.sampled_from([1, 2]),
)
@settings(max_examples=60, deadline=None)
def test_blocks_of_any_size_hold_the_same_music(
    sizes: list[int],
    moves: list[tuple[int, list[tuple[str, Value | None]]]],
    rate: int,
    look_ahead: int,
    chunk: int,
    channels: int,
) -> None:
    """Two engines with one seed and the same changes at the same samples agree bit for bit, however they are read."""

    def play(sizes: list[int]) -> Samples:
        engine = Engine(
            SineModel(look_ahead=look_ahead, channels=channels),
            Controls(seed=3),
            sample_rate=rate,
            chunk_frames=chunk,
        )
        heard = []
        pulls = iter(sizes)
        for wait, batch in moves:
            while wait > 0:
                part = min(wait, next(pulls, wait) or 1)
                heard.append(engine.read(part))
                wait -= part
            engine.controls.apply(batch)
        heard.append(engine.read(1500))
        return np.concatenate(heard)

    np.testing.assert_array_equal(play(sizes), play([]))


def test_another_seed_is_other_music() -> None:
    assert not np.array_equal(engine_of(seed=1).read(3200), engine_of(seed=2).read(3200))


@given(schedule, st.integers(1, 3))
@example([(0, [("volume", 1.0)]), (0, [("volume", 0.0), ("prompt", "")])], 1)
@example([(0, [("volume", 1.0), ("prompt", "")]), (0, [("volume", 0.0)]), (0, [("mute", True), ("seed", 1)])], 1)
@settings(max_examples=30, deadline=None)
def test_a_performance_is_played_again_exactly_from_its_log(
    moves: list[tuple[int, list[tuple[str, Value | None]]]], chunk: int
) -> None:
    live = Engine(SineModel(), Controls(), sample_rate=48_000, chunk_frames=chunk)
    log, heard = [], []
    for wait, batch in moves:
        heard.append(live.read(wait))
        log.append((live.frames_done, batch))
        live.controls.apply(batch)
    heard.append(live.read(5000))
    again = Engine(SineModel(), Controls(), sample_rate=48_000, chunk_frames=chunk, log=log)
    performance = np.concatenate(heard)
    np.testing.assert_array_equal(again.read(len(performance)), performance)


def test_a_log_is_followed_to_the_frame() -> None:
    """A change in the middle of a chunk splits it, and of two for one frame the later one counts."""
    model = SineModel()
    log = [(7, [("prompt", "late")]), (3, [("prompt", "first")]), (3, [("prompt", "second")])]
    engine = Engine(model, Controls(), chunk_frames=5, log=log)
    frames = []
    stream = model.streams[0]
    while engine.frames_done < 10:
        engine.read(1)
        engine.read(HOP)
        frames.append((engine.frames_done, list(stream.calls)))
    assert (3, []) in frames
    assert (7, ["prompt second"]) in frames
    assert frames[-1][1][1:] == ["prompt late"]


# Changes


def test_a_change_is_heard_from_the_next_frame_on_and_not_before() -> None:
    changed, unchanged = engine_of(seed=5), engine_of(seed=5)
    changed.read(3 * HOP + 10)
    unchanged.read(3 * HOP + 10)
    frame = changed.frames_done
    changed.controls.set(prompt="a")
    before = frame * HOP - (3 * HOP + 10)
    ours, theirs = changed.read(before + HOP), unchanged.read(before + HOP)
    np.testing.assert_array_equal(ours[:before], theirs[:before])
    assert not np.array_equal(ours[before:], theirs[before:])


def test_every_control_reaches_the_stream() -> None:
    model = SineModel()
    engine = engine_of(model)
    engine.controls.apply([("prompt", "a"), ("negative", "b"), ("seed", 9)])
    engine.controls.set(temperature=0.5, topk=20, topp=0.8, cfg=2.0)
    engine.controls.set(prompt="c")
    engine.controls.act("reset")
    engine.read(1)
    stream = model.streams[0]
    assert stream.calls == ["prompt c", "negative b", "reseed 9", "reset 9"]
    sampling = stream.sampling
    assert (sampling.temperature, sampling.top_k, sampling.top_p, sampling.guidance) == (0.5, 20, 0.8, 2.0)


def test_the_first_frame_already_obeys() -> None:
    model = SineModel()
    Engine(model, Controls(prompt="a", negative="b", temperature=0.5, topk=7, topp=0.6, cfg=1.5, seed=4))
    stream = model.streams[0]
    assert (stream.prompt, stream.negative_prompt, stream.seed) == ("a", "b", 4)
    sampling = stream.sampling
    assert (sampling.temperature, sampling.top_k, sampling.top_p, sampling.guidance) == (0.5, 7, 0.6, 1.5)


def test_the_models_own_sampling_stands_where_nobody_chose() -> None:
    model = SineModel()
    engine = Engine(model, Controls(cfg=2.0))
    sampling = model.streams[0].sampling
    assert (sampling.temperature, sampling.top_k, sampling.guidance) == (0.9, 50, 2.0)
    assert engine.controls.get("topk") == 50


def test_reset_begins_the_same_music_anew() -> None:
    engine = engine_of(seed=6)
    start = engine.read(10 * HOP)
    engine.controls.act("reset")
    # What is made already, one frame that fades out, then the start again, faded in over a frame.
    engine.read(engine.frames_done * HOP - 10 * HOP + HOP)
    again = engine.read(10 * HOP)
    np.testing.assert_allclose(again[HOP : 9 * HOP], start[HOP : 9 * HOP], atol=1e-6)
    assert engine.frames_done > 20


def test_a_seed_throws_the_dice_anew_without_stopping_the_music() -> None:
    one, two = engine_of(seed=1), engine_of(seed=2)
    for engine in (one, two):
        engine.read(5 * HOP)
        engine.controls.set(seed=8)
        sound = engine.read(20 * HOP)
        assert step(sound) <= STEEPEST * 1.01
    assert one.frames_done == two.frames_done == 26

    # From the same state on, the same seed chooses the same notes: here the state is nothing but the phase.
    def notes(engine: Engine) -> list[int]:
        frames = engine.read(20 * HOP).reshape(20, HOP)
        return [int(np.abs(np.fft.rfft(frame)).argmax()) for frame in frames]

    assert notes(one) == notes(two)


def test_a_flood_of_changes_costs_no_more_than_one() -> None:
    model = SineModel()
    engine = engine_of(model)
    engine.read(HOP)
    frames = engine.frames_done
    for number in range(1000):
        engine.controls.apply([("prompt", str(number)), ("seed", number), ("reset", None)])
    engine.read(3 * HOP)
    assert model.streams[0].calls == ["prompt 999", "reseed 999", "reset 999"]
    assert engine.frames_done == frames + 3


def test_prompts_are_encoded_before_they_are_needed() -> None:
    model = SineModel()
    engine = engine_of(model)
    engine.prepare({"prompt": "rain", "volume": 3.0, "negative": "drums", "reset": True})
    assert model.encoded == ["rain", "drums"]


# Volume, mute, clicks


@pytest.mark.parametrize("look_ahead", [0, 2402])
def test_volume_mute_reset_and_start_never_click(look_ahead: int) -> None:
    engine = engine_of(SineModel(look_ahead=look_ahead))
    heard = [np.zeros((1, 1), np.float32), engine.read(5 * HOP + 100)]
    for change in ({"mute": True}, {"mute": False}, {"volume": -60}, {"volume": 0}, {"mute": True}, {"mute": False}):
        engine.controls.set(**change)
        heard.append(engine.read(3 * HOP))
    for wait in (3 * HOP, 1, 10 * HOP):
        engine.controls.act("reset")
        heard.append(engine.read(wait))
    # A raised cosine over a frame adds at most pi / 2 / 640 of the level; a hard cut would add up to all of it.
    assert step(np.concatenate(heard)) <= STEEPEST + LEVEL * np.pi / 2 / HOP + 1e-4


def test_mute_is_silence_within_a_frame_and_the_music_goes_on_underneath() -> None:
    muted, other = engine_of(), engine_of()
    muted.read(5 * HOP)
    other.read(5 * HOP)
    silent = (muted.frames_done + 1 - 5) * HOP
    muted.controls.set(mute=True)
    sound = muted.read(10 * HOP)
    assert sound[silent - HOP // 2]
    assert not sound[silent:].any()
    muted.controls.set(mute=False)
    other.read(10 * HOP)
    np.testing.assert_array_equal(muted.read(10 * HOP)[2 * HOP :], other.read(10 * HOP)[2 * HOP :])


def test_volume_is_in_decibels() -> None:
    loud, soft = engine_of(), engine_of(volume=-20)
    np.testing.assert_allclose(soft.read(HOP * 10), loud.read(HOP * 10) * 0.1, atol=1e-6)


def test_the_loudness_fader_acts_at_once() -> None:
    engine = engine_of()
    engine.read(5 * HOP)
    engine.controls.set(loudness=-26)
    assert np.abs(engine.read(5 * HOP)[2 * HOP :]).max() == pytest.approx(LEVEL * 10 ** (-10 / 20), rel=0.01)


@pytest.mark.parametrize("channels", [1, 2])
def test_music_ends_up_as_loud_as_asked_on_two_loudspeakers(channels: int) -> None:
    engine = Engine(SineModel(channels=channels, level=0.02), Controls(loudness=-20), sample_rate=44_100)
    engine.read(20 * 44_100)
    heard = engine.read(5 * 44_100)
    assert pyloudnorm.Meter(44_100).integrated_loudness(heard) == pytest.approx(-20, abs=1.0)


def test_nothing_gets_over_the_ceiling_at_full_volume() -> None:
    engine = Engine(SineModel(level=0.9), Controls(volume=12, loudness=-8), sample_rate=48_000)
    assert 0.8 < np.abs(engine.read(48_000)).max() <= 10 ** (-1 / 20)


# With a real model: small, random, loud as it likes


@pytest.fixture(scope="module")
def tiny(tiny_model_dir: Path) -> MusicGen:
    return MusicGen.load(str(tiny_model_dir))


def test_a_real_model_plays_the_same_at_any_block_size(tiny: MusicGen) -> None:
    def play(block: int) -> Samples:
        engine = Engine(tiny, Controls(prompt="deep house", seed=7), sample_rate=48_000)
        heard = [engine.read(9600)]
        engine.controls.apply([("prompt", "calm piano"), ("temperature", 1.3), ("volume", -3)])
        heard += [engine.read(block) for _ in range(9600 // block)]
        engine.controls.act("reset")
        heard += [engine.read(block) for _ in range(9600 // block)]
        return np.concatenate(heard)

    whole = play(9600)
    assert whole.any()
    np.testing.assert_array_equal(play(96), whole)


def test_the_engine_plays_what_the_stream_makes(tiny: MusicGen) -> None:
    """Until the loudness is first measured, and behind the fade-in, it is the sound of the stream itself."""
    stream = tiny.stream("techno", seed=3)
    made = np.concatenate(list(stream.audio(0.4, chunk_frames=1)))
    heard = Engine(tiny, Controls(prompt="techno", seed=3), channels=1).read(len(made))
    quiet = np.abs(made) < 0.8
    assert quiet[HOP:].all()
    np.testing.assert_array_equal(heard[HOP:], made[HOP:])


def test_controls_take_the_real_models_defaults(tiny: MusicGen) -> None:
    engine = Engine(tiny, Controls(temperature=0.6))
    assert engine.controls.get("topk") == tiny.defaults.top_k
    assert engine.controls.get("cfg") == tiny.defaults.guidance
    assert engine.controls.get("temperature") == 0.6


# The output's shape


@pytest.mark.parametrize("rate", [16_000, 44_100, 48_000, 96_000])
def test_resampling_in_a_stream_is_resampling_the_whole(rate: int) -> None:
    """Aligned from the first sample on, with none lost and none made up."""
    native = engine_of(seed=2).read(64_000)
    heard = Engine(SineModel(), Controls(seed=2), sample_rate=rate, channels=1).read(rate)
    np.testing.assert_allclose(heard, soxr.resample(native, 32_000, rate)[:rate], atol=2e-6)


def test_a_mono_model_plays_on_both_loudspeakers() -> None:
    sound = Engine(SineModel(), Controls(), sample_rate=48_000).read(4800)
    assert sound.shape == (4800, 2)
    assert sound.any()
    np.testing.assert_array_equal(sound[:, 0], sound[:, 1])


def test_a_stereo_model_stays_stereo_and_is_mixed_for_one_loudspeaker() -> None:
    stereo = Engine(SineModel(channels=2), Controls()).read(6400)
    np.testing.assert_allclose(stereo[:, 1], stereo[:, 0] * 0.5, atol=1e-6)
    mono = Engine(SineModel(channels=2), Controls(), channels=1).read(6400)
    np.testing.assert_allclose(mono[:, 0], stereo.mean(axis=1), atol=1e-6)


def test_an_empty_block_and_a_long_one() -> None:
    engine = engine_of()
    assert engine.read(0).shape == (0, 1)
    assert engine.frames_done == 0
    assert engine.read(100_000).shape == (100_000, 1)
    assert engine.read(3).dtype == np.float32


@pytest.mark.parametrize(
    ("rate", "channels", "chunk", "sentence"),
    [(0, 2, 1, "choose one from 8000"), (48_000, 6, 1, "choose 1 or 2"), (48_000, 2, 0, "choose 1 or more")],
)
def test_an_output_that_cannot_be_is_refused_with_a_sentence(
    rate: int, channels: int, chunk: int, sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        Engine(SineModel(), Controls(), sample_rate=rate, channels=channels, chunk_frames=chunk)


# A LoRA adapter


def test_the_strength_of_an_adapter_is_heard_from_the_next_frame_on(tiny_model_dir: Path, tmp_path: Path) -> None:
    """0 is the base model's music, from the start or from a change on; what there is no adapter for says so."""
    save_adapter(tiny_model_dir, tmp_path / "adapter", r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "fc1"])

    def play(name: Path, log: list[LogEntry], **controls: Value) -> Samples:
        model = MusicGen.load(str(name), backend="torch", threads=1)
        return Engine(model, Controls(prompt="deep house", **controls), channels=1, log=log).read(40 * HOP)

    base, adapted = play(tiny_model_dir, []), play(tmp_path / "adapter", [])
    np.testing.assert_allclose(play(tmp_path / "adapter", [], lora=0.0), base, atol=1e-4)
    turned = play(tmp_path / "adapter", [(20, [("lora", 0.0)])])
    differs = np.flatnonzero(np.abs(turned - adapted).max(1) > 1e-4)
    assert len(differs) and differs[0] > 10 * HOP
    with pytest.raises(UserError, match="no LoRA adapter"):
        play(tiny_model_dir, [], lora=0.5)


def test_a_strength_is_prepared_beside_the_music(tiny_model_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no LoRA adapter"):
        engine_of().prepare({"lora": 0.5})
    save_adapter(tiny_model_dir, tmp_path / "adapter", r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"])
    model = MusicGen.load(str(tmp_path / "adapter"), backend="torch", threads=1)
    engine = Engine(model, Controls(), channels=1)
    engine.prepare({"lora": 0.5})
    assert model.lora_strength == 1.0
    engine.controls.set(lora=0.5)
    engine.read(HOP)
    assert model.lora_strength == 0.5


# The way of a change

moments = st.one_of(st.none(), st.integers(0, 12), st.integers(0, 12 * HOP).map(lambda sample: sample / HOP))
batches = st.lists(
    st.one_of(changes, st.tuples(st.just("loudness"), st.floats(-30, -8)), st.tuples(st.just("guard"), st.booleans())),
    max_size=3,
)


@given(
    st.lists(st.tuples(st.integers(0, 2500), batches, moments, st.sampled_from([0.0, 0.0, 0.05, 0.3])), max_size=8),
    st.sampled_from([0, 100, 2402]),
    st.sampled_from([32_000, 48_000]),
)
@settings(max_examples=150, deadline=None)
def test_what_an_engine_reports_played_again_is_the_same_to_the_bit(
    moves: list[tuple[int, list[tuple[str, Value | None]], float | None, float]], look_ahead: int, rate: int
) -> None:
    told, heard = list[Event](), []
    live = Core(SineModel(look_ahead=look_ahead), {"seed": 3}, sample_rate=rate, tell=told.append)
    for wait, batch, at, over in moves:
        heard.append(live.read(wait))
        live.change(Change(accept(batch), None if at is None else Frame(at), over=over))
    heard.append(live.read(15 * HOP))
    performance = np.concatenate(heard)
    told_again = list[Event]()
    again = Core(SineModel(look_ahead=look_ahead), {"seed": 3}, sample_rate=rate, tell=told_again.append)
    for event in told:
        if (change := to_repeat(event)) is not None:
            again.change(change)
    np.testing.assert_array_equal(again.read(len(performance)), performance)
    for kind in (Applied, Turned):
        repeated = [[to_repeat(event) for event in own if isinstance(event, kind)] for own in (told, told_again)]
        assert list(filter(None, repeated[0])) == list(filter(None, repeated[1]))
    assert again.values == live.values


@pytest.mark.parametrize("look_ahead", [0, 2402])
def test_a_gain_acts_on_its_sample(look_ahead: int) -> None:
    frame = 20 + 123 / HOP
    engine, other = (engine_of(SineModel(look_ahead=look_ahead)) for _ in range(2))
    engine.controls.ask([("mute", True)], at=Frame(frame))
    assert not engine.controls.get("mute")
    changed, unchanged = engine.read(40 * HOP), other.read(40 * HOP)
    first = int(np.argmax((changed != unchanged).any(axis=1)))
    assert 20 * HOP + 123 <= first <= 20 * HOP + 123 + 15  # a raised cosine begins flat
    assert not changed[20 * HOP + 123 + HOP :].any()
    assert engine.controls.get("mute") is True


@pytest.mark.parametrize("look_ahead", [0, 2402])
@pytest.mark.parametrize(
    ("values", "within"),
    [({"mute": True}, 1), ({"reset": True}, HOP), ({"prompt": "rain"}, HOP)],
)
def test_a_sample_of_the_output_finds_the_frame_that_is_heard_there(
    look_ahead: int, values: dict[str, Value], within: int
) -> None:
    """To the frame, also behind a reset, whose codec drops what it owes. These sines have no delay pattern."""

    def play(*changes: Change) -> Samples:
        core = Core(SineModel(look_ahead=look_ahead), {}, sample_rate=48_000, channels=1, level=False)
        core.change(Change({"reset": True}, Frame(5)))
        parts = [core.read(15 * 960)]
        for change in changes:
            core.change(Change(change.values, Frame(core.frame_at(target, values))))
        return np.concatenate([*parts, core.read(40 * 960)])

    target = 30_000
    changed, unchanged = play(Change(values)), play()
    first = int(np.argmax((np.abs(changed - unchanged) > 1e-5).any(axis=1)))
    assert abs(first - target) <= within * 1.5 + 40  # the resampler spreads an edge, a fade begins flat


def test_a_batch_takes_effect_at_one_frame_and_is_told_once() -> None:
    told, model = list[Event](), SineModel()
    core = Core(model, {}, tell=told.append)
    me = object()
    core.change(Change({"prompt": "rain", "volume": -6.0, "temperature": 0.5}, Frame(7.4), me))
    core.read(12 * HOP)
    batch: dict[str, Value] = {"prompt": "rain", "volume": -6.0, "temperature": 0.5}
    assert told == [Applied(7, batch, Frame(7.4), me), Turned(7, {"volume": -6.0})]
    assert core.values["volume"] == -6.0


def test_a_late_change_takes_the_next_frame_whole_and_says_by_how_much() -> None:
    told = list[Event]()
    core = Core(SineModel(), {}, level=False, tell=told.append)  # a limiter looks ahead: a frame more would be made
    core.read(10 * HOP)
    core.change(Change({"prompt": "rain", "volume": -6.0}, Frame(4)))
    core.change(Change({"mute": True}, Frame(9.5)))
    core.read(2 * HOP)
    late = [(event.frame, round(event.late, 6)) for event in told if isinstance(event, Applied)]
    assert late == [(10, 0.12), (10, 0.01)]


def test_an_engine_without_a_clock_refuses_the_time_of_day() -> None:
    with pytest.raises(ValueError, match="no clock"):
        Core(SineModel(), {}).change(Change({"volume": 0.0}, Wall(0.0)))


# Effects


def test_a_knob_of_the_effects_is_heard_from_the_next_frame_on_and_back_at_rest_not_at_all() -> None:
    engine, plain = (Engine(SineModel(), Controls(), chunk_frames=1, level=False) for _ in range(2))
    np.testing.assert_array_equal(engine.read(5 * HOP), plain.read(5 * HOP))
    engine.controls.apply([("width", 1.0)])
    wide, same = engine.read(20 * HOP), plain.read(20 * HOP)
    assert np.abs(wide[:, 0] - wide[:, 1]).max() > 0.01
    engine.controls.apply([("width", 0.0)])
    np.testing.assert_allclose(engine.read(HOP).mean(axis=1), plain.read(HOP).mean(axis=1), atol=1e-6)  # on its way
    np.testing.assert_array_equal(engine.read(5 * HOP), plain.read(5 * HOP))
    np.testing.assert_allclose(wide.mean(axis=1), same.mean(axis=1), atol=1e-6)


def test_a_knob_glides_with_a_ramp() -> None:
    engine = Engine(SineModel(), Controls(), chunk_frames=3)
    engine.change(Change({"space": 1.0}, over=0.2))
    engine.read(6 * HOP)
    assert 0.4 < float(engine.values["space"]) < 0.8
    engine.read(10 * HOP)
    assert engine.values["space"] == 1.0


@pytest.mark.parametrize("look_ahead", [0, 1000])
def test_an_effect_that_is_asked_for_at_a_moment_is_heard_then(look_ahead: int) -> None:
    engine, plain = (Engine(SineModel(look_ahead=look_ahead), Controls(), chunk_frames=1) for _ in range(2))
    engine.read(10 * HOP)
    sample = 20 * HOP
    change = {"tilt": 12.0}
    engine.change(Change(change, Frame(engine.frame_at(sample, change))))
    heard = np.concatenate([np.zeros((10 * HOP, 2), np.float32), engine.read(20 * HOP)])
    unchanged = plain.read(30 * HOP)
    differs = np.flatnonzero(np.abs(heard - unchanged).max(axis=1)[10 * HOP :] > 1e-7) + 10 * HOP
    assert abs(differs[0] - sample) <= HOP
