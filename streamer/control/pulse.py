"""Where a beat that is counted elsewhere stands: told to the engine, which counts on from there by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from osc.values import BadValue, Value
from streamer.control.tempo import FASTEST, SLOWEST

PULSE = "pulse"
"""The name that a change carries a `Pulse` under."""
FURTHEST = 1e9
"""Beats that may be counted, either way."""


class Place(NamedTuple):
    """Where a source's beat is at a moment.

    Parameters
    ----------
    bpm : float
        Beats a minute.
    beat : float
        Beats counted, 0 on the first beat of the first bar.
    """

    bpm: float
    beat: float


@dataclass(frozen=True)
class Pulse:
    """A tempo, and the beat that is heard at the moment of its change; none: the engine counts by itself again.

    Parameters
    ----------
    bpm, beat : float
        As in `Place`; a bpm of 0 is none.
    """

    bpm: float = 0.0
    beat: float = 0.0

    @property
    def text(self) -> str:
        """As a change carries it: ``120.0@32.5``; empty for none."""
        return f"{self.bpm!r}@{self.beat!r}" if self.bpm else ""

    @classmethod
    def of(cls, text: Value | None) -> Pulse:
        """What `text` has written.

        Raises
        ------
        BadValue
            It is no pulse.
        """
        if text == "":
            return cls()
        bpm, _, beat = str(text).partition("@")
        try:
            found = cls(float(bpm), float(beat))
        except ValueError:
            raise BadValue(f"pulse takes a tempo and a beat, not {str(text)[:40]!r}") from None
        if not (SLOWEST <= found.bpm <= FASTEST and abs(found.beat) <= FURTHEST):
            raise BadValue(f"pulse takes a tempo from {SLOWEST:g} to {FASTEST:g} bpm and a beat")
        return found
