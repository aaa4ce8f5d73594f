"""Rhythm as text: one character a step, sixteen steps to a 4/4 bar. Swing, accents, fills, human timing.

``X`` accent, ``x`` normal, ``o`` soft, ``g`` ghost (plays half of the time), ``.`` rest, ``-`` hold.
Pitched patterns use other characters for hits; `steps` returns whatever stands there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

VELOCITY = {"X": 1.0, "x": 0.8, "o": 0.55, "g": 0.35}

DRUMS = {
    "kick": 36, "snare": 38, "rim": 37, "clap": 39, "hat": 42, "pedal": 44, "open": 46, "ride": 51, "crash": 49,
    "bell": 53, "tom1": 48, "tom2": 45, "tom3": 43, "tamb": 54, "cowbell": 56, "shaker": 70, "conga1": 62,
    "conga2": 63, "conga3": 64, "clave": 75, "triangle": 81, "brush": 40, "timpani": 41,
}  # fmt: skip


class Hit(NamedTuple):
    """A pattern's event: its step, how many steps it lasts and the character that stood there."""

    step: int
    length: int
    symbol: str


@dataclass(frozen=True)
class Feel:
    """How a grid of steps becomes seconds.

    Attributes
    ----------
    step : float
        Seconds of one sixteenth.
    swing : float
        Delay of every second unit as a fraction of the unit: 0 straight, 1/3 triplets.
    unit : int
        Steps in a swung unit: 1 swings sixteenths, 2 eighths.
    loose : float
        Standard deviation of human timing, seconds.
    """

    step: float
    swing: float
    unit: int
    loose: float

    def time(self, step: float, rng: np.random.Generator) -> float:
        """Return the seconds at which `step` sounds, never before 0."""
        position = (step / self.unit) % 2
        late = self.swing * self.unit * (position if position <= 1 else 2 - position)
        return max(0.0, (step + late) * self.step + rng.normal(0.0, self.loose))


def steps(pattern: str) -> list[Hit]:
    """Parse one bar's pattern into hits; a hit lasts until the next character that is not a hold."""
    hits = []
    for index, symbol in enumerate(pattern):
        if symbol in ".-":
            continue
        length = 1
        while index + length < len(pattern) and pattern[index + length] == "-":
            length += 1
        hits.append(Hit(index, length, symbol))
    return hits


def accent(step: int, beat: int = 4) -> float:
    """Return the metric weight of a step as a velocity factor."""
    if step % (4 * beat) == 0:
        return 1.0
    if step % beat == 0:
        return 0.94
    return 0.88 if step % 2 == 0 else 0.8


def human_velocity(base: float, rng: np.random.Generator, spread: float = 0.05) -> int:
    """Return a MIDI velocity for `base` (0..1) with human spread."""
    return int(np.clip(127 * base * (1 + rng.normal(0.0, spread)), 1, 127))
