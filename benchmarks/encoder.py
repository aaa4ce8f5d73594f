"""What it costs to encode a sound that a `continue` goes on from: in the native library, and with transformers.

    python -m benchmarks.encoder [--seconds 6]

Nano plays for so long, and its music is encoded in two processes, each with nano's checkpoint loaded and one thread.
Printed are the processor time of the first encode, which imports what it needs, the least time of four more, by how
much the process grew, and how many codes are the same.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.processor import seconds_of
from musicgen import MusicGen
from musicgen.load.checkpoint import load_checkpoint

WAYS = ("native", "transformers")
AGAIN = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=6.0, help="of nano's music")
    options = parser.parse_args()
    model = MusicGen.load("nano", backend="native", threads=1)
    sound = model.stream("deep house", seed=1).next_chunk(round(options.seconds * model.frame_rate))
    sound = sound[: len(sound) // model.hop * model.hop]
    report: dict[str, Any] = {"seconds": len(sound) / model.sample_rate}
    codes = {}
    for way in WAYS:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            codes[way], report[way] = pool.apply(measured, (way, sound))
    report["same_codes"] = float(np.mean(codes["native"] == codes["transformers"]))
    print(json.dumps(report, indent=2))


def measured(way: str, sound: NDArray[np.float32]) -> tuple[NDArray[np.int64], dict[str, float]]:
    """The codes, and what they cost in this process."""
    checkpoint = load_checkpoint("nano")

    def encode() -> NDArray[np.int64]:
        return (checkpoint.native_encoder() if way == "native" else checkpoint.encoder).encode(sound)

    before, first = psutil.Process().memory_info().rss, seconds_of(encode)
    grown = psutil.Process().memory_info().rss - before
    figures = {"first_s": first, "again_s": min(seconds_of(encode) for _ in range(AGAIN)), "grown_mb": grown / 1e6}
    return encode(), {name: round(figure, 3) for name, figure in figures.items()}


if __name__ == "__main__":
    main()
