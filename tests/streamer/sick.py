"""A model that collapses, as often as it is told to: for tests of what brings the music back."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from musicgen import NotANumber, Trace
from musicgen.score import Fields
from streamer.sound.dynamics import Samples
from tests.streamer.sine import SineModel, SineStream

Sickness = Literal["silence", "frozen loop", "low entropy", "no numbers", "none"]
BEAT = 7  # frames of the loop


class SickStream(SineStream):
    """Well for `model.well` frames from each beginning, then sick; a re-anchor or a reset helps, at a price."""

    model: SickModel
    since = 0  # frames since the stream was last well

    def __post_init__(self) -> None:
        super().__post_init__()
        self.since = 0

    def next_chunk(self, frames: int) -> Samples:
        if self._sick() and self.model.sickness == "no numbers":
            raise NotANumber(self.model.name, [self])
        return np.concatenate([super(SickStream, self).next_chunk(1) * self._level() for _ in range(frames)])

    def _sick(self) -> bool:
        return self.model.sickness != "none" and self.since > self.model.well

    def _level(self) -> float:
        self.since += 1
        return 0.0 if self._sick() and self.model.sickness == "silence" else 1.0

    @property
    def trace(self) -> Trace:
        """Of chunks of one frame: what the sine played, or what a sick model would."""
        healthy = super().trace
        if self._sick() and self.model.sickness == "frozen loop":
            return Trace(np.array([[self.since % BEAT]]), healthy.entropy, healthy.fields)
        if self._sick() and self.model.sickness == "low entropy":
            return Trace(healthy.frames, healthy.entropy * 0.1, healthy.fields)
        return healthy

    def reanchor(self, frames: NDArray[np.int64], seed: int, fields: Fields | None = None) -> None:
        super().reanchor(frames, seed, fields)
        self._treat("reanchor")

    def reset(self, seed: int) -> None:
        super().reset(seed)
        self._treat("reset")

    def _treat(self, how: str) -> None:
        self.since = 0 if how in self.model.helps else self.model.well


class SickModel(SineModel):
    """Plays sines, and collapses.

    Parameters
    ----------
    well
        Frames before the sickness.
    helps
        What makes it well for as long again, of "reanchor" and "reset".
    """

    kind = SickStream

    def __init__(self, sickness: Sickness, *, well: int, helps: tuple[str, ...] = ("reanchor", "reset")) -> None:
        super().__init__()
        self.sickness, self.well, self.helps = sickness, well, helps
