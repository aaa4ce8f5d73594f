"""Has music that goes round in circles move on.

nano learnt from loops, and can play one for minutes that no guard minds: its tokens differ, its music does not. Where
half a minute is the same again as one of the minute before it, it chooses more freely for a moment, and finds
something else by itself, without a cut: docs/background.md has the figures.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streamer.control.controls import Controls
from streamer.control.table import PARAMETERS
from streamer.surfaces.programme.passages import ALIKE, LENGTH, STEP, Ear, Heard, piece, shown

FREER = 1.6
"""What the temperature is multiplied by. Of four circles four went on with 1.3, and one with 1.6."""
SPELL = 12.0
"""Seconds of it."""
LOOK = 5.0
"""Seconds from one look to the next."""
MEMORY = 90.0
"""Seconds that are remembered."""
_HOTTEST = next(parameter.high for parameter in PARAMETERS if parameter.name == "temperature")


class Wander:
    """Listens to a programme: a sink, which sound is fed to. It counts time in sound, and never in silence.

    Parameters
    ----------
    controls
        Whose temperature it raises.
    spared
        Whether what plays is meant to be as it is.

    Attributes
    ----------
    spells : int
        Times that the music went round in circles.
    """

    name = "what is heard"

    def __init__(self, controls: Controls, spared: Callable[[], bool] = lambda: False) -> None:
        self.spells = 0
        self._controls = controls
        self._spared = spared
        self._ear: Ear | None = None
        self._rows: deque[Heard] = deque(maxlen=round(MEMORY / STEP))
        self._until_look = 0
        self._spell: tuple[float, float] | None = None  # the temperature before, and during it
        self._left = 0  # rows of the spell

    def open(self, rate: int, channels: int, title: str) -> None:
        """Begin to listen."""
        self._ear = Ear(rate)
        self._begin()

    def write(self, sound: NDArray[np.float32]) -> None:
        """Hear the next samples, float32 (samples, channels)."""
        assert self._ear is not None
        for row in self._ear.hear(sound):
            self._hear(row)

    def retitle(self, title: str) -> None:
        """Something else plays: what was heard before is no measure of it."""
        self._begin()

    def close(self) -> None:
        """Leave the music as it was asked for."""
        self._calm()

    abandon = close

    def _begin(self) -> None:
        self._rows.clear()
        self._until_look = 0

    def _hear(self, row: Heard) -> None:
        if self._spell:
            self._left -= 1
            if self._left <= 0:
                self._calm()
            return
        self._rows.append(row)
        self._until_look -= 1
        if len(self._rows) >= 2 * LENGTH and self._until_look <= 0:
            self._until_look = round(LOOK / STEP)
            if not self._spared() and circles(np.array(self._rows)):
                self._excite()

    def _excite(self) -> None:
        usual = float(self._controls.get("temperature"))
        raised = min(FREER * usual, _HOTTEST)
        self.spells += 1
        self._spell, self._left = (usual, raised), round(SPELL / STEP)
        self._controls.ask([("temperature", raised)], self)

    def _calm(self) -> None:
        """Back to what was asked for before, unless something else was asked for meanwhile."""
        if self._spell:
            usual, raised = self._spell
            self._spell = None
            if abs(float(self._controls.get("temperature")) - raised) < 1e-3:
                self._controls.ask([("temperature", usual)], self)
        self._begin()


def circles(rows: Heard) -> bool:
    """Whether the last half minute of what was heard, (rows, notes), is the same as one that was over before it."""
    if len(rows) < 2 * LENGTH:
        return False
    notes = shown(rows)
    last = piece(notes, len(notes) - LENGTH)
    return any(float(piece(notes, start) @ last) >= ALIKE for start in range(len(notes) - 2 * LENGTH + 1))
