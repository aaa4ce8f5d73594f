"""Scores that know a clock and no more: what nano is told by who only counts the beat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from musicgen.score import Fields, unknown
from training.told import RATE as FRAMES

Tempo = NDArray[np.float64]
"""Beats a minute of every frame."""


def clock(bpm: float, frames: int, early: float = 0.0) -> Fields:
    """A score that knows a steady tempo, its first beat so many seconds before frame 0, and no more."""
    fields, passed = unknown(frames), (np.arange(frames) / FRAMES + early) * bpm / 60
    fields[:, :3] = np.stack([passed % 1, passed / 4 % 1, np.full(frames, bpm)], 1)
    return fields


def passed(tempo: Tempo) -> Tempo:
    """Beats that have gone by at the start of every frame."""
    return np.concatenate([[0.0], np.cumsum(tempo / (60 * FRAMES))[:-1]])


def moving_clock(tempo: Tempo, early: float = 0.0) -> Fields:
    """A score that knows a clock of this tempo, its first beat so many seconds before frame 0, and no more."""
    fields, count = unknown(len(tempo)), passed(tempo) + early * tempo / 60
    fields[:, :3] = np.stack([count % 1, count / 4 % 1, tempo], 1)
    return fields
