"""What comes back from the engine's process, over one pipe: events of the engine, and of its process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from osc.values import Value
from streamer.engine.events import Applied, Collapsed, Hosted, Locked, Moved, Noted, Refused, Turned

__all__ = [
    "Applied",
    "Born",
    "Collapsed",
    "Ended",
    "Event",
    "Facts",
    "Failed",
    "Hosted",
    "Loaded",
    "Locked",
    "Moved",
    "Noted",
    "Ready",
    "Refused",
    "Report",
    "Turned",
]

Facts = dict[str, Any]


@dataclass(frozen=True)
class Ready:
    """The engine has been made and begins to play.

    Parameters
    ----------
    facts : dict
        What its factory told of it.
    values : mapping
        That it was given to begin with, by name: the model's and the table's defaults stand for the rest.
    sample : int
        Of the ring, that its first one becomes.
    state : bytes
        That it goes on from, see `Source.state`; empty where it begins anew.
    """

    facts: Facts
    values: Mapping[str, Value]
    sample: int
    state: bytes = b""


@dataclass(frozen=True)
class Loaded:
    """A spare has its model and waits.

    Parameters
    ----------
    breeds : bool
        Whether it forks engines from itself, see `streamer.process.nursery`.
    """

    breeds: bool = False


@dataclass(frozen=True)
class Fork:
    """What a nursery is asked for: another engine, which rehearses before it says that it is loaded, or does not."""

    rehearses: bool


@dataclass(frozen=True)
class Born:
    """A nursery has forked an engine."""

    pid: int


@dataclass(frozen=True)
class Ended:
    """An engine out of a nursery has ended, with a code as of `multiprocessing`."""

    pid: int
    code: int


@dataclass(frozen=True)
class Failed:
    """The process is about to end.

    Parameters
    ----------
    sentence : str
        What is wrong.
    final : bool
        Whether another process would fare no better.
    """

    sentence: str
    final: bool = False


@dataclass(frozen=True)
class Report:
    """Something that a person should know."""

    sentence: str


Event = (
    Ready
    | Loaded
    | Born
    | Ended
    | Applied
    | Turned
    | Moved
    | Noted
    | Refused
    | Collapsed
    | Hosted
    | Locked
    | Failed
    | Report
)
