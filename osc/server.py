"""The desk on a port, by UDP and TCP, in a thread of its own.

The thread waits in one place only, `poll`, until something comes or is due; it never sleeps and never waits for a
client.
"""

from __future__ import annotations

import contextlib
import ipaddress
import selectors
import socket
import threading
import time
from collections.abc import Callable
from functools import partial

from osc import tcp
from osc.access import NO_RULES, Access
from osc.desk import Desk
from osc.feedback import Counts
from osc.hosts import Address
from osc.log import fault
from osc.packet import Refused
from osc.sockets import LOCALHOST, listen
from osc.tree import Tree
from osc.values import Value

READS_PER_POLL = 512
"""Datagrams read before others are served. Reading is cheap, and what a full socket drops is nobody's in particular."""
_TRIES = 8  # for a port that is free for UDP and TCP alike


class OscServer:
    """Serve a tree on a UDP port, and on the TCP port of the same number where that is free.

    Parameters
    ----------
    tree : Tree
    host : str
        The address to listen on. Anything but this machine's loopback addresses lets other machines in; a multicast
        group is joined.
    port : int
        0 takes any free port.
    access : Access
        What clients on other machines may do.
    clock, wall : callable
        As the desk takes them.

    Attributes
    ----------
    desk : Desk
        What answers the clients; it belongs to the server's thread.

    Raises
    ------
    BindError
        When the port is in use or the address is not this machine's.
    """

    def __init__(
        self,
        tree: Tree,
        host: str = LOCALHOST,
        port: int = 7770,
        access: Access = NO_RULES,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._sockets, self._listeners = _open(host, port)
        self._waker, self._wakeful = socket.socketpair()
        for end in (self._waker, self._wakeful):
            end.setblocking(False)
        self._selector = selectors.DefaultSelector()
        for opened in self._sockets.values():
            self._selector.register(opened, selectors.EVENT_READ, partial(self._read, opened))
        self._selector.register(self._wakeful, selectors.EVENT_READ, partial(self._wakeful.recv, 4096))
        for listener in self._listeners:
            self._selector.register(listener, selectors.EVENT_READ, partial(self._accept, listener))
        self._connections: dict[Address, tcp.Connection] = {}
        self._most, self._clock = tcp.most(), clock
        self._thread: threading.Thread | None = None
        self._closing = False
        self.desk = Desk(tree, self._send, self._wake, access, clock=clock, wall=wall)

    # ---- for the rest of the program, from any thread

    @property
    def addresses(self) -> list[Address]:
        """Where it listens; two for localhost, with one port."""
        return [opened.getsockname() for opened in self._sockets.values()]

    @property
    def port(self) -> int:
        """The port listened on."""
        return int(self.addresses[0][1])

    @property
    def takes_tcp(self) -> bool:
        """Whether clients can connect: not to a multicast group, and not where another program has the TCP port."""
        return bool(self._listeners)

    @property
    def counts(self) -> Counts:
        """What has happened since the start."""
        return self.desk.counts

    def publish(self, path: str, value: Value) -> None:
        """As `Answers.publish`."""
        self.desk.answers.publish(path, value)

    def error(self, address: str, reason: str, origin: object = None) -> None:
        """As `Answers.error`."""
        self.desk.answers.error(address, reason, origin)

    def start(self) -> None:
        """Serve in a thread of its own until `close`."""
        self._thread = threading.Thread(target=self._run, name="osc", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving and free the port."""
        self._closing = True
        self._wake()
        if self._thread is not None:
            self._thread.join()
        self._selector.close()
        connected = [connection.socket for connection in self._connections.values()]
        for end in (*self._sockets.values(), *self._listeners, *connected, self._waker, self._wakeful):
            end.close()

    def _wake(self) -> None:
        # A full pipe will wake the thread anyway, and a closed one has nobody left to wake.
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")

    # ---- the loop

    def _run(self) -> None:
        while not self._closing:
            try:
                self.poll(timeout=1.0)
            except Exception as error:  # whatever it was, the next client deserves an answer
                fault("The OSC server stumbled and goes on", error)

    def poll(self, timeout: float) -> None:
        """Wait until something comes or is due, `timeout` seconds at most, and do it. `start` does this for ever."""
        for key, _ in self._selector.select(min(timeout, self.desk.seconds_to_next())):
            key.data()
        self.desk.turn()

    def _read(self, opened: socket.socket) -> None:
        for _ in range(READS_PER_POLL):
            try:
                datagram, source = opened.recvfrom(65536)
            except OSError:  # Nothing left; on Windows also the echo of a reply that nobody took.
                return
            self.desk.receive(datagram, source)

    def _accept(self, listener: socket.socket) -> None:
        connection = tcp.accepted(listener, self._has_room, self._clock())
        if connection is not None:
            self._connections[connection.address] = connection
            self._selector.register(connection.socket, selectors.EVENT_READ, partial(self._converse, connection))

    def _has_room(self, host: str) -> bool:
        """Whether somebody from there may come in; who has to go for that is gone then."""
        if not self.desk.hears(host):
            return False
        if len(self._connections) < self._most:
            return True
        leaver = tcp.who_leaves(self._connections.values(), host, self._clock())
        if leaver is not None:
            self._part(leaver)
        return leaver is not None

    def _part(self, connection: tcp.Connection) -> None:
        self._selector.unregister(connection.socket)
        connection.socket.close()
        del self._connections[connection.address]
        self.desk.leave(connection.address)

    def _converse(self, connection: tcp.Connection) -> None:
        """Send what waits for a client, and take what it has sent, once all that it sent before is served."""
        if self._connections.get(connection.address) is not connection:  # it has just made room for another
            return
        connection.flush()
        if self.desk.busy_with(connection.address):  # what is not read yet its system keeps, and so it sends no more
            self._watch(connection)
            return
        try:
            packets = connection.read(self._clock(), len(self._connections))
        except Refused as refusal:
            self.desk.refuse(connection.address, refusal)
            packets = None
        if packets is None:
            self._part(connection)
            return
        for packet in packets:
            self.desk.receive(packet, connection.address)
        self._watch(connection)

    def _watch(self, connection: tcp.Connection) -> None:
        """Wake up when a client can take what waits for it."""
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.waiting else 0)
        key = self._selector.get_key(connection.socket)
        if key.events != events:
            self._selector.modify(connection.socket, events, key.data)

    def _send(self, target: Address, datagram: bytes) -> bool:
        connection = self._connections.get(target)
        if connection is not None:
            taken = connection.send(datagram)
            self._watch(connection)
            return taken
        try:
            family = socket.AF_INET6 if ":" in target[0] else socket.AF_INET
            self._sockets[family].sendto(datagram, target)
        except (OSError, KeyError, TypeError):  # No room in the socket's buffer; a connection that has ended.
            return False
        return True


def _open(host: str, port: int) -> tuple[dict[socket.AddressFamily, socket.socket], list[socket.socket]]:
    """Sockets of UDP by their family, and those of TCP at the same ports: where any port will do, one free for both."""
    for tries_left in reversed(range(_TRIES if port == 0 else 1)):
        opened = {one.family: one for one in listen(host, port)}
        addresses: list[Address] = [one.getsockname() for one in opened.values()]
        if _is_group(addresses):  # hosts that cannot be connected to
            return opened, []
        listeners = tcp.listen(addresses, list(opened))
        if listeners or not tries_left:
            return opened, listeners
        for one in opened.values():
            one.close()
    raise AssertionError


def _is_group(addresses: list[Address]) -> bool:
    return any(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_multicast for address in addresses)
