"""What a score costs: nano's step told of every frame by all fields, against the same step told nothing.

Three streams of one model take turns, a frame each, on one thread, so that whatever else the machine does meets all:
one that is told nothing, one whose score the native library computes, and one whose score numpy does, as where the
library was not built. Who follows whom changes with every frame, because each finds the caches as the one before left
them. Times are of the processor, and the score's is all of it, from asking for a frame's fields to their addition. The
projection is all zeros, so that all play the same tokens. A replay, as after a jump, is timed in the same way.

    python -m benchmarks.score [--frames 1500] [--backend native]
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
from dataclasses import replace
from itertools import permutations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.processor import seconds_of
from musicgen import MusicGen, Stream, score
from musicgen.backends import prepare
from musicgen.load.checkpoint import load_checkpoint
from musicgen.load.hub import NANO


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1500, help="of each stream")
    parser.add_argument("--backend", default="native")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = load_checkpoint(str(_scored(Path(folder) / "nano")))
    assert checkpoint.score is not None
    either = Either(checkpoint.score.table)
    backend = prepare(checkpoint.decoder, options.backend, threads=1)
    model = MusicGen(replace(checkpoint, score=either), backend)
    streams = {name: model.stream("deep house", seed=1) for name in ("silent", "library", "numpy")}
    for name in ("library", "numpy"):
        streams[name].set_score(played_at(124.0))
    report = {"backend": options.backend, "frames": options.frames, **steps(either, streams, options.frames)}
    either.plain = False
    report["replay of 250 frames, ratio"] = round(replays(streams["library"], streams["silent"]), 3)
    print(json.dumps(report, indent=2))


class Either(score.ScoreEmbedding):
    """A score's embedding by the native library, or by numpy as where there is none."""

    def __init__(self, table: NDArray[np.float32]) -> None:
        super().__init__(table)
        self.plain = False
        self._by_numpy = score.ScoreEmbedding(table, native=False)

    def vector(self, fields: score.Fields) -> NDArray[np.float32] | None:
        """See the base."""
        return self._by_numpy.vector(fields) if self.plain else super().vector(fields)


def _scored(folder: Path) -> Path:
    """A copy of nano that follows a score of zeros."""
    shutil.copytree(NANO, folder)
    hidden = json.loads((folder / "config.json").read_text(encoding="utf-8"))["decoder"]["hidden_size"]
    score.save(folder / score.FILE, np.zeros((hidden, score.FEATURES)))
    return folder


def played_at(bpm: float) -> score.Score:
    """Everything is known of every frame: the phases move, the chord changes with each bar."""

    def ask(number: int) -> score.Fields:
        beat = number / 50 * bpm / 60
        chord = int(beat / 4) % 4
        fields = [beat % 1, beat / 4 % 1, bpm, (145, 577, 545, 2180)[chord], 2 * chord, 1, 1, 1, 0, 0.7]
        return np.array(fields, np.float32)

    return ask


def steps(either: Either, streams: dict[str, Stream], frames: int) -> dict[str, dict[str, float]]:
    """Processor time of a frame, its median; and of the told ones what it takes more."""
    took: dict[str, list[float]] = {name: [] for name in streams}
    orders = list(permutations(streams))
    for number in range(frames):
        for name in orders[number % len(orders)]:
            either.plain = name == "numpy"
            took[name].append(1e6 * seconds_of(streams[name].next_frame))
    times = {name: np.array(own[20:]) for name, own in took.items()}
    return {name: _beside(own, times["silent"]) for name, own in times.items()}


def _beside(told: NDArray[np.float64], silent: NDArray[np.float64]) -> dict[str, float]:
    median, base = float(np.median(told)), float(np.median(silent))
    pieces = max(1, len(silent) // 50)
    seconds = zip(np.array_split(told, pieces), np.array_split(silent, pieces), strict=True)
    return {
        "us": round(median, 1),
        "more_us": round(median - base, 1),
        "more_us_in_pairs": round(float(np.median(told - silent)), 1),
        "ratio": round(median / base, 4),
        "ratio_in_the_worst_second": round(max(float(np.median(one) / np.median(other)) for one, other in seconds), 4),
    }


def replays(told: Stream, silent: Stream) -> float:
    """How much longer a past takes to be consumed anew under a score."""
    frames = np.random.default_rng(0).integers(0, 1024, (told.model.codebooks, 250))
    ask = played_at(124.0)
    fields = np.array([ask(number) for number in range(250)], np.float32)
    ratios = [
        seconds_of(lambda: told.reanchor(frames, 1, fields)) / seconds_of(lambda: silent.reanchor(frames, 1))
        for _ in range(9)
    ]
    return statistics.median(ratios)


if __name__ == "__main__":
    main()
