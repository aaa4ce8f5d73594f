"""Music on a beat that it was not told: heard by a tracker, brought there by small edits."""

from __future__ import annotations

import numpy as np

from streamer.sound.dynamics import Samples
from streamer.sound.flux import mono
from streamer.sound.stretch import MOST, Stretch
from streamer.sound.tracker import LISTENS, SURE, Tracker

OFF, LISTENING, LOCKED, LOST = "off", "listening", "locked", "lost"
PATIENCE = 2 * LISTENS
"""Seconds of music at most that are listened to, unheard, before it begins."""

COASTS = 6.0
"""Seconds without a beat after which the music runs at its own speed."""

_PULL = 0.4  # of the error that is made good in a second
_SLEW = 0.004  # that the speed may change by in a step
_STEP = 0.02  # seconds


class Lock:
    """Keeps music on a beat, and says whether it can.

    While it is off, samples pass as they are and nothing is held back.

    Parameters
    ----------
    rate, channels : int
        Of the sound.

    Attributes
    ----------
    state : str
        `OFF`; `LISTENING` until the beat is known; `LOCKED`; `LOST` while the beat cannot be heard, and the music runs.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._rate = rate
        self._step = round(rate * _STEP)
        self._stretch = Stretch(rate, channels)
        self._tracker: Tracker | None = None  # while it is on
        self._rest = np.zeros((0, channels), np.float32)  # less than a step, that nobody has listened to yet
        self._speed = 1.0
        self._unheard = False  # whether the music has not begun
        self._sure = 0.0  # seconds heard when the beat last was; 0 before
        self.state = OFF

    @property
    def held(self) -> int:
        """Samples that have come in and wait."""
        return self._stretch.held + len(self._rest)

    @property
    def confidence(self) -> float:
        """How sure the beat is, see `Tracker`; 0 while off."""
        return 0.0 if self._tracker is None else self._tracker.confidence

    def begin(self, bpm: float, unheard: bool = False) -> None:
        """Listen from here on.

        Parameters
        ----------
        bpm : float
            Beats a minute that are expected.
        unheard : bool
            Whether nothing comes out before the beat is known, and then from a beat on.
        """
        self._tracker = Tracker(self._rate, bpm)
        self._unheard = unheard
        self.state, self._speed, self._sure = LISTENING, 1.0, 0.0

    def end(self, samples: Samples) -> Samples:
        """Off: what was held, and the next samples after it."""
        self._tracker, self.state = None, OFF
        return np.concatenate([self.drop(), samples])

    def drop(self) -> Samples:
        """What is held, taken out."""
        held = np.concatenate([self._stretch.drain(), self._rest])
        self._rest = self._rest[:0]
        self._stretch.restart()
        return held

    def turn(self) -> None:
        """The music that comes now is another."""
        if self._tracker is not None:
            self._tracker.restart()
            self.state, self._speed, self._sure = LISTENING, 1.0, 0.0

    def process(self, samples: Samples, bpm: float, beat: float) -> Samples:
        """What comes out (m, channels) while samples (n, channels) of the music go in.

        Parameters
        ----------
        samples : ndarray, float32
        bpm, beat : float
            The tempo to be kept, and the beat at which the first of the samples would be heard.
        """
        if self._tracker is None:
            return samples
        self._tracker.expect(bpm)
        pace = bpm / (60 * self._rate)  # beats a sample
        beat -= len(self._rest) * pace
        waiting = np.concatenate([self._rest, samples])
        out, came = [samples[:0]], 0
        while came + self._step <= len(waiting):
            part = waiting[came : came + self._step]
            came += self._step
            before = self.held
            out.append(self._pass(part, self._tracker, bpm, beat + came * pace))
            # what is left out takes no time, what is repeated takes more
            beat -= (before + len(part) - self.held - len(out[-1])) * pace
        self._rest = waiting[came:]
        return np.concatenate(out)

    def _pass(self, part: Samples, tracker: Tracker, bpm: float, beat: float) -> Samples:
        """A step of music whose end would be heard at a beat."""
        tracker.hear(mono(part))
        self._judge(tracker)
        if self._unheard:
            return self._begin(part, tracker, beat - len(part) * bpm / (60 * self._rate))
        wanted = self._coasting
        if self.state == LOCKED:
            late = (beat - tracker.phase + 0.5) % 1.0 - 0.5 - self._stretch.owed * bpm / (60 * self._rate)
            wanted = (bpm + _PULL * late * 60) / tracker.bpm
        wanted = min(1 + MOST, max(1 - MOST, wanted))
        self._speed += min(_SLEW, max(-_SLEW, wanted - self._speed))
        return self._stretch.process(part, self._speed)

    @property
    def _coasting(self) -> float:
        """The speed while no beat is heard: at first, over a fill or a break, what the last beat asked for."""
        tracker, sure = self._tracker, self._sure
        return self._speed if tracker and sure and tracker.seconds - sure < COASTS else 1.0

    def _judge(self, tracker: Tracker) -> None:
        """Whether the beat is known."""
        if tracker.seconds < LISTENS and self.state == LISTENING:
            return
        if tracker.confidence >= SURE:
            self.state, self._sure = LOCKED, tracker.seconds
        elif tracker.confidence < SURE / 2 or self.state == LISTENING:
            self.state = LOST

    def _begin(self, part: Samples, tracker: Tracker, beat: float) -> Samples:
        """Leave the music out until it is on the beat that is heard where it begins; with patience."""
        if self.state == LISTENING or (self.state == LOST and tracker.seconds < PATIENCE):
            return part[:0]
        beats_left = 0.0
        if self.state == LOCKED:
            begins = tracker.phase - len(part) * tracker.bpm / (60 * self._rate)
            beats_left = (beat - begins) % 1.0
        left = round(beats_left * 60 * self._rate / tracker.bpm)
        if left >= len(part):
            return part[:0]
        self._unheard = False
        return self._stretch.process(part[left:], 1.0)
