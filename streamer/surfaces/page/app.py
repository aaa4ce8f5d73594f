"""The page's server: files that need nothing from elsewhere, and a WebSocket that keeps every page in step.

Who may: a page is served only under the names that the server listens on, and a WebSocket only to that page. Beyond
this machine it also has to know the token, which stands in the address behind the `#`, where no server and no log sees
it. Then it may do all that names no file.
"""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
from collections import deque
from collections.abc import Awaitable, Callable, Container, Coroutine, Iterable
from pathlib import Path
from typing import Any, Protocol

from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect
from fastapi.responses import FileResponse, JSONResponse

from osc.packet import TEXT_BYTES
from osc.parameter import Parameter
from osc.values import Value
from streamer.control.journal import NAME as JOURNAL
from streamer.control.table import ACTIONS, EFFECTS, PARAMETERS, SLOTS, STATUS, TABLE
from streamer.errors import UserError
from streamer.process.broadcast import Place
from streamer.surfaces.commands import BROADCAST, COMMANDS
from streamer.surfaces.page.guarded import Guarded, Receive, Scope, Send
from streamer.surfaces.page.rtc import Peers
from streamer.surfaces.page.sound import Listener, Sound

STATIC = Path(__file__).parent / "static"
SCRIPTS = ("page", "home", "picture", "listen", "feed", "ear")
FILES = {
    "/": ("index.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    **{f"/{name}.js": (f"{name}.js", "text/javascript") for name in SCRIPTS},
}
MOST = 64
"""Pages at a time; and listeners."""
STRANGER, FULL = 4403, 4503
"""With what a page's connection is closed that does not know the token, and where too many are open."""
MESSAGE_BYTES = 2 * TEXT_BYTES
OFFER_BYTES = 32_768
"""Of a WebRTC offer."""
VALUES = 16
"""Of one message."""
FRAME = 1 / 30
"""Seconds between two messages to a page at least: between them only the last value of each path counts."""
BEAT_SECONDS = 0.25
"""A page that is told nothing for so long is told just that: one that hears nothing at all looks for its server."""
_WORDS = 50  # sentences that wait for a page
_COLUMNS = 25  # of the spectrogram, likewise
_SOUND = ("volume", "mute", "lead", "loudness", "guard", *EFFECTS)


class Way(Protocol):
    """To what is played: `streamer.surfaces.page.link.Link`, or another.

    Attributes
    ----------
    state : dict
        Path -> values, as they stand.
    hear : callable
        Called with every path and its values, as they change; set by whoever listens.
    """

    state: dict[str, list[Any]]
    hear: Callable[[str, list[Any]], None]

    def send(self, path: str, *values: Value) -> None:
        """Ask for something."""
        ...


def allowed(trusted: bool) -> set[str]:
    """The paths that a page may use: those that name files only where it is this machine's."""
    files = {own.path for own in PARAMETERS if own.kind == "path"}
    files |= {own.path for own in COMMANDS if own.keeps or own.names_a_file}
    known = {own.path for own in PARAMETERS} | {own.name for own in ACTIONS} | {own.path for own in COMMANDS}
    known -= {BROADCAST.path}
    return known if trusted else known - files


def table(paths: Container[str] | None = None) -> dict[str, Any]:
    """What the page is made from: the parameters (those at the paths, where they are given), actions, status values."""
    slots = {*SLOTS, *SLOTS.values()}
    return {
        "parameters": [
            {
                "name": own.name,
                "path": own.path,
                "kind": own.kind,
                "low": own.low,
                "high": own.high,
                "default": own.default,
                "unit": own.unit,
                "curve": own.curve,
                "doc": own.doc,
                "words": dict(own.words),
                "choices": list(own.choices) or _all_named(own),
                "group": "slot" if own.name in slots else "sound" if own.name in _SOUND else "music",
            }
            for own in PARAMETERS
            if paths is None or own.path in paths
        ],
        "slots": [{"text": TABLE[text].path, "weight": TABLE[weight].path} for text, weight in SLOTS.items()],
        "actions": [{"name": action.name, "doc": action.doc} for action in ACTIONS],
        "status": STATUS,
        "commands": [own.path for own in COMMANDS if paths is None or own.path in paths],
    }


def _all_named(own: Parameter) -> list[str]:
    """The words for a whole number's values, where each has one: they are chosen by name then."""
    named = own.kind == "int" and len(own.words) == own.high - own.low + 1
    return [word for word, _ in own.words] if named else []


class Hall:
    """All pages that are open, and what they may ask for.

    Parameters
    ----------
    link : Way
        To the instrument.
    paths : set of str
        That they may use.

    Attributes
    ----------
    sound : Sound
        What plays, for pages that listen and look.
    recorded : str
        The folder of the last recording; "" before there is one.
    recording : bool
        Whether it is still going on.
    """

    def __init__(self, link: Way, paths: set[str]) -> None:
        self.allowed = paths
        self.recorded, self.recording = "", False
        self._link = link
        self._pages: set[Page] = set()
        self.sound = Sound(self._show, lambda: bool(self._pages))
        link.hear = self._hear

    def __len__(self) -> int:
        return len(self._pages)

    def _hear(self, path: str, values: list[Any]) -> None:
        if path == BROADCAST.path:
            with contextlib.suppress(OSError, ValueError):  # it is on another machine
                self.sound.tune(Place.read(values))
            path, values = "sound", self._sounds()
        if path == "status/recording" and values:
            self.recording = bool(values[0])
            self.recorded = str(values[0]) or self.recorded
        for page in self._pages:
            page.tell(path, values)

    def _sounds(self) -> list[Any]:
        """What pages have to know of what they can hear: samples a second and channels, 0 where they hear nothing."""
        place = self.sound.place
        return [0, 0] if place is None else [place.rate, place.channels]

    def _show(self, column: bytes) -> None:
        for page in self._pages:
            page.show(column)

    def enter(self, page: Page) -> None:
        """A page opens: it is told all that stands."""
        self._pages.add(page)
        for path, values in self._link.state.items():
            if path not in ("error", BROADCAST.path):
                page.tell(path, values)
        page.tell("sound", self._sounds())

    def leave(self, page: Page) -> None:
        """A page closes."""
        self._pages.discard(page)

    def close(self, code: int) -> None:
        """Close the connections of all pages, with that code."""
        for page in self._pages:
            page.close(code)

    def ask(self, page: Page, text: str) -> None:
        """Do what a page asks for; a sentence to it where that cannot be."""
        try:
            path, values = self._read(text)
        except ValueError as error:
            page.tell("error", ["", str(error)])
            return
        self._link.send(path, *values)

    def _read(self, text: str) -> tuple[str, list[Any]]:
        try:
            path, *values = json.loads(text)
        except (ValueError, TypeError, RecursionError):
            raise ValueError("a message is a list in JSON: a path and its values") from None
        if not isinstance(path, str) or path not in self.allowed:
            raise ValueError("is no address that a page may use")
        if len(values) > VALUES or not all(isinstance(value, (str, int, float, bool)) for value in values):
            raise ValueError(f"takes at most {VALUES} numbers and texts")
        if any(isinstance(value, (int, float)) and not abs(value) < 2**31 for value in values):  # nor NaN
            raise ValueError("takes numbers that are not so large")
        return path, values


class Page:
    """One page that is open: what it has still to be told."""

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._pending: dict[str, list[Any]] = {}
        self._words: deque[list[Any]] = deque(maxlen=_WORDS)
        self._columns: deque[bytes] = deque(maxlen=_COLUMNS)
        self._fresh = asyncio.Event()
        self._farewell = 0

    def close(self, code: int) -> None:
        """Close its connection, with that code, once all is told."""
        self._farewell = code
        self._fresh.set()

    def tell(self, path: str, values: list[Any]) -> None:
        """Something has changed; sentences are all kept, up to a point, of values the last one."""
        if path == "error":
            self._words.append(values)
        else:
            self._pending[path] = values
        self._fresh.set()

    def show(self, column: bytes) -> None:
        """One more column of the spectrogram."""
        self._columns.append(column)
        self._fresh.set()

    async def run(self) -> None:
        """Send what is to be told and shown, until it is closed."""
        while True:
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._fresh.wait(), BEAT_SECONDS)
            self._fresh.clear()
            told, self._pending = self._pending, {}
            words, self._words = list(self._words), deque(maxlen=_WORDS)
            columns, self._columns = b"".join(self._columns), deque(maxlen=_COLUMNS)
            if told or words or not columns:
                await self._socket.send_text(json.dumps({"values": told, "words": words}))
            if columns:
                await self._socket.send_bytes(columns)
            if self._farewell:
                await self._socket.close(self._farewell)
                return
            await asyncio.sleep(FRAME)


def create(
    hall: Hall, hosts: Iterable[str], token: str, peers: Peers | None = None
) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The server as an ASGI application.

    Parameters
    ----------
    hall : Hall
    hosts : iterable of str
        Under which it may be asked for: "localhost:7771".
    token : str
        That a page has to know; "" for pages of this machine alone.
    peers : Peers, optional
        Those that listen by WebRTC, where it is there.
    """
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    described = table(hall.allowed) | {"webrtc": peers is not None}

    @app.get("/table.json")
    async def parameters() -> JSONResponse:
        return JSONResponse(described)

    for address, (name, kind) in FILES.items():
        _serve_file(app, address, STATIC / name, kind)

    @app.get(f"/{JOURNAL}")
    async def performance() -> Response:
        if token:
            return JSONResponse({"detail": "Only pages on the instrument's own machine get its files."}, 403)
        if not hall.recorded or hall.recording:
            do = "stop the recording" if hall.recording else "record something"
            return JSONResponse({"detail": f"The journal of a recording is there once it has ended: {do} first."}, 404)
        if not (file := Path(hall.recorded) / JOURNAL).is_file():
            return JSONResponse({"detail": f"There is no journal in {hall.recorded}, where this page looks."}, 404)
        return FileResponse(file, media_type="application/jsonl", filename=JOURNAL)

    @app.websocket("/ws")
    async def converse(socket: WebSocket) -> None:
        if await _admitted(socket, token, len(hall)):
            await visit(socket, hall)

    @app.websocket("/sound")
    async def listen(socket: WebSocket) -> None:
        if await _admitted(socket, token, len(hall.sound.listeners)):
            await play_to(socket, hall.sound)

    @app.post("/webrtc")
    async def call(request: Request) -> Response:
        offered = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token and not hmac.compare_digest(offered.encode(), token.encode()):
            return JSONResponse({"detail": "This page needs the whole address, with its token."}, 403)
        if peers is None or hall.sound.place is None:
            return JSONResponse({"detail": "Nothing can be heard here by WebRTC."}, 503)
        try:
            offer = str(json.loads(await _read(request))["sdp"])
            return JSONResponse({"sdp": await peers.answer(hall.sound.place, offer), "type": "answer"})
        except (ValueError, TypeError, KeyError, RecursionError):
            return JSONResponse({"detail": "An offer is JSON, with its description as `sdp`."}, 422)
        except UserError as error:
            return JSONResponse({"detail": str(error)}, 422)

    return Guarded(app, hosts)


async def _read(request: Request) -> bytes:
    """The body of a request.

    Raises
    ------
    ValueError
        It is too long.
    """
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > OFFER_BYTES:
            raise ValueError("too long")
    return body


async def visit(socket: WebSocket, hall: Hall, steers: bool = True) -> None:
    """Be a page's server, over a socket that was accepted, until it goes; one that may not steer is told so."""
    page = Page(socket)

    def ask(text: str) -> None:
        if steers:
            hall.ask(page, text)
        else:
            page.tell("error", ["", "This address looks and listens: whoever opened the session has one that steers."])

    hall.enter(page)
    try:
        await _hold(socket, page.run(), ask)
    finally:
        hall.leave(page)


async def play_to(socket: WebSocket, sound: Sound) -> None:
    """Send sound over a socket that was accepted, until it goes."""
    listener = Listener()
    sound.listeners.add(listener)
    try:
        await _hold(socket, _play(socket, listener), listener.echo)
    finally:
        sound.listeners.discard(listener)


async def _admitted(socket: WebSocket, token: str, others: int) -> bool:
    """Whether a socket may stay; else it is closed, with a code that its page can explain."""
    offered = socket.headers.get("sec-websocket-protocol", "")
    stranger = bool(token) and not hmac.compare_digest(offered.encode(), token.encode())
    if stranger or others >= MOST:
        await refuse(socket, STRANGER if stranger else FULL)
        return False
    await socket.accept(subprotocol=offered or None)
    return True


async def refuse(socket: WebSocket, code: int, reason: str = "") -> None:
    """Close a socket so that its page learns why: browsers tell pages nothing of one that was never accepted."""
    await socket.accept(subprotocol=socket.headers.get("sec-websocket-protocol") or None)
    await socket.close(code, reason)


async def _hold(socket: WebSocket, sending: Coroutine[Any, Any, None], hear: Callable[[str], None]) -> None:
    """Send to a socket, and hear what it says, until it goes."""
    task = asyncio.create_task(sending)
    try:
        while True:
            hear(await socket.receive_text())
    except (WebSocketDisconnect, RuntimeError, KeyError):  # KeyError: it sent bytes
        pass
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await task


async def _play(socket: WebSocket, listener: Listener) -> None:
    while True:
        packet = await listener.next()
        if isinstance(packet, str):
            await socket.send_text(packet)
        else:
            await socket.send_bytes(packet)


def _serve_file(app: FastAPI, address: str, file: Path, kind: str) -> None:
    @app.get(address, include_in_schema=False)
    async def serve() -> FileResponse:
        return FileResponse(file, media_type=kind)
