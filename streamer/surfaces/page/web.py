"""An HTTP server that strangers do not hold up: who connects and asks for nothing gives way."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from streamer.errors import UserError, reason
from streamer.surfaces.page.app import MESSAGE_BYTES

LOCAL = ("127.0.0.1", "localhost", "::1")
"""Names of this machine under which no other reaches it."""
PATIENCE_SECONDS = 10.0
"""For whoever has connected to ask for something."""
CONNECTIONS = 256
"""At a time, with those that ask for files."""
IDLE = 96
"""Of them those that ask for nothing at the moment and are no WebSockets."""


class Impatient(H11Protocol):
    """Lets go of whoever connects and asks for nothing, or does so a letter at a time: others want to come in, too.

    After a while, and at once where there are too many such: then the one that came first.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Somebody is there."""
        super().connection_made(transport)
        self._came = self.loop.time()
        idle = [own for own in self.connections if isinstance(own, Impatient) and own.is_idle]
        if len(idle) > IDLE:
            min(idle, key=lambda own: own._came).transport.abort()
        self.loop.call_later(PATIENCE_SECONDS, self._look)

    @property
    def is_idle(self) -> bool:
        """Whether it has asked for nothing that is still to be answered."""
        return not self.transport.is_closing() and (self.cycle is None or self.cycle.response_complete)

    def _look(self) -> None:
        # No request has begun, and it is no WebSocket by now.
        if self.cycle is None and self.transport.get_protocol() is self:
            self.transport.close()


def configured(app: Any, most_bytes: int = MESSAGE_BYTES) -> uvicorn.Config:
    """How an ASGI application is served; most_bytes: of a WebSocket's message."""
    return uvicorn.Config(
        app,
        lifespan="off",
        log_config=None,
        log_level="critical",  # what strangers send fills no pipe
        http=Impatient,
        limit_concurrency=CONNECTIONS,
        access_log=False,
        ws="websockets-sansio",
        ws_max_size=most_bytes,
        ws_per_message_deflate=False,
        server_header=False,
    )


def listen(host: str, port: int, option: str) -> socket.socket:
    """A socket that listens; port 0 is any free one.

    Parameters
    ----------
    host : str
    port : int
    option : str
        Of the command line, that chooses another port.

    Raises
    ------
    UserError
        It is taken, or there is no such host.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as error:
        other = option.replace("port", "host")
        raise UserError(
            f"there is no machine {host!r} ({reason(error)}): name one of this one's with {other}"
        ) from None
    try:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        raise UserError(
            f"the page cannot be served on port {port} of {host} ({reason(error)}): choose another with {option}"
        ) from None
    return listener


def names(host: str) -> set[str]:
    """Under which names the server can be asked for."""
    own = {"localhost", "127.0.0.1", host}
    if host in ("0.0.0.0", "::"):
        own |= {socket.gethostname(), f"{socket.gethostname()}.local", shown_as(host)}
        with contextlib.suppress(OSError):
            own |= {str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None)}
    return own


def shown_as(host: str) -> str:
    """The address to type on another machine."""
    if host not in ("0.0.0.0", "::"):
        return host
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent: the system only says which interface it would take
        return str(probe.getsockname()[0])
    return socket.gethostname()
