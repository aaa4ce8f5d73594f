"""What travels from a surface to the engine: a batch of values, when it takes effect, and whose it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from osc.values import Value


@dataclass(frozen=True)
class Wall:
    """A moment at which something is heard, seconds since 1970."""

    seconds: float


@dataclass(frozen=True)
class Frame:
    """Before a frame is made, counted from the engine's first one.

    Where a batch holds nothing but gains (see `streamer.control.table.GAINS`), a fraction counts: they act on the
    sample. Anything else takes the nearest frame.
    """

    number: float


@dataclass(frozen=True)
class Beat:
    """A moment at which something is heard, in beats of the tempo that is played to."""

    number: float


Moment = Wall | Frame | Beat


@dataclass(frozen=True)
class Change:
    """A batch: all of it takes effect at one moment, or none.

    Parameters
    ----------
    values : mapping
        By name of a parameter or an action, clamped; True for an action.
    at : Wall, Frame, Beat or None
        None: at the next frame boundary.
    origin : object
        Whom to answer, and whom not to echo to.
    over : float
        Seconds from that moment on in which numbers glide and prompts fade to these values; 0 for at once.
    """

    values: Mapping[str, Value]
    at: Moment | None = None
    origin: object = None
    over: float = 0.0
