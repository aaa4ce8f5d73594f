"""One timeline: frame <-> sample heard <-> wall clock <-> beat.

Samples here are those of the ring, per channel, counted since it was made; moments are seconds of the monotonic clock,
which all processes of a machine share. The callback tells when it took which sample, so everything else follows.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple, Protocol

from streamer.control.change import Beat, Wall


class Reading(NamedTuple):
    """What the audio callback told last.

    Parameters
    ----------
    sample : int
        The first one that its block took from the ring.
    at : float
        When, monotonic seconds.
    latency : float
        Seconds from there to the ear.
    """

    sample: int
    at: float
    latency: float


class Tempo(Protocol):
    """What keeps the beat."""

    def moment(self, beat: float) -> float:
        """When a beat is heard, monotonic seconds."""
        ...


class Timeline:
    """Where in time the ring's samples are heard.

    Parameters
    ----------
    rate : int
        Samples a second.
    read : callable
        The callback's last reading; None before its first block.
    tempo : Tempo, optional
        What beats are counted by.
    wall, clock : callable
        Seconds since 1970, and monotonic seconds.
    """

    def __init__(
        self,
        rate: int,
        read: Callable[[], Reading | None],
        tempo: Tempo | None = None,
        *,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.rate = rate
        self.tempo = tempo
        self._read = read
        self._wall = wall
        self._clock = clock

    def now(self) -> float:
        """Monotonic seconds."""
        return self._clock()

    def moment(self, at: Wall | Beat) -> float:
        """A moment of another clock in monotonic seconds. A wall clock that is set later does not move it.

        Raises
        ------
        ValueError
            For a beat while nothing keeps one.
        """
        if isinstance(at, Wall):
            return at.seconds - self._wall() + self._clock()
        if self.tempo is None:
            raise ValueError("nothing keeps a beat here: name a time")
        return self.tempo.moment(at.number)

    def heard(self, sample: float) -> float:
        """When a sample of the ring is heard, as far as can be told now: monotonic seconds."""
        reading = self._reading()
        return reading.at + reading.latency + (sample - reading.sample) / self.rate

    def sample(self, moment: float) -> float:
        """The sample of the ring that is heard at a moment; a fraction, for others to round."""
        reading = self._reading()
        return reading.sample + (moment - reading.at - reading.latency) * self.rate

    def _reading(self) -> Reading:
        """Before the first block: as if one were taken now."""
        return self._read() or Reading(0, self._clock(), 0.0)
