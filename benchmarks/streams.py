"""Listeners at real time on this machine, each with a stream of their own, and how soon a change is heard.

`python -m benchmarks.streams [--most 16] [--seconds 20]` starts `streamer serve`, and has more and more listeners hear
it by WebSocket, each its own session, until one of them meets a gap. Of each number it tells gaps, sessions that did
not play, the least share of the time that a listener heard, and the time from a request that turns the volume down to
the packet in which it is down: median, p95, worst.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import re
import signal
import subprocess
import sys
import time
import urllib.request
from typing import Any

import numpy as np
from websockets.asyncio.client import connect

RATE = 48_000
QUIET_DB, SETTLE = -40.0, 3.0
EVERY = 2.0
"""Seconds between two changes of a session."""


def asked(method: str, address: str, body: object = None, secret: str = "") -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {secret}"}
    request = urllib.request.Request(address, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        said = answer.read()
    return json.loads(said) if said else None


class Listener:
    """One session, and one who hears it."""

    def __init__(self, base: str, number: int) -> None:
        self._base = base
        wish = {"values": {"prompt": f"techno with a steady pad, {number}", "seed": number, "space": 0.3}}
        self.session = asked("POST", f"{base}/api/sessions", wish)
        self.path = f"{base}/api/sessions/{self.session['id']}"
        self.level = 0.0
        self.heard = 0.0  # seconds

    async def hear(self) -> None:
        address = f"{self._base}/s/{self.session['id']}/sound".replace("http", "ws")
        origin: Any = self._base
        async with connect(address, origin=origin, proxy=None) as socket:
            while True:
                samples = np.frombuffer(await socket.recv(), "<i2", offset=8).astype(np.float64)  # type: ignore[arg-type]
                self.level = float(np.sqrt(np.mean(samples**2)))
                self.heard += len(samples) / 2 / RATE

    async def change(self, times: list[float]) -> None:
        """Turn the volume down and up again, and note how long it took to be heard."""
        while True:
            await asyncio.sleep(EVERY * random.uniform(0.5, 1.5))
            before, begun = self.level, time.perf_counter()
            if before < 200:  # a break in the music
                continue
            await asyncio.to_thread(self._turn, QUIET_DB)
            while self.level > 0.1 * before and time.perf_counter() - begun < 5:
                await asyncio.sleep(0.002)
            times.append(time.perf_counter() - begun)
            await asyncio.to_thread(self._turn, 0.0)
            await asyncio.sleep(0.6)

    def _turn(self, decibels: float) -> None:
        asked("PATCH", self.path, {"values": {"volume": decibels}}, self.session["secret"])

    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = asked("GET", self.path)
        return found

    def close(self) -> None:
        asked("DELETE", self.path, None, self.session["secret"])


async def trial(base: str, count: int, seconds: float) -> dict[str, Any]:
    """So many listeners for so long."""
    listeners = [Listener(base, number) for number in range(count)]
    tasks = [asyncio.create_task(listener.hear()) for listener in listeners]
    until = time.monotonic() + 60
    while not all(listener.heard > 1.0 for listener in listeners) and time.monotonic() < until:
        await asyncio.sleep(0.1)
    await asyncio.sleep(SETTLE)
    gaps = sum(listener.told()["figures"]["xruns"] for listener in listeners)
    before, begun = [listener.heard for listener in listeners], time.monotonic()
    times: list[float] = []
    tasks += [asyncio.create_task(listener.change(times)) for listener in listeners]
    await asyncio.sleep(seconds)
    passed = time.monotonic() - begun
    heard = min(listener.heard - was for listener, was in zip(listeners, before, strict=True)) / passed
    told = [listener.told() for listener in listeners]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for listener in listeners:
        listener.close()
    found = 1000 * np.array(times or [np.nan])
    return {
        "listeners": count,
        "gaps": int(sum(own["figures"]["xruns"] for own in told) - gaps),
        "silent": sum(own["state"] != "plays" for own in told),
        "least_heard": round(heard, 3),
        "change_ms": {
            "median": round(float(np.median(found))),
            "p95": round(float(np.percentile(found, 95))),
            "worst": round(float(found.max())),
            "of": len(times),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=16)
    parser.add_argument("--from", dest="first", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20.0)
    options = parser.parse_args()
    command = [sys.executable, "-m", "streamer.cli.main", "serve", "--port", "0", "--threads", "1"]
    command += ["--streams", str(options.most)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            line = server.stdout.readline()
            found = re.search(r"http://localhost:(\d+)", line)
            assert found is not None, line
            base = f"http://127.0.0.1:{found[1]}"
            for count in range(options.first, options.most + 1):
                result = asyncio.run(trial(base, count, options.seconds))
                print(json.dumps(result), flush=True)
                if result["gaps"] or result["silent"]:
                    break
                time.sleep(6)  # what was closed is let go
        finally:
            server.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                server.wait(20)


if __name__ == "__main__":
    main()
