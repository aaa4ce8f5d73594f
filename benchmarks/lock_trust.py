"""Learns when a beat that `streamer.sound.tracker` follows is the music's own, from composed songs.

    python -m benchmarks.lock_trust [--songs 760] [--out streamer/sound/trust.json]

The tracker follows songs of 30 s that its pattern has not been learnt from, expecting a tempo up to 2 % beside theirs.
Twice a second what speaks for its beat and against it is kept, with whether it is within 40 ms of the song's: a small
network learns the one from the other. The extra `training` renders the songs; a quarter of an hour.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from streamer.sound.flux import PER_SECOND, Array
from streamer.sound.tracker import EVERY, LISTENS, Tracker
from streamer.sound.trust import LEARNT
from training.compose import compose
from training.render import RATE, render

FIRST = 600_000  # seed: none that is held out, none that the pattern knows
SECONDS = 30.0
SPREAD = 0.02
NEAR = 0.040  # seconds
LOOKS = 5  # in one that is kept
HIDDEN, BATCH, ROUNDS, RATE_OF_LEARNING, DECAY = 8, 256, 6, 0.01, 0.03


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=760)
    parser.add_argument("--out", type=Path, default=Path("streamer/sound") / LEARNT)
    options = parser.parse_args()
    random = np.random.default_rng(0)
    seen: list[tuple[Array, bool]] = []
    for seed in range(FIRST, FIRST + options.songs):
        song = compose(seed, SECONDS)
        seen.extend(followed(render(song), song.bpm, random))
    told = learn(np.stack([evidence for evidence, _ in seen]), np.array([right for _, right in seen]))
    rows = [f'"{name}": {json.dumps(value)}' for name, value in told.items()]
    options.out.write_text("{\n " + ",\n ".join(rows) + "\n}\n", encoding="utf-8")


def followed(sound: Array, bpm: float, random: np.random.Generator) -> Iterator[tuple[Array, bool]]:
    """The evidence for the beat of a song, and whether it is right, twice a second."""
    tracker = Tracker(RATE, bpm * (1 + random.uniform(-SPREAD, SPREAD)))
    step = LOOKS * EVERY * RATE // PER_SECOND
    for at in range(step, len(sound) + 1, step):
        tracker.hear(sound[at - step : at])
        if tracker.seconds > LISTENS:
            away = (tracker.phase - at / RATE * bpm / 60 + 0.5) % 1.0 - 0.5
            yield tracker.evidence, abs(away) * 60 / bpm <= NEAR


def learn(evidence: Array, right: NDArray[np.bool_]) -> dict[str, list[float] | list[list[float]] | float]:
    """What `streamer.sound.trust.Learnt` is made of."""
    torch.manual_seed(0)
    middle, spread = evidence.mean(axis=0), evidence.std(axis=0) + 1e-6
    shown, wanted = torch.tensor((evidence - middle) / spread), torch.tensor(right, dtype=torch.float32)
    hidden, out = torch.nn.Linear(evidence.shape[1], HIDDEN), torch.nn.Linear(HIDDEN, 1)
    optimiser = torch.optim.AdamW([*hidden.parameters(), *out.parameters()], RATE_OF_LEARNING, weight_decay=DECAY)
    for _ in range(ROUNDS):
        for chosen in torch.split(torch.randperm(len(wanted)), BATCH):
            likely = out(torch.tanh(hidden(shown[chosen])))[:, 0]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(likely, wanted[chosen])
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    layers = {
        "middle": middle,
        "spread": spread,
        "hidden": hidden.weight.detach().numpy().T,
        "bias": hidden.bias.detach().numpy(),
        "out": out.weight.detach().numpy()[0],
    }
    return {name: np.round(layer.astype(float), 4).tolist() for name, layer in layers.items()} | {
        "offset": round(float(out.bias.detach()[0]), 4)
    }


if __name__ == "__main__":
    main()
