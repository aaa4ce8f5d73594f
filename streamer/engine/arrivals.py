"""Changes whose frame has come: taken over as a whole before that frame is made, or refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from osc.values import Value
from streamer.control.change import Frame
from streamer.control.glides import TELL_EVERY
from streamer.control.moves import CAPTURE, CONTINUE, REWIND
from streamer.control.pulse import PULSE, Pulse
from streamer.control.score import NAMES
from streamer.control.table import FX, GAINS, LOOPING, SAMPLING, TURNS, WORDED
from streamer.control.tempo import Tempo
from streamer.engine.course import Course
from streamer.engine.events import Applied, Event, Moved, Noted, Refused
from streamer.engine.guard import Guard
from streamer.engine.looper import Looper
from streamer.engine.passages import Passages
from streamer.engine.steering import CannotFollow, Steering
from streamer.engine.waiting import Due, Waiting
from streamer.errors import UserError
from streamer.sound.hosted.rack import Rack

_MUSICAL = {*WORDED, *NAMES, "negative", "melody", "lora", *SAMPLING}  # what decides which music is usual

Turn = tuple[str, Value]
"""An action that has the music go on elsewhere, and where."""


class Arrivals:
    """Takes changes over, and tells of each.

    Parameters
    ----------
    waiting : Waiting
        Where they wait.
    steering : Steering
        What they change.
    course, passages : Course, Passages
        What knows where the music can turn to.
    looper : Looper
        What has bars go round.
    guard : Guard
        Hears of what was asked for.
    rack : Rack
        The hosted effects.
    values : dict
        What is played, by name.
    sample_rate, frame_rate : int, float
        Samples and frames a second of the stream.
    tell
        Takes what has become of them.
    """

    def __init__(
        self,
        waiting: Waiting,
        steering: Steering,
        course: Course,
        passages: Passages,
        looper: Looper,
        guard: Guard,
        rack: Rack,
        values: Mapping[str, Value],
        sample_rate: int,
        frame_rate: float,
        tell: Callable[[Event], None],
    ) -> None:
        self._waiting = waiting
        self._steering = steering
        self._course = course
        self._passages = passages
        self._looper = looper
        self._guard = guard
        self._rack = rack
        self._values = values
        self._sample_rate = sample_rate
        self._frame_rate = frame_rate
        self._tell = tell

    def take(self, frame: int) -> list[Turn]:
        """Take over all that is due before a frame; where it has the music turn to, in that order."""
        turns = [turn for due in self._waiting.take(frame) for turn in self._take(due, frame)]
        self._waiting.taken()
        self._steering.settle(frame)
        return turns

    def move(self, frame: int) -> bool:
        """Bring what glides and fades to where it is in the next frame; whether anything was on its way."""
        moving = self._steering.moving
        moved = self._steering.move(frame)
        if moved and (frame % TELL_EVERY == 0 or self._steering.arrived):
            self._tell(Moved(frame, moved))
        return moving

    def _take(self, due: Due, frame: int) -> list[Turn]:
        """Take over a batch, or refuse it; where it has the music turn to."""
        change, values = due.change, due.change.values
        if PULSE in values:
            values = {**values, PULSE: self._led(Pulse.of(values[PULSE]), due, frame).text}
        try:
            self._check(values)
            there = self._steering.take(change, frame)
        except CannotFollow as error:
            stands = {name: self._values[name] for name in values if name in self._values}
            self._tell(Refused(values, error.name, str(error), stands, change.origin))
            return []
        if gains := {name: value for name, value in values.items() if name in GAINS}:
            self._waiting.put_gains(due, gains, frame)
        for name in [name for name in values if name in LOOPING]:
            self._looper.ask(name, values[name], self._beat)
        if values.keys() & _MUSICAL:
            self._guard.asked()
        if "guard" in there:
            self._guard.begin()
        if lacks := self._steering.score.lacks(values):
            self._tell(Noted(next(name for name in values if name in NAMES), lacks, change.origin))
        late = max(0.0, (frame - round(due.frame)) / self._frame_rate) if change.at else 0.0
        self._tell(Applied(frame, values, change.at, change.origin, late, change.over))
        if change.over and there:
            self._tell(Moved(frame, there))
        return [(name, value) for name, value in values.items() if name in TURNS]

    def _led(self, pulse: Pulse, due: Due, frame: int) -> Pulse:
        """Count beats as another does, or by itself again; the pulse as it stands at the next frame."""
        asked = due.change.at.number if isinstance(due.change.at, Frame) else frame
        here = Tempo(pulse.bpm, 0, pulse.beat).beat_at(frame - asked) if pulse.bpm else 0.0
        self._steering.lead(replace(pulse, beat=here), frame)
        return replace(pulse, beat=here)

    @property
    def _beat(self) -> float:
        """Samples of one."""
        return 60 * self._sample_rate / self._steering.tempo.bpm

    def _check(self, values: Mapping[str, Value]) -> None:
        """Whether the music can turn to where a batch has it turn to, and effects are there that are to be hosted.

        Raises
        ------
        CannotFollow
            No: why.
        """
        try:
            name = REWIND
            if name in values:
                self._course.check(float(values[name]))
            name = CONTINUE
            if name in values:
                self._passages.check(str(values[name]))
            name = CAPTURE
            if name in values:
                self._looper.check(float(values[name]), self._beat)
            for number, name in enumerate(FX):
                if name in values:
                    self._rack.ensure(number, str(values[name]))
        except UserError as error:
            raise CannotFollow(name, str(error)) from None
