"""The last frames that were played, so that the music can go back to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streamer.engine.model import Frames

if TYPE_CHECKING:
    from musicgen.score import Fields

REMEMBERED = 120.0
"""Seconds of music that are remembered."""


@dataclass(frozen=True)
class Played:
    """Frames of music, and what each of them was told.

    Parameters
    ----------
    frames
        (K, F).
    fields
        (F, fields), see `musicgen.score.FIELDS`.
    """

    frames: Frames
    fields: Fields

    def __len__(self) -> int:
        return int(self.frames.shape[1])

    def __getitem__(self, part: slice) -> Played:
        return Played(self.frames[:, part], self.fields[part])


def untold(frames: Frames) -> Played:
    """Frames (K, F) of which nobody knows what they were told."""
    from musicgen.score import unknown  # there by now: whoever has frames has a model

    return Played(frames, unknown(frames.shape[1]))


def joined(parts: Iterable[Played]) -> Played:
    """One after the other."""
    frames, fields = zip(*((part.frames, part.fields) for part in parts), strict=True)
    return Played(np.concatenate(frames, axis=1), np.concatenate(fields))


class Trail:
    """The last frames of all music that was played, what they were told, and where in them music began anew.

    Memory and cost are flat: the frames lie in a buffer twice as long, which is moved up when it is full.

    Parameters
    ----------
    most : int
        Frames that are remembered.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._frames: NDArray[np.uint16] = np.zeros((0, 2 * most), np.uint16)
        self._fields: Fields = np.zeros((2 * most, 0), np.float32)
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

    def append(self, played: Played) -> None:
        """Frames were played."""
        played = played[-self._most :]
        count, width = played.fields.shape
        if (len(self._frames), self._fields.shape[1]) != (len(played.frames), width):
            self._frames = np.zeros((len(played.frames), 2 * self._most), np.uint16)
            self._fields = np.zeros((2 * self._most, width), np.float32)
            self.forget()
        if self._end + count > 2 * self._most:
            self._move_up()
        self._frames[:, self._end : self._end + count] = played.frames
        self._fields[self._end : self._end + count] = played.fields
        self._end += count
        self._start = max(self._start, self._end - self._most)

    def until(self, length: int) -> Played:
        """Of the first so many frames, 1..len, those that belong to the music that was playing last in them."""
        end = self._start + length
        first = max([self._start, *(begin for begin in self._begins if begin < end)])
        return Played(self._frames[:, first:end].astype(np.int64), self._fields[first:end].copy())

    def cut(self, length: int) -> None:
        """Forget all but the first so many frames."""
        self._end = self._start + length
        self._begins = [begin for begin in self._begins if begin < self._end]

    def state(self) -> tuple[Played, list[int]]:
        """What is remembered, and which of its frames begin music."""
        there = slice(self._start, self._end)
        begins = [begin - self._start for begin in self._begins if begin > self._start]
        return Played(self._frames[:, there].astype(np.int64), self._fields[there].copy()), begins

    def restore(self, played: Played, begins: list[int]) -> None:
        """Remember what another one did, see `state`."""
        self.forget()
        if len(played.frames):
            self.append(played)
            self._begins = list(begins)

    def _move_up(self) -> None:
        played, begins = self.state()
        count = len(played)
        self._frames[:, :count], self._fields[:count] = played.frames, played.fields
        self._start, self._end, self._begins = 0, count, begins
