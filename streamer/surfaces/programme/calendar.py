"""Times of day as moments: by the clock of a place, whatever it does in spring and autumn, and by its sun."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from astral import Observer

DAY = 86_400
SUN = ("dawn", "sunrise", "noon", "sunset", "dusk")
_HALF = 13 * 3600.0  # seconds: the sun's events of a day lie no further from its noon


@dataclass(frozen=True)
class Clock:
    """A time of day, seconds since midnight, 0..86400."""

    seconds: int


@dataclass(frozen=True)
class Sun:
    """An event of the sun, one of `SUN`, and seconds after it."""

    event: str
    after: int = 0


TimeOfDay = Clock | Sun


@dataclass(frozen=True)
class Place:
    """Where the sun is looked at, degrees north and east."""

    latitude: float
    longitude: float


@dataclass(frozen=True)
class Calendar:
    """The days of a place.

    Parameters
    ----------
    zone : tzinfo
        Of its clocks.
    place : Place, optional
        For its sun.
    """

    zone: tzinfo
    place: Place | None = None

    def day(self, moment: float) -> date:
        """The local day of a moment, seconds since 1970."""
        return datetime.fromtimestamp(moment, self.zone).date()

    def moment(self, day: date, at: TimeOfDay) -> float | None:
        """A time of a local day, whole seconds since 1970; None where the sun has no such event on that day.

        A time that the clocks leave out in spring is as much later; of one that comes twice in autumn, the first.
        """
        if isinstance(at, Clock):
            day += timedelta(days=at.seconds // DAY)
            clock = (datetime.min + timedelta(seconds=at.seconds % DAY)).time()
            return datetime.combine(day, clock, self.zone).timestamp()
        assert self.place is not None
        found = _sun(self.place, self.zone, day, at.event)
        return None if found is None else round(found) + at.after

    def midnight(self, day: date) -> float:
        """At which a day begins."""
        return datetime.combine(day, time(), self.zone).timestamp()


@lru_cache(maxsize=1024)
def _sun(place: Place, zone: tzinfo, day: date, event: str) -> float | None:
    """When the sun rises before the noon of a local day, or sets after it."""
    import astral.sun
    from astral import Observer

    observer = Observer(place.latitude, place.longitude)
    middle = datetime.combine(day, time(12), zone).timestamp()
    noon = min(_events(astral.sun.noon, observer, day), key=lambda at: abs(at - middle))
    if event == "noon":
        return noon
    found = _events(getattr(astral.sun, event), observer, day)
    if event in ("dawn", "sunrise"):
        return max((at for at in found if noon - _HALF < at < noon), default=None)
    return min((at for at in found if noon < at < noon + _HALF), default=None)


def _events(of: Any, observer: Observer, day: date) -> list[float]:
    """The event on the days around a day, by the clock of Greenwich."""
    found = []
    for days in (-1, 0, 1):
        try:
            at: datetime = of(observer, day + timedelta(days=days), tzinfo=timezone.utc)
        except ValueError:  # the sun stays up, or down
            continue
        found.append(at.timestamp())
    return found
