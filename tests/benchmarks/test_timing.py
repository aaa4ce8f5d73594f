"""What the measurements of moments are made of: each finds what it should, and nothing that sounds like it."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import onset, timing
from benchmarks.latency import RATE, REFERENCE, SETTLED, change_in, locate


def music(seed: int, samples: int = REFERENCE + RATE) -> np.ndarray:
    return np.random.default_rng(seed).normal(scale=0.1, size=samples).astype(np.float32)


@pytest.mark.parametrize("again", [1.1, 1.2, 1.4])
def test_a_reset_is_not_taken_for_the_next_one_which_plays_the_same(again: float) -> None:
    """The second is a little more like the reference than the first, whose loudness has not settled."""
    start, second = music(1), round((0.1 + again) * RATE)
    reference = start[SETTLED : SETTLED + REFERENCE]
    audio = np.zeros(6 * RATE, np.float32)
    first = round(0.1 * RATE)
    audio[first : first + len(start)] = 0.9 * start + 0.001 * music(2)
    audio[second : second + len(start)] = start
    assert locate(audio, reference, 0) == first + SETTLED
    assert abs(change_in(audio, reference, 0, second - RATE // 2) - second) < 10


def test_the_judge_finds_a_cut_of_known_moment() -> None:
    assert np.abs(timing.judged(music(3)[:REFERENCE], cuts=5)).max() < 0.5


def test_figures_tell_how_far_from_its_moment_each_change_was() -> None:
    found = timing.figures([-20.0, -1.0, 2.0, 3.0, 40.0])
    assert (found["trials"], found["within_20_ms"], found["p50_ms"], found["worst_ms"]) == (5, 4, 3.0, 40.0)
    assert (found["earliest_ms"], found["latest_ms"]) == (-20.0, 40.0)


def test_what_is_heard_a_frame_later_meets_its_moment_in_half_of_the_cases() -> None:
    """The nearest frame lies up to half a frame beside a moment."""
    found = onset.figures(np.array([0.0, 1.0] * 10))
    assert found["in_frame"] == {"0": 10, "1": 10}
    assert found["within_20_ms"] == pytest.approx(0.75, abs=0.01)
    assert onset.figures(np.full(9, 0.2))["within_20_ms"] == 1.0
