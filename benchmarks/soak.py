"""Play for a long time with a change a second, and watch: xruns, restarts, memory, open files.

Usage: python -m benchmarks.soak [--minutes 10] [--model nano] [--device NAME]
       python -m benchmarks.soak --eager --hours 24 [--model random]

A change for every second that is played, as on stage: over OSC a prompt, a fader, a glide, now and then a reset. Prints
one JSON line every half minute and one at the end. Without --device it plays on the null clock. With --eager nothing
waits for a clock: blocks are taken as fast as the engine makes them, and --hours count what was played. The model
"random" is a tiny one with random weights, made for this: the same processes, and 24 hours of frames in one.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil

from osc.packet import build
from streamer.audio.devices import choose, devices
from streamer.audio.playback import Playback
from streamer.instrument import Instrument
from streamer.process.job import music

EVERY = 30.0  # seconds from one line to the next
BLOCK_SECONDS = 0.01
STALLED = 0.5  # seconds after which a device would not have waited
STYLES = (
    "lo-fi hip hop",
    "deep house",
    "ambient pad",
    "solo piano",
    "techno",
    "drum and bass",
    "bossa nova",
    "chiptune",
)
MOODS = ("warm", "dark", "calm", "bright", "slow", "dreamy", "sparse", "driving")
KEYS = ("C major", "D minor", "F sharp minor", "A flat major", "")
Row = dict[str, float]
Sent = tuple[float | str, ...]
"""An address below the prefix, and arguments."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="to play, on the wall's clock")
    parser.add_argument("--hours", type=float, help="to play instead, counted in sound")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rate", type=int, default=48_000, help="without a device")
    parser.add_argument("--backend", default="native")
    parser.add_argument("--eager", action="store_true", help="without a clock, as fast as the engine is")
    parser.add_argument("--device", default=None, help="number or part of the name of an audio device")
    options = parser.parse_args()
    device = choose(devices(), options.device) if options.device else None
    rate = device.rate if device else options.rate
    with tempfile.TemporaryDirectory() as folder:
        model = random_model(Path(folder)) if options.model == "random" else options.model
        told: list[str] = []
        instrument = Instrument(
            music(model, rate, 2, options.backend, options.threads),
            {"prompt": "techno, 130 bpm"},
            device=device,
            port=0,
            report=told.append,
        )
        if options.eager:
            instrument.player = EagerPlayer(instrument.playback)
        instrument.start()
        rows = []
        try:
            for row in soak(instrument, 3600 * options.hours if options.hours else None, 60 * options.minutes):
                rows.append(row)
                print(json.dumps(row | {"told": told[-1:]}), flush=True)
        finally:
            instrument.close()
    print(json.dumps({"model": options.model, "eager": options.eager, **summary(rows), "told": len(told)}))


class EagerPlayer:
    """Takes a block as soon as the ring is half full, whatever the clock says."""

    name, latency, cut_short = "no device, no clock", 0.0, False

    def __init__(self, playback: Playback) -> None:
        self._playback = playback
        self._block = np.zeros((round(BLOCK_SECONDS * playback.rate), playback.ring.channels), np.float32)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="no clock", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def running(self) -> bool:
        return self._thread.is_alive()

    def close(self) -> None:
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        ring = self._playback.ring
        while not self._closing.is_set():
            patience = time.monotonic() + STALLED
            while ring.fill < ring.lead // 2 and time.monotonic() < patience:
                time.sleep(0.0005)
            self._playback.fill(self._block)


def soak(instrument: Instrument, played: float | None, seconds: float) -> Iterator[Row]:
    """Play, change something every second of sound, and give a row every half minute of the wall's clock."""
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    moves = performance(random.Random(0))
    start = time.monotonic()
    due, changes = start + EVERY, 0
    least = float("inf")
    while True:
        status = instrument.status()
        least = min(least, status.buffer_ms)
        while changes < status.seconds:
            for address, *arguments in next(moves):
                client.sendto(build(f"/mg/{address}", *arguments), ("127.0.0.1", instrument.server.port))
            changes += 1
        now = time.monotonic()
        over = status.seconds >= played if played else now - start >= seconds
        if now >= due or over:
            yield reading(instrument, now - start, changes) | {"buffer_ms_least": round(least, 1)}
            due, least = now + EVERY, float("inf")
        if over:
            return
        time.sleep(0.01)


def performance(luck: random.Random) -> Iterator[list[Sent]]:
    """What is sent each second: mostly one message, now and then the prompts of a blend or a glide."""

    def words() -> str:
        return f"{luck.choice(MOODS)} {luck.choice(STYLES)}, {luck.randint(70, 170)} bpm"

    while True:
        moves: list[list[Sent]] = [
            [("prompt", words())],
            [("prompt/2/text", words()), ("prompt/weights", 1.0, luck.random())],
            [("prompt/fade", words(), luck.uniform(0.5, 4.0))],
            [("prompt/2/text", "")],
            [("volume", luck.uniform(-12.0, 3.0))],
            [("ramp", "volume", luck.uniform(-12.0, 3.0), luck.uniform(0.1, 4.0))],
            [("temperature", luck.uniform(0.8, 1.3))],
            [("ramp", "cfg", luck.uniform(1.0, 5.0), luck.uniform(0.1, 4.0))],
            [("topk", luck.randint(50, 500))],
            [("tempo", float(luck.randint(70, 170)))],
            [("key", luck.choice(KEYS))],
            [("seed", luck.randint(0, 10_000))],
            [("undo",)],
            [("reset",)] if luck.random() < 0.2 else [("mute", False)],
        ]
        yield luck.choice(moves)


def reading(instrument: Instrument, seconds: float, changes: int) -> Row:
    """How it stands."""
    status = instrument.status()
    here, engine = psutil.Process(), psutil.Process(instrument.worker.pid)
    return {
        "minute": round(seconds / 60, 2),
        "hours_played": round(status.seconds / 3600, 3),
        "changes": changes,
        "xruns": status.xruns,
        "restarts": status.restarts,
        "collapses": status.collapses,
        "rtf": round(status.rtf, 2),
        "instrument_mb": round(here.memory_info().rss / 1e6, 1),
        "engine_mb": round(engine.memory_info().rss / 1e6, 1),
        "instrument_fds": here.num_fds() if hasattr(here, "num_fds") else 0,
        "engine_fds": engine.num_fds() if hasattr(engine, "num_fds") else 0,
        "threads": here.num_threads() + engine.num_threads(),
        "load": round(psutil.getloadavg()[0], 1),
    }


def summary(rows: list[Row]) -> dict[str, object]:
    """First against last, and the worst. Growth counts from a tenth of the way on: until then caches fill."""
    first, last = rows[len(rows) // 10], rows[-1]
    return {
        **{name: last[name] for name in ("minute", "hours_played", "changes", "xruns", "restarts", "collapses")},
        "rtf_least": min(row["rtf"] for row in rows),
        "rtf_median": float(np.median([row["rtf"] for row in rows])),
        **{
            f"{name}_first_last_most": [first[name], last[name], max(row[name] for row in rows)]
            for name in ("instrument_mb", "engine_mb", "instrument_fds", "engine_fds", "threads")
        },
        "load_median": float(np.median([row["load"] for row in rows])),
    }


def random_model(folder: Path) -> str:
    """Make a tiny model with random weights; in a process of its own, which takes what that needs with it."""
    maker = multiprocessing.get_context("spawn").Process(target=_make, args=(folder,))
    maker.start()
    maker.join()
    if maker.exitcode:
        raise SystemExit("The random model could not be made: are the tests' requirements installed?")
    return str(folder)


def _make(folder: Path) -> None:
    from tests.musicgen.tiny import tiny_checkpoint

    policy: dict[str, object] = {"policy": "reanchor", "keep": 256, "max_position": 512}
    tiny_checkpoint(
        folder, heads=1, layers=1, filters=8, lstm_layers=1, causal_codec=True, text_encoder="bert", streaming=policy
    )


if __name__ == "__main__":
    main()
