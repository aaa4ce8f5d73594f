"""What an engine tells of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from osc.values import Value
from streamer.control.change import Moment


@dataclass(frozen=True)
class Applied:
    """Values that the engine plays from now on.

    Parameters
    ----------
    frame : float
        Before which they were taken over, see `streamer.control.change.Frame`: a change at that very frame, in another
        engine with the same past, gives the same samples.
    values : mapping
        By name; True for an action.
    at : Moment or None
        That was asked for. None: these are all values since the last boundary that had no moment, the last one of each.
    origin : object
        Of the change, where it had a moment.
    late : float
        Seconds by which it was missed; 0 where it was not.
    over : float
        Seconds in which they are reached: until then `Moved` tells where they are.
    """

    frame: float
    values: Mapping[str, Value]
    at: Moment | None = None
    origin: object = None
    late: float = 0.0
    over: float = 0.0


@dataclass(frozen=True)
class Moved:
    """Where gliding values have come to; it follows from the change that began their glide.

    Parameters
    ----------
    frame : int
        From which.
    values : mapping
        By name.
    """

    frame: int
    values: Mapping[str, Value]


@dataclass(frozen=True)
class Refused:
    """A change that could not be taken over: nothing of it was.

    Parameters
    ----------
    values : mapping
        That were asked for.
    name : str
        Of the one that cannot be had.
    sentence : str
        What is wrong, and what to do.
    stands : mapping
        What the engine goes on with, for the names that were asked for.
    origin : object
        Of the change.
    """

    values: Mapping[str, Value]
    name: str
    sentence: str
    stands: Mapping[str, Value]
    origin: object = None


@dataclass(frozen=True)
class Noted:
    """A change is taken over, and not quite as it was asked for.

    Parameters
    ----------
    name : str
        Of the value that is meant.
    sentence : str
        What is made of it.
    origin : object
        Of the change.
    """

    name: str
    sentence: str
    origin: object = None


@dataclass(frozen=True)
class Collapsed:
    """The music collapsed and was brought back.

    Parameters
    ----------
    frame : int
        Before which.
    sentence : str
        When, what had happened, and what was done.
    """

    frame: int
    sentence: str


Event = Applied | Moved | Noted | Refused | Collapsed
