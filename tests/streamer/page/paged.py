"""An instrument's controls with a page for them, a browser as the server knows one, and what plays meanwhile."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
from websockets.asyncio.client import ClientConnection, connect

from osc.access import NO_RULES
from osc.command import Answer
from streamer.control.controls import Controls
from streamer.control.snapshots import Snapshots
from streamer.process.broadcast import Broadcast
from streamer.surfaces.commands import BROADCAST, Commands
from streamer.surfaces.osc import OscSurface
from streamer.surfaces.page.serve import serve

RATE = 48_000


class Stage:
    """An instrument's controls over OSC, and a page for them."""

    def __init__(self, folder: Path, token: str = "", port: int = 0) -> None:
        self.controls = Controls(prompt="piano")
        self.broadcast = Broadcast(RATE, 2)
        commands = Commands(self.controls, Snapshots(folder), lambda: 120.0).table()
        commands.append((BROADCAST, lambda arguments, asker: self._place))
        self.osc = OscSurface(self.controls, "localhost", 0, "/mg", NO_RULES, commands)
        self.osc.start()
        self.address = ""
        ready = threading.Event()

        def tell(address: str) -> None:
            self.address = address
            ready.set()

        arguments = (("127.0.0.1", self.osc.server.port, "/mg"), "127.0.0.1", port, token, tell)
        self.serving = threading.Thread(target=serve, args=arguments, daemon=True)
        self.serving.start()
        assert ready.wait(30)
        self.port = int(self.address.partition("#")[0].rstrip("/").rpartition(":")[2])

    def _place(self) -> list[Answer]:
        place = self.broadcast.place
        return [("broadcast", (place.name, place.rate, place.channels, place.capacity))]

    def close(self) -> None:
        self.osc.close()
        self.serving.join(20)
        assert not self.serving.is_alive()  # the page ends with the instrument
        self.broadcast.close()


class Browser:
    """A page as the server knows one: what it was told last, by path."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.values: dict[str, list[Any]] = {}
        self.words: list[list[str]] = []

    async def ask(self, *message: object) -> None:
        await self.socket.send(json.dumps(message))

    async def until(self, done: Callable[[], object]) -> None:
        async def listen() -> None:
            while not done():
                received = await self.socket.recv()
                if isinstance(received, bytes):  # columns of the spectrogram
                    continue
                told = json.loads(received)
                self.values |= told["values"]
                self.words += told["words"]

        await asyncio.wait_for(listen(), 30)


@asynccontextmanager
async def browser(
    stage: Stage, token: str = "", origin: str | None = None, port: int | None = None
) -> AsyncIterator[Browser]:
    """At the stage's own page, or at the one on another port."""
    port = port or stage.port
    own: Any = origin or f"http://127.0.0.1:{port}"
    protocols: Any = [token] if token else None
    async with connect(f"ws://127.0.0.1:{port}/ws", origin=own, subprotocols=protocols, proxy=None) as socket:
        yield Browser(socket)


def run(story: Awaitable[None]) -> None:
    async def told() -> None:
        await story

    asyncio.run(told())


class Band:
    """Plays a tone into a broadcast, in real time: one frequency a channel."""

    def __init__(self, broadcast: Broadcast, hertz: tuple[float, float] = (440.0, 1500.0)) -> None:
        self.hertz = hertz
        self._broadcast = broadcast
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._thread.start()

    def _play(self) -> None:
        phase, due = np.zeros(2), time.monotonic()
        while not self._ending.is_set():
            steps = 2 * np.pi * np.array(self.hertz) / RATE
            phases = phase + steps * np.arange(256)[:, None]
            self._broadcast.put((0.5 * np.sin(phases)).astype(np.float32))
            phase = (phase + 256 * steps) % (2 * np.pi)
            due = max(due + 256 / RATE, time.monotonic() - 0.2)
            time.sleep(max(0.0, due - time.monotonic()))

    def end(self) -> None:
        self._ending.set()
        self._thread.join()
