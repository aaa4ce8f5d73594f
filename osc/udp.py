"""The desk on a UDP port, in a thread of its own.

The thread waits in one place only, `poll`, until a datagram comes or something is due; it never sleeps and never waits
for a client.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import cast

from osc.access import NO_RULES, Access
from osc.desk import Desk
from osc.feedback import Counts
from osc.hosts import Address
from osc.log import fault
from osc.sockets import LOCALHOST, listen
from osc.tree import Tree
from osc.values import Value

READS_PER_POLL = 512
"""Datagrams read before others are served. Reading is cheap, and what a full socket drops is nobody's in particular."""


class OscServer:
    """Serve a tree on a UDP port.

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
        self._sockets = {opened.family: opened for opened in listen(host, port)}
        self._waker, self._wakeful = socket.socketpair()
        for end in (self._waker, self._wakeful):
            end.setblocking(False)
        self._selector = selectors.DefaultSelector()
        for opened in (*self._sockets.values(), self._wakeful):
            self._selector.register(opened, selectors.EVENT_READ)
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
        """The UDP port listened on."""
        return int(self.addresses[0][1])

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
        for end in (*self._sockets.values(), self._waker, self._wakeful):
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
            if key.fileobj is self._wakeful:
                self._wakeful.recv(4096)
            else:
                self._read(cast(socket.socket, key.fileobj))
        self.desk.turn()

    def _read(self, opened: socket.socket) -> None:
        for _ in range(READS_PER_POLL):
            try:
                datagram, source = opened.recvfrom(65536)
            except OSError:  # Nothing left; on Windows also the echo of a reply that nobody took.
                return
            self.desk.receive(datagram, source)

    def _send(self, target: Address, datagram: bytes) -> bool:
        try:
            family = socket.AF_INET6 if ":" in target[0] else socket.AF_INET
            self._sockets[family].sendto(datagram, target)
        except (OSError, KeyError):  # Among them: no room in the socket's buffer.
            return False
        return True
