"""A client that has the music go elsewhere without end, beside another that asks whether anybody is there.

Usage: python -m benchmarks.flood_moves [--seconds 20] [--rate 2000] [--lead 200] [--moves none rewind continue ...]

nano plays on the null clock; a process of its own sends rewinds by distinct times, passages of two files and of one
that is none, resets, or all in turn. One line of JSON for each: xruns, silence, restarts, the pings of the other
client and those lost, by how much the memory of instrument and engines grew in the second half (`continue` loads what
encodes sound in the first), and some of what was reported. `none` is for comparison. Exits with 1 where the engine was
restarted or a ping lost.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import soundfile

from osc.packet import build
from streamer.instrument import Instrument
from streamer.process.job import music

PING_SECONDS = 0.05
PATIENCE_SECONDS = 2.0
KINDS = ("none", "rewind", "continue", "reset", "all")


def moves(kind: str, folder: Path) -> Iterator[bytes]:
    """What the rude client sends, for ever."""
    files = [str(folder / name) for name in ("one.wav", "two.wav", "none.wav")]
    kinds = {
        "rewind": (build("/mg/rewind", 0.1 + number % 97 / 10) for number in itertools.count()),
        "continue": (build("/mg/continue", files[number % 3], number % 5 / 10) for number in itertools.count()),
        "reset": (build("/mg/reset") for _ in itertools.count()),
    }
    if kind in kinds:
        return kinds[kind]
    return itertools.chain.from_iterable(zip(*kinds.values(), strict=True))


def flood(port: int, kind: str, rate: float, seconds: float, folder: Path) -> None:
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sent, begun, rude = 0, time.monotonic(), moves(kind, folder)
    while (now := time.monotonic() - begun) < seconds:
        while sent < now * rate:
            out.sendto(next(rude), ("127.0.0.1", port))
            sent += 1
        time.sleep(0.001)


def pings(port: int, seconds: float) -> list[float]:
    """Ask again and again; how long each answer took, infinity for none."""
    delays: list[float] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(PATIENCE_SECONDS)
        end = time.monotonic() + seconds
        while (begun := time.monotonic()) < end:
            asking.sendto(build("/mg/ping"), ("127.0.0.1", port))
            try:
                asking.recv(65536)
                delays.append(time.monotonic() - begun)
            except TimeoutError:
                delays.append(float("inf"))
            time.sleep(PING_SECONDS)
    return delays


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def memory() -> float:
    """Of this process and those that it has started, MB."""
    own = psutil.Process()
    return sum(process.memory_info().rss for process in (own, *own.children(recursive=True))) / 1e6


def measure(kind: str, options: argparse.Namespace, folder: Path) -> dict[str, object]:
    said: list[str] = []
    port = free_port()
    instrument = Instrument(music("nano", 48_000, 2), {"lead": options.lead}, port=port, report=said.append)
    instrument.start()
    try:
        time.sleep(3)
        first = instrument.status()
        sending = (port, kind, options.rate, options.seconds, folder)
        rude = multiprocessing.get_context("spawn").Process(target=flood, args=sending)
        if kind != "none":
            rude.start()
        delays = pings(port, options.seconds / 2)
        mb = memory()
        delays += pings(port, options.seconds / 2)
        last, grown = instrument.status(), memory() - mb
        if kind != "none":
            rude.join()
    finally:
        instrument.close()
    answered = np.array([1000 * delay for delay in delays if delay < np.inf])
    return {
        "moves": kind,
        "xruns": last.xruns - first.xruns,
        "silent_s": round(options.seconds - (last.seconds - first.seconds), 2),
        "restarts": last.restarts,
        "pings": len(delays),
        "lost": len(delays) - len(answered),
        "p50_ms": round(float(np.median(answered)), 1),
        "worst_ms": round(float(answered.max()), 1),
        "grown_mb": round(grown, 1),
        "load": round(psutil.getloadavg()[0], 1),
        "said": sorted(set(said))[:6],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=2000.0, help="moves a second")
    parser.add_argument("--lead", type=float, default=200.0)
    parser.add_argument("--moves", nargs="+", choices=KINDS, default=KINDS)
    options = parser.parse_args()
    failed = False
    with tempfile.TemporaryDirectory() as made:
        for number, name in enumerate(("one.wav", "two.wav")):
            tone = 0.3 * np.sin(np.arange(8 * 32_000) * (number + 1) / 30)
            soundfile.write(Path(made) / name, tone, 32_000)
        for kind in options.moves:
            row = measure(kind, options, Path(made))
            print(json.dumps(row), flush=True)
            failed |= bool(row["restarts"] or row["lost"])
    sys.exit(failed)


if __name__ == "__main__":
    main()
