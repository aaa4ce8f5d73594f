"""In time with others: the engine counts as the source does, and by itself where that has gone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osc.values import BadValue, Value
from streamer.control.change import Change, Frame
from streamer.control.controls import Controls
from streamer.control.pulse import PULSE, Place, Pulse
from streamer.control.tempo import FASTEST, SLOWEST
from streamer.engine.core import Core
from streamer.engine.events import Applied
from streamer.surfaces.sync import AGAIN, AWAY, INTERNAL, Sync
from tests.streamer.sine import SineModel

HOP = 640


# --- the engine


class Band:
    """An engine, and what it told."""

    def __init__(self, **values: Value) -> None:
        self.told: list[Any] = []
        self.core = Core(SineModel(), values, channels=1, tell=self.told.append)

    def lead(self, bpm: float, beat: float, frame: float) -> None:
        self.core.change(Change({PULSE: Pulse(bpm, beat).text}, Frame(frame)))

    def play(self, frames: int) -> None:
        self.core.read(frames * HOP)

    def applied(self, name: str) -> list[float]:
        return [event.frame for event in self.told if isinstance(event, Applied) and name in event.values]


def test_beats_are_counted_as_another_does_from_its_moment_on() -> None:
    band = Band(tempo=100.0)
    band.lead(120.0, 32.25, 10.5)
    band.play(20)
    assert band.core.tempo.beat_at(10.5) == pytest.approx(32.25)
    assert band.core.tempo.bpm == 120.0


def test_a_pulse_that_comes_late_tells_of_its_own_moment() -> None:
    band = Band()
    band.play(50)
    band.lead(150.0, 8.0, 30.0)
    band.play(5)
    assert band.core.tempo.beat_at(30) == pytest.approx(8.0)


@pytest.mark.parametrize(("quantum", "beat"), [("bar", 36.0), ("beat", 33.0), ("4 bars", 48.0)])
def test_what_waits_for_the_bar_waits_for_the_bar_of_all(quantum: str, beat: float) -> None:
    band = Band(quantise=quantum)
    band.lead(125.0, 32.25, 10.0)
    band.play(11)
    band.core.change(Change({"prompt": "techno"}))
    band.play(600)
    (frame,) = band.applied("prompt")
    assert band.core.tempo.beat_at(frame - 1) < beat <= band.core.tempo.beat_at(frame) + 1e-6


def test_a_reset_takes_nobody_elses_beat_back() -> None:
    band = Band()
    band.lead(120.0, 9.0, 0.0)
    band.play(10)
    band.core.change(Change({"reset": True}))
    band.play(10)
    assert band.core.tempo.beat_at(20) == pytest.approx(9.0 + 20 / 25)
    band.core.change(Change({PULSE: Pulse().text}))
    band.play(1)
    band.core.change(Change({"reset": True}))
    band.play(10)
    assert band.core.tempo.beat_at(20) < 1


def test_a_tempo_that_is_asked_for_words_the_prompts_and_does_not_count() -> None:
    band = Band(prompt="house")
    band.lead(124.0, 0.0, 0.0)
    band.play(2)
    band.core.change(Change({"tempo": 90.0}))
    band.play(2)
    assert band.core.tempo.bpm == 124.0
    assert band.core.stream.prompt == "house, 90 bpm"  # type: ignore[attr-defined]


def test_a_tempo_on_its_way_is_there_when_another_counts() -> None:
    band = Band(prompt="house", tempo=100.0)
    band.core.prepare({"tempo": 140.0}, 4.0)
    band.core.change(Change({"tempo": 140.0}, over=4.0))
    band.play(50)
    band.lead(124.0, 0.0, 50.0)
    band.play(5)
    assert band.core.values["tempo"] == 140.0
    assert band.core.tempo.bpm == 124.0


def test_the_report_of_a_pulse_repeats_it_exactly() -> None:
    """What a journal holds of it: a whole frame, and the beat at that frame."""
    band, again = Band(), Band()
    band.play(7)
    band.lead(133.3, 5.1, 3.37)
    band.play(10)
    for event in band.told:
        if isinstance(event, Applied):
            again.core.change(Change(event.values, Frame(event.frame)))
    again.play(17)
    assert again.core.tempo == band.core.tempo


@given(st.floats(SLOWEST, FASTEST), st.floats(-1e6, 1e6))
def test_a_pulse_is_read_as_it_was_written(bpm: float, beat: float) -> None:
    assert Pulse.of(Pulse(bpm, beat).text) == Pulse(bpm, beat)
    assert Pulse.of(Pulse().text) == Pulse()


@given(st.one_of(st.text(max_size=20), st.none(), st.floats(), st.sampled_from(["nan@0", "120@inf", "120@nan", "0@1"])))
def test_what_is_no_pulse_is_refused(text: str | float | None) -> None:
    try:
        found = Pulse.of(text)
    except BadValue:
        return
    assert found == Pulse() or SLOWEST <= found.bpm <= FASTEST


# --- whose beat


class Drummer:
    """A source that is played by a test."""

    def __init__(self) -> None:
        self.at: Place | None = None
        self.runs: bool | None = None
        self.offers: list[tuple[float | None, bool | None]] = []
        self.left = 0

    def place(self, now: float) -> Place | None:
        return None if self.at is None else Place(self.at.bpm, self.at.beat + now * self.at.bpm / 60)

    def playing(self) -> bool | None:
        return self.runs

    def offer(self, bpm: float | None = None, playing: bool | None = None) -> None:
        self.offers.append((bpm, playing))

    def leave(self) -> None:
        self.left += 1


class Room:
    """Controls, a drummer, and what the engine and the people were told."""

    def __init__(self, **values: Value) -> None:
        self.controls = Controls(**values)
        self.drummer = Drummer()
        self.led: list[tuple[Pulse, float]] = []
        self.said: list[str] = []
        self.acts: list[str] = []
        self.now = 0.0
        self.controls.listen(lambda changed, origin: self.acts.extend(n for n in changed if n in ("play", "stop")))
        self.sync = Sync(
            self.controls, {"link": self.drummer}, lambda pulse, at: self.led.append((pulse, at)), self.said.append
        )

    def look(self, seconds: float = 0.02) -> None:
        end = self.now + seconds
        while self.now < end - 1e-9:
            self.now += 0.02
            self.sync.look(self.now)


def test_nobody_is_followed_until_somebody_is_asked_for() -> None:
    room = Room()
    room.drummer.at = Place(120, 0)
    room.look(1)
    assert (room.led, room.said, room.sync.source) == ([], [], INTERNAL)


def test_the_engine_is_told_once_and_then_only_what_it_could_not_know() -> None:
    room = Room(sync="link")
    room.drummer.at = Place(126.0, 3.0)
    room.look(AGAIN - 1)
    assert len(room.led) == 1
    assert room.sync.source == "link"
    pulse, at = room.led[0]
    assert pulse.beat == pytest.approx(3.0 + at * 126 / 60)
    room.drummer.at = Place(126.0, 3.01)  # 5 ms on
    room.look()
    assert len(room.led) == 2
    room.look(AGAIN + 0.1)  # sound cards drift
    assert len(room.led) == 3


def test_a_source_that_goes_leaves_the_beat_to_us_and_is_taken_up_when_it_is_back() -> None:
    room = Room(sync="link")
    room.look(AWAY + 1)
    assert "Nothing is heard of link" in room.said[-1]
    room.drummer.at = Place(120, 0)
    room.look()
    assert "comes from link" in room.said[-1]
    room.drummer.at = None
    room.look(AWAY + 1)
    assert room.led[-1][0] == Pulse()
    assert "has gone" in room.said[-1]
    assert room.sync.source == INTERNAL
    room.drummer.at = Place(120, 0)
    room.look()
    assert room.sync.source == "link"
    assert len(room.said) == 4


def test_the_prompts_are_asked_for_its_tempo_and_ours_is_offered() -> None:
    room = Room(sync="link")
    room.drummer.at = Place(125.96, 0)
    room.look()
    assert room.controls.get("tempo") == 126.0
    assert room.drummer.offers == []
    room.controls.set(tempo=131.0)
    room.look()
    assert room.drummer.offers == [(131.0, None)]
    room.drummer.at = Place(131.5, 0)
    room.look(1)
    assert room.controls.get("tempo") == 131.5


def test_its_transport_opens_and_closes_the_gate_and_ours_is_offered() -> None:
    room = Room(sync="link")
    room.drummer.at, room.drummer.runs = Place(120, 0), False
    room.look(1)
    assert room.acts == []  # what was so before we came stops nobody
    room.drummer.runs = True
    room.look(1)
    room.drummer.runs = False
    room.look(1)
    assert room.acts == ["play", "stop"]
    assert room.drummer.offers == []
    room.controls.act("play")
    room.look()
    assert room.drummer.offers == [(None, True)]


def test_who_is_not_asked_any_more_is_left() -> None:
    room = Room(sync="link")
    room.drummer.at = Place(120, 0)
    room.look()
    room.controls.set(sync="internal")
    room.look()
    assert room.drummer.left == 1
    assert room.led[-1][0] == Pulse()
    room.controls.set(sync="midi")  # which is not there
    room.look(AWAY + 1)
    assert "Nothing is heard of midi" in room.said[-1]


def test_another_engine_is_told_again() -> None:
    room = Room(sync="link")
    room.drummer.at = Place(120, 0)
    room.look(1)
    room.sync.renew()
    room.look()
    assert len(room.led) == 2


def test_what_is_no_source_is_refused() -> None:
    with pytest.raises(BadValue, match="sync takes one of internal, link, midi, host"):
        Controls().set(sync="drums")
