"""OSC over TCP: connections whose bytes are packets in a row, framed by SLIP or by their sizes.

OSC 1.1 asks for SLIP (RFC 1055), OSC 1.0 for a size of four bytes before each packet; programs do either. What a client
sends first tells which, and it is answered alike. Nobody is waited for: what a client does not read in time it loses,
packet by packet, and a client that sends what is neither is let go.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable

from osc.hosts import STREAM, Address
from osc.packet import DEFAULT_LIMITS, Refused

MOST = 64
"""Connections at a time."""
QUEUED = 2**18
"""Bytes that wait for a client at most."""
_READ = 2**16  # bytes at once: then others have their turn

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
        *whole, rest = bytes(self._kept).split(_END)
        self._kept = bytearray(rest)
        if max(map(len, (*whole, rest))) > 2 * self._limit:  # every byte may be escaped
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
    """

    def __init__(self, opened: socket.socket, peer: Address) -> None:
        opened.setblocking(False)
        # Packets are small and meant to arrive now.
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = opened
        self.address: Address = (peer[0], peer[1], STREAM)
        self._framing: Slip | Sized | None = None
        self._queue = bytearray()

    @property
    def waiting(self) -> int:
        return len(self._queue)

    def read(self) -> list[bytes] | None:
        """The packets that have come; None where there will be no more.

        Raises
        ------
        Refused
            They are no packets, and there is no telling where the next one would begin.
        """
        try:
            received = self.socket.recv(_READ)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            return None
        if not received:
            return None
        if self._framing is None:
            self._framing = framing(received[0])
        return self._framing.take(received)

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


def accepted(listener: socket.socket, welcome: Callable[[str], bool], full: bool) -> Connection | None:
    """The next client, if one is there and may come in; else it is turned away.

    Parameters
    ----------
    welcome : callable
        Whether a host is heard at all.
    full : bool
        Whether there are as many as there may be.
    """
    try:
        opened, peer = listener.accept()
    except OSError:
        return None
    if full or not welcome(str(peer[0])):
        opened.close()
        return None
    try:
        return Connection(opened, peer)
    except OSError:  # gone again
        opened.close()
        return None
