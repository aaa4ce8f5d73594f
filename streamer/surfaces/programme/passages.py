"""What is heard, as rows of notes, and how alike two half minutes of it are: whether one hears the same again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Heard = NDArray[np.float32]

STEP = 0.2
"""Seconds of sound in a row."""
PIECE = 30.0
"""Seconds of music that are held against each other."""
ALIKE = 0.4
"""From which on a half minute is the same music again. Of nano, eight prompts, two seeds, eight minutes each: half
minutes of one prompt and two seeds were alike at 0.31 at the most; the same half minute, heard a tenth of a second
later, at 0.41 at the least (a hundredth of them below 0.44, the median 0.68)."""
ROW = 72
"""Values: notes, six octaves from 55 Hz on."""
_FLOOR = 9.0  # of the natural logarithm of power, 39 dB below the loudest note: what is softer is not heard
_SILENT = 1e-4


class Ear:
    """Turns sound into rows; silence is left out.

    Parameters
    ----------
    rate : int
        Samples a second, of what it hears.
    """

    def __init__(self, rate: int) -> None:
        self._size = round(STEP * rate)
        self._window = np.hanning(self._size)
        self._waiting: list[Heard] = []
        self._samples = 0
        notes = 55.0 * 2 ** (np.arange(ROW) / 12)
        frequencies = np.fft.rfftfreq(self._size, 1 / rate)
        self._bank = np.exp(-0.5 * (12 * np.log2(np.maximum(frequencies, 1.0)[:, None] / notes) / 0.5) ** 2)

    def hear(self, block: Heard) -> list[Heard]:
        """The next block, float32 (samples, channels), of any length; the rows that it completes, (`ROW`,) each."""
        self._waiting.append(block.mean(axis=1))
        self._samples += len(block)
        if self._samples < self._size:
            return []
        sound = np.concatenate(self._waiting)
        count = len(sound) // self._size
        self._waiting = [sound[count * self._size :]]
        self._samples = len(self._waiting[0])
        pieces = sound[: count * self._size].reshape(count, self._size)
        return [self._row(piece) for piece in pieces if np.abs(piece).max() >= _SILENT]

    def _row(self, sound: Heard) -> Heard:
        power = np.abs(np.fft.rfft(sound * self._window)) ** 2
        row: Heard = np.log1p(power @ self._bank).astype(np.float32)
        return row


LENGTH = round(PIECE / STEP)
"""Rows of a piece."""


def shown(rows: Heard) -> Heard:
    """Rows by how their notes stand out of each other, and not by how loud they are, (rows, `ROW`)."""
    made: Heard = np.maximum(rows, rows.max(axis=1, keepdims=True) - _FLOOR)
    made -= made.mean(axis=1, keepdims=True)
    return made


def piece(rows: Heard, start: int) -> Heard:
    """Half a minute of what `shown` gives, from a row on, as one vector: the product of two is how alike they are.

    It counts how the notes come and go, and not the key or the sound; 1 is the most.
    """
    found = rows[start : start + LENGTH]
    flat = (found - found.mean(axis=0)).reshape(-1)
    made: Heard = flat / (np.linalg.norm(flat) + np.float32(1e-6))
    return made
