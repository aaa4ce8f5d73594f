"""The delay pattern as a stream: sampled column in, finished frame out.

MusicGen predicts the codebooks of one frame at different steps: with delay ``d[k]``, step ``s`` predicts frame
``s - d[k]`` of codebook ``k``, and a frame is whole once its most delayed codebook is there (Copet et al. 2023, "Simple
and Controllable Music Generation", section 2.2). With all delays 0 the codebooks of a frame come at once (parallel).

A model can also take several steps a frame, its turns: codebook ``k`` is predicted in turn ``g[k]``, so that it knows
those of earlier turns (flattening). Then step ``s`` is turn ``s % turns`` of its frame, and a delay counts frames.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.int64]  # (K,), one token for each codebook


def delays_of(codebooks: int, channels: int) -> tuple[int, ...]:
    """The delays that MusicGen's checkpoints are trained with.

    Mono: codebook k waits k steps. Stereo: left and right are interleaved and wait alike, ``0, 0, 1, 1, 2, 2, ...``.
    """
    return tuple(k // channels for k in range(codebooks))


@dataclass(frozen=True)
class Pattern:
    """How a model lays out frames in time; see :class:`DelayLine`.

    Attributes
    ----------
    delays, pad, turns
        As :class:`DelayLine` takes them.
    """

    delays: tuple[int, ...]
    pad: int
    turns: tuple[int, ...] | None = None

    def line(self) -> "DelayLine":
        """An empty line of this pattern."""
        return DelayLine(self.delays, self.pad, self.turns)

    def check(self, frames: NDArray[np.int64]) -> None:
        """Refuse what are no frames (K, F) of this pattern, F >= 1.

        Raises
        ------
        ValueError
            It says why.
        """
        codebooks = len(self.delays)
        if frames.ndim != 2 or len(frames) != codebooks or not frames.shape[1]:
            raise ValueError(f"frames of shape {frames.shape} are not the model's: ({codebooks}, 1 or more)")
        if not 0 <= frames.min() <= frames.max() < self.pad:
            raise ValueError(f"a token of the frames is outside 0 .. {self.pad - 1}")

    def whole(self, columns: NDArray[np.int64], steps: int) -> NDArray[np.int64]:
        """The frames (K, F) that are whole in the last of so many sampled columns, (T, K)."""
        line = self.line()
        line.reset(steps - len(columns))
        frames = [line.push(column) for column in columns]
        # the first ones would need columns from before
        known = [frame for frame in frames[line.depth - 1 :] if frame is not None]
        return np.stack(known, axis=1) if known else np.zeros((len(self.delays), 0), np.int64)


class DelayLine:
    """The last sampled columns of one stream, as many as it takes to make a frame whole.

    Parameters
    ----------
    delays
        Frames that each codebook waits, >= 0.
    pad
        The token that stands where a codebook has no frame yet, or where it is not its turn.
    turns
        The turn that each codebook is predicted in, in ascending order and none left out; None: there is one only.

    Attributes
    ----------
    steps
        Columns taken so far.
    turns_a_frame
        Steps a frame.
    depth
        Columns that it takes to make a frame whole.
    """

    def __init__(self, delays: Sequence[int], pad: int, turns: Sequence[int] | None = None) -> None:
        if not delays or min(delays) < 0:
            raise ValueError("delays are one whole number >= 0 for each codebook")
        turns = [0] * len(delays) if turns is None else list(turns)
        if len(turns) != len(delays) or turns != sorted(turns) or set(turns) != set(range(max(turns) + 1)):
            raise ValueError("turns are 0 or more for each codebook, ascending, and none is left out")
        self.delays = np.array(delays, dtype=np.int64)
        self.turns_a_frame = turns[-1] + 1
        self.pad = pad
        # the step at which each codebook's frame 0 is predicted
        self._first = self.delays * self.turns_a_frame + np.array(turns)
        self.depth = (int(self.delays.max()) + 1) * self.turns_a_frame
        self._codebooks = np.arange(len(delays))
        self._columns = np.full((self.depth, len(delays)), pad, dtype=np.int64)
        self._last: Tokens = self._columns[0]
        self.steps = 0

    def column(self, position: int) -> Tokens:
        """What the step at ``position`` consumes: the last sampled column, without frames from before position 0.

        A cache that joined late counts its positions from its own start, so it sees padding where the frame of a
        delayed codebook is older than that start: exactly what a stream that begins there sees. It may join with the
        first turn of a frame only.
        """
        if position >= self.depth and self.turns_a_frame == 1:
            return self._last
        column: Tokens = self.masked(np.array([position]), self._last[None])[0]
        return column

    def masked(self, positions: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.int64]:
        """What steps at ``positions`` (T,) consume, if those before them sampled ``columns`` (T, K)."""
        since = positions[:, None] - 1 - self._first
        return np.where((since >= 0) & (since % self.turns_a_frame == 0), columns, self.pad)

    def push(self, column: Tokens) -> Tokens | None:
        """Take the column that step ``steps`` sampled, (K,); return the frame it completes, if it completes one.

        What a codebook samples before its frame 0, or where it is not its turn, is dropped.
        """
        self._columns[self.steps % self.depth] = column
        self._last = column
        self.steps += 1
        if self.steps < self.depth or self.steps % self.turns_a_frame:
            return None
        rows = (self.steps - self.depth + self._first) % self.depth
        frame: Tokens = self._columns[rows, self._codebooks]
        return frame

    def retract(self, steps: int) -> NDArray[np.int64]:
        """Forget the columns of the last steps, and give them back, (steps, K).

        They are -1 where a token is of a frame that was not whole before them, or of none: what is to be drawn anew.

        Parameters
        ----------
        steps
            At most ``depth - turns_a_frame``: so far back no whole frame is touched. What is left ends with a frame's
            last turn.
        """
        self.steps -= steps
        self._last = self._columns[(self.steps - 1) % self.depth]
        taken = np.arange(self.steps, self.steps + steps)
        since = taken[:, None] - self._first
        number = since // self.turns_a_frame
        whole = (since % self.turns_a_frame == 0) & (number >= 0) & (number < self.steps // self.turns_a_frame)
        return np.where(whole, self._columns[taken % self.depth], -1)

    def sampled(self, frames: NDArray[np.int64]) -> NDArray[np.int64]:
        """What the steps up to the one that completes the last of these frames (K, F) sample, (steps, K).

        It is -1 where that is not one of these frames: a delayed codebook's steps before its frame 0, a codebook's
        steps that are not its turn, and the frames to come.
        """
        steps = (frames.shape[1] + int(self.delays.max())) * self.turns_a_frame
        since = np.arange(steps)[:, None] - self._first
        number = since // self.turns_a_frame
        known = (since % self.turns_a_frame == 0) & (number >= 0) & (number < frames.shape[1])
        return np.where(known, frames[self._codebooks, np.clip(number, 0, frames.shape[1] - 1)], -1)

    def reset(self, steps: int = 0) -> None:
        """Forget every column. steps: taken so far; the last ones before it are to be pushed again."""
        self.steps = steps
