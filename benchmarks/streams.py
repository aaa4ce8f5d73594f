"""Listeners at real time on this machine, each with a stream of their own, and how soon a change is heard.

`python -m benchmarks.streams [--most 16] [--seconds 20]` starts `streamer serve`, and has more and more listeners hear
it by WebSocket, each its own session, until one of them meets a gap. Of each number it tells gaps, sessions that did
not play, the least share of the time that a listener heard, and the time from a request that turns the volume down to
the packet in which it is down: median, p95, worst.

`python -m benchmarks.streams --admitted [--seconds 60]` lets the server measure how many it admits, has so many listen
all the time, and times changes of the music itself: pairs of sessions play the same, sample for sample, until one of
them gets another prompt, or other guidance, by a request. The time ends when its listener has the first sample in which
the two differ by more than -40 dB. `unlike` counts pairs that differed before, of which nothing is told; `gaps` those
of all sessions.
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
from itertools import count
from typing import Any

import numpy as np
from scipy.signal import correlate
from websockets.asyncio.client import connect

RATE = 48_000
QUIET_DB, SETTLE = -40.0, 3.0
EVERY = 2.0
"""Seconds between two changes of a session."""
ALIKE, AFTER = 2.5, 2.0
"""Seconds that a pair plays before the change, and after it."""
HEARD = 328.0
"""By how much they differ where that counts: -40 dB of full scale."""
PROMPTS = ("techno with a steady pad", "slow piano, rain", "drum and bass", "string quartet", "jazz trio", "ambient")
CHANGES: dict[str, dict[str, Any]] = {"prompt": {"prompt": "solo guitar"}, "guidance": {"cfg": 6.0}}
"""What is asked for, by the name under which it is told."""


def asked(method: str, address: str, body: object = None, secret: str = "") -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {secret}"}
    request = urllib.request.Request(address, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        said = answer.read()
    return json.loads(said) if said else None


class Listener:
    """One session, and one who hears it."""

    def __init__(self, base: str, values: dict[str, Any]) -> None:
        self._base = base
        self.kept: list[tuple[float, Any]] = []  # when packets came, and their left side
        self.session = asked("POST", f"{base}/api/sessions", {"values": values})
        self.path = f"{base}/api/sessions/{self.session['id']}"
        self.level = 0.0
        self.heard = 0.0  # seconds

    async def hear(self) -> None:
        address = f"{self._base}/s/{self.session['id']}/sound".replace("http", "ws")
        origin: Any = self._base
        async with connect(address, origin=origin, proxy=None) as socket:
            while True:
                samples = np.frombuffer(await socket.recv(), "<i2", offset=8).astype(np.float64)  # type: ignore[arg-type]
                self.kept = [*self.kept[-500:], (time.perf_counter(), samples[::2])]  # 10 s
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
        self.set({"volume": decibels})

    def set(self, values: dict[str, Any]) -> None:
        asked("PATCH", self.path, {"values": values}, self.session["secret"])

    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = asked("GET", self.path)
        return found

    def close(self) -> None:
        asked("DELETE", self.path, None, self.session["secret"])


def values(number: int) -> dict[str, Any]:
    return {"prompt": f"techno with a steady pad, {number}", "seed": number, "space": 0.3}


async def trial(base: str, count: int, seconds: float) -> dict[str, Any]:
    """So many listeners for so long."""
    listeners = [Listener(base, values(number)) for number in range(count)]
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
    return {
        "listeners": count,
        "gaps": int(sum(own["figures"]["xruns"] for own in told) - gaps),
        "silent": sum(own["state"] != "plays" for own in told),
        "least_heard": round(heard, 3),
        "change_ms": told_of(times),
    }


def told_of(times: list[float]) -> dict[str, float]:
    found = 1000 * np.array(times or [np.nan])
    return {
        "median": round(float(np.median(found)), 1),
        "p95": round(float(np.percentile(found, 95)), 1),
        "worst": round(float(found.max()), 1),
        "of": len(times),
    }


# ---- changes of the music


async def timed(base: str, seed: int, change: dict[str, Any]) -> tuple[float | None, int]:
    """How long one change takes to be heard, by what an unchanged twin plays, and the gaps of both.

    None: they were unlike before.
    """
    begun = {"prompt": PROMPTS[seed % len(PROMPTS)], "seed": seed}
    twins = [await asyncio.to_thread(Listener, base, begun) for _ in range(2)]
    tasks = [asyncio.create_task(twin.hear()) for twin in twins]
    until = time.monotonic() + 30
    while not all(twin.level > 0 for twin in twins) and time.monotonic() < until:
        await asyncio.sleep(0.05)
    await asyncio.sleep(ALIKE)
    asked_at = time.perf_counter()
    await asyncio.to_thread(twins[0].set, change)
    await asyncio.sleep(AFTER)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    gaps = 0
    for twin in twins:
        gaps += int((await asyncio.to_thread(twin.told))["figures"]["xruns"])
        await asyncio.to_thread(twin.close)
    first, heard_at = (parted(twins[0].kept, twins[1].kept, least) for least in (0.0, HEARD))
    return None if first is None or heard_at is None or first < asked_at else heard_at - asked_at, gaps


def parted(kept: list[tuple[float, Any]], other: list[tuple[float, Any]], least: float = HEARD) -> float | None:
    """When the first packet came in which one differs from the other by more than that; None: they were never alike."""
    one, two = (np.concatenate([samples for _, samples in packets]) for packets in (kept, other))
    start = int(np.argmax(two != 0)) + RATE // 2  # well after it has faded in
    piece = two[start : start + RATE // 10]
    if len(piece) < RATE // 10 or len(one) < len(piece):
        return None
    energy = np.convolve(one**2, np.ones(len(piece)), "valid")
    at = int(np.argmin(energy - 2 * correlate(one, piece, "valid")))
    length = min(len(one) - at, len(two) - start)
    apart = np.abs(one[at : at + length] - two[start : start + length])
    if apart[: len(piece)].any() or apart.max() <= least:
        return None
    ends = np.cumsum([len(samples) for _, samples in kept])
    return kept[int(np.searchsorted(ends, at + int(np.argmax(apart > least)), "right"))][0]


async def admitted(base: str, seconds: float) -> dict[str, Any]:
    """As many listeners as the server admits, all the time; changes of theirs, one after the other in each pair."""
    places = asked("GET", f"{base}/api/server")["places"]
    times: dict[str, list[float]] = {name: [] for name in CHANGES}
    seeds = count(1)
    unlike = gaps = 0
    until = time.monotonic() + seconds

    async def pair() -> None:
        nonlocal unlike, gaps
        while time.monotonic() < until:
            for name, change in CHANGES.items():
                found, torn = await timed(base, next(seeds), change)
                gaps += torn
                if found is None:
                    unlike += 1
                else:
                    times[name].append(found)

    odd = [await asyncio.to_thread(Listener, base, values(0)) for _ in range(places % 2)]
    tasks = [asyncio.create_task(listener.hear()) for listener in odd]
    await asyncio.gather(*(pair() for _ in range(places // 2)))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    told = {f"{name}_ms": told_of(found) for name, found in times.items()}
    return {"admitted": places, **told, "unlike": unlike, "gaps": gaps}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--most", type=int, default=16)
    parser.add_argument("--from", dest="first", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--admitted", action="store_true")
    options = parser.parse_args()
    command = [sys.executable, "-m", "streamer.cli.main", "serve", "--port", "0", "--threads", "1"]
    command += [] if options.admitted else ["--streams", str(options.most)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            line = server.stdout.readline()
            found = re.search(r"http://localhost:(\d+)", line)
            assert found is not None, line
            base = f"http://127.0.0.1:{found[1]}"
            if options.admitted:
                print(json.dumps(asyncio.run(admitted(base, options.seconds))), flush=True)
                return
            for number in range(options.first, options.most + 1):
                result = asyncio.run(trial(base, number, options.seconds))
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
