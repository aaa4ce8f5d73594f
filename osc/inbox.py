"""Datagrams that wait to be served, so that nobody's flood holds up another client.

Reading a socket is cheap and serving a message is not. So everything is read at once into one queue a client, and
served in turns: a host at a time, and a client of that host at a time. A queue that grows keeps the last value of each
name, up to the next thing that is no value: what a command does hangs on all that came before it. When all queues
together hold too much, the longest lose their oldest.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Hashable

from osc.hosts import Address

BACKLOG = 32
"""Datagrams of one client from which on a value that a later one replaces is left out."""
MOST = 1024
"""Datagrams of all clients together; each is bounded by what UDP carries and `osc.packet.Limits`."""


class _Queue:
    """One client's datagrams, oldest first."""

    def __init__(self) -> None:
        self.datagrams: deque[bytes] = deque()
        self.compact_at = BACKLOG

    def compact(self, replaces: Callable[[bytes], Hashable]) -> None:
        """Leave out what a later datagram replaces; the next time when the queue has doubled, so this stays cheap."""
        kept: deque[bytes] = deque()
        last: dict[Hashable, bytes] = {}
        for datagram in self.datagrams:
            key = replaces(datagram)
            if key is None:
                kept.extend(last.values())
                kept.append(datagram)
                last.clear()
            else:
                last.pop(key, None)  # so that the later one also takes the later place
                last[key] = datagram
        kept.extend(last.values())
        self.datagrams = kept
        self.compact_at = max(BACKLOG, 2 * len(self.datagrams))

    def keep(self, count: int) -> None:
        """Only the newest `count`."""
        while len(self.datagrams) > count:
            self.datagrams.popleft()


class Inbox:
    """A bounded queue for every client, served in turns.

    Parameters
    ----------
    replaces : callable
        Datagram -> a key; of two datagrams of one client with equal keys the later one is enough. None for what has
        to be served each time that it is sent.

    Attributes
    ----------
    left_out : int
        Datagrams that were replaced by later ones or dropped since the start.
    """

    def __init__(self, replaces: Callable[[bytes], Hashable]) -> None:
        self._replaces = replaces
        self._hosts: OrderedDict[str, OrderedDict[Address, _Queue]] = OrderedDict()
        self._count = 0
        self.left_out = 0

    def __len__(self) -> int:
        """Datagrams that wait."""
        return self._count

    def waits(self, source: Address) -> bool:
        """Whether anything of a client does."""
        return source in self._hosts.get(source[0], ())

    def put(self, source: Address, datagram: bytes) -> None:
        """Have a datagram wait for its client's turn."""
        queue = self._hosts.setdefault(source[0], OrderedDict()).setdefault(source, _Queue())
        queue.datagrams.append(datagram)
        self._count += 1
        if len(queue.datagrams) >= queue.compact_at:
            before = len(queue.datagrams)
            queue.compact(self._replaces)
            self._leave_out(before - len(queue.datagrams))
        if self._count > MOST:
            self._trim()

    def take(self) -> tuple[Address, bytes] | None:
        """The next datagram and its client, who then waits until all others had their turn; None for none."""
        if not self._hosts:
            return None
        host, clients = self._hosts.popitem(last=False)
        source, queue = clients.popitem(last=False)
        datagram = queue.datagrams.popleft()
        if queue.datagrams:
            clients[source] = queue
        if clients:
            self._hosts[host] = clients
        self._count -= 1
        return source, datagram

    def _trim(self) -> None:
        """Leave half of the room: every client its share of it, every host its share of the clients, then some hosts.

        Where there are few clients the first step does, and only who sends much loses anything.
        """
        room = MOST // 2
        queues = [queue for clients in self._hosts.values() for queue in clients.values()]
        for queue in queues:
            queue.keep(max(1, room // len(queues)))
        for clients in self._hosts.values():
            while len(clients) > max(1, room // len(self._hosts)):
                clients.popitem(last=False)
        while len(self._hosts) > room:
            self._hosts.popitem(last=False)
        left = sum(len(queue.datagrams) for clients in self._hosts.values() for queue in clients.values())
        self._leave_out(self._count - left)

    def _leave_out(self, count: int) -> None:
        self._count -= count
        self.left_out += count
