"""Which server holds which session, and where its music stands: what survives a server's death."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from streamer.serve.session import Record

BEAT_SECONDS = 0.25
"""Between two signs of life of a server."""
DEAD_SECONDS = 1.25
"""Without one, after which its sessions are anybody's."""
GONE_SECONDS = 2 * BEAT_SECONDS
"""The same where nobody answers at its address either."""
REMEMBERED = 256
"""Addresses of servers, those that have gone among them: pages that came from there ask the others."""


@dataclass
class Entry:
    """A server.

    Parameters
    ----------
    address : str
        Of its pages, with the last slash.
    places : int
        Sessions that it makes at a time.
    taken : int
        Those that play there, or wait to.
    beat : float
        When it last gave a sign of life.
    """

    address: str
    places: int
    taken: int
    beat: float
    held: set[str] = field(default_factory=set)


class Ledger:
    """One for all servers; for one thread.

    Parameters
    ----------
    clock : callable
        Seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._servers: dict[str, Entry] = {}
        self._records: dict[str, Record] = {}
        self._holders: dict[str, str] = {}  # session -> server
        self._seen: dict[str, None] = {}  # addresses, the newest last

    # ---- for servers

    def beat(self, server: str, address: str, places: int, taken: int) -> tuple[list[str], list[str]]:
        """A server lives, at this address and so busy; the addresses of those that live, and of all that ever did."""
        old = self._servers.get(server)
        held = old.held if old is not None else set()
        self._servers[server] = Entry(address, places, taken, self._clock(), held)
        self._seen.setdefault(address)
        while len(self._seen) > REMEMBERED:
            del self._seen[next(iter(self._seen))]
        return self.addresses(), list(self._seen)

    def keep(self, server: str, records: Mapping[str, Record]) -> list[str]:
        """A server tells all sessions that it has; those that another one has meanwhile, and it has to drop."""
        entry = self._servers.get(server)
        if entry is None:
            return []
        lost = [id for id in records if self._holders.get(id, server) != server]
        own = {id: record for id, record in records.items() if id not in lost}
        for id in entry.held - own.keys():
            if self._holders.get(id) == server:  # it is over
                self._forget(id)
        for id, record in own.items():
            known = self._records.get(id)
            if not record.standing and known is not None:
                continue  # it was taken a moment ago, and has not played yet
            self._records[id] = record
        self._holders |= dict.fromkeys(own, server)
        entry.held = set(own)
        return lost

    def leave(self, server: str) -> None:
        """A server ends: its sessions are anybody's."""
        self._servers.pop(server, None)

    def gone(self, address: str) -> None:
        """Nobody answers at an address: its server is dead unless it has just given a sign of life."""
        now = self._clock()
        for server, entry in list(self._servers.items()):
            if entry.address == address and now - entry.beat >= GONE_SECONDS:
                self.leave(server)

    def take(self, server: str, id: str) -> Record | str | None:
        """What a server asks of a session that it has not: its record, to go on with, or its address; None: no such."""
        record = self._records.get(id)
        if record is None:
            return None
        holder = self._alive(self._holders.get(id, ""))
        if holder is not None and self._holders[id] != server:
            return holder.address
        self._holders[id] = server
        return record

    # ---- for whoever looks for one

    def where(self, id: str) -> str | None:
        """The address of a session: of its server while that lives, else of one that will go on with it."""
        if id not in self._records:
            return None
        holder = self._alive(self._holders.get(id, ""))
        if holder is None:
            server = self._freest()
            if server is None:
                return None
            self._holders[id] = server
            holder = self._servers[server]
            holder.taken += 1
        return holder.address

    def freest(self) -> str | None:
        """The address of the server with the most room."""
        server = self._freest()
        return None if server is None else self._servers[server].address

    def addresses(self) -> list[str]:
        """Of all servers that live."""
        return [entry.address for server, entry in self._servers.items() if self._alive(server)]

    def sessions(self) -> Iterable[str]:
        """All sessions."""
        return list(self._records)

    def _freest(self) -> str | None:
        alive = [server for server in self._servers if self._alive(server) is not None]
        return max(alive, key=lambda own: self._servers[own].places - self._servers[own].taken, default=None)

    def _alive(self, server: str) -> Entry | None:
        entry = self._servers.get(server)
        return entry if entry is not None and self._clock() - entry.beat < DEAD_SECONDS else None

    def _forget(self, id: str) -> None:
        self._holders.pop(id, None)
        self._records.pop(id, None)
