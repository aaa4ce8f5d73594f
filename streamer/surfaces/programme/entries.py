"""What a programme is made of."""

from __future__ import annotations

from dataclasses import dataclass

from osc.values import Value
from streamer.surfaces.programme.calendar import Calendar, Clock, TimeOfDay

Prompts = tuple[tuple[str, float], ...]
"""Texts and their weights, above 0."""
EVERY_DAY = frozenset(range(7))


@dataclass(frozen=True)
class Evolve:
    """A slow walk among an entry's prompts.

    Parameters
    ----------
    every : float
        Seconds from one prompt to the next.
    crossfade : float
        Seconds of those in which the one fades into the other, at their end.
    """

    every: float
    crossfade: float


@dataclass(frozen=True)
class Entry:
    """Something to play, and when.

    Parameters
    ----------
    name : str
        For people: outputs show it.
    prompts : Prompts
        Blended by their weights; with `evolve` one at a time, and the weights say how often.
    snapshot : str
        Whose values are taken; "" for none.
    values : tuple of (str, Value)
        Of other parameters, by name.
    start, until : Clock, Sun or None
        When it may play, local time; None: at any time that no entry with one claims.
    days : frozenset of int
        On which it may start, Monday is 0.
    lasts : float or None
        Seconds that it plays at a time, until another one is drawn or it begins anew; None: as long as it may where it
        is alone, else half an hour.
    weight : float
        How often it is drawn, beside the others that may play then.
    evolve : Evolve or None
    seed : int or None
        With which it begins, the same music each time; None for another one each time.
    silence : float
        Seconds of silence before it.
    crossfade : float
        Seconds in which it takes over where there is no silence.
    """

    name: str
    prompts: Prompts = ()
    snapshot: str = ""
    values: tuple[tuple[str, Value], ...] = ()
    start: TimeOfDay | None = None
    until: TimeOfDay | None = None
    days: frozenset[int] = EVERY_DAY
    lasts: float | None = None
    weight: float = 1.0
    evolve: Evolve | None = None
    seed: int | None = None
    silence: float = 0.0
    crossfade: float = 20.0

    @property
    def timed(self) -> bool:
        """Whether it has times of its own."""
        return self.start is not None or self.until is not None or self.days != EVERY_DAY

    @property
    def clocked(self) -> bool:
        """Whether its times are those of the clock alone."""
        return isinstance(self.start, Clock | None) and isinstance(self.until, Clock | None)


@dataclass(frozen=True)
class Programme:
    """What plays when.

    Parameters
    ----------
    entries : tuple of Entry
    calendar : Calendar
    loudness : tuple of (int, float)
        Seconds since midnight, and the LUFS that it is brought to then, evenly from the one before; empty: as it is.
    """

    entries: tuple[Entry, ...]
    calendar: Calendar
    loudness: tuple[tuple[int, float], ...] = ()
