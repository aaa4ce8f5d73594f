"""What goes out: answers at once, feedback at each subscriber's pace, and never more than a return path allows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from osc import subscribers as subs
from osc.hosts import Address
from osc.packet import build, pack
from osc.paths import ReturnPaths
from osc.recent import Recent
from osc.subscribers import Group, Subscriber
from osc.values import BadValue

DATAGRAM_BYTES = 1400
"""What we send is shorter than this, so that no network between has to cut it."""


@dataclass
class Counts:
    """What has happened since the start.

    Attributes
    ----------
    received, refused : int
        Datagrams that came, and those of them that were no well-formed OSC.
    ignored : int
        Datagrams from addresses that are not allowed here.
    left_out : int
        Datagrams that were not served, because the same client sent a later value of the same name, or far too much.
    errors : int
        Messages that could not be done, refused datagrams included.
    unsent : int
        Datagrams that the system would not take at once.
    withheld : int
        Datagrams that were not sent because their receiver has not confirmed that it wants them.
    """

    received: int = 0
    refused: int = 0
    ignored: int = 0
    left_out: int = 0
    errors: int = 0
    unsent: int = 0
    withheld: int = 0


class Feedback:
    """Sends for a desk, on the desk's thread.

    Parameters
    ----------
    prefix : str
        What all addresses begin with.
    send : callable
        `send(target, datagram)` gives a datagram to the transport, without waiting; False where it was not taken.
    clock : callable
        Seconds on a clock that only goes forward.
    counts : Counts
        Where `unsent` and `withheld` are counted.

    Attributes
    ----------
    paths : ReturnPaths
        Who may be sent how much.
    """

    def __init__(
        self, prefix: str, send: Callable[[Address, bytes], bool], clock: Callable[[], float], counts: Counts
    ) -> None:
        self.paths = ReturnPaths()
        self._prefix = prefix
        self._transmit = send
        self._clock = clock
        self._counts = counts
        self._subscribers: list[Subscriber] = []
        # Those that have yet to confirm: they take nobody's place among the subscribers.
        self._applicants: Recent[Address, Subscriber] = Recent(subs.MOST)

    def __len__(self) -> int:
        """Subscribers."""
        return len(self._subscribers)

    # ---- who is sent to

    def subscribe(self, new: Subscriber, everything: Callable[[Subscriber], Mapping[str, Group]]) -> None:
        """Have a client hear of changes, and say what stands; once it has confirmed that it wants to.

        Parameters
        ----------
        new : Subscriber
        everything : callable
            Path -> messages of all that stands, as this subscriber may see it.

        Raises
        ------
        BadValue
            When there are too many.
        """
        now = self._clock()
        if self.paths.wants_cookie(new.target, now):
            self._send_cookie(new.target)
        if not self.paths.confirmed(new.target, now):
            self._applicants[new.target] = new
            return
        self._subscribers, fresh = subs.admit(self._subscribers, new)
        if fresh:
            for path, group in everything(new).items():
                subs.note([new], path, group)

    def confirm(self, source: Address, cookie: str) -> Subscriber | None:
        """Take a cookie back; returns the subscription that waited for it, if any did.

        Raises
        ------
        BadValue
            When it is none that this host was sent.
        """
        return self._applicants.pop(self.paths.confirm(source, cookie, self._clock()))

    def unsubscribe(self, target: Address) -> None:
        """Have a client hear no more.

        Raises
        ------
        BadValue
            When it did not.
        """
        applied = self._applicants.pop(target)
        remaining = [s for s in self._subscribers if target not in (s.source, s.target)]
        if len(remaining) == len(self._subscribers) and applied is None:
            raise BadValue("finds no subscription from here: name the port that you subscribed with")
        self._subscribers = remaining

    def forget(self, source: Address) -> None:
        """A client has gone."""
        self._subscribers = [s for s in self._subscribers if source not in (s.source, s.target)]

    def renew(self, source: Address) -> None:
        """A client is still there."""
        now = self._clock()
        for subscriber in self._subscribers:
            if source in (subscriber.source, subscriber.target):
                subscriber.expires = now + subs.LEASE
                if self.paths.wants_cookie(subscriber.target, now):
                    self._send_cookie(subscriber.target)

    def sources(self) -> set[Address]:
        """Where the subscribers send from."""
        return {subscriber.source for subscriber in self._subscribers}

    # ---- what they are sent

    def note(self, path: str, group: Callable[[bool], Group], origin: Address | None = None) -> None:
        """Put messages up for all subscribers but their originator.

        Parameters
        ----------
        path : str
            What they are about; of several the last counts.
        group : callable
            The messages, for subscribers on this machine (True) and for others (False).
        origin : Address, optional
            Where the change came from.
        """
        for trusted in (True, False):
            told = [s for s in self._subscribers if s.trusted is trusted]
            if told:
                subs.note(told, path, group(trusted), origin)

    def flush(self) -> None:
        """Forget subscribers whose time is over, and send the others what they are ready for."""
        now = self._clock()
        self._subscribers = [s for s in self._subscribers if now < s.expires and self.paths.confirmed(s.target, now)]
        for subscriber in self._subscribers:
            self._send_groups(subscriber.target, subs.take(subscriber, now))

    def seconds_to_next(self) -> float:
        """Until a subscriber may be sent something that waits; infinity for nothing."""
        times = [s.ready for s in self._subscribers if s.pending]
        return max(0.0, min(times, default=float("inf")) - self._clock())

    def reply(self, source: Address, groups: Iterable[Group]) -> None:
        """Answer a client: at the port it subscribed with, or where it sends from."""
        self._send_groups(next((s.target for s in self._subscribers if s.source == source), source), groups)

    def _send_groups(self, target: Address, groups: Iterable[Group]) -> None:
        for datagram in pack([[message for _, message in group] for group in groups], DATAGRAM_BYTES):
            if not self._send(target, datagram):
                # What it cannot have yet it may have once it sends this back; the rest would not fit either.
                self._send_cookie(target)
                return

    def _send_cookie(self, target: Address) -> None:
        self._send(target, build(f"{self._prefix}/confirm", self.paths.cookie(target, self._clock())))

    def _send(self, target: Address, datagram: bytes) -> bool:
        """Send, unless the receiver has yet to confirm; returns whether it may be sent to."""
        if not self.paths.spend(target, len(datagram), self._clock()):
            self._counts.withheld += 1
            return False
        if not self._transmit(target, datagram):  # Nobody is waited for.
            self._counts.unsent += 1
        return True
