"""What is heard, copied on its way out by the audio callback, for whoever records it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.control.journal import Gate

SECONDS = 4.0
"""That a recorder may fall behind."""
_MARKS = 1024


class Tap:
    """A ring of its own between the callback and one recorder. Neither waits; what does not fit is counted.

    Parameters
    ----------
    rate, channels : int
        Of the sound.

    Attributes
    ----------
    lost : int
        Samples for which there was no room.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self.lost = 0
        self._sound = np.zeros((round(SECONDS * rate), channels), np.float32)
        self._marks = np.zeros((_MARKS, 4), np.int64)
        self._written = self._read = self._marked = self._seen = 0
        self._opens: bool | None = None

    def mark(self, opens: bool, sample: int, fade: int) -> None:
        """The block to come is let through, or not (the callback)."""
        if opens != self._opens and self._marked - self._seen < _MARKS:
            self._marks[self._marked % _MARKS] = (self._written + self.lost, opens, sample, fade)
            self._marked += 1
            self._opens = opens

    def take(self, block: NDArray[np.float32]) -> None:
        """Copy a block, float32 (samples, channels) (the callback)."""
        size = len(self._sound)
        count = min(len(block), size - (self._written - self._read))
        self.lost += len(block) - count
        at = self._written % size
        first = min(count, size - at)
        self._sound[at : at + first] = block[:first]
        self._sound[: count - first] = block[first:count]
        self._written += count

    def gates(self) -> list[Gate]:
        """What was marked since this was last asked (the recorder)."""
        found = []
        while self._seen < self._marked:
            heard, opens, sample, fade = self._marks[self._seen % _MARKS].tolist()
            found.append(Gate(heard, bool(opens), sample, fade))
            self._seen += 1
        return found

    def sound(self) -> NDArray[np.float32]:
        """What was taken since this was last asked, (samples, channels), a copy (the recorder)."""
        end, size = self._written, len(self._sound)
        taken: NDArray[np.float32] = self._sound[np.arange(self._read, end) % size]
        self._read = end
        return taken
