"""What counts strokes counts what is struck, and ladders are ranked as they should."""

import numpy as np
import pytest

from training.codec import RATE
from training.compose.liberties import Liberties
from training.compose.song import PLAYERS
from training.compose.takes import take
from training.evaluate import energy, listeners


def strokes(rate: float, seconds: float, loud: float = 0.3) -> np.ndarray:
    """So many short strokes of noise a second, every other one 20 dB softer."""
    audio, rng = np.zeros(round(seconds * RATE), np.float32), np.random.default_rng(0)
    for number, start in enumerate(np.arange(0.1, seconds - 0.1, 1 / rate)):
        here = round(start * RATE)
        audio[here : here + 1600] += loud * 0.1 ** (number % 2) * rng.normal(size=1600) * np.exp(-np.arange(1600) / 300)
    return audio


@pytest.mark.parametrize("rate", [1.0, 3.0, 7.0])
def test_soft_strokes_count_as_loud_ones_do(rate: float) -> None:
    assert listeners.onset_rate(strokes(rate, 8.0)) == pytest.approx(rate, abs=0.3)


def test_what_glides_or_rustles_far_below_is_not_struck() -> None:
    t = np.arange(4 * RATE) / RATE
    glide = np.asarray(0.2 * np.sin(2 * np.pi * (300 * t + 5 * np.sin(2 * np.pi * 2 * t))), np.float32)
    rustle = np.asarray(1e-4 * np.random.default_rng(0).normal(size=len(t)), np.float32)
    assert listeners.onset_rate(glide + rustle) <= 0.5


def test_a_song_has_as_many_strokes_as_it_has_moments_with_notes() -> None:
    songs = [take(3, energy.STEP, Liberties(energy=True), PLAYERS, one) for one in (0.05, 0.95)]
    few, many = (energy.strokes(song) for song in songs)
    assert few < many
    notes = {round(note.start, 6) for track in songs[1].tracks for note in track.notes}
    assert 0 < many * 6 <= len({start for start in notes if 2 <= start < 8})


def test_ladders_are_ranked_and_the_worst_style_is_named() -> None:
    clips = [np.float32(loud) * strokes(rate, 6.0) for loud, rate in ((0.1, 4.0), (0.5, 1.0), (1.5, 2.0))]
    found = energy.ranks([0.1, 0.5, 0.9], clips)
    assert found == {"level": pytest.approx(1.0), "onsets": pytest.approx(-0.5)}
    assert energy.correlation([0.1, 0.5, 0.9], [2.0, 2.0, 2.0]) == 0
    table = energy.by_style([("a", {"level": 1.0}), ("b", {"level": 0.5}), ("a", {"level": 0.4})])
    assert table["worst"] == {"level": (0.5, "b")} and table["median"]["level"] == pytest.approx(0.6)
