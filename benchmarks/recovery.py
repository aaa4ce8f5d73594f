"""Kill the engine's process while it plays: how long is the silence?

Usage: python -m benchmarks.recovery [--kills 3] [--model nano]

The instrument plays on the null clock. After each `kill -9` the blocks that the callback gives out are watched for ten
seconds.
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

SETTLE, WATCH = 12.0, 10.0  # seconds; the standby has its imports by then
SILENT = 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--model", default="nano")
    options = parser.parse_args()
    begun = time.monotonic()
    instrument = Instrument(music(options.model, 48_000, 2), {"prompt": "techno, 130 bpm"}, port=0)
    levels: list[tuple[float, float]] = []
    fill = instrument.playback.fill

    def watched(out: NDArray[np.float32]) -> None:
        fill(out)
        levels.append((time.monotonic(), float(np.abs(out).max())))

    instrument.playback.fill = watched  # type: ignore[method-assign]
    instrument.start()
    first_sound = time.monotonic() - begun
    try:
        for _ in range(options.kills):
            time.sleep(SETTLE)
            assert instrument.worker.pid is not None
            killed = time.monotonic()
            os.kill(instrument.worker.pid, signal.SIGKILL)
            time.sleep(WATCH)
            silence = [moment - killed for moment, level in levels if moment > killed and level < SILENT]
            print(
                json.dumps({"silent_from_s": round(min(silence), 2), "silent_to_s": round(max(silence), 2)}), flush=True
            )
    finally:
        instrument.close()
    print(json.dumps({"model": options.model, "first_sound_s": round(first_sound, 2), "kills": options.kills}))


if __name__ == "__main__":
    main()
