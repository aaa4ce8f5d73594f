"""What listens for a score hears what is known to be there."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.progress import Progress

from musicgen import MusicGen, score
from musicgen.score import FIELDS
from training.codec import RATE
from training.evaluate import clocks, following, grid, listeners, moving, playing
from training.evaluate.playing import Take
from training.evaluate.studio import FRAMES


def clicks(bpm: float, seconds: float, off_beats: float = 0.0) -> np.ndarray:
    """A stroke of noise on every beat, and weaker ones halfway."""
    audio, rng = np.zeros(round(seconds * RATE), np.float32), np.random.default_rng(0)
    for half in range(int(seconds * bpm / 30) - 1):
        start, loud = round(half * 30 / bpm * RATE), off_beats if half % 2 else 0.5
        audio[start : start + 1600] += loud * rng.normal(size=1600) * np.exp(-np.arange(1600) / 300)
    return audio


@pytest.mark.parametrize(("bpm", "near"), [(117.3, 117.3), (88.0, 92.0), (173.5, 170.0)])
def test_beats_are_found_where_they_are_struck(bpm: float, near: float) -> None:
    found = listeners.beats(clicks(bpm, 14.0, off_beats=0.15), near)
    away = listeners.errors(found[found > 2], np.arange(0, 14, 60 / bpm))
    assert np.abs(away).max() < 0.012 and abs(np.median(away)) < 0.005


def test_a_beat_halfway_is_near_the_grid_of_halves() -> None:
    grid = np.arange(0, 10, 0.5)
    late = listeners.errors(np.array([2.26, 3.24]), grid)
    assert np.abs(late) == pytest.approx([0.24, 0.24])
    assert listeners.errors(np.array([2.26, 3.24]), listeners.halves(grid)) == pytest.approx([0.01, -0.01])


def strings(pitches: list[int], seconds: float = 2.0) -> np.ndarray:
    t = np.arange(round(seconds * RATE)) / RATE
    tones = [np.sin(2 * np.pi * k * 440 * 2 ** ((p - 69) / 12) * t) / k**1.5 for p in pitches for k in range(1, 6)]
    return np.asarray(0.05 * np.sum(tones, 0), np.float32)


def test_every_triad_is_told_from_the_others() -> None:
    for number, tones in enumerate(listeners.TRIADS):
        root = number % 12
        chord = [36 + root, *(60 + p for p in np.flatnonzero(tones))]
        assert listeners.triad(strings(chord)) == number


def test_more_strokes_and_more_level_are_heard_as_such() -> None:
    few, many = clicks(60, 8.0), clicks(120, 8.0, off_beats=0.4)
    assert listeners.onset_rate(few) == pytest.approx(1, abs=0.2)
    assert listeners.onset_rate(many) == pytest.approx(4, abs=0.4)
    assert listeners.level(2 * few) - listeners.level(few) == pytest.approx(6.02, abs=0.1)


def test_scores_say_what_is_asked_for() -> None:
    fields = clocks.clock(90.0, 400)
    assert fields[100, :3] == pytest.approx([0.0, 0.75, 90.0], abs=1e-5)
    chords = following.with_chords(fields, [9 + 12, 0], 100)
    notes, bass = FIELDS.index("notes"), FIELDS.index("bass")
    assert [int(chords[i, notes]) for i in (0, 99, 100, 200)] == [0b1000010001, 0b1000010001, 0b10010001, 0b1000010001]
    assert [int(chords[i, bass]) for i in (0, 100)] == [9, 0]
    switched = following.switched(fields, "play_drums", 2.0, [1.0, 0.0])
    assert switched[:, FIELDS.index("play_drums")].tolist() == [1.0] * 100 + [0.0] * 100 + [1.0] * 100 + [0.0] * 100
    assert np.isnan(fields[:, 3:]).all(), "the score that it was made from is as it was"


def test_figures_tell_early_from_late_and_half_a_beat_from_none() -> None:
    grid = np.arange(0, 32, 0.5)
    late = following.on_time(grid[:-1] + 0.021, grid)
    assert (late["p50_ms"], late["late_ms"]) == pytest.approx((21, 21))
    half = following.on_time(grid[:-1] + 0.25, grid)
    assert half["p50_ms"] == pytest.approx(250) and half["half_p95_ms"] == pytest.approx(0, abs=1e-6)
    table = following.middle_and_worst([late, half], ["a", "b"])
    assert table["within_20_60"] == 0 and table["worst"]["stream"] == "a"


def test_a_take_is_told_its_score(tiny_model_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "told"
    shutil.copytree(tiny_model_dir, folder)
    score.save(folder / score.FILE, np.random.default_rng(0).normal(size=(64, score.FEATURES)))
    model = MusicGen.load(str(folder))
    fields = clocks.clock(120.0, 8)
    takes = [Take(((0, "calm"),), 8, 3, fields.tobytes().hex()), Take(((0, "calm"),), 8, 3)]
    with Progress(disable=True) as progress:
        told, plain = playing.play_together(model, takes, progress)
    stream = model.stream("calm", seed=3)
    stream.set_score(lambda frame: fields[frame] if frame < 8 else None)
    assert np.array_equal(told, np.stack([stream.next_frame() for _ in range(8)], 1))
    assert not np.array_equal(told, plain)
    assert takes[0].path(tmp_path) != takes[1].path(tmp_path)


def test_drums_are_heard_by_their_cymbals_and_a_bass_by_what_goes_on() -> None:
    tune, beat = strings([60, 64, 67], 4.0), clicks(120, 4.0, off_beats=0.4)[: 4 * RATE]
    t = np.arange(4 * RATE) / RATE
    deep = np.asarray(0.1 * np.sin(2 * np.pi * 55 * t), np.float32)
    thump = np.asarray(0.3 * np.sin(2 * np.pi * 55 * t) * np.exp(-20 * (t % 0.5)), np.float32)
    assert listeners.drums(tune + beat) > listeners.drums(tune + deep) + 1
    assert listeners.bass(tune + deep) > listeners.bass(tune + thump) + 1
    assert listeners.bass(tune + deep) > listeners.bass(tune + beat) + 1


@pytest.mark.parametrize("curve", [moving.sudden, moving.gradual])
def test_beats_are_found_along_a_clock_that_moves(curve: Callable[[float], clocks.Tempo]) -> None:
    tempo = curve(104.3)
    count = clocks.passed(tempo)
    audio, rng = np.zeros(round(moving.SECONDS * RATE), np.float32), np.random.default_rng(0)
    struck = np.interp(np.arange(int(count[-1])), count, np.arange(len(tempo)) / FRAMES)
    for start in (struck * RATE).astype(int):
        part = audio[start : start + 1600]
        part += 0.5 * rng.normal(size=len(part)) * np.exp(-np.arange(len(part)) / 300)
    found, grid = moving.found_along(audio, tempo)
    assert grid[: len(struck)] == pytest.approx(struck)
    assert np.abs(listeners.errors(found[2:-2], grid)).max() < 0.015


def test_a_clock_that_moves_has_its_beats_where_its_tempo_puts_them() -> None:
    fields = clocks.moving_clock(moving.sudden(100.0), 0.0)
    first = round(moving.MOVES * FRAMES)
    assert fields[first, FIELDS.index("bpm")] == pytest.approx(105.0)
    assert np.diff(clocks.passed(moving.sudden(100.0)))[[0, first]] * 3000 == pytest.approx([100.0, 105.0])


def struck(bpm: float, seconds: float, late: float = 0.0) -> np.ndarray:
    """A bass drum on one and a snare on two and four, eighths on a hat, so many beats late."""
    audio, rng = np.zeros(round(seconds * RATE), np.float32), np.random.default_rng(1)
    time = np.arange(3200) / RATE
    drum = {"bass": np.sin(2 * np.pi * 60 * time) * np.exp(-time * 25), "hat": rng.normal(size=3200) * 0.1}
    drum["snare"] = rng.normal(size=3200)
    for name in ("hat", "snare"):
        drum[name] *= np.exp(-time * 80)
    for eighth in range(int(seconds * bpm / 30) - 8):
        start = round((eighth / 2 + late) * 60 / bpm * RATE)
        for name, there in (("hat", True), ("bass", eighth % 8 == 0), ("snare", eighth % 4 == 2)):
            audio[start : start + 3200] += 0.3 * there * drum[name]
    return audio


def test_a_pattern_tells_by_how_much_a_bar_is_late() -> None:
    usual = grid.pattern(struck(100.0, 30.0), 100.0)
    assert [grid.turned(grid.pattern(struck(131.0, 30.0, late / 2), 131.0), usual) for late in range(8)] == [*range(8)]
    assert [grid.on_beat(shift) for shift in range(4)] == [True, False, True, False]
    assert grid.of_others([usual, usual, grid.pattern(struck(90.0, 30.0, 0.5), 90.0), usual]) == [0, 0, 1, 0]


def test_minutes_on_a_clock_are_judged_bar_by_bar() -> None:
    usual = grid.pattern(struck(100.0, 30.0), 100.0)
    audio = struck(127.3, 130.0)
    audio[65 * RATE :] = struck(127.3, 65.0 + 4, late=-65 * 127.3 / 60 % 4 + 0.5)[: 65 * RATE]  # loses half a beat
    one = grid.judged(audio, 127.3, usual)
    assert one["shifts"] == [0, 1]
    told = grid.summary({"steady": {**one, "shifts": [0, 0]}, "lost": one})
    assert (told["streams"], told["streams_on_the_bar"]) == (2, 1)
    assert told["minutes_on_the_beat"] == told["minutes_on_the_bar"] == 0.75
