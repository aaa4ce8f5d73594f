"""The server of sessions: an HTTP API, a page for each session, and ways to hear them.

Who may: an API key opens sessions. Whoever knows a session's id may listen to it, and whoever knows its secret may
steer and close it. On this machine alone no key is needed unless there is a file of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Container, Iterable
from pathlib import Path
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Request, WebSocket
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import FileResponse, JSONResponse, Response, StreamingResponse

from osc.values import BadValue, Value
from streamer.control.table import ACTION_NAMES
from streamer.errors import UserError
from streamer.serve.house import ELSEWHERE, OVER, House
from streamer.serve.keys import LONGEST_PROMPT, Account, TooMuch
from streamer.serve.schema import Asked, Mounted, Offer, Opened, Output, Problem, Told, Whereabouts, Wish
from streamer.serve.session import Session
from streamer.serve.way import OWN, PATHS, Events, SessionWay
from streamer.surfaces.page.app import FILES, FULL, Hall, play_to, refuse, table, visit
from streamer.surfaces.page.app import MOST as MOST_PAGES
from streamer.surfaces.page.app import STATIC as PAGE
from streamer.surfaces.page.guarded import Guarded

STATIC = Path(__file__).parent / "static"
BODY_BYTES = 64 * 1024
"""Of a request."""
FOLLOWERS = 64
"""Of a session's events, at a time."""
HLS_PATIENCE = 12.0
"""Seconds that the first request for a list waits for its first segment."""
HEARTBEAT = 15.0
"""Seconds between two signs of life to who follows events."""
_PROBLEMS: dict[int | str, dict[str, Any]] = {code: {"model": Problem} for code in (401, 403, 404, 409, 422, 429, 503)}


def create(house: House, hosts: Iterable[str], origins: Iterable[str] = ()) -> Any:
    """The server as an ASGI application.

    Parameters
    ----------
    house : House
    hosts : iterable of str
        Under which it may be asked for: "localhost:7780".
    origins : iterable of str
        Of pages besides those of these hosts by HTTP: "https://music.example.org", where TLS ends before this server.
    """
    app = FastAPI(
        title="MusicGen Streamer",
        description="Endless music, a stream for each session: open one, change it while it plays, hear it.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.add_exception_handler(RequestValidationError, _explain)
    _serve_files(app, house)
    _serve_sockets(app, house)
    _serve_api(app, house)
    neighbours = house.neighbours
    if not neighbours.several:
        return Guarded(Bounded(app), hosts, origins)
    return Guarded(Bounded(Neighbourly(app, neighbours.origins)), hosts, origins, neighbours.origins)


# ---- who may


def _bearer(authorization: Annotated[str, Header()] = "") -> str:
    kind, _, secret = authorization.partition(" ")
    return secret.strip() if kind.lower() == "bearer" else ""


Bearer = Annotated[str, Depends(_bearer)]


def _account(house: House, secret: str) -> Account:
    account = house.stage.keys.account(secret)
    if account is None:
        raise HTTPException(401, "This needs an API key: send `Authorization: Bearer KEY`.")
    _count(account)
    return account


async def _steered(house: House, id: str, secret: str) -> Session:
    """A session that the secret, its own or its owner's key, may steer."""
    session = await house.session(id)
    owner = house.stage.keys.account(secret)
    own = hmac.compare_digest(session.secret.encode(), secret.encode(errors="replace"))
    if not own and (owner is None or not owner.key.key or owner.key.name != session.owner):
        raise HTTPException(403, "This needs the session's secret, or its owner's key.")
    account = house.stage.keys.accounts.get(session.owner)
    if account is not None:
        _count(account)
    return session


def _count(account: Account) -> None:
    try:
        account.request()
    except TooMuch as error:
        raise HTTPException(429, str(error), headers={"Retry-After": "1"}) from None


def _values(house: House, owner: str, given: Any) -> dict[str, Value]:
    values: dict[str, Value] = given.model_dump(exclude_none=True)
    account = house.stage.keys.accounts.get(owner)
    longest = account.key.prompt if account is not None else LONGEST_PROMPT
    for name, value in values.items():
        if isinstance(value, str) and len(value) > longest:
            raise HTTPException(422, f"{name} is longer than {longest} characters: say it in fewer.")
    return values


# ---- files and sockets


def _serve_files(app: FastAPI, house: House) -> None:
    described = table(PATHS) | {"webrtc": house.peers is not None}
    kinds = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}

    def fixed(address: str, file: Path) -> None:
        @app.get(address, include_in_schema=False)
        async def serve() -> FileResponse:
            return FileResponse(file, media_type=kinds[file.suffix])

    fixed("/", STATIC / "front.html")
    fixed("/front.js", STATIC / "front.js")
    fixed("/page.css", PAGE / "page.css")
    for address, (name, _) in FILES.items():
        fixed("/s/{id}" + address, PAGE / name)

    @app.get("/s/{id}/table.json", include_in_schema=False)
    async def parameters(id: str) -> JSONResponse:
        return JSONResponse(described)

    @app.get("/s/{id}/hls/{name}", include_in_schema=False)
    async def segment(id: str, name: str) -> Response:
        session = await house.session(id)
        until = asyncio.get_running_loop().time() + HLS_PATIENCE
        while True:
            try:
                found = await asyncio.to_thread(house.outputs.file, session, name)
            except UserError as error:
                raise HTTPException(503, str(error)) from None
            if found is not None:
                kind = "application/vnd.apple.mpegurl" if found.suffix == ".m3u8" else "video/mp2t"
                return FileResponse(found, media_type=kind)
            if not name.endswith(".m3u8") or asyncio.get_running_loop().time() > until:
                raise HTTPException(404, "There is no such part of it, or not yet.")
            await asyncio.sleep(0.25)


def _serve_sockets(app: FastAPI, house: House) -> None:
    async def entered(socket: WebSocket, id: str, others: Callable[[Hall], int]) -> tuple[Session, Hall] | None:
        try:
            session = await house.session(id)
        except HTTPException as error:
            elsewhere = (error.headers or {}).get("X-Server", "")
            await refuse(socket, ELSEWHERE if elsewhere else OVER if error.status_code == 404 else FULL, elsewhere)
            return None
        _, hall = house.hall(session)
        if others(hall) >= MOST_PAGES:
            await refuse(socket, FULL)
            return None
        await socket.accept(subprotocol=socket.headers.get("sec-websocket-protocol") or None)
        return session, hall

    @app.websocket("/s/{id}/ws")
    async def converse(socket: WebSocket, id: str) -> None:
        if (found := await entered(socket, id, len)) is not None:
            session, hall = found
            offered = socket.headers.get("sec-websocket-protocol", "")
            await visit(socket, hall, hmac.compare_digest(offered.encode(), session.secret.encode()))

    @app.websocket("/s/{id}/sound")
    async def listen(socket: WebSocket, id: str) -> None:
        if (found := await entered(socket, id, lambda hall: len(hall.sound.listeners))) is not None:
            session, hall = found
            session.enter()
            try:
                await play_to(socket, hall.sound)
            finally:
                session.leave()

    @app.post("/s/{id}/webrtc", responses=_PROBLEMS)
    async def call(id: str, offer: Offer) -> Offer:
        """Listen by WebRTC: the answer to an offer with one audio track to be received."""
        session = await house.session(id)
        if house.peers is None:
            raise HTTPException(503, "This server has no WebRTC: `pip install 'musicgen-streamer[webrtc]'` brings it.")

        try:
            sdp = await house.peers.answer(session.broadcast.place, offer.sdp, session.leave)
        except UserError as error:
            raise HTTPException(422, str(error)) from None
        session.enter()
        return Offer(sdp=sdp, type="answer")


# ---- the API


def _told(house: House, session: Session) -> dict[str, Any]:
    place = house.stage.place(session)
    values = session.controls.values()
    return {
        "id": session.id,
        "state": "sleeps" if place is None else "waits" if place else "plays",
        "place": place,
        "sentence": house.stage.sentence(session),
        "values": {own.name: values[own.name] for own in OWN},
        "figures": session.figures(),
        "page": f"/s/{session.id}/",
        "sound": f"/s/{session.id}/sound",
        "hls": f"/s/{session.id}/hls/live.m3u8",
    }


def _serve_api(app: FastAPI, house: House) -> None:
    stage = house.stage

    @app.get("/api/parameters")
    async def parameters() -> dict[str, Any]:
        """All that can be changed of a session."""
        return table(PATHS)

    @app.get("/where/{id}", responses=_PROBLEMS)
    async def where(id: str, request: Request) -> Whereabouts:
        """The server that has a session, or goes on with it: to be asked once its own has been silent for a while."""
        if stage.get(id) is not None:
            return Whereabouts(address=str(request.base_url))
        address = await asyncio.to_thread(house.neighbours.where, id)
        if address is None:
            raise HTTPException(404, "There is no such session: it may be over.")
        return Whereabouts(address=address)

    @app.get("/api/server")
    async def server() -> dict[str, Any]:
        """How much plays here, and how much could."""
        plays, waits = len(stage.places.playing), len(stage.places.waiting)
        return {"places": stage.places.most, "plays": plays, "waits": waits, "needs_key": stage.keys.needed}

    @app.post("/api/sessions", status_code=201, responses=_PROBLEMS)
    async def open_session(wish: Wish, secret: Bearer) -> Opened:
        """Open a session. It plays at once where there is room, else it waits in the queue and begins by itself."""
        account = _account(house, secret)
        values = _values(house, account.key.name, wish.values)
        try:
            session = stage.open(account, values)
        except UserError as error:
            raise HTTPException(429, str(error)) from None
        return Opened(**_told(house, session), secret=session.secret)

    @app.get("/api/sessions", responses=_PROBLEMS)
    async def sessions(secret: Bearer) -> list[Told]:
        """The sessions of this key."""
        name = _account(house, secret).key.name
        return [Told(**_told(house, session)) for session in stage.sessions if session.owner == name]

    @app.get("/api/sessions/{id}", responses=_PROBLEMS)
    async def session(id: str) -> Told:
        """How a session stands."""
        return Told(**_told(house, await house.session(id)))

    @app.patch("/api/sessions/{id}", responses=_PROBLEMS)
    async def change(id: str, asked: Asked, secret: Bearer) -> Told:
        """Change values of a session, all at one moment."""
        session = await _steered(house, id, secret)
        values = _values(house, session.owner, asked.values)
        try:
            session.controls.ask(values.items(), over=asked.over)
        except BadValue as error:
            raise HTTPException(422, str(error)) from None
        return Told(**_told(house, session))

    @app.post("/api/sessions/{id}/{action}", responses=_PROBLEMS)
    async def act(id: str, action: str, secret: Bearer) -> Told:
        """Ask for an action: play, stop, reset, panic."""
        session = await _steered(house, id, secret)
        if action not in ACTION_NAMES:
            raise HTTPException(
                404, f"There is no action {action[:40]!r}: choose among {', '.join(sorted(ACTION_NAMES))}."
            )
        session.controls.act(action)
        return Told(**_told(house, session))

    @app.delete("/api/sessions/{id}", status_code=204, responses=_PROBLEMS)
    async def close(id: str, secret: Bearer) -> None:
        """Close a session."""
        stage.drop(await _steered(house, id, secret), "Its owner has closed it.")

    @app.put("/api/sessions/{id}/output", responses=_PROBLEMS)
    async def mount(id: str, output: Output, secret: Bearer) -> Mounted:
        """Have a session heard at an Icecast server's mount point, too."""
        session = await _steered(house, id, secret)
        try:
            return Mounted(address=await asyncio.to_thread(house.outputs.mount, session, output.title))
        except UserError as error:
            raise HTTPException(409, str(error)) from None

    @app.delete("/api/sessions/{id}/output", status_code=204, responses=_PROBLEMS)
    async def unmount(id: str, secret: Bearer) -> None:
        """Have it there no more."""
        await asyncio.to_thread(house.outputs.unmount, await _steered(house, id, secret))

    @app.get("/api/sessions/{id}/events", responses=_PROBLEMS, response_class=StreamingResponse)
    async def events(id: str, request: Request) -> StreamingResponse:
        """What happens, as server-sent events: `values` (by name), `state` and `word` (a sentence)."""
        session = await house.session(id)
        way, _ = house.hall(session)
        if len(way.followers) >= FOLLOWERS:
            raise HTTPException(503, f"{FOLLOWERS} follow this session already.")
        return StreamingResponse(_follow(house, session, way), media_type="text/event-stream")


async def _follow(house: House, session: Session, way: SessionWay) -> AsyncIterator[str]:
    follower = Events()
    way.followers.add(follower)
    values = session.controls.values()
    try:
        yield _event("values", {own.name: values[own.name] for own in OWN})
        yield _event("state", house.stage.sentence(session))
        while not session.closed:
            found = await follower.next(HEARTBEAT)
            yield ":\n\n" if found is None else _event(*found)
    finally:
        way.followers.discard(follower)


def _event(kind: str, what: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps(what)}\n\n"


async def _explain(request: Request, error: Exception) -> JSONResponse:
    """What is wrong with a request, in a sentence."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if part not in ("body", "query"))
    return JSONResponse({"detail": f"{where or 'The request'}: {first['msg']}"[:300]}, 422)


class Neighbourly(CORSMiddleware):
    """Answers pages of other servers: their session goes on here."""

    def __init__(self, app: Any, origins: Container[str]) -> None:
        super().__init__(app, allow_methods=["GET", "POST"], allow_headers=["Authorization", "Content-Type"])
        self._origins = origins

    def is_allowed_origin(self, origin: str) -> bool:
        """Whether a page from there is one of theirs."""
        return origin in self._origins


class Bounded:
    """Refuses requests that are too long, however they are sent."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        got = 0

        async def counted() -> Any:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > BODY_BYTES:
                raise _TooLong
            return message

        with contextlib.suppress(_TooLong):
            await self._app(scope, counted, send)
            return
        await JSONResponse({"detail": f"A request has at most {BODY_BYTES} bytes."}, 413)(scope, receive, send)


class _TooLong(BaseException):
    """So that nothing on the way answers it."""
