"""Learns the bar that `streamer.sound.tracker` knows beats by, from composed songs.

    python -m benchmarks.lock_pattern [--songs 440] [--out streamer/sound/beat.json]

Songs of 20 s are rendered, and their attacks laid over one another for 25 tempi around one that is up to 4.5 % beside
theirs. Of 96 places in each of these bars the pattern (96, 4) has to tell the one where a beat begins, and, for less,
the one where the bar does: multinomial regression, whose scores are correlations along the bar. The extra `training`
renders the songs; some minutes.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray

from streamer.sound.flux import PER_SECOND, Flux
from streamer.sound.fold import BINS, TEMPI, Fold
from streamer.sound.tracker import PATTERN
from training.compose import compose
from training.render import RATE, render

FIRST = 500_000  # seed: none that is held out
SECONDS = 20.0
SETTLED = 3.0
BESIDE = 0.045
BAR = 0.3  # what the bar's place counts, against the beat's
NEAR = 1.2  # bins
BATCH, ROUNDS, RATE_OF_LEARNING, DECAY = 128, 8, 0.02, 1e-3

Bars = NDArray[np.float16]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=440)
    parser.add_argument("--out", type=Path, default=Path("streamer/sound") / PATTERN)
    options = parser.parse_args()
    random = np.random.default_rng(0)
    told = [heard(seed, random) for seed in range(FIRST, FIRST + options.songs)]
    bars, places = (np.concatenate(parts) for parts in zip(*told, strict=True))
    rows = [json.dumps([round(float(value), 3) for value in row]) for row in learn(bars, places)]
    options.out.write_text("[\n " + ",\n ".join(rows) + "\n]\n", encoding="utf-8")


def heard(seed: int, random: np.random.Generator) -> tuple[Bars, NDArray[np.float64]]:
    """A song's bars, one set a second (n, 25, 96, 4), and of each its tempo's row and its first beat's bin (n, 2)."""
    song, flux = compose(seed, SECONDS), Flux(RATE)
    steps = flux.process(render(song))
    fold = Fold(song.bpm * (1 + random.uniform(-BESIDE, BESIDE)))
    row = int(np.abs(fold.tempi - song.bpm).argmin())
    bars, places = [], []
    begins = int(random.integers(0, 3 * PER_SECOND))
    for at in range(begins, len(steps) - PER_SECOND + 1, PER_SECOND):
        fold.add(steps[at : at + PER_SECOND])
        if fold.seconds >= SETTLED:
            passed = ((at + PER_SECOND) / PER_SECOND - flux.delay / RATE) * song.bpm / 240
            bars.append(fold.level().astype(np.float16))
            places.append((row, (fold.bar[row] - passed) % 1.0 * BINS))
    return np.array(bars), np.array(places)


def learn(bars: Bars, places: NDArray[np.float64]) -> NDArray[np.float32]:
    """The pattern (96, 4) that finds the places best."""
    torch.manual_seed(0)
    spectra = torch.fft.rfft(torch.tensor(bars.astype(np.float32)), dim=2)
    wanted = torch.tensor(places)
    pattern = torch.zeros(BINS, 4)
    pattern[::24] += 0.1
    pattern[0] += 0.05
    pattern.requires_grad_()
    steps = ROUNDS * -(-len(wanted) // BATCH)
    optimiser = torch.optim.Adam([pattern], RATE_OF_LEARNING)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(ROUNDS):
        for chosen in torch.split(torch.randperm(len(wanted)), BATCH):
            loss = missed(spectra[chosen], wanted[chosen], pattern) + DECAY * (pattern**2).sum()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    return pattern.detach().numpy()


def missed(spectra: torch.Tensor, places: torch.Tensor, pattern: torch.Tensor) -> torch.Tensor:
    """What the pattern does not know of the places, nats."""
    scores = torch.fft.irfft((spectra * torch.fft.rfft(pattern, dim=0).conj()).sum(-1), BINS, dim=2)
    chances = scores - scores.flatten(1).logsumexp(1)[:, None, None]
    tempo = (torch.arange(TEMPI)[None] - places[:, :1]).abs() <= 1
    away = torch.arange(BINS)[None] - places[:, 1:]

    def nats(bins: int) -> torch.Tensor:
        near = ((away + bins / 2) % bins - bins / 2).abs() <= NEAR
        there = tempo[:, :, None] & near[:, None, :]
        unknown = -chances.masked_fill(~there, -1e9).flatten(1).logsumexp(1).mean()
        return cast(torch.Tensor, unknown)

    return nats(BINS // 4) + BAR * nats(BINS)


if __name__ == "__main__":
    main()
