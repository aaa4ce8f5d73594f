"""A tempo that is tapped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.control.taps import Taps


@given(bpm=st.floats(31, 300), begins=st.floats(0, 1e9), late=st.lists(st.floats(-0.01, 0.01), min_size=8, max_size=8))
def test_eight_taps_make_a_tempo_although_each_comes_early_or_late(
    bpm: float, begins: float, late: list[float]
) -> None:
    taps = Taps()
    found = [taps.tap(begins + number * 60 / bpm + off) for number, off in enumerate(late)]
    assert found[:2] == [None, None]
    seconds = 7 * 60 / bpm
    assert found[-1] is not None
    assert 7 * 60 / (seconds + 0.021) - 0.06 <= found[-1] <= 7 * 60 / (seconds - 0.021) + 0.06


def test_after_a_pause_the_tempo_is_tapped_anew() -> None:
    taps = Taps()
    assert [taps.tap(at) for at in (0.0, 0.5, 1.0)][-1] == 120
    assert [taps.tap(at) for at in (10.0, 10.4)] == [None, None]
    assert taps.tap(10.8) == pytest.approx(150)
