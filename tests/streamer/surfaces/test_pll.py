"""MIDI clock in: ticks that come early and late, and a beat that does not."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.surfaces.midi.pll import AWAY, ENOUGH, TICKS, Pll

JITTER = 0.005
SETTLED = 120
"""Ticks until the loop has its lasting width: five beats."""


def clock(
    bpms: Iterable[float], jitter: float, seed: int, begins: float = 1000.0
) -> Iterator[tuple[float, float, float]]:
    """For each tick when it comes, the beat it stands for, and the tempo: one tempo a tick."""
    chance, at, last = random.Random(seed), begins, -1.0
    for number, bpm in enumerate(bpms):
        last = max(last, at + chance.uniform(-jitter, jitter))  # a cable keeps its order
        yield last, number / TICKS, bpm
        at += 60 / bpm / TICKS


def error(pll: Pll, now: float, beat: float) -> float:
    """Seconds by which the beat is off at a moment."""
    place = pll.place(now)
    assert place is not None
    return abs(place.beat - beat) * 60 / place.bpm


@settings(max_examples=30)
@given(st.floats(25, 295), st.integers(0, 2**32), st.floats(0, 0.02))
def test_five_milliseconds_of_jitter_come_out_as_less_than_two(bpm: float, seed: int, later: float) -> None:
    pll = Pll()
    for number, (at, _, _) in enumerate(clock([bpm] * 900, JITTER, seed)):
        pll.tick(at)
        if number > SETTLED:
            now = at + later
            assert error(pll, now, (now - 1000) * bpm / 60) < 0.002


@given(st.floats(40, 280), st.floats(40, 280), st.integers(0, 2**32))
def test_another_tempo_is_followed_within_two_beats(before: float, after: float, seed: int) -> None:
    pll = Pll()
    ticks = list(clock([before] * 200 + [after] * 48, JITTER / 5, seed))
    for at, _, _ in ticks:
        pll.tick(at)
    at, beat, _ = ticks[-1]
    assert error(pll, at, beat) < 0.01


def test_a_tempo_that_is_drawn_up_is_followed_on_its_way() -> None:
    """120 to 130 bpm in four seconds, as a host's automation has it."""
    pll = Pll()
    rising = [120 + 10 * tick / 200 for tick in range(200)]
    off = []
    for at, beat, _ in clock([120.0] * 300 + rising + [130.0] * 100, JITTER, 7):
        pll.tick(at)
        if beat > 10:
            off.append(error(pll, at, beat))
    assert max(off) < 0.02


def test_start_begins_the_song_at_the_next_tick_and_a_pointer_goes_elsewhere() -> None:
    pll = Pll()
    ticks = [at for at, _, _ in clock([120.0] * 200, 0.0, 1)]
    for at in ticks[:100]:
        pll.tick(at)
    pll.locate(0)
    for at in ticks[100:149]:
        pll.tick(at)
    place = pll.place(ticks[148])
    assert place is not None
    assert place.beat == pytest.approx(2.0, abs=0.01)
    pll.locate(6 * 64)
    pll.tick(ticks[149])
    place = pll.place(ticks[149])
    assert place is not None
    assert place.beat == pytest.approx(16.0, abs=0.01)


def test_ticks_that_a_loose_cable_lost_do_not_put_the_song_back() -> None:
    pll = Pll()
    for number, (at, _, _) in enumerate(clock([120.0] * 400, 0.001, 3)):
        if number not in (200, 201, 202, 300):
            pll.tick(at)
    assert error(pll, at, 399 / TICKS) < 0.002


def test_a_clock_that_has_gone_is_away_and_comes_back() -> None:
    pll = Pll()
    for at, _, _ in clock([120.0] * 100, 0.001, 3):
        pll.tick(at)
    assert pll.place(at + AWAY / 2) is not None
    assert pll.place(at + 2 * AWAY) is None
    for number in range(ENOUGH + 1):
        pll.tick(at + 10 + number * 60 / 90 / TICKS)
    place = pll.place(at + 10 + ENOUGH * 60 / 90 / TICKS)
    assert place is not None
    assert place.bpm == pytest.approx(90, abs=0.1)


@given(st.lists(st.one_of(st.floats(-1, 2), st.integers(0, 98304)), max_size=80))
def test_no_clock_is_too_strange(moves: list[float | int]) -> None:
    pll, now = Pll(), 1000.0
    for move in moves:
        if isinstance(move, int):
            pll.locate(move)
        else:
            now += move
            pll.tick(now)
        place = pll.place(now)
        assert place is None or 20 <= place.bpm <= 300
