"""What stands before a page's server: it refuses whatever was not meant for it, and says what a page may load."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container, Iterable, MutableMapping
from typing import Any

_POLICY = (
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; connect-src {}; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-cache"),
)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Guarded:
    """Refuses whatever was not meant for this server: other sites' pages, and names that were made to point here.

    Parameters
    ----------
    app : ASGI application
    hosts : iterable of str
        Under which it may be asked for.
    origins : iterable of str
        Of other pages that may ask.
    neighbours : container of str, optional
        Of pages of other servers that this one may go on for: they come and go. Its own pages may then ask any server.
    """

    def __init__(
        self, app: Any, hosts: Iterable[str], origins: Iterable[str] = (), neighbours: Container[str] | None = None
    ) -> None:
        self._app = app
        self._hosts = {host.encode() for host in hosts}
        self._origins = {origin.encode() for origin in origins}
        self._neighbours: Container[str] = () if neighbours is None else neighbours
        policy = _POLICY.format("'self'" if neighbours is None else "'self' http: ws:")
        self._headers = [(b"content-security-policy", policy.encode()), *_HEADERS]

    def _welcome(self, origin: bytes) -> bool:
        return origin in self._origins or origin.decode("latin-1") in self._neighbours

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        headers = [(name, value) for name, value in scope["headers"]]
        host = [value for name, value in headers if name == b"host"]
        origin = [value for name, value in headers if name == b"origin"]
        own = len(host) == 1 and host[0] in self._hosts
        same = own and len(origin) == 1 and (origin[0] == b"http://" + host[0] or self._welcome(origin[0]))
        if not own or (scope["type"] == "websocket" and not same) or (origin and not same):
            await _refuse(scope, send)
            return

        async def secured(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *self._headers]
            await send(message)

        await self._app(scope, receive, secured)


async def _refuse(scope: Scope, send: Send) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 4403})
        return
    await send({"type": "http.response.start", "status": 403, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": b"This page is not for you."})
