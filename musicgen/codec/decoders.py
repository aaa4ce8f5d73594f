"""The codec as the stream sees it: frames in, sound out, one object a stream."""

from __future__ import annotations

from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from musicgen.codec.codes import Codes
from musicgen.codec.weights import CodecWeights

Audio = NDArray[np.float32]


class Decoder(Protocol):
    """Frames in, sound out; one object a stream."""

    @property
    def look_ahead(self) -> int:
        """Samples that :meth:`decode` may hold back of the frames it has been given, once the stream runs."""
        ...

    def decode(self, codes: Codes) -> Audio:
        """Decode the stream's next frames.

        Parameters
        ----------
        codes
            int64 (channels * codebooks, frames), 0 .. codebook_size - 1. Stereo is interleaved: 1L, 1R, 2L, 2R, ...

        Returns
        -------
        NDArray
            float32 (samples, channels): what is final by now; possibly empty at the start.

        Raises
        ------
        ValueError
            If the shape or a code does not fit the codec.
        """
        ...

    def flush(self) -> Audio:
        """End the stream: the samples held back, float32 (samples, channels). The next frame starts a new stream."""
        ...

    def reset(self) -> None:
        """Forget the stream. The next frame starts a new one."""


def open_decoder(weights: CodecWeights, channels: int = 1, kind: Literal["exact", "overlap"] = "exact") -> Decoder:
    """A decoder in torch by name: "exact" (:class:`musicgen.codec.ExactDecoder`) or "overlap"
    (:class:`musicgen.codec.OverlapAddDecoder`)."""
    from musicgen.codec.with_torch import ExactDecoder, OverlapAddDecoder

    if kind == "exact":
        return ExactDecoder(weights, channels)
    if kind == "overlap":
        return OverlapAddDecoder(weights, channels)
    raise ValueError(f"The codec mode is {kind!r}: choose 'exact' or 'overlap'.")
