"""The UDP sockets of an address: two for `localhost`, one that has joined for a multicast group."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket
import struct
import sys
from collections.abc import Callable

LOCALHOST = "localhost"
_LOOPBACKS = ("127.0.0.1", "::1")
BUFFER_BYTES = 4 * 2**20
"""Room for what comes while a busy machine does not let us read."""
_BUFFER_BY_FORCE = 33  # Linux: SO_RCVBUFFORCE, which Python has no name for
_TRIES = 8
"""Free ports that are tried until one is free for both kinds of address."""

Group = ipaddress.IPv4Address | ipaddress.IPv6Address


class BindError(OSError):
    """The server cannot have the address it was given; the text says what to do."""

    def __str__(self) -> str:
        return str(self.args[-1])


def listen(host: str, port: int) -> list[socket.socket]:
    """Sockets that never block, bound to an address; at most one for each kind of address.

    Clients resolve `localhost` to ::1 or to 127.0.0.1, so it stands for both; a machine without IPv6 has one.

    Parameters
    ----------
    host : str
        A name or an address of this machine, or of a multicast group.
    port : int
        0 takes any free port.

    Raises
    ------
    BindError
    """
    if not 0 <= port <= 65535:
        raise BindError(f"there is no UDP port {port}: choose one from 1024 to 65535 with --osc-port")
    if host != LOCALHOST:
        return [_bind(host, port)]
    for _ in range(_TRIES - 1 if port == 0 else 0):
        with contextlib.suppress(BindError):
            return _both(port)
    return _both(port)


def _both(port: int) -> list[socket.socket]:
    found = [_bind(_LOOPBACKS[0], port)]
    try:
        found.append(_bind(_LOOPBACKS[1], found[0].getsockname()[1]))
    except BindError as error:
        if error.errno == errno.EADDRINUSE:
            found[0].close()
            raise
    return found


def _bind(host: str, port: int) -> socket.socket:
    try:
        # Where a name has both kinds of address, clients mostly send to the one of IPv4.
        found = sorted(socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM), key=lambda info: info[0])
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError):
        raise BindError(f"cannot listen for OSC on {host!r}: give an address of this machine, like 127.0.0.1") from None
    group = ipaddress.ip_address(str(address[0]).partition("%")[0])
    try:
        listener.setblocking(False)
        _make_room(listener)
        if group.is_multicast:
            _join(listener, group)
            if sys.platform == "win32":  # which binds to addresses of its own only
                address = ("", *address[1:])
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise BindError(error.errno, _why(host, port, error)) from None
    return listener


def _make_room(listener: socket.socket) -> None:
    """As much as is wanted where we may go beyond what the system allows everyone, else the most of that."""
    with contextlib.suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, _BUFFER_BY_FORCE, BUFFER_BYTES)


def _join(listener: socket.socket, group: Group) -> None:
    """Hear what is sent to a group, on every interface that there is.

    Raises
    ------
    OSError
        When no interface will.
    """
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # others may listen to the group as well
    join: Callable[[int], None]
    if isinstance(group, ipaddress.IPv6Address):

        def join(interface: int) -> None:
            asked = struct.pack("@16sI", group.packed, interface)
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, asked)
    else:

        def join(interface: int) -> None:
            asked = struct.pack("@4s4si", group.packed, bytes(4), interface)
            listener.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, asked[:8] if interface == 0 else asked)

    interfaces = [index for index, _ in socket.if_nameindex()] if sys.platform != "win32" else []
    joined = 0
    for interface in interfaces:
        with contextlib.suppress(OSError):
            join(interface)
            joined += 1
    if not joined:
        join(0)


def _why(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"UDP port {port} on {host} is in use, perhaps by another streamer: stop that, "
            f"or choose another port with --osc-port"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"cannot listen for OSC on {host}: give an address of this machine, like 127.0.0.1"
    return f"cannot listen for OSC on UDP port {port} of {host} ({error}): choose another port with --osc-port"
