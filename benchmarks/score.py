"""What a score costs: nano's step told of every frame by all fields, against the same step told nothing.

Two streams of one model take turns, a frame each, on one thread, so that whatever else the machine does meets both. The
score's share is a ratio of processor times: all of it, from asking for a frame's fields to their addition. The
projection is all zeros, so that both play the same tokens. A replay, as after a jump, is timed in the same way.

    python -m benchmarks.score [--frames 2000] [--backend native]
"""

import argparse
import json
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from musicgen import MusicGen, Stream, score
from musicgen.load.hub import NANO


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=2000)
    parser.add_argument("--backend", default="native")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model = MusicGen.load(str(_scored(Path(folder) / "nano")), backend=options.backend, threads=1)
        told, silent = (model.stream("deep house", seed=1) for _ in range(2))
        told.set_score(played_at(124.0))
        report = {"backend": options.backend, "frames": options.frames, **steps(told, silent, options.frames)}
        report |= {"replay of 250 frames, ratio": round(replays(told, silent), 3)}
    print(json.dumps(report, indent=2))


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


def steps(told: Stream, silent: Stream, frames: int) -> dict[str, float]:
    """Milliseconds of processor a frame, and what the told one takes more."""
    took: dict[bool, list[float]] = {True: [], False: []}
    for number in range(frames):
        for own in (True, False) if number % 2 else (False, True):
            took[own].append(_seconds((told if own else silent).next_frame))
    with_score, without = (np.array(took[own][20:]) * 1000 for own in (True, False))
    # a long stretch of medians of short ones: shadows come and go in both at once
    pieces = max(1, len(without) // 50)
    ratios = [
        float(np.median(one) / np.median(other))
        for one, other in zip(np.array_split(with_score, pieces), np.array_split(without, pieces), strict=True)
    ]
    return {
        "told, ms": round(float(np.median(with_score)), 4),
        "silent, ms": round(float(np.median(without)), 4),
        "ratio": round(statistics.median(ratios), 4),
        "worst ratio of a second": round(max(ratios), 4),
    }


def replays(told: Stream, silent: Stream) -> float:
    """How much longer a past takes to be consumed anew under a score."""
    frames = np.random.default_rng(0).integers(0, 1024, (told.model.codebooks, 250))
    ask = played_at(124.0)
    fields = np.array([ask(number) for number in range(250)], np.float32)
    ratios = [
        _seconds(lambda: told.reanchor(frames, 1, fields)) / _seconds(lambda: silent.reanchor(frames, 1))
        for _ in range(9)
    ]
    return statistics.median(ratios)


def _seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


if __name__ == "__main__":
    main()
