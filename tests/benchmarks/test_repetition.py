"""What is measured of background music: a half minute that comes again is found, and one that does not is not."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.repetition import RATE, STEP, Ear, Heard, repetition


def song(seconds: float, seed: int) -> Heard:
    """Notes at random, five a second, as rows of chroma and onsets with something between their beats."""
    luck = np.random.default_rng(seed)
    rows = round(seconds / STEP)
    notes = np.repeat(luck.normal(size=(rows // 3 + 1, 13)), 3, axis=0)[:rows]
    return (notes + 0.1 * luck.normal(size=notes.shape)).astype(np.float32)


def test_a_half_minute_that_comes_again_is_found_where_it_is() -> None:
    heard = song(400, 1)
    heard[1500:1660] = heard[200:360]
    found = repetition(heard)
    assert found["repetitions"] != 0 and float(str(found["alike_most"])) > 0.99
    first, second = np.array(found["alike_most_at_s"])
    assert second - first == pytest.approx(1300 * STEP, abs=1)


def test_music_that_goes_on_does_not_come_again() -> None:
    found = repetition(song(400, 1))
    assert found["repetitions"] == 0 and float(str(found["alike_most"])) < 0.5


def test_a_note_is_heard_as_its_name() -> None:
    ear = Ear()
    for start in range(0, RATE, 480):
        at = (np.arange(480) + start)[:, None] / RATE
        ear.hear(np.sin(2 * np.pi * 440.0 * at).astype(np.float32))
    assert set(ear.heard()[:, :12].argmax(axis=1)) == {0}
