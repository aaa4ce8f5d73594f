"""Hostile WebSocket messages against the page's server in a process of its own: a polite page's fader, memory.

    python benchmarks/fuzz_page.py [--messages 100000]

Prints one line of JSON: messages sent, connections that the server ended over them, the polite page's moves and those
that never took effect, the slowest of them in ms, and by how much the server's memory grew after the first tenth.
Exits with 1 where a move was lost or memory grew by more than 20 MB. Linux, for its way of telling a process's memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import sys
import tempfile
import time
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.streamer.page.paged import Stage
from tests.streamer.rude import POLITE, messages

MOVE_SECONDS = 0.1
PATIENCE_SECONDS = 10.0
MOST_GROWTH = 20.0  # MB


def serve(parent: Connection) -> None:
    """The server's process: tells its port, and ends when it is told to."""
    with tempfile.TemporaryDirectory() as folder:
        stage = Stage(Path(folder))
        parent.send(stage.port)
        parent.recv()
        stage.close()


def megabytes(process: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


class Polite:
    """A page that moves its fader and waits until the instrument says so, again and again."""

    def __init__(self) -> None:
        self.moves = self.lost = 0
        self.slowest = 0.0

    async def run(self, port: int) -> None:
        async with _connected(port) as socket:
            while True:
                self.moves += 1
                value, begun = -60.0 + self.moves % 60, time.monotonic()
                await socket.send(json.dumps([POLITE, value / -60.0]))
                try:
                    await asyncio.wait_for(self._told(socket, value / -60.0), PATIENCE_SECONDS)
                except asyncio.TimeoutError:
                    self.lost += 1
                self.slowest = max(self.slowest, time.monotonic() - begun)
                await asyncio.sleep(MOVE_SECONDS)

    async def _told(self, socket: Any, value: float) -> None:
        while True:
            told = await socket.recv()
            if isinstance(told, str) and abs(json.loads(told)["values"].get(POLITE, [9])[0] - value) < 1e-4:
                return


def _connected(port: int) -> Any:
    origin: Any = f"http://localhost:{port}"
    return connect(f"ws://localhost:{port}/ws", origin=origin, proxy=None, max_size=None)


async def attack(port: int, count: int, process: int) -> dict[str, Any]:
    """Send so many messages, connecting anew wherever the server has had enough."""
    polite = Polite()
    playing = asyncio.create_task(polite.run(port))
    ended, sent, tenth = 0, 0, 0.0
    rude = islice(messages(1), count)
    while sent < count:
        async with _connected(port) as socket:
            reading = asyncio.create_task(_read(socket))
            try:
                for message in rude:
                    sent += 1
                    await socket.send(message)
                    if sent == count // 10:
                        tenth = megabytes(process)
            except ConnectionClosed:
                ended += 1
            reading.cancel()
    await asyncio.sleep(1.0)
    playing.cancel()
    growth = megabytes(process) - tenth
    found = {"moves": polite.moves, "moves_lost": polite.lost, "slowest_ms": round(1000 * polite.slowest)}
    return {"messages": sent, "connections_ended": ended, **found, "growth_mb": round(growth, 1)}


async def _read(socket: Any) -> None:
    async for _ in socket:
        pass


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=100_000)
    given = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    server = context.Process(target=serve, args=(theirs,))
    server.start()
    assert server.pid is not None
    found = asyncio.run(attack(ours.recv(), given.messages, server.pid))
    ours.send("end")
    server.join()
    print(json.dumps(found))
    if found["moves_lost"] or found["growth_mb"] > MOST_GROWTH:
        sys.exit(1)


if __name__ == "__main__":
    main()
