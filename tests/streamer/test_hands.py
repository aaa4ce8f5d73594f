"""Under the musician's hands: every frame is told the beat at which it is heard, the chord, the players, the energy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from musicgen import MusicGen
from musicgen.score import FIELDS
from osc.values import Value
from streamer.control.change import Change, Frame, Wall
from streamer.control.controls import Controls
from streamer.control.pulse import PULSE, Pulse
from streamer.control.table import accept
from streamer.control.tempo import Tempo
from streamer.control.timeline import Reading, Timeline
from streamer.engine.beginning import Excerpt, read_beginning
from streamer.engine.core import Core
from streamer.engine.course import TURN_FRAMES
from streamer.engine.events import Event, Noted, to_repeat
from streamer.engine.score import Round
from streamer.engine.standing import Standing
from streamer.engine.together import advance
from streamer.offline.render import render
from streamer.process.intake import Intake
from streamer.sound.dynamics import Samples
from tests.musicgen.test_score import scored
from tests.musicgen.tiny import tiny_checkpoint
from tests.streamer.scored import ScoredModel, ScoredStream
from tests.streamer.sine import SineModel

HOP, RATE = 640, 32_000
BEAT, BAR, BPM, NOTES, BASS, DRUMS, _, _, LEAD, ENERGY = range(len(FIELDS))
C, E, G, A = 1 << 0, 1 << 4, 1 << 7, 1 << 9


@pytest.fixture
def model() -> ScoredModel:
    return ScoredModel()


@pytest.fixture(scope="module")
def music(tmp_path_factory: pytest.TempPathFactory) -> MusicGen:
    """A small random model with score inputs that nobody trained: what it is told counts, not how it sounds."""
    return MusicGen.load(str(scored(tiny_checkpoint(tmp_path_factory.mktemp("scored") / "mono"))), backend="torch")


class Band:
    """An engine, what its frames were told, and what it says."""

    def __init__(self, model: MusicGen | SineModel, values: Mapping[str, Value], goes_on: bytes = b"") -> None:
        self.said: list[Event] = []
        goes = Standing.from_bytes(goes_on) if goes_on else None
        asked = accept(({"guard": False} | dict(values)).items())
        self.core = Core(model, asked, channels=1, level=False, tell=self.said.append, goes_on=goes)
        self.frames: list[NDArray[np.float32]] = []

    def play(self, frames: int) -> NDArray[np.float32]:
        """What so many frames were told, (frames, fields); the engine's frame 0 is the first of `frames`."""
        for _ in range(frames):
            while not (due := self.core.due()):
                pass
            self.core.play(due)
            told = getattr(self.core.stream.trace, "fields", None)
            self.frames.append(told[0] if told is not None and len(told) else np.full(len(FIELDS), np.nan, np.float32))
        return np.stack(self.frames[-frames:])

    def ask(self, at: float | None = None, **values: Value) -> None:
        self.core.change(Change(accept(values.items()), None if at is None else Frame(at)))

    @property
    def notes(self) -> list[Noted]:
        return [event for event in self.said if isinstance(event, Noted)]


def off(told: NDArray[np.floating[Any]], expected: NDArray[np.floating[Any]]) -> float:
    """By how much phases differ at most: 0.99 and 0.01 by 0.02."""
    apart = np.abs(told - expected) % 1
    return float(np.minimum(apart, 1 - apart).max())


def beats(frames: int, bpm: float, start: float = 0.0) -> NDArray[np.float64]:
    return start + np.arange(frames) * bpm / 3000


# --- the beat


def test_every_frame_lies_on_the_beat_at_which_it_is_heard(model: ScoredModel) -> None:
    told = Band(model, {"tempo": 127.0}).play(120)
    assert off(told[:, BEAT], beats(120, 127)) < 1e-4
    assert off(told[:, BAR], beats(120, 127) / 4) < 1e-4
    assert (told[:, BPM] == 127).all()
    assert np.isnan(told[:, NOTES:]).all()


@pytest.mark.parametrize(
    ("values", "bpm"),
    [
        ({}, None),
        ({"prompt": "deep house"}, None),
        ({"prompt": "deep house, 122 bpm"}, 122),
        ({"prompt": "deep house, 122 bpm", "tempo": 90.0}, 90),
        ({"tempo": 90.0, "grid": "off"}, None),
        ({"prompt": "deep house, 122 bpm", "grid": "off"}, None),
        ({"grid": "on"}, 120),
    ],
)
def test_words_decide_on_the_beat_until_somebody_names_a_tempo(
    model: ScoredModel, values: dict[str, Value], bpm: float | None
) -> None:
    told = Band(model, values).play(3)
    if bpm is None:
        assert np.isnan(told).all()
    else:
        assert (told[:, BPM] == bpm).all()


def test_a_changed_tempo_is_in_the_next_frame_and_the_beat_does_not_jump(model: ScoredModel) -> None:
    band = Band(model, {"tempo": 120.0})
    band.play(40)
    band.ask(tempo=90.0)
    told = band.play(20)
    assert (told[:, BPM] == 90).all()
    assert off(told[:, BEAT], beats(20, 90, start=40 * 120 / 3000)) < 1e-4


def test_a_tempo_that_is_named_while_the_music_plays_is_followed_from_the_next_frame_on(model: ScoredModel) -> None:
    band = Band(model, {})
    assert np.isnan(band.play(40)).all()
    band.ask(tempo=100.0)
    assert (band.play(5)[:, BPM] == 100).all()
    band.ask(grid="off")
    assert np.isnan(band.play(20)[5:, BPM]).all()


def test_a_gliding_tempo_is_followed_frame_by_frame(model: ScoredModel) -> None:
    band = Band(model, {"tempo": 100.0})
    band.play(20)
    band.core.change(Change(accept({"tempo": 200.0}.items()), over=1.0))
    told = band.play(60)[3:]  # three frames were begun
    assert (np.diff(told[:50, BPM]) >= 0).all()
    assert (told[50:, BPM] == 200).all()
    passed = np.unwrap(told[:, BEAT], period=1)
    assert passed[-1] - passed[0] == pytest.approx(np.sum(told[:-1, BPM]) / 3000, abs=1e-4)


@pytest.mark.parametrize("lead", [0.02, 0.08, 1.0])
@pytest.mark.parametrize("latency", [0.0, 0.021])
def test_the_phase_is_that_of_others_at_the_moment_of_hearing_whatever_the_lead(
    model: ScoredModel, lead: float, latency: float
) -> None:
    """The band counts; we hear their beat 32.3 now, while the sound of `lead` seconds is still queued."""
    begins, played, now = 4_000, 20_000, 1_000.0
    band = Band(model, {"prompt": "jazz"})
    behind = begins + played  # the sample of the ring that the callback took last
    timeline = Timeline(RATE, lambda: Reading(behind, now, latency), wall=lambda: now, clock=lambda: now)
    intake = Intake(band.core, timeline, begins, lambda event: None)
    made = round(played + lead * RATE)
    band.play(made // HOP)
    intake.put(Change({PULSE: Pulse(131.0, 32.3).text}, Wall(now)))
    intake.hand_over(made // HOP * HOP)
    first = band.core.frames_done
    told = band.play(60)
    heard = np.array([timeline.heard(begins + (first + n) * HOP) for n in range(60)])
    theirs = 32.3 + (heard - now) * 131 / 60
    assert off(told[:, BEAT], theirs) * 60 / 131 < 1 / RATE  # seconds: a sample
    assert off(told[:, BAR], theirs / 4) * 240 / 131 < 1 / RATE


def test_a_moved_downbeat_is_in_the_next_frame(model: ScoredModel) -> None:
    band = Band(model, {})
    band.core.change(Change({PULSE: Pulse(120.0, 0.0).text}, Frame(0)))
    band.play(30)
    band.core.change(Change({PULSE: Pulse(120.0, 2.5).text}, Frame(30)))
    assert off(band.play(10)[:, BAR], beats(10, 120, start=2.5) / 4) < 1e-4


def test_a_corrected_clock_draws_nothing_anew(model: ScoredModel, monkeypatch: pytest.MonkeyPatch) -> None:
    band = Band(model, {})
    band.core.change(Change({PULSE: Pulse(120.0, 0.0).text}, Frame(0)))
    band.play(30)
    monkeypatch.setattr(band.core.stream, "redraw", lambda: pytest.fail("half a millisecond is no jump"))
    band.core.change(Change({PULSE: Pulse(120.0, 30 * 120 / 3000 + 0.001).text}, Frame(30)))
    assert off(band.play(10)[5:, BEAT], beats(10, 120, start=1.201)[5:]) < 1e-4


# --- chords


def test_a_chord_is_in_the_next_frame_and_n_lets_go_of_it(model: ScoredModel) -> None:
    band = Band(model, {})
    band.play(30)
    band.ask(chord="Am7")
    told = band.play(20)
    assert (told[:, NOTES] == A | C | E | G).all()
    assert (told[:, BASS] == 9).all()
    assert np.isnan(told[:, BEAT]).all()
    band.ask(chord="N")
    assert np.isnan(band.play(5)).all()


def test_a_slash_says_what_the_bass_plays(model: ScoredModel) -> None:
    told = Band(model, {"chord": "C/E"}).play(2)
    assert (told[:, NOTES] == C | E | G).all() and (told[:, BASS] == 4).all()


def test_held_notes_go_before_the_chord_and_the_chord_before_the_progression(model: ScoredModel) -> None:
    band = Band(model, {"progression": "F", "chord": "C", "notes": "69 64 72"})
    told = band.play(20)
    assert (told[:, NOTES] == A | C | E).all() and (told[:, BASS] == 4).all()
    band.ask(notes="")
    assert (band.play(20)[:, BASS] == 0).all()
    band.ask(chord="")
    assert (band.play(20)[:, BASS] == 5).all()


def test_a_progression_goes_round_with_the_bars(model: ScoredModel) -> None:
    told = Band(model, {"tempo": 240.0, "progression": "Am F C G"}).play(420)  # a bar is 50 frames
    roots = [9, 5, 0, 7, 9, 5, 0, 7]
    assert (told[:400, BASS] == np.repeat(roots, 50)).all()
    assert (told[400:, BASS] == 9).all()


def test_a_progression_begins_on_the_next_bar_and_the_one_before_it_goes_on_until_then(model: ScoredModel) -> None:
    band = Band(model, {"tempo": 240.0, "progression": "Am F C G"})
    band.play(70)
    band.ask(progression="Em . . . D . . .")
    told = band.play(150)
    assert (told[:30, BASS] == 5).all()  # the rest of the second bar
    assert (told[30:80, BASS] == 4).all() and (told[80:130, BASS] == 2).all() and (told[130:, BASS] == 4).all()
    band.ask(progression="")
    told = band.play(80)
    assert (told[:10, BASS] == 4).all()
    assert np.isnan(told[30:, BASS]).all()


def test_a_chord_waits_for_the_bar_that_quantise_names_and_a_held_key_does_not(model: ScoredModel) -> None:
    band = Band(model, {"tempo": 240.0, "quantise": "bar"})
    band.play(20)
    band.ask(chord="C")
    told = band.play(60)
    assert np.isnan(told[:30, BASS]).all() and (told[30:, BASS] == 0).all()
    band.ask(notes="69 72 76")
    assert (band.play(12)[:, BASS] == 9).all()


def test_a_round_of_chords_knows_the_bar_it_begins_on() -> None:
    tempo = Tempo(120.0)
    chords = Round("Am F", 0.0).then("C", tempo, 101)
    assert chords.begins == 8.0
    assert [getattr(chords.at(beat), "name", "") for beat in (3.9, 7.99, 8.0, 30)] == ["Am", "F", "C", "C"]
    assert Round("Am").then("C", tempo, 100).begins == 4.0  # a bar that begins with the frame


# --- players and energy


def test_players_are_dropped_and_brought_back_now(model: ScoredModel) -> None:
    band = Band(model, {})
    band.play(20)
    band.ask(player_drums="off", player_lead="on")
    told = band.play(20)
    assert (told[:, DRUMS] == 0).all() and (told[:, LEAD] == 1).all()
    assert np.isnan(told[:, BASS]).all()
    band.ask(player_drums="auto", player_lead=0)
    told = band.play(20)
    assert np.isnan(told[:, DRUMS]).all() and (told[:, LEAD] == 0).all()


def test_energy_glides_and_is_let_go_of(model: ScoredModel) -> None:
    band = Band(model, {"energy": 0.0})
    band.play(20)
    band.core.change(Change(accept({"energy": 1.0}.items()), over=1.0))
    told = band.play(60)[:, ENERGY]
    assert (np.diff(told) >= 0).all() and told[0] < 0.2 and told[-1] == 1
    band.ask(energy="auto")
    assert np.isnan(band.play(20)[5:, ENERGY]).all()


# --- wherever the music goes


def test_a_reset_begins_the_first_bar_and_the_progression(model: ScoredModel) -> None:
    band = Band(model, {"tempo": 120.0, "progression": "Am F"})
    band.play(130)
    band.ask(reset=True)
    told = band.play(20)
    assert off(told[:, BAR], beats(20, 120) / 4) < 1e-4
    assert (told[:, BASS] == 9).all()


def test_after_a_rewind_the_beat_is_that_of_then(model: ScoredModel) -> None:
    band = Band(model, {"tempo": 120.0})
    band.play(200)
    band.ask(rewind=2.0)
    band.play(TURN_FRAMES)
    assert off(band.play(20)[:, BAR], beats(20, 120, start=(200 + TURN_FRAMES - 100 - TURN_FRAMES) / 25) / 4) < 1e-4


def test_what_the_music_goes_back_to_is_known_with_what_it_was_told(model: ScoredModel) -> None:
    band = Band(model, {"tempo": 120.0, "chord": "C"})
    told = band.play(100)
    band.ask(chord="Am")
    band.play(60)
    band.ask(rewind=2.0)
    band.play(TURN_FRAMES + 1)
    assert isinstance(band.core.stream, ScoredStream)
    np.testing.assert_array_equal(band.core.stream.past, told[: 160 - 100])


def test_a_successor_knows_what_the_music_before_it_was_told(music: MusicGen) -> None:
    values: dict[str, Value] = {"tempo": 117.0, "seed": 3, "chord": "C"}
    first = Band(music, values)
    first.play(140)
    second = Band(music, values, first.core.state())
    for band in (first, second):
        band.ask(rewind=2.0)
        band.play(TURN_FRAMES + 20)
    left, right = (Standing.from_bytes(band.core.state()) for band in (first, second))
    np.testing.assert_array_equal(left.stream.remembered.fields, right.stream.remembered.fields)
    np.testing.assert_array_equal(left.played.fields, right.played.fields)
    assert not np.isnan(left.stream.remembered.fields[:, BEAT]).all()


def test_what_follows_a_passage_lies_on_the_beat_counted_through_it(model: ScoredModel, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "riff.wav", np.random.default_rng(0).normal(0, 0.1, RATE), RATE)
    beginning = read_beginning(Excerpt(tmp_path / "riff.wav", 0.0, None), model)
    core = Core(model, accept([("tempo", 130.0), ("guard", False)]), channels=1, beginning=beginning)
    while core.opening:
        core.play(core.due())
    first, told = core.frames_done, []
    for _ in range(10):
        core.play(core.due())
        told.append(core.stream.trace.fields[0])
    assert off(np.stack(told)[:, BEAT], beats(10, 130, start=first * 130 / 3000)) < 1e-4


def test_a_successor_goes_on_with_beat_and_chords(music: MusicGen) -> None:
    values: dict[str, Value] = {"tempo": 240.0, "seed": 3, "prompt": "jazz"}
    first = Band(music, values)
    first.play(70)
    first.ask(progression="Em D")
    first.play(50)
    second = Band(music, values | {"progression": "Em D"}, first.core.state())
    ahead, again = first.play(60), second.play(60)
    np.testing.assert_array_equal(again, ahead)


def test_a_successor_waits_for_the_bar_as_well(music: MusicGen) -> None:
    """A bar is 50 frames: the progression of then goes on until the next one, whether the new one was known or not."""
    values: dict[str, Value] = {"tempo": 240.0, "progression": "Am F"}
    known = Band(music, values)
    known.play(70)
    unaware = known.core.state()
    known.ask(progression="Em D")
    known.play(5)
    aware = known.core.state()
    for state, left in ((unaware, 30), (aware, 25)):
        told = Band(music, values | {"progression": "Em D"}, state).play(60)
        assert (told[5:left, BASS] == 5).all() and (told[left:, BASS] == 4).all()


def test_the_same_changes_again_are_the_same_samples(music: MusicGen) -> None:
    band = Band(music, {"tempo": 120.0, "seed": 5})
    band.ask(20, chord="Am7")
    band.ask(33, progression="C G", player_drums=0)
    band.ask(50, energy=0.7)
    band.core.change(Change({PULSE: Pulse(121.0, 5.2).text}, Frame(60)))
    sound = band.core.read(80 * HOP)
    other = Band(music, {"tempo": 120.0, "seed": 5})
    for event in band.said:
        if (change := to_repeat(event)) is not None:
            other.core.change(change)
    np.testing.assert_array_equal(other.core.read(80 * HOP), sound)
    plain = Band(music, {"tempo": 120.0, "seed": 5, "grid": "off"}).core.read(80 * HOP)
    assert not np.array_equal(plain, sound)


def test_each_engine_of_a_batch_is_told_its_own(music: MusicGen) -> None:
    cores = [Core(music, accept([("tempo", bpm), ("guard", False)]), channels=1) for bpm in (90.0, 140.0)]
    for _ in range(12):
        advance(cores)
    for core, bpm in zip(cores, (90.0, 140.0), strict=True):
        told = core.stream.trace.fields[0]
        assert off(told[BEAT : BEAT + 1], np.array([11 * bpm / 3000])) < 1e-4


def test_without_a_score_the_music_is_the_models_own(music: MusicGen) -> None:
    core = Core(music, accept([("prompt", "jazz"), ("seed", 7), ("guard", False)]), channels=1)
    for _ in range(30):
        core.play(core.due())
    stream = music.stream("jazz", seed=7)
    plain = np.stack([stream.next_frame() for _ in range(30)], axis=1)
    np.testing.assert_array_equal(Standing.from_bytes(core.state()).played.frames, plain)


# --- models that follow words only


def test_a_model_that_follows_words_only_says_so_once(tiny_model: MusicGen) -> None:
    band = Band(tiny_model, {"tempo": 120.0, "key": "D minor"})
    band.play(5)
    assert not band.notes
    band.ask(chord="Am7")
    band.play(5)
    band.ask(chord="C", energy=0.5)
    band.play(5)
    assert [(note.name, "words only" in note.sentence) for note in band.notes] == [("chord", True)]
    assert np.isnan(band.play(5)).all()


def test_a_model_that_follows_words_only_draws_nothing_anew_for_a_chord(
    tiny_model: MusicGen, monkeypatch: pytest.MonkeyPatch
) -> None:
    band = Band(tiny_model, {})
    band.play(20)
    monkeypatch.setattr(band.core.stream, "redraw", lambda: pytest.fail("nothing was begun under another chord"))
    band.ask(chord="Am7", player_drums="off")
    band.play(3)


# --- files


def _listening(play: Callable[..., Samples], heard: list[NDArray[np.float32]]) -> Callable[..., Samples]:
    """Also keeps what every chunk was told."""

    def listening(stream: ScoredStream, frames: int) -> Samples:
        sound = play(stream, frames)
        heard.append(stream.trace.fields)
        return sound

    return listening


def test_a_file_is_on_the_grid_and_its_chords_come_bar_by_bar(
    model: ScoredModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    controls = Controls(tempo=240.0, progression="Am F C G", player_drums="off", energy=0.5, guard=False)
    heard: list[NDArray[np.float32]] = []
    monkeypatch.setattr(ScoredStream, "next_chunk", _listening(ScoredStream.next_chunk, heard))
    render(model, controls, 2.0, tmp_path / "a.wav", channels=1)
    told = np.concatenate(heard)[:100]
    assert off(told[:, BAR], beats(100, 240) / 4) < 1e-4
    assert (told[:, BASS] == np.repeat([9, 5], 50)).all()
    assert (told[:, DRUMS] == 0).all() and (told[:, ENERGY] == 0.5).all()


@pytest.mark.parametrize("milliseconds", [0, 9, 45])
def test_a_model_whose_attacks_are_late_is_told_the_beat_so_much_earlier(milliseconds: int) -> None:
    model = ScoredModel()
    model.score_delay = milliseconds / 1000
    told = Band(model, {"tempo": 130.0, "progression": "Am F"}).play(120)
    late = milliseconds / 1000 * 130 / 60
    assert off(told[:, BEAT], beats(120, 130, start=late)) < 1e-4
    assert off(told[:, BAR], beats(120, 130, start=late) / 4) < 1e-4
    assert (told[:, BASS] == np.where(beats(120, 130, start=late) < 4, 9, 5)).all()
