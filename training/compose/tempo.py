"""Where the grid lies in time: steps become seconds and seconds steps, at a steady tempo or at one that changes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FAR = 1_000_000  # steps: later than any song's end
LOWEST, HIGHEST = 58.0, 182.0  # beats a minute of tempi that are no style's own


@dataclass(frozen=True)
class Tempo:
    """A song's tempo.

    Attributes
    ----------
    steps, seconds : tuple of float
        Sixteenths, rising from 0, and when each of them comes; between two of them the tempo is steady.
    """

    steps: tuple[float, ...]
    seconds: tuple[float, ...]

    def time(self, step: float) -> float:
        """Return the seconds at which a step comes."""
        return float(np.interp(step, self.steps, self.seconds))

    def step(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the steps, whole or not, that have passed at each moment; to a millionth, so that whole ones are."""
        return np.round(np.interp(seconds, self.seconds, self.steps), 6)

    def bpm(self, seconds: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the beats a minute at each moment."""
        number = np.searchsorted(self.seconds, seconds, side="right") - 1
        bpm: NDArray[np.float64] = (15 * np.diff(self.steps) / np.diff(self.seconds))[number]
        return bpm


def steady(bpm: float) -> Tempo:
    """Return one tempo throughout."""
    return Tempo((0.0, float(FAR)), (0.0, FAR * 15 / bpm))


def drawn(low: float, high: float, rng: np.random.Generator) -> float:
    """Draw any tempo: of a style's range, or, as often, from a quarter below it to a quarter above it."""
    if rng.random() < 0.5:
        return float(rng.uniform(low, high))
    return float(np.exp(rng.uniform(*np.log([max(LOWEST, 0.75 * low), min(HIGHEST, 1.25 * high)]))))


def changing(bpm: float, steps: int, rng: np.random.Generator) -> Tempo:
    """Draw a tempo that starts as `bpm` and changes one to three times within `steps`: at once, or over some beats."""
    beats = np.arange(steps // 4)
    tempi = np.full(len(beats), bpm)
    for start in np.sort(rng.integers(4, max(5, len(beats) - 4), int(rng.integers(1, 4)))):
        goal = float(np.clip(tempi[start] * 2 ** rng.uniform(-0.4, 0.4), LOWEST, HIGHEST))
        over = int(rng.choice([0, 0, 4, 8, 16]))
        ramp = np.clip((beats[start:] - start + 1) / (over + 1), 0, 1)
        tempi[start:] = tempi[start] + (goal - tempi[start]) * ramp
    seconds = np.concatenate([[0.0], np.cumsum(60 / tempi)])
    whole = (*(4.0 * beat for beat in range(len(beats) + 1)), float(FAR))
    return Tempo(whole, (*seconds.tolist(), float(seconds[-1] + (FAR - 4 * len(beats)) * 15 / tempi[-1])))
