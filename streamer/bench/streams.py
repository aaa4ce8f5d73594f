"""How many streams this machine makes at a time, in real time: what `streamer serve` lets play."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass

from musicgen import MusicGen
from streamer.bench.figures import PROMPT, settle
from streamer.engine.core import Core
from streamer.engine.together import advance

SHARE = 0.75
"""Of the time that music may take: the rest is for listeners, prompts and what else the machine does."""
RATE = 48_000
MOST = 64
ROUNDS = 25
"""Frames of each stream that a figure rests on."""
WARM = 4


@dataclass(frozen=True)
class Load:
    """What a batch costs.

    Attributes
    ----------
    streams : int
    round_ms : float
        A frame of each stream, with all that is done for its sound: the median.
    worst_ms : float
        The slowest.
    share : float
        Of real time.
    """

    streams: int
    round_ms: float
    worst_ms: float
    share: float


def loads(model: MusicGen, most: int = MOST) -> Iterator[Load]:
    """Batches that grow, until one takes more of the time than it may, or is as large as any need be.

    Each stream has its own prompt, seed, loudness and resampling, and is as far into its music as streams are on
    average: as `streamer serve` plays them.
    """
    cores: list[Core] = []
    size = 1
    while True:
        cores += [_core(model, number) for number in range(len(cores), size)]
        load = _measured(model, cores)
        yield load
        if load.share > SHARE or size == most:
            return
        size = min(2 * size, most)


def places(measured: list[Load]) -> int:
    """How many streams take the share that they may, between the batches that were measured; at least 1."""
    fitting = [load for load in measured if load.share <= SHARE]
    if not fitting:
        return 1
    last, beyond = fitting[-1], measured[-1]
    if beyond is last:
        return last.streams
    each = (beyond.share - last.share) / (beyond.streams - last.streams)
    return last.streams + int((SHARE - last.share) / each)


def _core(model: MusicGen, number: int) -> Core:
    core = Core(model, {"prompt": f"{PROMPT}, {number}", "seed": number, "guard": True}, sample_rate=RATE, channels=2)
    settle(core.stream)  # type: ignore[arg-type]
    return core


def _measured(model: MusicGen, cores: list[Core]) -> Load:
    times = []
    for _ in range(WARM + ROUNDS):
        begun = time.perf_counter()
        advance(cores)
        for core in cores:
            core.read(core.ready)
        times.append(time.perf_counter() - begun)
    median = statistics.median(times[WARM:])
    frame = 1 / model.frame_rate
    return Load(len(cores), round(1000 * median, 2), round(1000 * max(times[WARM:]), 2), round(median / frame, 3))
