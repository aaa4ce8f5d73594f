"""The last frames that were played, so that the music can go back to them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.engine.model import Frames

REMEMBERED = 120.0
"""Seconds of music that are remembered."""


class Trail:
    """The last frames (K, F) of all music that was played, and where in them music began anew.

    Memory and cost are flat: the frames lie in a buffer twice as long, which is moved up when it is full.

    Parameters
    ----------
    most : int
        Frames that are remembered.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._frames: NDArray[np.uint16] = np.zeros((0, 2 * most), np.uint16)
        self._start = self._end = 0  # what is remembered, in the buffer
        self._begins: list[int] = []  # where in it music began

    def __len__(self) -> int:
        return self._end - self._start

    def begin(self) -> None:
        """What comes next does not go on from what was before it."""
        self._begins = [begin for begin in self._begins if begin < self._end] + [self._end]

    def forget(self) -> None:
        """Nothing was played."""
        self._start = self._end = 0
        self._begins = []

    def append(self, frames: Frames) -> None:
        """Frames (K, F) were played."""
        frames = frames[:, -self._most :]
        count = frames.shape[1]
        if len(self._frames) != len(frames):
            self._frames = np.zeros((len(frames), 2 * self._most), np.uint16)
            self.forget()
        if self._end + count > 2 * self._most:
            self._move_up()
        self._frames[:, self._end : self._end + count] = frames
        self._end += count
        self._start = max(self._start, self._end - self._most)

    def until(self, length: int) -> Frames:
        """Of the first so many frames, 1..len, those (K, F) that belong to the music that was playing last in them."""
        end = self._start + length
        first = max([self._start, *(begin for begin in self._begins if begin < end)])
        return self._frames[:, first:end].astype(np.int64)

    def cut(self, length: int) -> None:
        """Forget all but the first so many frames."""
        self._end = self._start + length
        self._begins = [begin for begin in self._begins if begin < self._end]

    def state(self) -> tuple[NDArray[np.uint16], list[int]]:
        """What is remembered: frames (K, F), and which of them begin music."""
        begins = [begin - self._start for begin in self._begins if begin > self._start]
        return self._frames[:, self._start : self._end].copy(), begins

    def restore(self, frames: NDArray[np.uint16], begins: list[int]) -> None:
        """Remember what another one did, see `state`."""
        self.forget()
        if len(frames):
            self.append(frames.astype(np.int64))
            self._begins = list(begins)

    def _move_up(self) -> None:
        frames, begins = self.state()
        self._frames[:, : frames.shape[1]] = frames
        self._start, self._end, self._begins = 0, frames.shape[1], begins
