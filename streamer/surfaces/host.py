"""A DAW or any other program as a source of time, which says over OSC where it is in its song."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from osc.command import Answer, Asker, Deed
from osc.values import BadValue, Value
from streamer.control.pulse import FURTHEST, Place
from streamer.control.tempo import FASTEST, SLOWEST

AWAY_SECONDS = 2.0
"""A host that has said nothing for so long has gone."""


class Host:
    """What was told last, as a source of time (see `streamer.surfaces.sync`).

    Parameters
    ----------
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._told: tuple[float, Place] | None = None
        self._playing: bool | None = None

    def hear(self, arguments: Sequence[Value], asker: Asker) -> Deed:
        """Answers `streamer.surfaces.commands.HOST`: beats a minute, beats passed now, whether the transport runs.

        Raises
        ------
        BadValue
            It counts no beats that can be followed.
        """
        bpm, beat, *playing = (float(one) for one in arguments)
        if not (SLOWEST <= bpm <= FASTEST and abs(beat) <= FURTHEST):
            raise BadValue(f"takes a tempo from {SLOWEST:g} to {FASTEST:g} bpm and a beat that can be counted")

        def take() -> list[Answer]:
            self._told = self._clock(), Place(bpm, beat)
            self._playing = playing[0] > 0 if playing else self._playing
            return []

        return take

    def place(self, now: float) -> Place | None:
        """As `Source.place`."""
        if self._told is None or now - self._told[0] > AWAY_SECONDS:
            return None
        at, place = self._told
        return Place(place.bpm, place.beat + (now - at) * place.bpm / 60)

    def playing(self) -> bool | None:
        """As `Source.playing`."""
        return self._playing

    def offer(self, bpm: float | None = None, playing: bool | None = None) -> None:
        """As `Source.offer`: a host that only speaks cannot be told."""

    def leave(self) -> None:
        """As `Source.leave`."""
        self._told = self._playing = None
