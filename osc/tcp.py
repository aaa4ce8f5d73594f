"""OSC over TCP: connections whose bytes are packets in a row, framed by SLIP or by their sizes.

OSC 1.1 asks for SLIP (RFC 1055), OSC 1.0 for a size of four bytes before each packet; programs do either. What a client
sends first tells which, and it is answered alike. Nobody is waited for: what a client does not read in time it loses,
packet by packet, and a client that sends what is neither is let go.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
from collections import Counter
from collections.abc import Callable, Iterable

from osc.hosts import STREAM, Address
from osc.packet import DEFAULT_LIMITS, Refused

MOST = 64
"""Connections at a time; fewer where the system lets this process open few files, which the music needs too."""
SPEECHLESS_SECONDS = 10.0
"""After which a client that has sent no packet gives way to a new one, where there are too many."""
QUEUED = 2**18
"""Bytes that wait for a client at most."""
_READ = 2**13  # bytes of all clients together at once: no more messages than the desk keeps without leaving any out
_KEPT_ALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
"""Who has gone without a word (a cable, a phone asleep) is noticed after a minute."""

_END, _ESC, _ESC_END, _ESC_ESC = b"\xc0", b"\xdb", b"\xdb\xdc", b"\xdb\xdd"


class _Frames:
    """Packets in a row of bytes, however those are cut; one begun is kept until it is whole."""

    def __init__(self, limit: int = DEFAULT_LIMITS.size) -> None:
        self._limit = limit
        self._kept = bytearray()


class Slip(_Frames):
    """Packets between END bytes; what looks like one is escaped."""

    def take(self, received: bytes) -> list[bytes]:
        """The packets that are whole now.

        Raises
        ------
        Refused
            One is larger than the limit.
        """
        self._kept += received
        whole: list[bytes] = []
        if _END in received:  # else there is nothing to look for: who sends byte by byte costs no more than that
            *whole, rest = bytes(self._kept).split(_END)
            self._kept = bytearray(rest)
        if max(map(len, (*whole, self._kept))) > 2 * self._limit:  # every byte may be escaped
            raise Refused(f"a packet is larger than {self._limit} bytes")
        return [packet.replace(_ESC_END, _END).replace(_ESC_ESC, _ESC) for packet in whole if packet]

    def framed(self, packet: bytes) -> bytes:
        """A packet as it is sent."""
        return _END + packet.replace(_ESC, _ESC_ESC).replace(_END, _ESC_END) + _END


class Sized(_Frames):
    """Packets after their sizes, int32 with the high byte first."""

    def take(self, received: bytes) -> list[bytes]:
        """The packets that are whole now.

        Raises
        ------
        Refused
            One is larger than the limit.
        """
        self._kept += received
        packets: list[bytes] = []
        while len(self._kept) >= 4:
            (size,) = struct.unpack_from(">I", self._kept)
            if size > self._limit:
                raise Refused(f"a packet is larger than {self._limit} bytes")
            if len(self._kept) < 4 + size:
                break
            packets.append(bytes(self._kept[4 : 4 + size]))
            del self._kept[: 4 + size]
        return [packet for packet in packets if packet]

    def framed(self, packet: bytes) -> bytes:
        """A packet as it is sent."""
        return struct.pack(">I", len(packet)) + packet


def framing(first: int) -> Slip | Sized:
    """How a client frames, by its first byte. Some leave out SLIP's first END; no size has such a high byte.

    Raises
    ------
    Refused
        It is none of both.
    """
    if bytes([first]) in (_END, b"/", b"#"):
        return Slip()
    if first == 0:
        return Sized()
    raise Refused("these are no packets of OSC: frame them by SLIP, or by their sizes")


class Connection:
    """One client's.

    Attributes
    ----------
    address : Address
        Host, port and `STREAM`.
    waiting : int
        Bytes that wait to be sent.
    heard : float
        When its last packet came, or it did; on the clock that it was given.
    speechless : bool
        Whether no packet has come yet.
    """

    def __init__(self, opened: socket.socket, peer: Address, now: float) -> None:
        self.heard, self.speechless = now, True
        opened.setblocking(False)
        _keep_alive(opened)
        # Packets are small and meant to arrive now.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = opened
        self.address: Address = (peer[0], peer[1], STREAM)
        self._framing: Slip | Sized | None = None
        self._queue = bytearray()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def read(self, now: float, sharing: int) -> list[bytes] | None:
        """The packets that have come; None where there will be no more.

        Parameters
        ----------
        sharing : int
            Clients among whom one look at all of them is divided.

        Raises
        ------
        Refused
            They are no packets, and there is no telling where the next one would begin.
        """
        try:
            received = self.socket.recv(_READ // sharing)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            return None
        if not received:
            return None
        if self._framing is None:
            self._framing = framing(received[0])
        packets = self._framing.take(received)
        if packets:
            self.heard, self.speechless = now, False
        return packets

    def send(self, packet: bytes) -> bool:
        """Send what can be sent now, and keep the rest; False where too much waits already."""
        framed = (self._framing or Slip()).framed(packet)
        if len(self._queue) + len(framed) > QUEUED:
            return False
        self._queue += framed
        self.flush()
        return True

    def flush(self) -> None:
        """Send what waits, as far as the client reads."""
        with contextlib.suppress(OSError):  # it has gone: reading tells
            while self._queue:
                del self._queue[: self.socket.send(self._queue)]


def listen(addresses: list[Address], families: list[socket.AddressFamily]) -> list[socket.socket]:
    """Sockets that accept connections at these addresses; none where one of them is taken.

    Parameters
    ----------
    addresses, families
        Of the UDP sockets: TCP listens at the same ports.
    """
    opened: list[socket.socket] = []
    try:
        for family, address in zip(families, addresses, strict=True):
            opened.append(_listener(family, address))
    except OSError:
        for listener in opened:
            listener.close()
        return []
    return opened


def _listener(family: socket.AddressFamily, address: Address) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if hasattr(socket, "SO_EXCLUSIVEADDRUSE"):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:  # what is left of former connections does not hold the port; two that listen still exclude each other
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(MOST)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener


def most() -> int:
    """Connections at a time that this process can afford."""
    if sys.platform == "win32":
        return MOST
    import resource

    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return MOST if files == resource.RLIM_INFINITY else max(1, min(MOST, files // 8))


def who_leaves(there: Iterable[Connection], host: str, now: float) -> Connection | None:
    """Who makes room for a client of some host where all places are taken; None where that one has to stay outside.

    First whoever has never sent a packet, and has had the time to. Else the host with the most connections gives up
    the one that has been silent for longest, if that host has at least two more than the other: so nobody takes all.
    """
    everyone = sorted(there, key=lambda own: own.heard)
    late = [own for own in everyone if own.speechless and now - own.heard > SPEECHLESS_SECONDS]
    if late:
        return late[0]
    counts = Counter(str(own.address[0]) for own in everyone)
    greedy, count = counts.most_common(1)[0]
    if count < counts[host] + 2:
        return None
    return next(own for own in everyone if own.address[0] == greedy)


def accepted(listener: socket.socket, welcome: Callable[[str], bool], now: float) -> Connection | None:
    """The next client, if one is there and may come in; else it is turned away.

    Parameters
    ----------
    welcome : callable
        Whether a host is let in.
    """
    try:
        opened, peer = listener.accept()
    except OSError:
        return None
    if not welcome(str(peer[0])):
        opened.close()
        return None
    try:
        return Connection(opened, peer, now)
    except OSError:  # gone again
        opened.close()
        return None


def _keep_alive(opened: socket.socket) -> None:
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEPT_ALIVE.items():
        if hasattr(socket, name):
            opened.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
