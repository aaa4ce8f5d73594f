"""The desk on a UDP port, in a thread of its own.

The thread waits in one place only, `poll`, until a datagram comes or something is due; it never sleeps and never waits
for a client.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable

from osc.access import NO_RULES, Access
from osc.desk import Desk
from osc.feedback import Counts
from osc.hosts import Address
from osc.tree import Tree, Value

READS_PER_POLL = 64
"""Datagrams read before feedback and due bundles get their turn: a flood does not starve them."""

log = logging.getLogger(__name__)


class BindError(OSError):
    """The server cannot have the address it was given; the text says what to do."""


class OscServer:
    """Serve a tree on a UDP port.

    Parameters
    ----------
    tree : Tree
    host : str
        The address to listen on. Anything but the default lets other machines in.
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
        host: str = "127.0.0.1",
        port: int = 7770,
        access: Access = NO_RULES,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._socket = _bind(host, port)
        self._waker, self._wakeful = socket.socketpair()
        for end in (self._waker, self._wakeful):
            end.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._selector.register(self._wakeful, selectors.EVENT_READ)
        self._thread: threading.Thread | None = None
        self._closing = False
        self.desk = Desk(tree, self._send, self._wake, access, clock=clock, wall=wall)

    # ---- for the rest of the program, from any thread

    @property
    def port(self) -> int:
        """The UDP port listened on."""
        return int(self._socket.getsockname()[1])

    @property
    def counts(self) -> Counts:
        """What has happened since the start."""
        return self.desk.counts

    def publish(self, path: str, value: Value) -> None:
        """As `Desk.publish`."""
        self.desk.publish(path, value)

    def error(self, address: str, reason: str, origin: object = None) -> None:
        """As `Desk.error`."""
        self.desk.error(address, reason, origin)

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
        for end in (self._socket, self._waker, self._wakeful):
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
            except Exception:
                # Whatever it was, the next client deserves an answer.
                log.exception("the OSC server stumbled and goes on")

    def poll(self, timeout: float) -> None:
        """Wait until something comes or is due, `timeout` seconds at most, and do it. `start` does this for ever."""
        for key, _ in self._selector.select(min(timeout, self.desk.seconds_to_next())):
            if key.fileobj is self._socket:
                self._read()
            else:
                self._wakeful.recv(4096)
        self.desk.turn()

    def _read(self) -> None:
        for _ in range(READS_PER_POLL):
            try:
                datagram, source = self._socket.recvfrom(65536)
            except OSError:  # Nothing left; on Windows also the echo of a reply that nobody took.
                return
            self.desk.receive(datagram, source)

    def _send(self, target: Address, datagram: bytes) -> bool:
        try:
            self._socket.sendto(datagram, target)
        except OSError:  # Among them: no room in the socket's buffer.
            return False
        return True


def _bind(host: str, port: int) -> socket.socket:
    """A UDP socket that never blocks, bound to the address.

    Raises
    ------
    BindError
    """
    if not 0 <= port <= 65535:
        raise BindError(f"there is no UDP port {port}: choose one from 1024 to 65535 with --osc-port")
    try:
        # Where a name has both kinds of address, clients mostly send to the one of IPv4.
        found = sorted(socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM), key=lambda info: info[0])
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
    except OSError:
        raise BindError(f"cannot listen for OSC on {host!r}: give an address of this machine, like 127.0.0.1") from None
    try:
        listener.setblocking(False)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise BindError(_why(host, port, error)) from None
    return listener


def _why(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"UDP port {port} on {host} is in use, perhaps by another streamer: stop that, "
            f"or choose another port with --osc-port"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"cannot listen for OSC on {host}: give an address of this machine, like 127.0.0.1"
    return f"cannot listen for OSC on UDP port {port} of {host} ({error}): choose another port with --osc-port"
