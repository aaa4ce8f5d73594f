"""EnCodec's other half: sound to frames, all at once. What is continued is known before the music begins.

Here with transformers, as the reference and for what the native library cannot do, see
:mod:`musicgen.codec.native_encoder`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray


class CodecEncoder:
    """Sound to the codebooks that a language model continues. May be called from any thread.

    Parameters
    ----------
    load
        Gives transformers' ``EncodecModel``. It is not asked before there is a sound: most music begins without one.
    codebooks
        How many of its codebooks the language model uses for a channel, the first ones.
    """

    def __init__(self, load: Callable[[], Any], codebooks: int) -> None:
        self._load = load
        self._codebooks = codebooks

    @cached_property
    def _codec(self) -> Any:
        return self._load()

    def encode(self, sound: NDArray[np.float32]) -> NDArray[np.int64]:
        """Frames (channels * codebooks, frames) of a sound (samples, channels), whole frames at the codec's rate.

        Each channel of a stereo model is a mono sound to its codec; their codebooks are interleaved.
        """
        import torch

        codec = self._codec
        channels = torch.from_numpy(np.ascontiguousarray(sound.T, np.float32))[:, None].to(codec.device)
        # the codebooks refine each other, so the first ones of a higher bandwidth are those of a lower one
        with torch.inference_mode():
            codes = codec.encode(channels, bandwidth=codec.config.target_bandwidths[-1]).audio_codes[0]
        interleaved: NDArray[np.int64] = codes[:, : self._codebooks].transpose(0, 1).flatten(0, 1).cpu().numpy()
        return interleaved
