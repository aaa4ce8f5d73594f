"""A model of sines that follows a score: it begins frames before they are heard, and tells what it was told of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from musicgen import Trace
from musicgen.score import Fields, unknown
from streamer.sound.dynamics import Samples
from tests.streamer.sine import SineModel, SineStream

DELAY = 3
"""Frames that are begun when one is whole, as in a model of four codebooks."""


class ScoredStream(SineStream):
    """Asks as `musicgen.Stream` does, see `set_score` there."""

    score: Callable[[int], Fields] | None = None
    kept = 0
    past: Fields | None = None
    """What the frames were told that it goes on from."""

    def set_score(self, score: Callable[[int], Fields] | None) -> None:
        self.score = score

    @property
    def frames_done(self) -> int:
        return self.frames

    def reset(self, seed: int) -> None:
        super().reset(seed)
        self.told: dict[int, Fields] = {}
        self.heard: list[Fields] = []

    def redraw(self) -> None:
        self.told.clear()

    def continue_from(self, frames: NDArray[np.int64], seed: int) -> Samples:
        self.reset(seed)
        self._begin()
        return super().continue_from(frames, seed)

    def approach(
        self, frames: NDArray[np.int64], seed: int, parts: int, heard: int, fields: Fields | None = None
    ) -> Iterator[Samples]:
        self.reset(seed)
        self.past = fields
        for part, sound in enumerate(super().approach(frames, seed, parts, heard), start=1):
            if part == parts:
                self._begin()
            yield sound

    def trade(self, other: SineStream, back: int | None) -> None:
        super().trade(other, back)
        assert isinstance(other, ScoredStream)
        self.told, other.told = other.told, self.told
        self.past, other.past = other.past, self.past

    @property
    def trace(self) -> Trace:
        whole = super().trace
        return Trace(whole.frames, whole.entropy, np.stack(self.heard) if self.heard else unknown(0))

    def next_chunk(self, frames: int) -> Samples:
        self.heard = []
        return super().next_chunk(frames)

    def _begin(self) -> None:
        for number in range(self.frames, self.frames + DELAY + 1):
            if number not in self.told:
                self.told[number] = unknown(1)[0] if self.score is None else self.score(number)

    def _frame(self) -> Samples:
        self._begin()
        self.heard.append(self.told.pop(self.frames))
        return super()._frame()


class ScoredModel(SineModel):
    follows_score = True
    kind = ScoredStream
