"""Changes that an engine has and has not answered yet: whose they are, and what another engine has to hear again."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from streamer.control.change import Change, Moment, Wall
from streamer.control.table import MOVES, TURNS
from streamer.process.events import Applied, Event, Noted, Refused

PENDING = 1024
"""Changes whose senders may have to be answered."""


class Tickets:
    """A number in place of each change's origin, which stays in the parent. One thread at a time.

    Parameters
    ----------
    wall, clock : callable
        Seconds since 1970, and monotonic seconds.
    """

    def __init__(self, wall: Callable[[], float] = time.time, clock: Callable[[], float] = time.monotonic) -> None:
        self._pending: OrderedDict[int, Change] = OrderedDict()
        self._last = 0
        self._wall, self._clock = wall, clock
        self._set: dict[int, float] = {}  # by ticket with a wall time: what that clock was ahead of the other by
        self._turn = 0  # the ticket of the last move without a moment, if nothing has taken its place

    def issue(self, change: Change) -> Change:
        """The change with a ticket for its origin.

        Raises
        ------
        ValueError
            For a change with a moment when too many wait for theirs.
        """
        if change.at is not None and sum(own.at is not None for own in self._pending.values()) >= PENDING:
            raise ValueError(f"{PENDING} changes wait for their time already: send it later")
        self._last += 1
        self._pending[self._last] = change
        if isinstance(change.at, Wall):
            self._set[self._last] = self._wall() - self._clock()
        if change.at is None and change.values.keys() & TURNS:
            self._turn = self._last if change.values.keys() & MOVES else 0
        while len(self._pending) > 2 * PENDING:  # of those without a moment, whose senders are answered if need be
            self._pending.pop(next(ticket for ticket, own in self._pending.items() if own.at is None))
        return replace(change, origin=self._last)

    def again(self) -> list[Change]:
        """What still waits for its moment, and the last move, with their tickets; all else is among the values."""
        waiting = {ticket: change for ticket, change in self._pending.items() if change.at is not None}
        if self._turn in self._pending:
            change = self._pending[self._turn]
            waiting[self._turn] = replace(change, values={n: v for n, v in change.values.items() if n in MOVES})
        self._pending = OrderedDict(waiting)
        self._set = {ticket: ahead for ticket, ahead in self._set.items() if ticket in waiting}
        return [replace(change, origin=ticket, at=self._moved(ticket, change.at)) for ticket, change in waiting.items()]

    def _moved(self, ticket: int, at: Moment | None) -> Moment | None:
        """A moment as the clock on the wall has it now: that may have been set since."""
        if not isinstance(at, Wall):
            return at
        return Wall(at.seconds + self._wall() - self._clock() - self._set[ticket])

    def returned(self, event: Event) -> Event:
        """An event with the origin of its change in place of the ticket."""
        if not isinstance(event, Applied | Refused | Noted) or event.origin is None:
            return event
        ticket = event.origin if isinstance(event.origin, int) else 0
        # The change of what is noted is yet to be applied.
        change = self._pending.get(ticket) if isinstance(event, Noted) else self._pending.pop(ticket, None)
        if change is None:
            return replace(event, origin=None)
        if not isinstance(event, Noted):
            self._set.pop(ticket, None)
        if isinstance(event, Applied):
            return replace(event, origin=change.origin, at=change.at)
        return replace(event, origin=change.origin)
