"""From the stream's sound to what is heard: the gains, each from its sample on, and where in the sound a frame is."""

from __future__ import annotations

import math
from collections.abc import Callable

from osc.values import Value
from streamer.control.change import Frame
from streamer.control.glides import TELL_EVERY, Glide, Glides, can_glide
from streamer.control.table import TABLE
from streamer.control.tempo import Tempo
from streamer.engine.events import Applied, Event, Moved, Turned
from streamer.engine.outlet import Outlet
from streamer.engine.waiting import Due, Waiting
from streamer.sound.dynamics import REFERENCE, Samples, amplitude


class Sounding:
    """The last stretch of the sound's way, and the gains on it.

    A frame is heard later than it is made where the codec looks ahead, and gains act on what is heard: so they have
    their own place in time, which no chunk and no block moves.

    Parameters
    ----------
    outlet : Outlet
        Where the sound goes.
    waiting : Waiting
        What holds the gains that are to come.
    values : dict
        What is played, by name; the gains among them are written here and nowhere else.
    hop, frame_rate : int, float
        Samples a frame, frames a second.
    level : bool
        Whether the loudness is that of the controls.
    tell
        Takes what the gains do.
    """

    def __init__(
        self,
        outlet: Outlet,
        waiting: Waiting,
        values: dict[str, Value],
        hop: int,
        frame_rate: float,
        level: bool,
        tell: Callable[[Event], None],
    ) -> None:
        self._outlet = outlet
        self._waiting = waiting
        self._values = values
        self._hop = hop
        self._frame_rate = frame_rate
        self._level = level
        self._tell = tell
        self._glides = Glides()
        self._open = True
        self._origin = (0, 0)  # a frame, and the sample of the stream's sound that it begins at
        self.fade_in()

    def put(self, chunk: Samples) -> None:
        """What comes next out of the stream, with the gains at their samples."""
        done, start = 0, self._outlet.taken
        while done < len(chunk):
            here = start + done
            for due in self._waiting.take_gains(here, self.sample_of):
                self._turn(due)
            self._move(here)
            stop = max(here, min([start + len(chunk), *self._stops(here)]))
            self._outlet.put(chunk[done : stop - start])
            done = stop - start
        if not len(chunk):
            self._outlet.put(chunk)
        self._outlet.finish()

    def fade_out(self) -> None:
        """Over the next frame; gains are kept for `fade_in`."""
        self._open = False
        self._outlet.fade_to(0.0)

    def fade_in(self) -> None:
        """To the gains, over a frame."""
        self._open = True
        self._outlet.fade_to(self._gain())

    def restart(self, frame: int) -> None:
        """The next sample is the beginning of a frame: a stream that begins anew drops what its codec still owed."""
        self._origin = (frame, self._outlet.taken)

    def shift(self, samples: int) -> None:
        """Frames are heard so many samples later than they would have been."""
        frame, start = self._origin
        self._origin = (frame, start + samples)

    # ---- time

    def ahead(self, samples: int) -> float:
        """The frame, with its fraction, of what is heard so many samples after the next."""
        return self.frame_of(self._outlet.taken + samples)

    @property
    def frame(self) -> float:
        """That the next sample out of the stream belongs to, with its fraction."""
        return self.frame_of(self._outlet.taken)

    def frame_of(self, sample: float) -> float:
        """The frame, with its fraction, whose sound a sample of the stream's belongs to."""
        frame, start = self._origin
        return frame + (sample - start) / self._hop

    def sample_of(self, frame: float) -> int:
        """The sample of the stream's sound that a frame begins at."""
        first, start = self._origin
        return start + round((frame - first) * self._hop)

    def beats(self, tempo: Tempo, samples: int) -> list[tuple[int, int]]:
        """The beats that fall on the next samples out of the stream: on which of them, and their numbers."""
        here = self._outlet.taken
        beat = math.floor(tempo.beat_at(self.frame_of(here - 1)))
        found: list[tuple[int, int]] = []
        while (sample := self.sample_of(tempo.place_of(beat)) - here) < samples:
            if sample >= 0:
                found.append((sample, beat))
            beat += 1
        return found

    # ---- gains

    def _stops(self, here: int) -> list[int]:
        """The samples from which on something may change: the next gain, and the next step of what glides."""
        gain = self._waiting.next_gain()
        stops = [] if gain is None else [self.sample_of(gain)]
        return [*stops, self.sample_of(math.floor(self.frame_of(here)) + 1)] if len(self._glides) else stops

    def _turn(self, due: Due) -> None:
        """Gains act from the next sample on that leaves the stream."""
        change, frame = due.change, self.frame
        self._glides.stop(change.values)
        frames = round(change.over * self._frame_rate)
        arrived = dict(change.values)
        for name in [name for name in change.values if frames and can_glide(TABLE[name])]:
            start, target = float(self._values[name]), float(arrived.pop(name))
            self._glides.start(Glide(TABLE[name], start, target, frame, frames))
        self._values.update(arrived)
        self._apply()
        if not due.told:
            late = max(0.0, frame - due.frame) / self._frame_rate if isinstance(change.at, Frame) else 0.0
            self._tell(Applied(frame, change.values, change.at, change.origin, late, change.over))
        self._tell(Turned(frame, change.values, change.over))
        if change.over and arrived:
            self._tell(Moved(frame, arrived))

    def _move(self, here: int) -> None:
        """Bring what glides to where it is in the frame that begins here, if one does."""
        frame = round(self.frame_of(here))
        if not len(self._glides) or self.sample_of(frame) != here:
            return
        moved = self._glides.at(frame)
        self._values.update(moved)
        self._apply()
        if frame % TELL_EVERY == 0 or not len(self._glides):
            self._tell(Moved(frame, moved))

    def _apply(self) -> None:
        if self._open:
            self._outlet.fade_to(self._gain())

    def _gain(self) -> float:
        if self._values["mute"]:
            return 0.0
        loudness = float(self._values["loudness"]) - REFERENCE if self._level else 0.0
        return amplitude(float(self._values["volume"]) + loudness)
