"""The guard: what it takes for a collapse and what not, what it says to do, and that the music comes back."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import musicgen
from musicgen import MusicGen, Trace
from musicgen.score import unknown
from osc.values import Value
from streamer import Controls, Engine, UserError
from streamer.engine.events import Collapsed, Event
from streamer.engine.guard import Collapse, Guard, asks_for_loops, fresh_seed, is_low, loop_length
from streamer.engine.trail import untold
from streamer.sound.dynamics import Crossfade, Samples
from tests.streamer.sick import SickModel, Sickness
from tests.streamer.sine import LEVEL, Sampling

NANO = Path(musicgen.__file__).parent / "models" / "nano"
RATE, HOP = 32_000, 640
SECOND = 50  # frames
NOISE = np.random.default_rng(0).normal(0, 0.1, (HOP, 1)).astype(np.float32)  # -20 LUFS or so


def frames_of(count: int, codebooks: int = 4, seed: int = 0) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, 1024, (codebooks, count))


def hear(
    guard: Guard,
    frames: NDArray[np.int64],
    entropy: NDArray[np.float64] | float = 3.0,
    level: NDArray[np.float64] | float = 1.0,
    loops: bool = False,
) -> list[tuple[int, Collapse]]:
    """What the guard says to music, and after how many frames."""
    count = frames.shape[1]
    entropies, levels = np.broadcast_to(entropy, count), np.broadcast_to(level, count)
    said = []
    for at in range(count):
        told = unknown(1)
        told[0, 0] = at
        trace = Trace(frames[:, at : at + 1], np.array(entropies[at : at + 1]), told)
        found = guard.hear(trace, NOISE * np.float32(levels[at]), loops=loops)
        if found is not None:
            said.append((at + 1, found))
    return said


# Single symptoms


@given(st.integers(1, 400), st.integers(1, 8), st.integers(0, 1000), st.floats(0, 1))
@settings(max_examples=30)
def test_a_loop_is_found_at_its_length_if_nearly_all_of_it_repeats(
    lag: int, codebooks: int, seed: int, share: float
) -> None:
    """Of a loop of `lag` frames a share of the tokens is replaced by ones that occur nowhere else."""
    frames = np.tile(frames_of(lag, codebooks, seed), -(-800 // lag))[:, :800]
    random = np.random.default_rng(seed)
    other = random.random(frames.shape) < share / 2
    frames = np.where(other, 10_000 + np.arange(frames.size).reshape(frames.shape), frames)
    repeated = (frames[:, 400:] == frames[:, 400 - lag : 800 - lag]).mean()
    found = loop_length(frames, 400)
    if repeated > 0.9:
        assert 1 <= found <= lag
        assert (frames[:, 400:] == frames[:, 400 - found : 800 - found]).mean() > 0.9
    elif share > 0.5:
        assert found == 0


def test_a_loop_that_half_of_the_codebooks_play_is_music() -> None:
    frames = frames_of(1600)
    frames[:2] = np.tile(frames[:2, :96], 17)[:, :1600]
    assert loop_length(frames, 400) == 0


@given(st.integers(0, 1000), st.floats(0.0, 0.2))
def test_certainty_is_low_if_it_lasts(seed: int, factor: float) -> None:
    entropy = np.random.default_rng(seed).uniform(0.1, 6.0, 1400)
    low = np.full(100, factor * np.median(entropy))
    assert is_low(np.concatenate([entropy, low]), 100)
    assert not is_low(np.concatenate([entropy, low[:80], np.full(20, 6.0)]), 100)


# What the guard makes of them


def test_healthy_music_is_left_alone() -> None:
    """Five minutes with rests of a second, sure beats and half of its tokens repeated."""
    count = 300 * SECOND
    frames = frames_of(count)
    frames[:2] = np.tile(frames[:2, :96], count // 96 + 1)[:, :count]
    level = np.where(np.arange(count) % 500 < 50, 0.0, 1.0)
    entropy = np.where(np.arange(count) % 25 < 15, 0.1, 3.0)
    assert hear(Guard(RATE, HOP), frames, entropy, level) == []


def test_silence_is_answered_with_what_was_before_it() -> None:
    frames = frames_of(40 * SECOND)
    level = np.where(np.arange(2000) < 1700, 1.0, 0.0)
    (at, found), *_ = hear(Guard(RATE, HOP), frames, level=level)
    assert found.reason == "silence"
    assert 1700 + 75 <= at <= 1700 + 100
    assert found.healthy is not None
    silent = at - 100  # since then, or later
    np.testing.assert_array_equal(found.healthy.frames, frames[:, silent - 500 - 300 : silent - 500])
    np.testing.assert_array_equal(found.healthy.fields[:, 0], np.arange(silent - 500 - 300, silent - 500))


def test_samples_that_are_no_numbers_are_silence() -> None:
    assert hear(Guard(RATE, HOP), frames_of(100), level=float("nan"))[0][1].reason == "silence"


@pytest.mark.parametrize("lag", [1, 37, 96, 400])
def test_a_frozen_loop_is_answered_with_what_was_before_it(lag: int) -> None:
    """The loop's first round is part of what has to be forgotten."""
    well = frames_of(1700)
    loop = np.tile(frames_of(lag, seed=1), -(-900 // lag))
    said = hear(Guard(RATE, HOP), np.concatenate([well, loop], axis=1))
    at, found = said[0]
    assert found.reason == "frozen loop"
    # a tenth of the 8 s may still be from before
    assert 1700 + lag + 400 - 45 <= at <= 1700 + lag + 400 + 25
    assert found.healthy is not None
    until = at - 400 - lag - 500
    np.testing.assert_array_equal(found.healthy.frames, well[:, until - 300 : until])


def test_low_entropy_is_answered_once_it_is_known_what_is_usual() -> None:
    entropy = np.where(np.arange(1500) < 1200, 2.0, 0.3)
    (at, found), *_ = hear(Guard(RATE, HOP), frames_of(1500), entropy)
    assert found.reason == "low entropy"
    assert 1200 + 90 <= at <= 1200 + 125


def test_a_calmer_prompt_is_no_collapse() -> None:
    guard = Guard(RATE, HOP)
    assert hear(guard, frames_of(1000), 3.0) == []
    guard.asked()
    assert hear(guard, frames_of(1000, seed=1), 0.3) == []


def test_loops_that_are_meant_stay() -> None:
    loop = np.tile(frames_of(50), 40)
    entropy = np.where(np.arange(2000) < 1000, 2.0, 0.1)
    assert hear(Guard(RATE, HOP), loop, entropy, loops=True) == []
    assert hear(Guard(RATE, HOP), loop, entropy)


@pytest.mark.parametrize(
    ("sampling", "meant"),
    [
        (Sampling(0.9, 50, 1.0), False),
        (Sampling(0.5, 50, 1.0), False),
        (Sampling(0.4, 50, 1.0), True),
        (Sampling(0.9, 1, 1.0), True),
        (Sampling(0.9, 0, 1.0), False),
        (Sampling(0.9, 50, 0.1), True),
    ],
)
def test_who_turns_the_choice_down_means_it(sampling: Sampling, meant: bool) -> None:
    assert asks_for_loops(sampling, Sampling(0.9, 50, 1.0)) is meant


def test_what_does_not_help_is_not_repeated_for_ever() -> None:
    """A prompt may ask for silence: first what was before, then from nothing, then ever more rarely."""
    level = np.where(np.arange(40_000) < 1000, 1.0, 0.0)
    said = hear(Guard(RATE, HOP), frames_of(40_000), level=level)
    assert said[0][1].healthy is not None
    assert all(found.healthy is None for _, found in said[1:])
    waits = np.diff([at for at, _ in said]) / SECOND
    assert (waits[:2] <= 2).all()
    np.testing.assert_allclose(waits[2:6], [15, 30, 60, 120], atol=2.5)


def test_a_week_of_silence_is_survived() -> None:
    guard, rest = Guard(8000, 160), 480 * SECOND
    trace = Trace(np.zeros((1, rest), np.int64), np.ones(rest), unknown(rest))
    said = [guard.hear(trace, np.zeros((16_000, 1), np.float32)) for _ in range(1300)]
    assert all(found is not None for found in said[3:])


def test_after_a_calm_time_it_begins_with_the_gentle_answer_again() -> None:
    level = np.ones(6000)
    for start in (1000, 1200, 4000):
        level[start : start + 110] = 0
    answers = [found.healthy is not None for _, found in hear(Guard(RATE, HOP), frames_of(6000), level=level)]
    assert answers == [True, False, True]


def test_without_music_to_go_on_from_it_begins_anew() -> None:
    (_, found), *_ = hear(Guard(RATE, HOP), frames_of(120), level=0.0)
    assert found.healthy is None


def test_a_beginning_is_something_to_go_on_from() -> None:
    guard, past = Guard(RATE, HOP), frames_of(200)
    guard.begin(untold(past))
    (_, found), *_ = hear(guard, frames_of(100, seed=1), level=0.0)
    assert found.healthy is not None
    # half of it: what led to the collapse may be part of it
    np.testing.assert_array_equal(found.healthy.frames, past[:, :88])


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**40))
def test_a_fresh_seed_is_one_and_always_the_same(seed: int, frame: int) -> None:
    assert 0 <= fresh_seed(seed, frame) < 2**31
    assert fresh_seed(seed, frame) == fresh_seed(seed, frame)
    assert len({fresh_seed(seed, frame), fresh_seed(seed + 1, frame), fresh_seed(seed, frame + 1)}) == 3


# In the engine


def engine_of(model: SickModel, told: list[str] | None = None, **controls: Value) -> Engine:
    return Engine(model, Controls(**controls), channels=1, tell=into([] if told is None else told))


def into(told: list[str]) -> Callable[[Event], None]:
    """Keeps the sentences about collapses."""

    def tell(event: Event) -> None:
        if isinstance(event, Collapsed):
            told.append(event.sentence)

    return tell


@pytest.mark.parametrize("sickness", ["silence", "frozen loop", "low entropy"])
@pytest.mark.parametrize("helps", ["reanchor", "reset"])
def test_a_model_that_collapses_is_brought_back_and_it_is_told(sickness: Sickness, helps: str) -> None:
    model = SickModel(sickness, well=1200, helps=(helps,))
    told = list[str]()
    engine = engine_of(model, told, seed=5)
    sound = engine.read(50 * RATE)
    calls = [call.split()[0] for call in model.streams[0].calls]
    assert calls == ["reanchor"] if helps == "reanchor" else ["reanchor", "reset"]
    assert len(told) == len(calls)
    assert told[0].startswith("At 0:")
    assert "goes on from what was before" in told[0]
    assert all("begins anew" in sentence for sentence in told[1:])
    assert np.abs(sound[-RATE:]).max() > LEVEL / 2


@pytest.mark.parametrize(("guard", "how"), [(True, "reanchor"), (False, "reset")])
def test_a_model_that_computes_no_numbers_is_brought_back_once(guard: bool, how: str) -> None:
    """By what was before, where the guard has listened; without a click in either case."""
    model = SickModel("no numbers", well=1200)
    told = list[str]()
    engine = engine_of(model, told, seed=5, guard=guard)
    sound = engine.read(40 * RATE)
    assert [call.split()[0] for call in model.streams[0].calls] == [how]
    assert ["no numbers" in sentence for sentence in told] == [True]
    assert np.abs(sound[-RATE:]).max() > LEVEL / 2
    steepest = LEVEL * 2 * np.pi * 220 * 2 ** (18 / 12) / RATE
    assert np.abs(np.diff(sound, axis=0)).max() <= steepest * 2**0.5 * 1.5


@pytest.mark.parametrize("helps", [(), ("reanchor", "reset")])
@pytest.mark.parametrize("well", [0, 100, 500])
def test_a_model_that_computes_no_numbers_again_ends_with_a_sentence(helps: tuple[str, ...], well: int) -> None:
    model = SickModel("no numbers", well=well, helps=helps)
    told = list[str]()
    engine = engine_of(model, told, seed=5)
    with pytest.raises(UserError, match=r"sine computes values that are no numbers .*\.$"):
        engine.read(60 * RATE)
    assert len(told) == 1


def test_answers_are_the_same_in_every_render() -> None:
    def play(block: int) -> tuple[Samples, list[str]]:
        model = SickModel("silence", well=100, helps=("reset",))
        engine = engine_of(model, seed=5)
        return np.concatenate([engine.read(block) for _ in range(20 * RATE // block)]), model.streams[0].calls

    (one, calls), (other, again) = play(RATE), play(1000)
    np.testing.assert_array_equal(one, other)
    assert calls == again
    assert len(calls) > 2


def test_beginning_anew_does_not_click() -> None:
    model = SickModel("frozen loop", well=400, helps=("reset",))
    engine = engine_of(model, seed=5)
    sound = engine.read(40 * RATE)
    assert "reset" in model.streams[0].calls[-1]
    steepest = LEVEL * 2 * np.pi * 220 * 2 ** (18 / 12) / RATE
    # two sounds at once, where they cross
    assert np.abs(np.diff(sound, axis=0)).max() <= steepest * 2**0.5 * 1.5


@pytest.mark.parametrize("controls", [{"guard": False}, {"temperature": 0.2}])
def test_the_musician_may_keep_a_loop(controls: dict[str, Any]) -> None:
    model = SickModel("frozen loop", well=100)
    engine = engine_of(model, **controls)
    engine.read(40 * RATE)
    assert model.streams[0].calls == []


@pytest.mark.parametrize("controls", [{"volume": -60.0}, {"mute": True}, {"loudness": -30.0}])
def test_turned_down_is_not_silent(controls: dict[str, Any]) -> None:
    model = SickModel("none", well=0)
    engine = engine_of(model, **controls)
    engine.read(20 * RATE)
    assert model.streams[0].calls == []


def test_one_of_several_engines_in_a_batch_is_brought_back(tiny_model: MusicGen) -> None:
    """With a real model, forced into silence by a decoder that gives nothing: the other engine plays on."""
    from streamer.engine.together import read_together

    told = (list[str](), list[str]())
    engines = [
        Engine(tiny_model, Controls(seed=seed), channels=1, tell=into(own))
        for seed, own in zip((1, 2), told, strict=True)
    ]
    alone = Engine(tiny_model, Controls(seed=2), channels=1)
    decoder: Any = engines[0].stream
    decoder.decoder = Mute(decoder.decoder)
    _, heard = read_together(engines, 5 * RATE)
    np.testing.assert_allclose(heard, alone.read(5 * RATE), atol=1e-5)
    assert "fell silent" in told[0][0]
    assert told[1] == []


def test_nano_as_it_plays_is_left_alone() -> None:
    from streamer.engine.together import read_together

    if not list(NANO.glob("*.safetensors")):
        pytest.skip("nano is not in this checkout: train it with the commands in training/")
    model = MusicGen.load("nano", threads=1)
    prompts = ("drum and bass, 174 bpm", "solo piano, 72 bpm")
    told = list[str]()
    engines = [Engine(model, Controls(prompt=prompt, seed=3), chunk_frames=5, tell=into(told)) for prompt in prompts]
    read_together(engines, 14 * model.sample_rate)
    assert told == []


class Mute:
    """A codec that gives silence."""

    def __init__(self, codec: Any) -> None:
        self._codec = codec

    def decode(self, codes: NDArray[np.int64]) -> Samples:
        return np.zeros_like(self._codec.decode(codes))

    def reset(self) -> None:
        self._codec.reset()


@given(st.lists(st.integers(0, 700), max_size=12), st.integers(0, 2000))
def test_a_crossfade_goes_from_the_old_to_the_new_at_the_same_power(sizes: list[int], length: int) -> None:
    random = np.random.default_rng(length)
    old, new = (random.normal(size=(n, 2)).astype(np.float32) for n in (length, 12 * 700))
    left = iter(old)

    def old_music(count: int) -> Samples:
        return np.array([next(left) for _ in range(count)], np.float32).reshape(-1, 2)

    fade, cuts = Crossfade(len(old), old_music), np.cumsum([0, *sizes])
    heard = np.concatenate([new[:0], *(fade.process(new[a:b]) for a, b in pairwise(cuts))])
    phase = (np.arange(length)[:, None] + 0.5) / max(1, length) * np.pi / 2
    whole = new.copy()
    whole[:length] = new[:length] * np.sin(phase) + old * np.cos(phase)
    np.testing.assert_allclose(heard, whole[: len(heard)], atol=1e-6)
    assert fade.over == (len(heard) >= length)
