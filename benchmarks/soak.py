"""Play for a long time and watch: xruns, memory and real-time factor over time.

Usage: python -m benchmarks.soak [--minutes 10] [--model nano] [--device NAME]

Prints one JSON line every half minute and one at the end. Without --device it plays on the null clock. The prompt
changes twice a minute, as on stage.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import psutil

from streamer.audio.devices import choose, devices
from streamer.instrument import Instrument
from streamer.process.job import music

EVERY = 30.0
PROMPTS = (
    "warm lo-fi hip hop, 84 bpm",
    "deep house, 122 bpm",
    "slow ambient pad",
    "solo piano, gentle",
    "techno, 132 bpm",
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--device", default=None, help="number or part of the name of an audio device")
    options = parser.parse_args()
    device = choose(devices(), options.device) if options.device else None
    rate = device.rate if device else 48_000
    instrument = Instrument(music(options.model, rate, 2), {"prompt": PROMPTS[0]}, device=device, port=0)
    instrument.start()
    rows = []
    try:
        start = time.monotonic()
        while time.monotonic() - start < 60 * options.minutes:
            rows.append(watch(instrument, start))
            print(json.dumps(rows[-1]), flush=True)
            instrument.controls.set(prompt=PROMPTS[len(rows) % len(PROMPTS)])
    finally:
        instrument.close()
    print(json.dumps(summary(rows)))


def watch(instrument: Instrument, start: float) -> dict[str, float]:
    """Half a minute of it."""
    end = time.monotonic() + EVERY
    buffered, factors = [], []
    while time.monotonic() < end:
        status = instrument.status()
        buffered.append(status.buffer_ms)
        factors.append(status.rtf)
        time.sleep(0.05)
    here = psutil.Process()
    return {
        "minute": round((time.monotonic() - start) / 60, 2),
        "seconds_played": round(status.seconds, 1),
        "xruns": status.xruns,
        "restarts": status.restarts,
        "rtf": round(float(np.median(factors)), 2),
        "buffer_ms_least": round(min(buffered), 1),
        "instrument_mb": round(here.memory_info().rss / 1e6, 1),
        "engine_mb": round(psutil.Process(instrument.worker.pid).memory_info().rss / 1e6, 1),
    }


def summary(rows: list[dict[str, float]]) -> dict[str, object]:
    """First against last, and the worst."""
    first, last = rows[min(2, len(rows) - 1)], rows[-1]
    return {
        "minutes": last["minute"],
        "xruns": last["xruns"],
        "restarts": last["restarts"],
        "rtf_least": min(row["rtf"] for row in rows),
        "rtf_median": float(np.median([row["rtf"] for row in rows])),
        "engine_mb_growth": round(last["engine_mb"] - first["engine_mb"], 1),
        "instrument_mb_growth": round(last["instrument_mb"] - first["instrument_mb"], 1),
    }


if __name__ == "__main__":
    main()
