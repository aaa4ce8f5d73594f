"""Pages for the docs: twelve prompts as spectrograms, and what is heard of a score against what it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training import judge
from training.codec import RATE
from training.evaluate import following
from training.evaluate.clocks import clock
from training.evaluate.listeners import HOP, TRIADS, beats
from training.evaluate.material import Audio
from training.evaluate.playing import Take
from training.evaluate.studio import CLIP, FRAMES, Studio

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.patches import Rectangle

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
SHADES = 16  # what the eye tells apart in noise, and small files
FLOOR, CEILING = -8.0, -1.5  # natural logarithm of mel magnitudes
TOLD_STYLES = ("house", "rock", "jazz trio", "trap")
TOLD_FROM, TOLD_FOR = 10.0, 8.0  # seconds of a stream that are drawn
CHROMA_EVERY, CHROMA_OF = 0.25, 0.5  # seconds
NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
FREQUENCIES = (100, 300, 1000, 3000, 10000)


def mel_bin(hertz: float, bins: int = 80) -> float:
    """The row of `judge.mel_frames` in which a frequency lies."""

    def mel(f: float) -> float:
        return float(2595 * np.log10(1 + f / 700))

    return (mel(hertz) - mel(20)) / (mel(RATE / 2) - mel(20)) * (bins + 1) - 1


def draw(studio: Studio, path: Path) -> None:
    """Play `PROMPTS` and write the page, PNG."""
    takes = [Take(((0, prompt),), round(CLIP * FRAMES), 70_000 + i) for i, prompt in enumerate(PROMPTS)]
    clips = [studio.sound(codes) for codes in studio.play(takes)]
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


def draw_told(studio: Studio, path: Path) -> None:
    """Tell nano a tempo and two chords that take turns, and write what is heard beside what was asked, PNG."""
    asked, triads = [], [9 + 12, 5]  # A minor, F major
    for style in TOLD_STYLES:
        bpm = following.tempi(style, False)[0]
        fields = clock(bpm, round((TOLD_FROM + TOLD_FOR + 2) * FRAMES), studio.model.score_delay)
        asked.append((style, following.with_chords(fields, triads, round(4 * 60 * FRAMES / bpm))))
    clips = following.played(studio, asked, 75_000)
    figure, axes = plt.subplots(4, 2, figsize=(14, 10), sharex=True, constrained_layout=True)
    for (style, fields), clip, (left, right) in zip(asked, clips, axes, strict=True):
        bpm = float(fields[0, 2])
        draw_beats(left, clip, bpm)
        draw_chords(right, clip, triads, 4 * 60 / bpm)
        left.set_title(
            f"{style}: onsets, the beat of {bpm:.2f} bpm it was told (lines), beats heard (dots)", fontsize=9
        )
        right.set_title(f"{style}: pitch classes heard, and those of the chord it was told (boxes)", fontsize=9)
    for axis in axes[-1]:
        axis.set_xlabel("seconds")
        axis.set_xlim(TOLD_FROM, TOLD_FROM + TOLD_FOR)
    save_small(figure, path, 70)


def save_small(figure: Any, path: Path, dpi: int) -> None:
    """Write a figure as a PNG of few colours, and close it."""
    drawn = BytesIO()
    figure.savefig(drawn, dpi=dpi)
    plt.close(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.open(drawn).convert("RGB").quantize(SHADES, dither=Image.Dither.NONE).save(path, optimize=True)


def draw_beats(axis: Any, clip: Audio, bpm: float) -> None:
    """A clip's onsets over the beats that were asked for, and the beats that a tracker hears."""
    onsets = judge.onset_curve(judge.mel_frames(clip))
    for beat in np.arange(0, len(clip) / RATE, 60 / bpm):
        axis.axvline(beat, color="0.75", linewidth=1)
    axis.plot(np.arange(len(onsets)) * HOP, onsets, color="C0", linewidth=0.8)
    axis.plot(found := beats(clip, bpm), np.full(len(found), -0.03 * onsets.max()), "o", color="C3", markersize=4)
    axis.set_yticks([])


def draw_chords(axis: Any, clip: Audio, triads: Sequence[int], seconds: float) -> None:
    """A clip's pitch classes over time, and boxes where those of the chords lie that were asked for in turn."""
    starts = np.arange(TOLD_FROM, TOLD_FROM + TOLD_FOR, CHROMA_EVERY)
    heard = np.stack([classes(clip, start) for start in starts], 1)
    extent = (TOLD_FROM, TOLD_FROM + TOLD_FOR, -0.5, 11.5)
    axis.imshow(heard, origin="lower", aspect="auto", cmap="magma", extent=extent)
    first = int(TOLD_FROM / seconds)
    for number in range(first, int((TOLD_FROM + TOLD_FOR) / seconds) + 1):
        for tone in np.flatnonzero(TRIADS[triads[number % len(triads)]]):
            box = Rectangle((number * seconds, tone - 0.5), seconds, 1, fill=False, edgecolor="C9", linewidth=1)
            axis.add_patch(box)
    axis.set_yticks(range(12), NOTES, fontsize=6)


def classes(clip: Audio, start: float) -> NDArray[np.float32]:
    """Pitch classes of a moment of a clip, both registers together, (12,), the loudest 1."""
    piece = clip[round((start + (CHROMA_EVERY - CHROMA_OF) / 2) * RATE) :][: round(CHROMA_OF * RATE)]
    both = judge.chroma(piece).sum(0).numpy()
    return np.asarray(both / max(float(both.max()), 1e-9), np.float32)
