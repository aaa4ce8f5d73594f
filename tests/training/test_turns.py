"""A new chord is heard where it begins, and takes are told a clock where the command line asks for it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from musicgen.score import FIELDS
from training.codec import RATE
from training.compose import compose
from training.compose.liberties import Liberties
from training.compose.theory import Chord
from training.evaluate import moving, playing, turns
from training.evaluate.__main__ import parser
from training.evaluate.listeners import TRIADS
from training.evaluate.material import Wanted
from training.evaluate.studio import FRAMES, Studio
from training.evaluate.turns import MISSED, Turn

MAJOR, MINOR = 0, 12 + 6  # C major and F sharp minor


def tones(number: int, seconds: float) -> np.ndarray:
    """A triad, numbered as `TRIADS` are, over its root."""
    pitches = [36 + number % 12, *(60 + p for p in np.flatnonzero(TRIADS[number]))]
    t = np.arange(round(seconds * RATE)) / RATE
    waves = [np.sin(2 * np.pi * k * 440 * 2 ** ((p - 69) / 12) * t) / k**1.5 for p in pitches for k in range(1, 6)]
    return np.asarray(0.05 * np.sum(waves, 0), np.float32)


@pytest.mark.parametrize("late", [0.0, 1.0, 2.0])
def test_a_new_chord_is_heard_where_it_begins(late: float) -> None:
    beat = 0.5
    audio = np.concatenate([tones(MAJOR, 3.0 + late * beat), tones(MINOR, 3.0)])
    turn = Turn(3.0, MAJOR, MINOR)
    assert turns.heard_after(audio, turn, beat) == pytest.approx(late, abs=0.2)
    assert turns.judged(audio, [turn], 60 / beat)[0][1] is False


def test_a_chord_that_does_not_come_is_missed() -> None:
    assert turns.heard_after(tones(MAJOR, 6.0), Turn(2.0, MAJOR, MINOR), 0.5) == MISSED


def told_at(fields: np.ndarray, seconds: float) -> int:
    """The bass note that the frame is told which holds a moment."""
    return int(fields[int(seconds * FRAMES), FIELDS.index("bass")])


@pytest.mark.parametrize("off", [0.0, 1.3])
def test_a_stream_is_told_its_chords_when_they_begin(off: float) -> None:
    asked = turns.asked_of(118.7, off, [3, 16, 9, 2, 21, 7, 12, 0], early=0.0)
    assert asked.place == ("off the grid" if off else "on the grid") and len(asked.turns) >= 4
    for turn in asked.turns:
        assert told_at(asked.fields, turn.moment - 0.021) == turn.before % 12
        assert told_at(asked.fields, turn.moment + 0.021) == turn.after % 12
        assert (turn.moment * 118.7 / 60 - off + 1) % 8 == pytest.approx(1)


def test_early_frames_are_told_the_chord_ahead_as_the_beat_is() -> None:
    on_time, early = (turns.asked_of(100.0, 0.0, [*range(12)], ahead).fields for ahead in (0.0, 0.1))
    bass = FIELDS.index("bass")
    assert np.array_equal(early[:-5, bass], on_time[5:, bass])


@pytest.mark.parametrize(
    ("chord", "number"),
    [(((9, 0, 4), None), 12 + 9), (((0, 4, 7), None), 0), (((0, 4, 7), 4), None), (((0, 4, 7, 10), None), None)],
)
def test_only_triads_over_their_root_are_plain(chord: tuple[tuple[int, ...], int | None], number: int | None) -> None:
    assert turns.plain(Chord(chord[0], (), chord[1])) == number


def test_turns_of_a_song_are_where_its_chords_change() -> None:
    found: Sequence[Turn] = []
    seed = 0
    while not found:
        song = compose(seed, 40.0, Liberties(tempo=True, chords=True))
        found, seed = turns.turns_of(song), seed + 1
    moments = [song.tempo.time(step) for step, _ in song.harmony]
    for turn in found:
        at = moments.index(turn.moment)
        assert (turns.plain(song.harmony[at - 1][1]), turns.plain(song.harmony[at][1])) == (turn.before, turn.after)


def test_figures_tell_the_late_and_the_worst() -> None:
    report = turns.summary({"a": [(0.0, False)] * 9 + [(2.0, True)], "b": [(0.5, False), (MISSED, False)]})
    assert report["worst"]["of"] == "b" and report["worst"]["missed"] == 0.5
    assert report["p50"] == 0 and report["within_a_beat"] == pytest.approx(10 / 12)
    assert report["by_name"]["a"]["mistaken_before"] == pytest.approx(0.1)


def test_streams_are_apart_by_as_much_as_one_is_late() -> None:
    grid = np.arange(0, 60, 0.5)
    assert moving.apart(grid + 0.012, grid)["p95_ms"] == pytest.approx(12)
    halfway = moving.apart(grid + 0.24, grid)
    assert (halfway["p50_ms"], halfway["half_p50_ms"]) == pytest.approx((240, 10))


def test_takes_are_told_the_clock_of_what_is_asked_for(tiny_model_dir: Path, tmp_path: Path) -> None:
    script = [(0, Wanted("some house", ("house",), bpm=120)), (50, Wanted("rock, please", ("rock",)))]
    options = ["--model", str(tiny_model_dir), "--out", str(tmp_path)]
    plain = Studio(parser().parse_args(options)).take(script, 100, 7)
    told = Studio(parser().parse_args([*options, "--clock"])).take(script, 100, 7)
    assert plain.score == "" and (plain.script, plain.seed) == (told.script, told.seed)
    fields = np.stack([f for frame in range(100) if (f := playing.told(told)(frame)) is not None])
    assert fields[[0, 49, 50], 2] == pytest.approx([120.0, 120.0, script[1][1].tempo])
    assert fields[[0, 10, 25], 0] == pytest.approx([0.0, 0.4, 0.0], abs=1e-5)
    assert np.isnan(fields[:, 3:]).all()
