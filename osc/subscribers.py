"""Who wants to hear of changes: where to send them, which ones, how often, and until when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from osc.hosts import Address, is_local, is_stream
from osc.values import BadValue, number

LEASE = 60.0
"""Seconds until a client that says nothing more is forgotten."""
MOST = 64
"""Subscribers at a time."""
DEFAULT_HZ, LOWEST_HZ, HIGHEST_HZ = 30.0, 0.1, 100.0

Group = Sequence[tuple[str, bytes]]
"""Messages that are sent together: address and built message."""


@dataclass
class Subscriber:
    """One client.

    Attributes
    ----------
    source : Address
        Where its messages come from; changes from there are not echoed to it.
    target : Address
        Where feedback goes.
    prefix : str
        Only addresses at or below this one are sent.
    hz : float
        How often feedback is sent at most, times a second; between two sendings only the last value is kept.
    expires, ready : float
        Seconds on the server's monotonic clock: when the lease ends, and before when nothing is sent.
    pending : dict
        Path -> messages to send.
    """

    source: Address
    target: Address
    prefix: str
    hz: float
    expires: float
    ready: float
    pending: dict[str, Group] = field(default_factory=dict)

    @property
    def trusted(self) -> bool:
        """Whether it is on this machine."""
        return is_local(self.target[0])


def wants(subscriber: Subscriber, address: str) -> bool:
    """Whether the address is at or below the subscriber's prefix."""
    return address == subscriber.prefix or address.startswith(subscriber.prefix + "/")


def note(subscribers: Iterable[Subscriber], path: str, group: Group, origin: Address | None = None) -> None:
    """Put messages up for sending to everyone but their originator.

    What the originator had still to hear about the same path is older than what it said itself, and is dropped.
    """
    for subscriber in subscribers:
        wanted = [message for message in group if wants(subscriber, message[0])]
        if subscriber.source == origin:
            subscriber.pending.pop(path, None)
        elif wanted:
            subscriber.pending[path] = wanted


def take(subscriber: Subscriber, now: float) -> Sequence[Group]:
    """What to send to the subscriber now, which is nothing before it is ready."""
    if not subscriber.pending or now < subscriber.ready:
        return []
    groups = list(subscriber.pending.values())
    subscriber.pending.clear()
    subscriber.ready = now + 1.0 / subscriber.hz
    return groups


def request(arguments: Sequence[Any], source: Address, everything: str, now: float) -> Subscriber:
    """Read the arguments of a subscription: [port] [prefix] [hz].

    Parameters
    ----------
    arguments : sequence
        Of OSC arguments. Without a port, or with port 0, feedback goes to where the request came from.
    source : Address
        Where the request came from.
    everything : str
        The prefix of all addresses, which a narrower one has to begin with.
    now : float
        Seconds.

    Raises
    ------
    BadValue
        When the arguments are not of this form.
    """
    rest = list(arguments)
    port = _port(rest.pop(0)) if rest and not _is_prefix(rest[0]) else 0
    prefix = rest.pop(0).rstrip("/") if rest and _is_prefix(rest[0]) else everything
    hz = number(rest.pop(0)) if rest else DEFAULT_HZ
    if rest:
        raise BadValue("takes [port] [prefix] [hz] and nothing more")
    if prefix != everything and not prefix.startswith(everything + "/"):
        raise BadValue(f"takes a prefix at or below {everything}, not {prefix[:80]}")
    # what comes by a connection is answered by it
    target = (source[0], port, *source[2:]) if port and not is_stream(source) else source
    hz = min(max(float(hz), LOWEST_HZ), HIGHEST_HZ)
    return Subscriber(source, target, prefix, hz, expires=now + LEASE, ready=now)


def admit(subscribers: Sequence[Subscriber], new: Subscriber) -> tuple[list[Subscriber], bool]:
    """The subscribers with a new one among them, which replaces any of the same source or target.

    Returns
    -------
    subscribers : list of Subscriber
    fresh : bool
        Whether the new one has heard nothing yet; a renewal keeps what was pending.

    Raises
    ------
    BadValue
        When there are too many.
    """
    others = [s for s in subscribers if s.source != new.source and s.target != new.target]
    if len(others) >= MOST:
        raise BadValue(f"serves {MOST} subscribers at most, and has them")
    before = next((s for s in subscribers if s.target == new.target and s.prefix == new.prefix), None)
    if before is not None:
        new.pending, new.ready = before.pending, before.ready
    return [*others, new], before is None


def _is_prefix(argument: Any) -> bool:
    return isinstance(argument, str) and argument.startswith("/")


def _port(argument: Any) -> int:
    port = number(argument)
    if port != int(port) or not 0 <= port <= 65535:
        raise BadValue(f"takes a port from 1 to 65535, not {port}")
    return int(port)
