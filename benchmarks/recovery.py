"""Kill the engine's process while it plays: how long is the silence?

Usage: python -m benchmarks.recovery [--kills 30] [--model nano] [--quick] [--stop]

The instrument plays on the null clock, and the blocks that the callback gives out are watched. Each engine is killed
with `kill -9` as soon as a spare with a model waits, or with --quick half a second after the music is back; with --stop
it is held up by SIGSTOP instead. Silence is time in blocks below -80 dB.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import time

import numpy as np
from numpy.typing import NDArray

from streamer.instrument import Instrument
from streamer.process.job import music

SETTLE, LONGEST = 0.5, 30.0  # seconds
SILENT = 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--quick", action="store_true", help="do not wait for the spare")
    parser.add_argument("--stop", action="store_true", help="SIGSTOP instead of SIGKILL")
    options = parser.parse_args()
    begun = time.monotonic()
    instrument = Instrument(music(options.model, 48_000, 2), {"prompt": "techno, 130 bpm"}, port=0)
    blocks: list[tuple[float, float, float]] = []  # when, how long, how loud
    fill = instrument.playback.fill

    def watched(out: NDArray[np.float32]) -> None:
        fill(out)
        blocks.append((time.monotonic(), len(out) / 48_000, float(np.abs(out).max())))

    instrument.playback.fill = watched  # type: ignore[method-assign]
    instrument.start()
    first_sound = time.monotonic() - begun
    silences, spared = [], 0
    try:
        for number in range(options.kills):
            deadline = time.monotonic() + LONGEST
            while not options.quick and not instrument.worker.spare and time.monotonic() < deadline:
                time.sleep(0.05)
            time.sleep(SETTLE)
            spared += instrument.worker.spare
            assert instrument.worker.pid is not None
            killed = time.monotonic()
            os.kill(instrument.worker.pid, signal.SIGSTOP if options.stop else signal.SIGKILL)
            while instrument.worker.restarts <= number or not instrument.worker.alive:
                time.sleep(0.01)
            time.sleep(SETTLE)
            silences.append(sum(lasts for when, lasts, level in blocks if when > killed and level < SILENT))
    finally:
        instrument.close()
    median, p95, worst = np.percentile(silences, [50, 95, 100]).round(3)
    print(json.dumps({"model": options.model, "first_sound_s": round(first_sound, 2), "kills": options.kills}))
    print(json.dumps({"spare_ready": spared, "silent_median_s": median, "silent_p95_s": p95, "silent_worst_s": worst}))


if __name__ == "__main__":
    main()
