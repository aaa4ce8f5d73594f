"""Rhythm as text: one character a step, sixteen steps to a 4/4 bar. Swing, accents, fills, human timing.

``X`` accent, ``x`` normal, ``o`` soft, ``g`` ghost (plays half of the time), ``.`` rest, ``-`` hold.
Pitched patterns use other characters for hits; `steps` returns whatever stands there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from training.compose.tempo import Tempo

VELOCITY = {"X": 1.0, "x": 0.8, "o": 0.55, "g": 0.35}

DRUMS = {
    "kick": 36, "snare": 38, "rim": 37, "clap": 39, "hat": 42, "pedal": 44, "open": 46, "ride": 51, "crash": 49,
    "bell": 53, "tom1": 48, "tom2": 45, "tom3": 43, "tamb": 54, "cowbell": 56, "shaker": 70, "conga1": 62,
    "conga2": 63, "conga3": 64, "clave": 75, "triangle": 81, "brush": 40, "timpani": 41,
}  # fmt: skip


class Hit(NamedTuple):
    """A pattern's event: its step, how many steps it lasts and the character that stood there."""

    step: int
    length: float
    symbol: str


@dataclass(frozen=True)
class Feel:
    """How a grid of steps becomes seconds.

    Attributes
    ----------
    tempo : Tempo
        When each sixteenth comes if nothing swings.
    swing : float
        Delay of every second unit as a fraction of the unit: 0 straight, 1/3 triplets.
    unit : int
        Steps in a swung unit: 1 swings sixteenths, 2 eighths.
    """

    tempo: Tempo
    swing: float
    unit: int

    def time(self, step: float) -> float:
        """Return the seconds at which `step` sounds."""
        position = (step / self.unit) % 2
        late = self.swing * self.unit * (position if position <= 1 else 2 - position)
        return self.tempo.time(step + late)


@dataclass(frozen=True)
class Hand:
    """How a player differs from the grid: the same way in every bar, which is what makes a groove.

    Attributes
    ----------
    late : tuple of float
        For each step of the bar, seconds behind (or, below 0, ahead of) the grid.
    weight : tuple of float
        For each step of the bar, a factor of the velocity.
    whim : float
        Standard deviation of a velocity's factor from note to note.
    """

    late: tuple[float, ...]
    weight: tuple[float, ...]
    whim: float

    def time(self, feel: Feel, step: float) -> float:
        """Return the seconds at which this player plays `step`, never before 0."""
        return max(0.0, feel.time(step) + self.late[int(step) % len(self.late)])

    def velocity(self, strength: float, step: float, rng: np.random.Generator) -> int:
        """Return a MIDI velocity for `strength` (0..1): the player's habit, and a little chance."""
        habit = self.weight[int(step) % len(self.weight)]
        return int(np.clip(127 * strength * habit * (1 + rng.normal(0.0, self.whim)), 1, 127))


def hand(steps: int, loose: float, rng: np.random.Generator) -> Hand:
    """Draw a player's habits for a bar of `steps` steps.

    Parameters
    ----------
    loose : float
        Standard deviation of the timing, seconds. Who plays by hand strikes unevenly too, a sequencer hardly does.
    """
    late, weight = rng.normal(0.0, loose, steps), 1 + rng.normal(0.0, 0.05, steps)
    return Hand(tuple(late.tolist()), tuple(weight.tolist()), 0.01 + 3 * loose)


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
