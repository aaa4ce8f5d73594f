"""Whether loops have a seam: nano's, of styles with drums, at tempi of each style's range.

    python -m benchmarks.loops [--styles 10] [--tempi 5] [--bars 4] [--untold [--late 0]]

Of each loop, going round:

- **click**: how much more a sample bends at the seam than it usually does there: the largest second difference within
  2 ms of the seam, as a share of all places of the loop that bend less. Uniform over 0..1 where the seam is no place of
  its own.
- **novelty**: how different the half beats before and after the seam sound, ranked among the loop's other beats at the
  same place in the beat; uniform likewise.
- **tempo**: the judge's estimate (training/judge.py, autocorrelation of onsets) of 20 s of it against the asked one,
  octaves allowed.

Printed are the loops, and over all of them the p values of Kolmogorov and Smirnov's test against a uniform
distribution, one-sided: whether seams stand out. `--untold` plays nano as a model that follows no score, and `--late`
sets what another tempo costs a place (`streamer.offline.places.LATE`).
"""

from __future__ import annotations

import argparse
import math
import time
from functools import partial

import numpy as np
import scipy.stats
from numpy.typing import NDArray

from musicgen import MusicGen, Stream
from streamer.control.wording import worded
from streamer.offline import places
from streamer.offline.loops import Loop, make
from streamer.offline.places import Bars
from streamer.offline.seam_picture import changes
from training import judge
from training.codec import RATE
from training.compose.arrange import TABLE

DRUMS = ("house", "techno", "drum and bass", "funk", "rock", "trap", "synthwave", "lo-fi hip hop", "reggae", "chiptune")
EXACT = 0.005


def click(loop: Loop, rate: int) -> float:
    bend = np.abs(np.diff(np.tile(loop.sound[:, 0], 2), 2))
    around = round(0.002 * rate)
    windows = np.lib.stride_tricks.sliding_window_view(bend, 2 * around)[: len(loop.sound)].max(axis=1)
    return float((windows < windows[(loop.seam - around) % len(windows)]).mean())


def novelty(loop: Loop, rate: int, bars: Bars) -> float:
    steps = changes(loop.sound, loop.seam, rate, bars)
    return float(np.mean(steps[1:] < steps[0]))


def tempo(loop: Loop, bpm: float) -> float:
    """The factor between the judge's estimate and what was asked for, but for octaves."""
    sound = loop.sound.mean(axis=1)
    long: NDArray[np.float32] = np.tile(sound, math.ceil(20 * RATE / len(sound)))
    estimate = judge.tempo_of(long)
    return min((estimate * factor / bpm for factor in (0.25, 0.5, 1.0, 2.0, 4.0)), key=lambda own: abs(own - 1))


def _start(model: MusicGen, words: str, seed: int) -> Stream:
    return model.stream(words, seed=seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--styles", type=int, default=len(DRUMS))
    parser.add_argument("--tempi", type=int, default=5)
    parser.add_argument("--bars", type=int, default=4)
    parser.add_argument("--untold", action="store_true", help="tell nano no beat")
    parser.add_argument("--late", type=float, default=places.LATE, help="what another tempo costs a place")
    options = parser.parse_args()
    places.LATE = options.late
    model = MusicGen.load("nano")
    model.follows_score &= not options.untold
    rows: list[tuple[float, float, float, float]] = []
    print("| style | bpm | bent | click | novelty | tempo | s |\n|---|---|---|---|---|---|---|")
    for number, style in enumerate(DRUMS[: options.styles]):
        for bpm in np.round(np.linspace(*TABLE[style].bpm, options.tempi)).tolist():
            began = time.process_time()
            bars = Bars(options.bars, bpm)
            words = worded(style, bpm)
            loop = make(model, partial(_start, model, words), bars, 10 * number, rate=RATE)
            row = (click(loop, RATE), novelty(loop, RATE, bars), tempo(loop, bpm), loop.bent)
            rows.append(row)
            spent = time.process_time() - began
            print(
                f"| {style} | {bpm:g} | {row[3] - 1:+.1%} | {row[0]:.2f} | {row[1]:.2f} | {row[2]:.3f} | {spent:.1f} |",
                flush=True,
            )
    clicks, novelties, tempi, _ = (np.array(column) for column in zip(*rows, strict=True))
    for name, ranks in (("click", clicks), ("novelty", novelties)):
        p = scipy.stats.kstest(ranks, "uniform", alternative="less").pvalue
        print(f"{name}: mean rank {ranks.mean():.2f}, p {p:.3f} that seams do not stand out")
    exact = np.abs(tempi - 1) < EXACT
    print(f"tempo within {EXACT:.1%}: {exact.mean():.0%} of {len(exact)}; worst {np.abs(tempi - 1).max():.1%}")


if __name__ == "__main__":
    main()
