"""Serving the page until the instrument ends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from streamer.errors import UserError, reason
from streamer.surfaces.page.app import MESSAGE_BYTES, Hall, create
from streamer.surfaces.page.link import Link

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


def serve(osc: tuple[str, int, str], host: str, port: int, token: str, tell: Callable[[str], None]) -> None:
    """Serve the page; returns when the instrument has ended.

    Parameters
    ----------
    osc : (host, port, prefix)
        Where the instrument listens.
    host, port
        Where to listen; 0 takes any free port.
    token : str
        That pages have to know; "" for none, on this machine alone.
    tell : callable
        Called with the page's address once it is there.

    Raises
    ------
    UserError
        The instrument does not answer, or the port is taken.
    """
    asyncio.run(_serve(osc, host, port, token, tell))


async def _serve(osc: tuple[str, int, str], host: str, port: int, token: str, tell: Callable[[str], None]) -> None:
    listener = _listen(host, port)
    # What asyncio would print, of connections beyond what the system allows say, is a stranger's doing, too.
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: None)
    with contextlib.closing(listener):
        port = listener.getsockname()[1]
        link = await Link.open(*osc)
        names = {f"{name}:{port}" for name in _names(host)}
        hall = Hall(link, trusted=not token)
        config = uvicorn.Config(
            create(hall, names, token),
            lifespan="off",
            log_config=None,
            log_level="critical",  # what strangers send fills no pipe
            http=Impatient,
            limit_concurrency=CONNECTIONS,
            access_log=False,
            ws="websockets-sansio",
            ws_max_size=MESSAGE_BYTES,
            ws_per_message_deflate=False,
            server_header=False,
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve([listener]))
        shown = "localhost" if not token else _shown(host)
        tell(f"http://{shown}:{port}/" + (f"#{token}" if token else ""))
        running = [asyncio.create_task(own) for own in (link.run(), hall.sound.run())]
        await asyncio.wait([*running, serving], return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = server.force_exit = True
        await serving
        for task in running:
            task.cancel()
        hall.sound.close()


def _listen(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)
    except (OSError, UnicodeError) as error:
        raise UserError(
            f"the page cannot be served on port {port} of {host} ({reason(error)}): choose another with --web-port"
        ) from None
    return listener


def _names(host: str) -> set[str]:
    """Under which names the server can be asked for."""
    own = {"localhost", "127.0.0.1", host}
    if host in ("0.0.0.0", "::"):
        own |= {socket.gethostname(), f"{socket.gethostname()}.local", _shown(host)}
        with contextlib.suppress(OSError):
            own |= {str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), None)}
    return own


def _shown(host: str) -> str:
    """The address to type on another machine."""
    if host not in ("0.0.0.0", "::"):
        return host
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))  # nothing is sent: the system only says which interface it would take
        return str(probe.getsockname()[0])
    return socket.gethostname()
