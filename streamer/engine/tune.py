"""The tune of the notes that are played: of those that are held at a time the highest one, frame by frame."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
from numpy.typing import NDArray

from streamer.control.score import notes_of

REST = -1


class Tune:
    """The notes of the last frames.

    Parameters
    ----------
    frames : int
        How many of them are kept.
    """

    def __init__(self, frames: int) -> None:
        self._kept = frames
        self._begins: list[int] = []  # the frames at which another note begins, or a rest
        self._notes: list[int] = []

    def hold(self, notes: str, frame: int) -> None:
        """From a frame on these are held, as the parameter `notes` has them."""
        highest = max(notes_of(notes), default=REST)
        if highest != (self._notes[-1] if self._notes else REST):
            self._begins.append(frame)
            self._notes.append(highest)
        over = bisect_right(self._begins, frame - self._kept) - 1
        if over > 0:
            del self._begins[:over], self._notes[:over]

    def until(self, frame: int) -> NDArray[np.int64]:
        """The note of each of the last frames before this one, from the first note among them on, (frames,).

        Below 0 is a rest; empty where there was no note.
        """
        first = max(0, frame - self._kept)
        notes = np.full(frame - first, REST, np.int64)
        for begins, note in zip(self._begins, self._notes, strict=True):
            notes[max(0, begins - first) :] = note
        sounding = np.flatnonzero(notes != REST)
        return notes[sounding[0] :] if len(sounding) else notes[:0]
