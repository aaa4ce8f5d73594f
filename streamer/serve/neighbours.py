"""Servers that share a ledger, as one of them knows the others: its sessions' pages go on there once it is gone."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from streamer.serve.session import Record

KNOCK_SECONDS = 0.3
"""That a server may take to let somebody in."""


@dataclass
class Neighbours:
    """What a server knows of others; nothing: it is alone.

    Parameters
    ----------
    find : callable
        Called beside the loop with the id of a session that is not here: what to go on from, the address of the server
        that has it, or None.
    where : callable
        Likewise: the address of the server that has it, or will go on with it, or None.
    several : bool
        Whether pages may go on at another server.

    Attributes
    ----------
    doors : list of str
        Addresses, with the last slash, at which this server's pages may ask once it is gone. Replaced, never changed.
    origins : set of str
        Of pages of all these servers, those of servers that have gone among them.
    """

    find: Callable[[str], Record | str | None] = lambda id: None
    where: Callable[[str], str | None] = lambda id: None
    several: bool = False
    doors: list[str] = field(default_factory=list)
    origins: set[str] = field(default_factory=set)


def answers(address: str) -> bool:
    """Whether anybody may be at an address: only where its machine refuses there is surely nobody."""
    parts = urlsplit(address)
    try:
        socket.create_connection((parts.hostname or "", parts.port or 80), KNOCK_SECONDS).close()
    except ConnectionRefusedError:
        return False
    except OSError:
        return True
    return True
