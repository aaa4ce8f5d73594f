"""A story of a cluster, in a process and a network of its own: `python -m tests.streamer.serve.cluster_story`.

One server plays, and a second one comes when there is too much to play; listeners hear; nodes are killed at random and
come back; servers are rolled; the second one goes when few are left. It tells what was heard, in JSON on its last line.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

import ray
from ray import serve
from ray.cluster_utils import Cluster
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Origin

from streamer.cluster import STREAMS, Settings, build

FRONT = "http://127.0.0.1:8000/"
QUIET = 0.5
"""Seconds without a packet after which a listener looks where its session is."""
LOOK = 0.2
"""Between two times that it does."""
IDLE = 5.0
"""Seconds after which a server goes that nobody needs."""
PATIENCE = 120.0
SESSIONS = 3


def fetched(address: str, body: object = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return json.loads(answer.read())
    except (HTTPException, ValueError) as error:  # it ended in the middle of its answer
        raise OSError(str(error)) from None


def eventually(ask: Any) -> Any:
    until = time.monotonic() + PATIENCE
    while True:
        try:
            if found := ask():
                return found
        except OSError:
            if time.monotonic() > until:
                raise
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(0.3)


class Listener:
    """One who listens as a page does: where it hears nothing, it asks all servers that it has been told of."""

    def __init__(self, session: dict[str, Any]) -> None:
        self.id = session["id"]
        self.packets = self.reconnects = 0
        self.longest = 0.0
        self._last = 0.0
        self.over = False
        self._doors = [FRONT]

    async def run(self) -> None:
        while not self.over:
            try:
                where = await self._where()
                following = asyncio.create_task(self._follow(where))
                try:
                    await self._hear(where)
                finally:
                    following.cancel()
                    await asyncio.gather(following, return_exceptions=True)
            except (OSError, WebSocketException, asyncio.TimeoutError):
                self.reconnects += 1
                await asyncio.sleep(LOOK)

    async def _where(self) -> str:
        """Where its session is: by whoever answers first."""
        asked = [asyncio.to_thread(fetched, f"{door}where/{self.id}") for door in self._doors]
        for answer in asyncio.as_completed(asked):
            with contextlib.suppress(OSError):
                return str((await answer)["address"])
        raise OSError("nobody knows")

    async def _hear(self, where: str) -> None:
        async with self._socket(where, "sound") as socket:
            while True:
                await asyncio.wait_for(socket.recv(), QUIET if self.packets else 30.0)
                now = time.monotonic()
                if self._last:
                    self.longest = max(self.longest, now - self._last)
                self._last, self.packets = now, self.packets + 1

    async def _follow(self, where: str) -> None:
        async with self._socket(where, "ws") as socket:
            async for told in socket:
                if isinstance(told, str):
                    self._doors = json.loads(told)["values"].get("doors", self._doors)

    def _socket(self, where: str, name: str) -> connect:
        own = Origin(where.rstrip("/"))
        return connect(f"ws{where[4:]}s/{self.id}/{name}", origin=own, proxy=None, open_timeout=3)


def replicas() -> int:
    status = serve.status().applications["default"].deployments[STREAMS]
    return int(status.replica_states.get("RUNNING", 0))


def hear(listeners: list[Listener]) -> None:
    """Have them listen, in a thread of their own: Ray's nodes are made on the main one."""

    async def run() -> None:
        await asyncio.gather(*(listener.run() for listener in listeners))

    threading.Thread(target=lambda: asyncio.run(run()), daemon=True).start()


def silence(listeners: list[Listener], do: Callable[[], object]) -> float:
    """Do something, and wait until all are heard again; the longest time in which one of them heard nothing."""
    before = [listener.packets for listener in listeners]
    for listener in listeners:
        listener.longest = 0.0
    do()
    time.sleep(6.0)
    eventually(lambda: all(own.packets > was + 150 for own, was in zip(listeners, before, strict=True)))
    return max(listener.longest for listener in listeners)


def opened(number: int) -> dict[str, Any]:
    where = eventually(lambda: fetched(f"{FRONT}where").get("address"))
    session: dict[str, Any] = fetched(
        f"{where}api/sessions", {"values": {"prompt": f"techno {number}", "seed": number}}
    )
    time.sleep(0.8)  # the ledger hears of it
    return session


def goes_on(session: dict[str, Any]) -> bool:
    """Whether it plays, soon, as the one that it was."""

    def plays() -> bool:
        where = fetched(f"{FRONT}where/{session['id']}")["address"]
        told = fetched(f"{where}api/sessions/{session['id']}")
        return bool(told["state"] == "plays" and told["values"]["seed"] == session["values"]["seed"])

    try:
        return bool(eventually(plays))
    except (OSError, TimeoutError):
        return False


def story(cluster: Cluster, nodes: list[Any], kills: int, dice: random.Random) -> dict[str, Any]:
    sessions = [opened(number) for number in range(SESSIONS - 1)]
    listeners = [Listener(session) for session in sessions]
    hear(listeners)
    begun = time.monotonic()
    eventually(lambda: replicas() >= 2)  # four fifths of the places are taken
    grown = time.monotonic() - begun
    sessions.append(opened(SESSIONS - 1))  # there is more room at the new one
    listeners.append(Listener(sessions[-1]))
    hear(listeners[-1:])
    eventually(lambda: all(listener.packets > 100 for listener in listeners))
    killed = []
    for _ in range(kills):
        victim = nodes.pop(dice.randrange(len(nodes)))
        killed.append(silence(listeners, lambda: cluster.remove_node(victim, False)))  # noqa: B023 (called at once)
        nodes.append(cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20))
        eventually(lambda: replicas() >= 2)
    # A rolling restart: other settings have every server replaced, one after the other.
    more = Settings(streams=SESSIONS + 1, least=1, most=2, idle=IDLE, front=FRONT)

    def roll() -> None:
        serve.run(build(more))
        eventually(lambda: replicas() >= 2)

    rolled = silence(listeners, roll)
    lost = [session["id"] for session in sessions if not goes_on(session)]
    reconnects = [listener.reconnects for listener in listeners]
    left, shrunk = shrink(sessions, listeners)
    eventually(lambda: replicas() == 1)
    running = replicas()
    lost += [session["id"] for session in left if not goes_on(session)]
    silences = {"killed": killed, "rolled": rolled, "left": len(left), "running": running, "shrunk": shrunk}
    return {"lost": lost, "sessions": len(sessions), "reconnects": reconnects, "grown": grown} | silences


def shrink(sessions: list[dict[str, Any]], listeners: list[Listener]) -> tuple[list[dict[str, Any]], float]:
    """Close sessions until each server has one: they fit into one server. What is left, and its longest silence."""
    heard = {session["id"]: listener for session, listener in zip(sessions, listeners, strict=True)}
    while len({at(session) for session in sessions}) < 2:
        more = opened(SESSIONS)  # where there is most room
        listener = heard[more["id"]] = Listener(more)
        hear([listener])
        eventually(lambda listener=listener: listener.packets > 100)
        sessions = [*sessions, more]
    left = list({at(session): session for session in sessions}.values())
    for session in sessions:
        if session not in left:
            heard[session["id"]].over = True
            closed(session)
    return left, silence(
        [heard[session["id"]] for session in left], lambda: eventually(lambda: len({at(own) for own in left}) == 1)
    )


def at(session: dict[str, Any]) -> str:
    """The server that has it."""
    return str(eventually(lambda: fetched(f"{FRONT}where/{session['id']}")["address"]))


def closed(session: dict[str, Any]) -> None:
    address = f"{at(session)}api/sessions/{session['id']}"
    bearer = {"Authorization": f"Bearer {session['secret']}"}
    with urllib.request.urlopen(urllib.request.Request(address, headers=bearer, method="DELETE"), timeout=60):
        pass


def main() -> None:
    kills, seed = int(sys.argv[1]), int(sys.argv[2])
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": False, "object_store_memory": 80 * 2**20},
    )
    ray.init(address=cluster.address)  # before there are others: who tells the story is on the node that stays
    nodes = [cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20) for _ in range(2)]
    serve.start(http_options={"host": "127.0.0.1", "location": "HeadOnly"})
    serve.run(build(Settings(streams=SESSIONS, least=1, most=2, idle=IDLE, front=FRONT)))
    found = story(cluster, nodes, kills, random.Random(seed))
    print(json.dumps(found), flush=True)
    ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main()
