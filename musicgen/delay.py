"""The delay pattern as a stream: sampled column in, finished frame out.

MusicGen predicts the codebooks of one frame at different steps: with delay ``d[k]``, step ``s`` predicts frame
``s - d[k]`` of codebook ``k``, and a frame is whole once its most delayed codebook is there (Copet et al. 2023, "Simple
and Controllable Music Generation", section 2.2).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Tokens = NDArray[np.int64]  # (K,), one token for each codebook


def delays_of(codebooks: int, channels: int) -> tuple[int, ...]:
    """The delays that MusicGen's checkpoints are trained with.

    Mono: codebook k waits k steps. Stereo: left and right are interleaved and wait alike, ``0, 0, 1, 1, 2, 2, ...``.
    """
    return tuple(k // channels for k in range(codebooks))


class DelayLine:
    """The last ``max(delays) + 1`` sampled columns of one stream.

    Parameters
    ----------
    delays
        Steps that each codebook waits, >= 0.
    pad
        The token that stands where a codebook has no frame yet.
    """

    def __init__(self, delays: Sequence[int], pad: int) -> None:
        if not delays or min(delays) < 0:
            raise ValueError("delays are one whole number >= 0 for each codebook")
        self.delays = np.array(delays, dtype=np.int64)
        self.depth = int(self.delays.max()) + 1
        self.pad = pad
        self._codebooks = np.arange(len(delays))
        self._columns = np.full((self.depth, len(delays)), pad, dtype=np.int64)
        self._last: Tokens = self._columns[0]
        self.steps = 0

    def column(self, position: int) -> Tokens:
        """What the step at ``position`` consumes: the last sampled column, without frames from before position 0.

        A cache that joined late counts its positions from its own start, so it sees padding where the frame of a
        delayed codebook is older than that start: exactly what a stream that begins there sees.
        """
        if position >= self.depth:
            return self._last
        column: Tokens = np.where(position > self.delays, self._last, self.pad)
        return column

    def push(self, column: Tokens) -> Tokens | None:
        """Take the column that step ``steps`` sampled, (K,); return the frame it completes, or None before the first.

        What a delayed codebook samples before its frame 0 is dropped.
        """
        self._columns[self.steps % self.depth] = column
        self._last = column
        self.steps += 1
        if self.steps < self.depth:
            return None
        rows = (self.steps - self.depth + self.delays) % self.depth
        frame: Tokens = self._columns[rows, self._codebooks]
        return frame

    def reset(self) -> None:
        """Forget every column."""
        self.steps = 0
