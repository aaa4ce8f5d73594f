"""Kill the engine's process while it plays: how long is the silence, and does the same music go on?

Usage: python -m benchmarks.recovery [--kills 30] [--model nano] [--apart SECONDS] [--busy PROCESSES] [--stop]
       python -m benchmarks.recovery --all

The instrument plays on the null clock, and the blocks that the callback gives out are watched. Each engine is killed
with `kill -9` so many seconds after the music is back, or by default as soon as a spare with a model waits; with --stop
it is held up by SIGSTOP instead. --busy starts processes that keep a core busy each. Silence is time in blocks below
-80 dB. Afterwards the same stream is stepped without being killed: where an engine took over, its next second of codes
has to be the same, to the bit. --all runs the lines of docs/reliability.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from streamer.control.journal import NAME, read_journal
from streamer.engine.standing import Standing
from streamer.instrument import Instrument
from streamer.process.job import load_model, music
from streamer.process.priority import hurry_process

SETTLE, LONGEST = 0.5, 60.0  # seconds
SILENT = 1e-4
PROMPT, SEED = "techno, 130 bpm", 5
CODES = 50  # frames compared
LINES: tuple[dict[str, float | None], ...] = (
    {"apart": None, "busy": 0, "stop": 0},
    {"apart": 0.5, "busy": 0, "stop": 0},
    {"apart": 0.1, "busy": 0, "stop": 0},
    {"apart": None, "busy": 1, "stop": 0},
    {"apart": 0.5, "busy": 1, "stop": 0},
    {"apart": None, "busy": 0, "stop": 1},
    {"apart": 0.5, "busy": 1, "stop": 1},
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--apart", type=float, help="seconds from one to the next; without: once a spare waits")
    parser.add_argument("--busy", type=int, default=0)
    parser.add_argument("--stop", action="store_true", help="SIGSTOP instead of SIGKILL")
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    lines = LINES if options.all else ({"apart": options.apart, "busy": options.busy, "stop": options.stop},)
    for line in lines:
        with busy(int(line["busy"] or 0)):
            found = kill(
                options.model, options.kills, line["apart"], signal.SIGSTOP if line["stop"] else signal.SIGKILL
            )
        print(json.dumps({"model": options.model, "kills": options.kills} | line | found), flush=True)


@contextlib.contextmanager
def busy(processes: int) -> Iterator[None]:
    """Meanwhile so many processes compute."""
    hogs = [multiprocessing.get_context("spawn").Process(target=_compute, daemon=True) for _ in range(processes)]
    for hog in hogs:
        hog.start()
    try:
        yield
    finally:
        for hog in hogs:
            hog.kill()
            hog.join()


def _compute() -> None:
    while True:
        sum(range(10_000))


def kill(model: str, kills: int, apart: float | None, how: signal.Signals) -> dict[str, object]:
    """Play, and kill so often."""
    hurry_process()  # as `streamer play` does
    begun = time.monotonic()
    reports: list[str] = []
    instrument = Instrument(music(model, 48_000, 2), {"prompt": PROMPT, "seed": SEED}, port=0, report=reports.append)
    blocks: list[tuple[float, float, float]] = []  # when, how long, how loud
    fill = instrument.playback.fill

    def watched(out: NDArray[np.float32]) -> None:
        fill(out)
        blocks.append((time.monotonic(), len(out) / 48_000, float(np.abs(out).max())))

    instrument.playback.fill = watched  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        take = Path(folder) / "take"
        instrument.start()
        first_sound = time.monotonic() - begun
        instrument.record(take)
        killed: list[float] = []
        spared = 0
        try:
            time.sleep(SETTLE)
            for number in range(kills):
                _wait_until(lambda: apart is not None or instrument.worker.spare)
                time.sleep(SETTLE if apart is None else apart)
                spared += instrument.worker.spare
                assert instrument.worker.pid is not None
                killed.append(time.monotonic())
                os.kill(instrument.worker.pid, how)
                _wait_until(lambda number=number: instrument.worker.restarts > number and instrument.worker.alive)  # type: ignore[misc]
                _wait_until(lambda: blocks[-1][2] >= SILENT)
            time.sleep(SETTLE)
            memory = sum(psutil.Process(pid).memory_full_info().pss for pid in [os.getpid(), *instrument.worker.pids])
        finally:
            instrument.close()
        went_on = codes_that_go_on(take, model)
    ends = [*killed[1:], float("inf")]
    silences = [
        sum(lasts for when, lasts, level in blocks if since < when <= end and level < SILENT)
        for since, end in zip(killed, ends, strict=True)
    ]
    median, p95, worst = np.percentile(silences, [50, 95, 100]).round(3)
    return {
        "spare_ready": spared,
        "silent_median_s": median,
        "silent_p95_s": p95,
        "silent_worst_s": worst,
        "codes_go_on": went_on,
        "backoffs": sum("again in" in report for report in reports),
        "first_sound_s": round(first_sound, 2),
        "memory_mb": round(memory / 1e6),
        "load": round(psutil.getloadavg()[0], 1),
    }


def _wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LONGEST
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit("The music did not come back.")
        time.sleep(0.005)


def codes_that_go_on(take: Path, model: str) -> str:
    """How many of the engines that took over play the codes that the first one would have played."""
    lives = read_journal(take / NAME).lives[1:]
    loaded = load_model(model, "auto", 0, "card").model
    standings = [Standing.from_bytes(life.state).stream for life in lives if life.state]
    unkilled = loaded.stream(PROMPT, seed=SEED)
    last = max((standing.frames_done for standing in standings), default=0)
    frames = [unkilled.next_frame() for _ in range(last + CODES)]
    same = 0
    for standing in standings:
        stream = loaded.stream()
        stream.restore(standing)
        expected = frames[standing.frames_done : standing.frames_done + CODES]
        same += all(np.array_equal(stream.next_frame(), frame) for frame in expected)
    return f"{same} of {len(lives)}"


if __name__ == "__main__":
    main()
