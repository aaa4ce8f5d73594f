"""One step of every backend, in turns on the same machine: how long, how steady as the past grows, how many at once.

Random weights, by default of musicgen-small's shape (1.6 GB), guidance on. Every round steps each backend in the same
place; the least of the rounds counts, and the ratios are between such leasts. Beside the clock stands processor time,
which other programs disturb less; with several threads it is the sum of theirs, waiting included where they spin.

    python -m benchmarks.backends [--backends torch onnx native] [--threads 2] [--rounds 8] [--places 100 600 1200]
"""

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from musicgen.backends import Backend, Prompts, prepare
from musicgen.cache import State, StreamingPolicy
from musicgen.decoder import DecoderWeights
from tests.musicgen.random_decoder import random_decoder

PROMPT = 12  # tokens
CODEBOOKS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backends", nargs="+", default=["torch", "onnx"])
    parser.add_argument("--threads", type=int, default=2, help="of every backend")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--places", type=int, nargs="+", default=[100, 600, 1200], help="positions of the past")
    parser.add_argument("--streams", type=int, nargs="+", default=[1], help="how many are stepped in one batch")
    parser.add_argument("--hidden", type=int, default=1024)
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--vocabulary", type=int, default=2048)
    options = parser.parse_args()
    shape = {name: getattr(options, name) for name in ("hidden", "layers", "vocabulary")}
    weights = random_decoder(**shape, heads=options.hidden // 64, positions=max(options.places) + 2)
    with tempfile.TemporaryDirectory() as folder:
        backends, seconds = prepare_all(weights, options.backends, options.threads, Path(folder))
        del weights
        torch.set_num_threads(options.threads)
        wall, processor = {}, {}
        for streams in options.streams:
            for place in options.places:
                label = f"{streams} streams at {place}"
                wall[label], processor[label] = alternate(backends, place, streams, options.hidden, options.rounds)
        backends.clear()  # before the folder: they have its file mapped
    report = {**shape, "threads": options.threads, "prepare_s": seconds}
    report |= {"step_ms": wall, **ratios(wall), "processor_ms": processor}
    print(json.dumps(report, indent=2))


def prepare_all(
    weights: DecoderWeights, names: Sequence[str], threads: int, folder: Path
) -> tuple[dict[str, Backend], dict[str, float]]:
    """The backends, and how long each took: "onnx again" is with the file that it left the first time."""
    backends, seconds = {}, {}
    for name in names:
        for label in (name, "onnx again") if name == "onnx" else (name,):
            start = time.perf_counter()
            backends[name] = prepare(weights, name, threads=threads, folder=folder)
            seconds[label] = round(time.perf_counter() - start, 2)
    return backends, seconds


def alternate(
    backends: dict[str, Backend], place: int, streams: int, hidden: int, rounds: int
) -> tuple[dict[str, float], dict[str, float]]:
    """Milliseconds a step of so many streams, each with so much past: by the clock, and of the processor."""
    runs = {name: Run(backend, place, streams, hidden) for name, backend in backends.items()}
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in backends}
    for run in runs.values():
        run.step()  # to warm up
    for _ in range(rounds):
        for name, run in runs.items():
            start = time.perf_counter(), time.process_time()
            run.step()
            taken[name].append((time.perf_counter() - start[0], time.process_time() - start[1]))
    wall, processor = (
        {name: round(1000 * min(times[clock] for times in taken[name]), 2) for name in backends} for clock in (0, 1)
    )
    return wall, processor


class Run:
    """A batch of streams that stand still: the same step again and again costs what a step there costs."""

    def __init__(self, backend: Backend, place: int, streams: int, hidden: int) -> None:
        self.backend = backend
        policy = StreamingPolicy(keep=1, max_position=place + 2)
        self.states: list[State] = [backend.new_state(policy) for _ in range(streams)]
        for state in self.states:
            fill(state.memory)
            state.positions[0] = place
        prompt = backend.prompt(torch.randn(PROMPT, hidden, generator=torch.Generator().manual_seed(0)))
        self.prompts: list[Prompts] = [(prompt, None)] * streams
        self.columns: list[NDArray[np.int64]] = [np.ones((1, CODEBOOKS), np.int64)] * streams

    def step(self) -> None:
        """One for all streams."""
        self.backend.step(self.states, self.columns, self.prompts)


def fill(memory: Any) -> None:
    """Write to all of it: memory that was never written takes no time to read."""
    if isinstance(memory, Tensor):
        memory.zero_()
    elif isinstance(memory, np.ndarray):
        memory[:] = 0
    else:
        for part in vars(memory).values():
            if part is not None:
                fill(part)


def ratios(steps: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Each against torch where it is there, and the last place against the first."""
    places = list(steps)
    against = {
        place: {name: round(times["torch"] / taken, 2) for name, taken in times.items() if name != "torch"}
        for place, times in steps.items()
        if "torch" in times
    }
    growth = {name: round(steps[places[-1]][name] / taken, 2) for name, taken in steps[places[0]].items()}
    return {"torch_over": against, f"{places[-1]} over {places[0]}": growth}


if __name__ == "__main__":
    main()
