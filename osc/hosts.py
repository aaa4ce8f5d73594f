"""Senders' addresses: which are this machine's own, and which lie in a network."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Address = tuple[Any, ...]
"""A socket address: host and port, for IPv6 also flow and scope; for a TCP connection host, port and `STREAM`."""
STREAM = "tcp"
"""The last part of a connection's address: a UDP port of the same number is somebody else."""
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Client:
    """Whose change it is: what the store is told as its origin.

    Attributes
    ----------
    source : Address
        Where it sends from.
    keeps : bool
        Whether it may have something kept on this machine or heard from it, see `osc.access.Gate.keeps`.
    """

    source: Address
    keeps: bool = field(default=False, compare=False)

    @property
    def trusted(self) -> bool:
        """Whether it is on this machine. A stranger may not name files of its own choice."""
        return is_local(self.source[0])


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Networks as they are written, "192.168.1.0/24" or "192.168.1.20".

    Raises
    ------
    ValueError
        For what is no network; the text says how to write one.
    """
    return tuple(_network(text) for text in texts)


def is_stream(address: Address) -> bool:
    """Whether it is a connection's, which cannot be forged: its owner has answered to it."""
    return address[2:] == (STREAM,)


@functools.lru_cache(maxsize=1024)
def is_local(host: str) -> bool:
    """Whether a sender's address is a loopback one, which no other machine can have."""
    address = _address(host)
    return address is not None and address.is_loopback


def narrowest(host: str, among: Iterable[Network]) -> int:
    """The longest prefix, in bits, of those networks that a host lies in; -1 for none."""
    address = _address(host)
    return max((network.prefixlen for network in among if address is not None and address in network), default=-1)


def _network(text: str) -> Network:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        raise ValueError(f"{text!r} is no network: write it like 192.168.1.0/24 or 192.168.1.20") from None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])  # behind the % stands an interface
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
