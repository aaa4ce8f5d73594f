"""What an engine tells of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from osc.values import Value
from streamer.control.change import Change, Frame, Moment
from streamer.control.table import GAINS


@dataclass(frozen=True)
class Applied:
    """A change is taken over: its values are played from now on, but for the gains of a batch, see `Turned`.

    Parameters
    ----------
    frame : float
        Before which, see `streamer.control.change.Frame`.
    values : mapping
        By name; True for an action.
    at : Moment or None
        That was asked for.
    origin : object
        Of the change.
    late : float
        Seconds by which the moment was missed; 0 where it was not.
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
class Turned:
    """Gains act from a sample on, alone or as a part of a batch that was applied before.

    Parameters
    ----------
    frame : float
        Whose sound it is, see `streamer.control.change.Frame`.
    values : mapping
        By name.
    over : float
        Seconds in which they are reached.
    """

    frame: float
    values: Mapping[str, Value]
    over: float = 0.0


@dataclass(frozen=True)
class Moved:
    """Where gliding values have come to; it follows from the change that began their glide.

    Parameters
    ----------
    frame : float
        From which.
    values : mapping
        By name.
    """

    frame: float
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

    @property
    def whole_sentence(self) -> str:
        """What is wrong, and what became of the rest of the batch."""
        return self.sentence + ("; nothing else that came with it was applied" if len(self.values) > 1 else "")


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


@dataclass(frozen=True)
class Locked:
    """What has become of the music's own beat, see `streamer.sound.lock`; it follows from what is played.

    Parameters
    ----------
    frame : float
        From which.
    state : str
        off, listening, locked or lost.
    sentence : str
        For a person; empty where there is nothing to say.
    """

    frame: float
    state: str
    sentence: str


@dataclass(frozen=True)
class Hosted:
    """How a slot of the chain of hosted effects stands.

    Parameters
    ----------
    number : int
        Of the slot, from 1 on.
    status : str
        Empty, or what plays there or why it does not.
    """

    number: int
    status: str


Event = Applied | Turned | Moved | Noted | Refused | Collapsed | Locked | Hosted


def to_repeat(event: Event) -> Change | None:
    """What another engine with the same past is to be asked for, in this order, to play the same samples.

    None for what follows by itself. See `streamer.engine.waiting` for why the gains are told apart.
    """
    if isinstance(event, Applied):
        values = {name: value for name, value in event.values.items() if name not in GAINS}
        return Change(values, Frame(event.frame), over=event.over) if values else None
    if isinstance(event, Turned):
        return Change(event.values, Frame(event.frame), over=event.over)
    return None
