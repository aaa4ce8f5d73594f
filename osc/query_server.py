"""OSCQuery on a TCP port: questions by HTTP, values as they change by WebSocket; in a thread and a loop of its own.

It only tells. Who may be told is the rule of the OSC server that it describes; beside that no other site's page may
ask, by whatever name it was led here.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import socket
import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from osc import tcp
from osc.access import Access
from osc.announce import Announcement
from osc.hosts import Address, is_local
from osc.log import SILENT, fault
from osc.query import NOT_FOUND, OK, Directory, Json
from osc.server import OscServer
from osc.sockets import BindError
from osc.subscribers import Group
from osc.tree import Tree

MOST = 64
"""Addresses that one client listens to."""
MESSAGE_BYTES = 4096
PACE_SECONDS = 1 / 30
"""Between two messages about one address to a client at least; only the last value counts."""
_EXTENSIONS = {"ACCESS": True, "VALUE": True, "RANGE": True, "DESCRIPTION": True, "UNIT": True, "LISTEN": True}


class QueryServer:
    """Describes an OSC server to clients that look for it, and announces both.

    Parameters
    ----------
    tree : Tree
        That `server` serves.
    server : OscServer
    access : Access
        Whom it may answer.
    port : int
        TCP; 0 takes any free port. It listens where the OSC server does.
    name : str
        Shown to people who look for it.
    told : mapping
        Paths below the prefix that values are published at -> a sentence about each.
    report : callable
        Takes a sentence where it cannot be announced; from the loop's thread.

    Raises
    ------
    BindError
        The port is taken.
    """

    def __init__(
        self,
        tree: Tree,
        server: OscServer,
        access: Access,
        port: int,
        name: str,
        told: Mapping[str, str],
        report: Callable[[str], None],
    ) -> None:
        self._directory = Directory(tree, server.desk.answers.view, told)
        self._access = access
        self._report = report
        self._listeners = _listen([own for own in server.addresses if not _is_group(own)], port)
        self._hosts = [str(own.getsockname()[0]) for own in self._listeners]
        self._announcement = Announcement(name, self._hosts, self.port, server.port)
        self._host_info = {"NAME": name, "EXTENSIONS": _EXTENSIONS, "OSC_PORT": server.port, "OSC_TRANSPORT": "UDP"}
        self._guests: dict[ServerConnection, Guest] = {}
        self._arriving: dict[ServerConnection, None] = {}  # the longest there first
        self._most = tcp.most()
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="osc query", daemon=True)
        server.desk.answers.watch(self._noted)

    @property
    def port(self) -> int:
        """The port listened on."""
        return int(self._listeners[0].getsockname()[1])

    def start(self) -> None:
        """Answer, and be announced, until `close`."""
        self._thread.start()

    def close(self) -> None:
        """Answer no more, and take back what was announced."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join(timeout=5.0)
        for listener in self._listeners:
            listener.close()

    # ---- its thread

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        except Exception as error:  # OSC and the music go on without
            fault("OSCQuery has ended", error)
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        # What asyncio would print, of connections beyond what the system allows say, is a stranger's doing.
        self._loop.set_exception_handler(lambda loop, context: None)
        async with contextlib.AsyncExitStack() as stack:
            for listener in self._listeners:
                await stack.enter_async_context(self._server(listener))
            stack.push_async_callback(self._announcement.withdraw)
            announcing = asyncio.create_task(self._announce())
            await self._ending.wait()
            announcing.cancel()

    def _server(self, listener: socket.socket) -> contextlib.AbstractAsyncContextManager[Server]:
        return serve(
            self._converse,
            sock=listener,
            process_request=self._answer,
            create_connection=_guarded(self._access.opens, self._arriving, self._most),
            compression=None,
            server_header=None,
            max_size=MESSAGE_BYTES,
            max_queue=4,
            logger=SILENT,
        )

    async def _announce(self) -> None:
        try:
            await self._announcement.make()
        except Exception as error:  # networks fail in many ways
            self._report(f"OSCQuery answers on port {self.port} and cannot be announced ({error}).")

    # ---- HTTP

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        """A page of JSON; None for a WebSocket that may be opened."""
        if not _is_ours(request.headers):
            return _page(HTTPStatus.FORBIDDEN, None)
        if "Upgrade" in request.headers:
            return None if len(self._guests) < self._most else _page(HTTPStatus.SERVICE_UNAVAILABLE, None)
        if request.path.partition("?")[2] == "HOST_INFO":
            return _page(OK, self._about(connection))
        host = str(connection.remote_address[0])
        return _page(*self._directory.answer(request.path, is_local(host)))

    def _about(self, connection: ServerConnection) -> Json:
        """Where OSC and the WebSocket are, as whoever asks can reach them."""
        own = str(connection.local_address[0])
        return {**self._host_info, "OSC_IP": own, "WS_IP": own, "WS_PORT": self.port}

    # ---- WebSocket

    async def _converse(self, connection: ServerConnection) -> None:
        self._arriving.pop(connection, None)
        guest = self._guests[connection] = Guest(connection)
        sending = asyncio.create_task(guest.run())
        try:
            async for message in connection:
                self._obey(guest, message)
        except ConnectionClosed:
            pass
        finally:
            del self._guests[connection]
            sending.cancel()

    def _obey(self, guest: Guest, message: str | bytes) -> None:
        """LISTEN and IGNORE; anything else is none of ours."""
        try:
            asked = json.loads(message)
            command, address = asked["COMMAND"], asked["DATA"]
        except (ValueError, TypeError, KeyError, RecursionError):
            return
        if command == "LISTEN" and isinstance(address, str) and self._directory.has(address):
            guest.listen(address)
        elif command == "IGNORE" and isinstance(address, str):
            guest.ignore(address)

    def _noted(self, path: str, told: Callable[[bool], Group]) -> None:
        """Something has changed; on the desk's thread."""
        if self._guests:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._tell, told)

    def _tell(self, told: Callable[[bool], Group]) -> None:
        for guest in self._guests.values():
            guest.tell(told(guest.trusted))


class Guest:
    """A client that listens: what it has still to be told.

    Attributes
    ----------
    trusted : bool
        Whether it is on this machine.
    """

    def __init__(self, connection: ServerConnection) -> None:
        self.trusted = is_local(str(connection.remote_address[0]))
        self._connection = connection
        self._wanted: set[str] = set()
        self._pending: dict[str, bytes] = {}
        self._fresh = asyncio.Event()

    def listen(self, address: str) -> None:
        """It wants to hear of an address."""
        if len(self._wanted) < MOST:
            self._wanted.add(address)

    def ignore(self, address: str) -> None:
        """It has heard enough of an address."""
        self._wanted.discard(address)
        self._pending.pop(address, None)

    def tell(self, group: Group) -> None:
        """Some values have changed."""
        wanted = {address: packet for address, packet in group if address in self._wanted}
        if wanted:
            self._pending |= wanted
            self._fresh.set()

    async def run(self) -> None:
        """Send what is to be told, for ever."""
        while True:
            await self._fresh.wait()
            self._fresh.clear()
            told, self._pending = self._pending, {}
            for packet in told.values():
                await self._connection.send(packet)
            await asyncio.sleep(PACE_SECONDS)


def _guarded(
    welcome: Callable[[str], bool], arriving: dict[ServerConnection, None], most: int
) -> type[ServerConnection]:
    """Connections that are closed before they say a word where their host is not welcome.

    Where more than `most` are there and listen to nothing, the first of them gives way: who asks is answered at once,
    so it is one that holds its place by asking a letter at a time, or by not leaving.
    """

    class Guarded(ServerConnection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            if not welcome(str(self.remote_address[0])):
                self.transport.abort()
                return
            arriving[self] = None
            if len(arriving) > most:
                first = next(iter(arriving))
                del arriving[first]
                first.transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            arriving.pop(self, None)
            super().connection_lost(exc)

    return Guarded


def _listen(addresses: list[Address], port: int) -> list[socket.socket]:
    """Sockets of one port where the OSC server listens: on this machine alone where that has joined a group."""
    if not 0 <= port <= 65535:
        raise BindError(f"there is no TCP port {port}: choose one from 1024 to 65535 with --osc-query")
    addresses = addresses or [("127.0.0.1", 0)]
    opened: list[socket.socket] = []
    for address in addresses:
        at = opened[0].getsockname()[1] if opened else port
        family = socket.AF_INET6 if ":" in str(address[0]) else socket.AF_INET
        opened += tcp.listen([(address[0], at, *address[2:])], [family])
    if not opened:
        raise BindError(f"TCP port {port} is in use, and OSCQuery not served: choose another with --osc-query")
    return opened


def _is_group(address: Address) -> bool:
    return ipaddress.ip_address(str(address[0]).partition("%")[0]).is_multicast


def _page(status: int, body: Json | None) -> Response:
    said = json.dumps(body if body is not None else {}).encode() if status in (OK, NOT_FOUND) else b""
    kind = [("Content-Type", "application/json"), ("Cache-Control", "no-cache"), ("Connection", "close")]
    return Response(status, HTTPStatus(status).phrase, Headers([*kind, ("Content-Length", str(len(said)))]), said)


def _is_ours(headers: Headers) -> bool:
    """Whether it was asked for by an address or a local name, and by no page of another site.

    A name that somebody else's server of names answers for may be made to point here.
    """
    try:
        asked = urlsplit(f"//{headers.get('Host', '')}").hostname or ""
        origin = headers.get("Origin")
        return _is_local_name(asked) and (origin is None or _is_local_name(urlsplit(origin).hostname or ""))
    except Exception:  # two of a header, or no address: nobody's browser
        return False


def _is_local_name(host: str) -> bool:
    if host in ("localhost", socket.gethostname()) or host.endswith(".local"):
        return True
    with contextlib.suppress(ValueError):
        return bool(ipaddress.ip_address(host.partition("%")[0]))
    return False
