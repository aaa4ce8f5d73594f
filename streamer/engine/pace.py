"""A tempo on its way to another: beats follow it frame by frame, words in steps."""

from __future__ import annotations

import math
from dataclasses import dataclass

from streamer.control.glides import Glide
from streamer.control.table import TABLE

WORDINGS = 8
"""Steps of the words at most: each is a prompt to encode before the glide begins."""


@dataclass(frozen=True)
class Pace:
    """One glide of the tempo.

    The beat goes on without a jump: it is the sum of what each frame adds. Words cannot glide, and each wording has to
    be encoded, so they change at most `WORDINGS` times, to whole beats a minute.

    Parameters
    ----------
    glide : Glide
        Of the tempo that beats are counted by, bpm.
    words : tuple of float
        What the prompts are worded with, from the first to the last; 0 where they have their own say.
    """

    glide: Glide
    words: tuple[float, ...]

    def bpm_at(self, frame: int) -> float:
        """Beats a minute in a frame."""
        return float(self.glide.at(frame))

    def words_at(self, frame: int) -> float:
        """The tempo in words in a frame."""
        if self.glide.over(frame):
            return self.words[-1]
        way = (self.bpm_at(frame) - self.glide.start) / (self.glide.target - self.glide.start)
        return self.words[min(math.floor(way * (len(self.words) - 1)), len(self.words) - 1)]


def pace(start: float, target: float, words: tuple[float, float], frame: int, frames: int, most: int) -> Pace:
    """From one tempo to another.

    Parameters
    ----------
    start, target : float
        Beats a minute; not the same.
    words : (float, float)
        What the prompts are worded with before and in the end.
    frame, frames : int
        When it begins, see `Glide`, and how long it takes.
    most : int
        Steps of the words, 1 or more.
    """
    before, after = words
    steps = min(most, math.ceil(abs(target - start)))
    between = (float(round(start + (target - start) * step / steps)) for step in range(1, steps))
    return Pace(Glide(TABLE["tempo"], start, target, frame, frames), (before, *between, after))
