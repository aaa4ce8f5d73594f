"""MIDI clock out: others can follow it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.control.pulse import Place
from streamer.surfaces.midi.clock import CONTINUE, POSITION, START, STOP, TICK, ClockOut


class Desk:
    """Our beat, and what was sent when."""

    def __init__(self, bpm: float, beat: float = 0.0) -> None:
        self.bpm, self.beat, self.plays = bpm, beat, True
        self.now = 0.0
        self.sent: list[tuple[float, Sequence[int]]] = []
        self.clock = ClockOut(self.place, lambda: self.plays, lambda m: self.sent.append((self.now, m)), print)

    def place(self, now: float) -> Place | None:
        return Place(self.bpm, self.beat + now * self.bpm / 60)

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            self.now += max(1e-5, self.clock.step(self.now))

    def kinds(self) -> list[int]:
        return [message[0] for _, message in self.sent]


@settings(max_examples=30)
@given(st.floats(30, 290), st.floats(-8, 300))
def test_ticks_fall_where_the_beat_is(bpm: float, beat: float) -> None:
    desk = Desk(bpm, beat)
    desk.run(3.0)
    beats = [beat + at * bpm / 60 for at, message in desk.sent if message[0] == TICK]
    assert len(beats) >= 3 * bpm / 60 * 24 - 2
    assert all(abs(number * 24 - round(number * 24)) * 60 / bpm / 24 < 0.001 for number in beats)
    steps = [round((b - a) * 24) for a, b in pairwise(beats)]
    assert set(steps) == {1}


def test_it_begins_at_a_sixteenth_and_says_which() -> None:
    desk = Desk(120.0, 10.1)
    desk.run(1.0)
    kinds = desk.kinds()
    assert kinds[kinds.index(POSITION) :][:3] == [POSITION, CONTINUE, TICK]
    (at, position), (again, _) = desk.sent[kinds.index(POSITION)], desk.sent[kinds.index(POSITION) + 2]
    assert at == again
    assert position[1] + 128 * position[2] == round((10.1 + at * 2) * 4)
    assert desk.kinds().count(CONTINUE) == 1


def test_from_the_first_beat_on_it_says_start() -> None:
    desk = Desk(120.0, -0.5)
    desk.run(1.0)
    assert desk.kinds().count(START) == 1
    assert POSITION not in desk.kinds()
    desk = Desk(120.0, 0.0)
    desk.run(1.0)
    assert desk.kinds()[:2] == [START, TICK]


def test_a_closed_gate_stops_others_and_ticks_go_on() -> None:
    desk = Desk(120.0)
    desk.run(1.0)
    desk.plays = False
    desk.run(1.0)
    kinds = desk.kinds()
    assert kinds.count(STOP) == 1
    assert kinds[kinds.index(STOP) + 1 :].count(TICK) > 40
    desk.plays = True
    desk.run(1.0)
    assert desk.kinds()[-60:].count(CONTINUE) == 1


def test_a_beat_that_jumps_takes_others_along() -> None:
    desk = Desk(120.0)
    desk.run(2.3)
    desk.beat -= desk.now * 2  # a reset: the first beat is now
    desk.run(1.0)
    kinds = desk.kinds()
    assert kinds[kinds.index(STOP) :].count(START) + kinds[kinds.index(STOP) :].count(CONTINUE) == 1
