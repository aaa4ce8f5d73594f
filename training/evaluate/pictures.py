"""Twelve prompts as spectrograms, on one page for the documentation."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np

from training import judge
from training.codec import RATE
from training.evaluate.studio import CLIP, Studio

mpl.use("Agg")
import matplotlib.pyplot as plt

PROMPTS = (
    "lo-fi hip hop at 80 bpm, dusty drums and electric piano",
    "deep house, 124 bpm, organ and bass",
    "hypnotic techno, 134 bpm",
    "drum and bass, 174 bpm, reese bass and pads",
    "trap, 140 bpm, 808 bass and bells",
    "funk, 108 bpm, slap bass and brass",
    "reggae, 75 bpm, guitar and organ",
    "rock, 128 bpm, loud electric guitar",
    "jazz trio, 132 bpm, upright bass and piano",
    "solo piano, 72 bpm, no drums",
    "calm ambient pads, no drums",
    "chiptune, 150 bpm, square wave lead",
)
FLOOR, CEILING = -8.0, -1.5  # natural logarithm of mel magnitudes
FREQUENCIES = (100, 300, 1000, 3000, 10000)


def mel_bin(hertz: float, bins: int = 80) -> float:
    """The row of `judge.mel_frames` in which a frequency lies."""

    def mel(f: float) -> float:
        return float(2595 * np.log10(1 + f / 700))

    return (mel(hertz) - mel(20)) / (mel(RATE / 2) - mel(20)) * (bins + 1) - 1


def draw(studio: Studio, path: Path) -> None:
    """Play `PROMPTS` and write the page, PNG."""
    clips = studio.clips(PROMPTS, CLIP, 70_000)
    figure, axes = plt.subplots(4, 3, figsize=(15, 11), sharex=True, sharey=True, constrained_layout=True)
    for axis, prompt, clip in zip(axes.flat, PROMPTS, clips, strict=True):
        mel = judge.mel_frames(clip)[::4].T.numpy()
        axis.imshow(mel, origin="lower", aspect="auto", cmap="magma", vmin=FLOOR, vmax=CEILING, extent=(0, CLIP, 0, 80))
        axis.set_title(prompt, fontsize=12)
        axis.set_yticks([mel_bin(f) for f in FREQUENCIES], [f"{f / 1000:g} kHz" for f in FREQUENCIES])
    for axis in axes[-1]:
        axis.set_xlabel("seconds")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)
    plt.close(figure)
