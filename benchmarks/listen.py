"""Listening over the page: what many pages cost the player, and how one browser hears it.

    python benchmarks/listen.py crowd [--pages 20] [--seconds 60]
    python benchmarks/listen.py ear [--buffer 100] [--seconds 120]

`crowd` plays nano on JACK's dummy driver (48 kHz, 256 samples a block; packages jackd2 and libportaudio2) and counts
xruns alone, then with so many pages that look and listen, then alone again: one line of JSON. The pages are plain
WebSocket clients in one process, which shares the machine's cores; what they lost is counted too.

`ear` plays nano on the system's clock and has headless Chromium listen: underruns, pieces cut out, packets lost, and
the delay from the callback to the browser's output as the browser itself reckons it, ms. Needs the extra `browser` and
Chromium.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from websockets.asyncio.client import connect

sys.path.insert(0, str(Path(__file__).parents[1]))

PERIOD, RATE = 256, 48000
SETTLE_SECONDS = 5.0


@dataclass(frozen=True)
class Playing:
    """An instrument with a page: where the page is."""

    address: str

    @property
    def port(self) -> int:
        return int(self.address.rstrip("/").rpartition(":")[2])


@contextmanager
def playing(*options: str) -> Iterator[Playing]:
    """`streamer play --web`, until the end."""
    command = [sys.executable, "-m", "streamer.cli.main", "play", "--web", "--web-port", "0", "--osc-port", "0"]
    command += ["--prompt", "techno, driving drums, 128 bpm", *options]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process,
    ):
        assert process.stdout is not None
        try:
            address = next(line.split()[-1] for line in process.stdout if line.startswith("Page on"))
            time.sleep(SETTLE_SECONDS)
            yield Playing(address)
        finally:
            process.terminate()


@contextmanager
def jack() -> Iterator[None]:
    """A JACK server without hardware; synchronous, so that it loses nothing itself: what is counted is ours."""
    name = f"listen{os.getpid()}"
    os.environ.update(JACK_NO_AUDIO_RESERVATION="1", JACK_NO_START_SERVER="1", JACK_DEFAULT_SERVER=name)
    command = f"jackd -n {name} -R -P70 -S -d dummy -r {RATE} -p {PERIOD} -C 2 -P 2".split()
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True) as server:
        try:
            subprocess.run(["jack_wait", "-s", name, "-w", "-t", "10"], check=True, stdout=quiet)
            yield
        finally:
            server.terminate()


# ---- many pages


async def page(port: int, path: str, seconds: float) -> list[str | bytes]:
    """What one page is sent in so many seconds."""
    origin: Any = f"http://localhost:{port}"
    received: list[str | bytes] = []
    end = time.monotonic() + seconds
    async with connect(f"ws://localhost:{port}{path}", origin=origin, proxy=None, max_size=None) as socket:
        while (left := end - time.monotonic()) > 0:
            try:
                received.append(await asyncio.wait_for(socket.recv(), left))
            except asyncio.TimeoutError:
                break
    return received


def lost(packets: list[str | bytes]) -> int:
    """Samples between the packets."""
    missing, expected = 0, None
    for packet in packets:
        assert isinstance(packet, bytes)
        at = round(struct.unpack_from("<d", packet)[0])
        missing += 0 if expected is None else at - expected
        expected = at + (len(packet) - 8) // 4
    return missing


def crowd(port: int, pages: int, seconds: float, result: Connection) -> None:
    """So many pages, each looking and listening, in this process."""

    async def all_pages() -> list[list[str | bytes]]:
        return await asyncio.gather(*(page(port, path, seconds) for _ in range(pages) for path in ("/ws", "/sound")))

    heard = asyncio.run(all_pages())[1::2]
    result.send([sum(map(lost, heard)), sum(len(packets) for packets in heard)])


def xruns(port: int, seconds: float) -> int:
    """How many come in so many seconds, as the instrument counts them."""
    counts = [
        json.loads(told)["values"]["status/xruns"][0]
        for told in asyncio.run(page(port, "/ws", seconds))
        if isinstance(told, str) and "status/xruns" in told
    ]
    return int(counts[-1] - counts[0])


def measure_crowd(pages: int, seconds: float) -> dict[str, Any]:
    """Xruns alone, with the crowd, alone."""
    with jack(), playing() as instrument:
        before = xruns(instrument.port, seconds)
        ours, theirs = multiprocessing.get_context("spawn").Pipe()
        arguments = (instrument.port, pages, seconds + 4, theirs)
        visitors = multiprocessing.get_context("spawn").Process(target=crowd, args=arguments)
        visitors.start()
        time.sleep(3)
        beside = xruns(instrument.port, seconds)
        missing, packets = ours.recv()
        visitors.join()
        after = xruns(instrument.port, seconds)
    found = {"xruns_alone": before, "xruns_with_pages": beside, "xruns_alone_again": after}
    return {"pages": pages, "seconds": seconds, **found, "packets": packets, "samples_lost": missing}


# ---- one ear

DELAY = "[1000 * listening.latency, listening.told.underruns, listening.told.trims, listening.told.gaps]"


def measure_ear(buffer: int, seconds: float) -> dict[str, Any]:
    """How Chromium hears it."""
    from playwright.sync_api import sync_playwright

    with playing("--wav-out", "heard.wav") as instrument, sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=shutil.which("chromium"), chromium_sandbox=False)
        visitor = browser.new_page(viewport={"width": 1200, "height": 900})
        visitor.goto(instrument.address)
        visitor.locator("#music .dial").first.wait_for()
        visitor.evaluate(f"byId('buffer').value = {buffer}; byId('buffer').oninput()")
        visitor.click("#listen")
        while not visitor.evaluate("Boolean(listening && listening.told && listening.told.sounding)"):
            time.sleep(0.1)
        time.sleep(SETTLE_SECONDS)
        first = visitor.evaluate(DELAY)
        delays, last = [], first
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.5)
            last = visitor.evaluate(DELAY)
            delays.append(last[0])
        browser.close()
    names = ("underruns", "pieces_cut", "packets_lost")
    counted = {name: last[n] - first[n] for n, name in enumerate(names, 1)}
    found = {"median_ms": round(float(np.median(delays))), "worst_ms": round(max(delays))}
    return {"buffer_ms": buffer, "seconds": seconds, **counted, **found}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["crowd", "ear"])
    parser.add_argument("--pages", type=int, default=20)
    parser.add_argument("--buffer", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    if given.what == "crowd":
        print(json.dumps(measure_crowd(given.pages, given.seconds)))
    else:
        print(json.dumps(measure_ear(given.buffer, given.seconds)))


if __name__ == "__main__":
    main()
