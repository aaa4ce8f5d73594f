"""From the frame at which a prompt changes to the first sample that differs: what a moment can be met by at best.

Usage: python -m benchmarks.onset [--seeds 4] [--changes 4] [--model nano]

No clock and no device: a stream plays on with and without the change, from the same state and with the same random
numbers, and both are decoded. In the delay pattern a step draws the last codebook of the frame that is due, and the
others of the frames behind it. So a change may be heard in the very frame, and is where the last codebook's token turns
out another one ("as_it_comes"). Drawn anew, the frame that is due has no token from before the change ("redrawn"): that
is what the engine does.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicgen import MusicGen

PAIRS = (
    ("slow ambient pad", "fast drum and bass, 174 bpm"),
    ("deep house, 122 bpm", "solo piano, 72 bpm"),
    ("solo piano, 72 bpm", "techno, 130 bpm"),
    ("lo-fi hip hop, 85 bpm", "orchestral strings"),
    ("fast drum and bass, 174 bpm", "slow ambient pad"),
    ("jazz trio, 120 bpm", "ambient pads with long reverb, 90 bpm"),
)
FRAMES, BEFORE, AFTER = 130, 40, 14
HEARD = 10 ** (-26 / 20)
"""Of the music's level: a difference that counts as heard, as in `benchmarks.latency`."""
WAYS = ("as_it_comes", "redrawn")
ROUNDING = np.linspace(-0.5, 0.5, 101)
"""Frames by which the nearest frame lies beside a moment: anything."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--changes", type=int, default=4, help="of each pair of prompts and seed")
    parser.add_argument("--model", default="nano")
    options = parser.parse_args()
    model = MusicGen.load(options.model)
    found = [
        measured(model, before, after, seed, options.changes)
        for seed in range(options.seeds)
        for before, after in PAIRS
    ]
    for way in WAYS:
        print(json.dumps({"way": way} | figures(np.concatenate([own[way] for own in found]))))


def figures(onsets: NDArray[np.float64]) -> dict[str, Any]:
    """Onsets in frames: where they fall, and how many moments are met to the frame."""
    frames, counts = np.unique(np.floor(onsets).astype(int), return_counts=True)
    return {
        "changes": len(onsets),
        "in_frame": {str(frame): int(count) for frame, count in zip(frames, counts, strict=True)},
        "mean_frames": round(float(onsets.mean()), 2),
        "within_20_ms": round(float((np.abs(onsets[:, None] + ROUNDING) <= 1).mean()), 3),
    }


def measured(model: MusicGen, before: str, after: str, seed: int, changes: int) -> dict[str, list[float]]:
    """The first sample that is heard to differ, in frames from the frame that the prompt changes at, each way."""
    chance = np.random.default_rng(seed)
    at = set(chance.choice(np.arange(BEFORE, FRAMES - AFTER), changes, replace=False).tolist())
    stream = model.stream(before, seed=seed)
    states, frames = {}, []
    for frame in range(FRAMES):
        if frame in at:
            states[frame] = stream.state()
        frames.append(stream.next_frame())
    unchanged = np.stack(frames, axis=1)
    sound = decoded(model, unchanged)
    limit = HEARD * float(np.sqrt(np.mean(sound**2)))
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for frame, state in sorted(states.items()):
        for way, onsets in found.items():
            other = model.stream(before, seed=seed)
            other.restore(state)
            other.set_prompt(after)
            if way == "redrawn":
                other.redraw()
            coming = np.stack([other.next_frame() for _ in range(AFTER)], axis=1)
            changed = decoded(model, np.concatenate([unchanged[:, :frame], coming], axis=1))
            differs = np.abs(changed - sound[: len(changed)]).max(axis=1) > limit
            if differs.any():
                onsets.append(int(np.argmax(differs)) / model.hop - frame)
    return found


def decoded(model: MusicGen, frames: NDArray[np.int64]) -> NDArray[np.float32]:
    """Their sound, (samples, channels)."""
    decoder = model.new_decoder("exact")
    return np.concatenate([decoder.decode(frames), decoder.flush()])


if __name__ == "__main__":
    main()
