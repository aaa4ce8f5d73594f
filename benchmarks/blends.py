"""Whether a blend leads from one style to the other: nano between pairs of styles, heard by a judge of styles.

    python -m benchmarks.blends [--data data/songs] [--seeds 2] [--seconds 8] [--songs 240] [--cost]

The weight of the second style goes from 0 to 1 in 11 steps; all else, the seed too, stays. The judge is the
evaluation's (training/judge.py), fitted here on renders of training.render and never on what nano plays. What it says
of a clip is the logarithm of the odds of the second style against the first: log p(second) - log p(first). Printed is a
table in Markdown: the odds at each weight, in the mean over the seeds, and Spearman's rank correlation with the weight.

With --cost it prints instead what a blend costs, as shares of a step with a single prompt, medians in turns.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
import scipy.stats
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track

from musicgen import Ensemble, MusicGen, Stream
from musicgen.backends import obstacle
from training import judge
from training.codec import RATE
from training.compose import STYLES

WEIGHTS = np.linspace(0, 1, 11)
PAIRS = [(STYLES[i], STYLES[(i + 5) % len(STYLES)]) for i in range(12)]
SETTLE = 100  # frames at the start that are not judged: music begins before it is of a style
CLIP = (4.0, 10.0)  # seconds of a render that the judge is fitted on
CHUNK = 50  # frames

Odds = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data/songs"), help="renders that the judge is fitted on")
    parser.add_argument("--songs", type=int, default=240, help="of them, at most")
    parser.add_argument("--seeds", type=int, default=2, help="clips of each pair and weight")
    parser.add_argument("--seconds", type=float, default=8.0, help="that are judged of each clip")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--cost", action="store_true", help="what a blend costs, and no table")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.cost:
        for name in ("native", "onnx", "torch"):
            if not obstacle(name):
                print(json.dumps(cost(MusicGen.load(options.model, backend=name, threads=1))), flush=True)
        return
    listener = fitted(options.data, options.songs)
    model = MusicGen.load(options.model, threads=1)
    pairs = track(PAIRS, "Playing", console=Console(stderr=True))
    odds = np.array([heard(model, listener, pair, options.seeds, options.seconds) for pair in pairs])
    print(table(odds))
    print(f"\nProcessor time {time.process_time() / 60:.1f} minutes, {model.backend.name} backend.")


def cost(model: MusicGen) -> dict[str, object]:
    """A step with a blend of two and of eight, other weights, and taking a stream's state and restoring it."""
    texts = [f"{style} with warm bass and piano" for style in STYLES[:8]]
    streams = {count: model.stream(seed=1) for count in (1, 2, 8)}
    for count, stream in streams.items():
        stream.set_prompts([(text, 1.0) for text in texts[:count]])
    ring = cycle(range(1, 100))
    works: dict[str, Callable[[], object]] = {
        "step": streams[1].next_frame,
        "step with 2": streams[2].next_frame,
        "step with 8": streams[8].next_frame,
        "other weights for 2": lambda: streams[2].set_prompts([(texts[0], next(ring)), (texts[1], 50)]),
        "other weights for 8": lambda: streams[8].set_prompts([(text, next(ring)) for text in texts]),
        "state": streams[1].state,
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(300):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - start)
    median = {name: float(np.median(own)) for name, own in times.items()}
    state, spare, restores = streams[1].state(), model.stream(), []
    for _ in range(5):
        start = time.perf_counter()
        spare.restore(state)
        restores.append(time.perf_counter() - start)
    shares = {name: round(own / median["step"], 3) for name, own in median.items()}
    return {
        "backend": model.backend.name,
        "step_ms": round(1000 * median["step"], 2),
        **shares,
        "restore_ms": round(1000 * float(np.median(restores))),
        "restored_positions": spare.position,
    }


def fitted(data: Path, songs: int) -> judge.Network:
    """The judge of styles, from two random pieces of each song."""
    rng = np.random.default_rng(0)
    paths = sorted(data.glob("*.json"))
    if not paths:
        raise SystemExit(f"There are no songs in {data}: run training.render first.")
    examples, styles = [], []
    for i in rng.permutation(len(paths))[:songs]:
        audio = np.load(paths[i].with_suffix(".npy"), mmap_mode="r")
        for _ in range(2):
            length = round(rng.uniform(*CLIP) * RATE)
            start = int(rng.integers(max(1, len(audio) - length)))
            examples.append(judge.features(audio[start : start + length].astype(np.float32) / 32768))
            styles.append(STYLES.index(json.loads(paths[i].read_text())["style"]))
    return judge.fit(torch.stack(examples), torch.tensor(styles), len(STYLES), seed=0)


@torch.no_grad()
def heard(model: MusicGen, listener: judge.Network, pair: tuple[str, str], seeds: int, seconds: float) -> Odds:
    """Log odds of the second style against the first at each weight, in the mean over the seeds, (weights,)."""
    streams = []
    for seed in range(seeds):
        for weight in WEIGHTS:
            stream = model.stream(seed=seed)
            stream.set_prompts([(pair[0], 1 - weight), (pair[1], weight)])
            streams.append(stream)
    clips = played(streams, SETTLE + round(seconds * model.frame_rate))
    first = SETTLE * model.hop
    logits = listener(torch.stack([judge.features(clip[first:]) for clip in clips]))
    odds: Odds = (logits[:, STYLES.index(pair[1])] - logits[:, STYLES.index(pair[0])]).double().numpy()
    averaged: Odds = odds.reshape(seeds, len(WEIGHTS)).mean(0)
    return averaged


def played(streams: Sequence[Stream], frames: int) -> list[NDArray[np.float32]]:
    """The first frames of every stream as sound, (samples,), in one batch."""
    ensemble = Ensemble(streams)
    chunks = [ensemble.next_chunks(min(CHUNK, frames - begin)) for begin in range(0, frames, CHUNK)]
    return [np.concatenate(own)[:, 0] for own in zip(*chunks, strict=True)]


def table(odds: Odds) -> str:
    """In Markdown, from the odds (pairs, weights)."""
    rows = [
        "| from, to | " + " | ".join(f"{weight:.1f}" for weight in WEIGHTS) + " | Spearman |",
        "|---|" + "---|" * (len(WEIGHTS) + 1),
    ]
    named = [(f"{first}, {second}", own) for (first, second), own in zip(PAIRS, odds, strict=True)]
    for name, own in [*named, ("**mean**", odds.mean(0))]:
        values = " | ".join(f"{value:+.1f}" for value in own)
        rows.append(f"| {name} | {values} | {scipy.stats.spearmanr(WEIGHTS, own).statistic:.2f} |")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
