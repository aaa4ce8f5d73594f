"""A server of sessions in this process, and what asks it."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from http.client import HTTPConnection
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from musicgen import MusicGen
from streamer.audio.sinks.icecast import Mount
from streamer.serve.keys import NOBODY, Key, Keys
from streamer.serve.run import Place, Server
from streamer.serve.stage import Stage

PATIENCE = 90.0  # seconds: a machine may be busy
ANYBODY = Key(NOBODY, "", sessions=40)


class Served:
    """It serves while it is open."""

    def __init__(
        self, model: MusicGen, places: int, keys: Sequence[Key] = (ANYBODY,), icecast: Mount | None = None
    ) -> None:
        self.stage = Stage(model, places, Keys(keys))
        self.server = Server(self.stage, Place(icecast=icecast))
        self._thread = threading.Thread(target=self.server.serve, daemon=True)

    def __enter__(self) -> Served:
        self._thread.start()
        eventually(self._answers)
        return self

    def _answers(self) -> bool:
        try:
            return self.ask("GET", "/api/server")[0] == 200
        except OSError:
            return False

    def __exit__(self, *_: object) -> None:
        self.server.stop()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server.port}"

    def ask(self, method: str, path: str, body: object = None, key: str = "", **headers: str) -> tuple[int, Any]:
        """The status of an answer, and what it says; texts and bytes go as they are."""
        connection = HTTPConnection("127.0.0.1", self.server.port, timeout=PATIENCE)
        sent = body if isinstance(body, (str, bytes)) or body is None else json.dumps(body)
        every = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {}) | headers
        connection.request(method, path, sent, every)
        answer = connection.getresponse()
        data = answer.read()
        connection.close()
        try:
            return answer.status, json.loads(data)
        except ValueError:
            return answer.status, data

    def patient(self, method: str, path: str, body: object = None, key: str = "") -> tuple[int, Any]:
        """As `ask`, and again while so many requests a second are too many."""
        while True:
            status, told = self.ask(method, path, body, key)
            if status != 429 or "a second" not in told["detail"]:
                return status, told
            time.sleep(0.1)

    def open(self, key: str = "", **values: object) -> dict[str, Any]:
        """A new session."""
        status, told = self.patient("POST", "/api/sessions", {"values": values}, key)
        assert status == 201, told
        session: dict[str, Any] = told
        return session

    def drop(self, session: dict[str, Any]) -> None:
        assert self.patient("DELETE", f"/api/sessions/{session['id']}", key=session["secret"])[0] == 204

    @asynccontextmanager
    async def socket(
        self, session: dict[str, Any], name: str, secret: str = "", origin: str = ""
    ) -> AsyncIterator[ClientConnection]:
        """A WebSocket of a session's page, as a browser opens it."""
        own: Any = origin or f"http://{self.host}"
        protocols: Any = [secret] if secret else None
        async with connect(
            f"ws://{self.host}/s/{session['id']}/{name}", origin=own, subprotocols=protocols, proxy=None
        ) as socket:
            yield socket


def asked(address: str, body: object = None) -> dict[str, Any]:
    """What is said at an address, asked by nobody's page."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        told: dict[str, Any] = json.load(answer)
    return told


def eventually(done: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)
