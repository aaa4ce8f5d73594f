"""EnCodec's other half: sound to frames, all at once. What is continued is known before the music begins."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn


class CodecEncoder:
    """Sound to the codebooks that a language model continues. May be called from any thread.

    Parameters
    ----------
    codec
        transformers' ``EncodecModel``. It loses its decoder, which nothing here needs, and with it half its memory.
    codebooks
        How many of its codebooks the language model uses for a channel, the first ones.
    """

    def __init__(self, codec: Any, codebooks: int) -> None:
        codec.decoder = nn.Identity()
        self._codec = codec
        self._codebooks = codebooks

    @torch.inference_mode()
    def encode(self, sound: NDArray[np.float32]) -> NDArray[np.int64]:
        """Frames (channels * codebooks, frames) of a sound (samples, channels) at the codec's rate.

        Each channel of a stereo model is a mono sound to its codec; their codebooks are interleaved. The last frame is
        filled up with silence.
        """
        channels = torch.from_numpy(np.ascontiguousarray(sound.T, np.float32))[:, None].to(self._codec.device)
        # the codebooks refine each other, so the first ones of a higher bandwidth are those of a lower one
        codes = self._codec.encode(channels, bandwidth=self._codec.config.target_bandwidths[-1]).audio_codes[0]
        interleaved: NDArray[np.int64] = codes[:, : self._codebooks].transpose(0, 1).flatten(0, 1).cpu().numpy()
        return interleaved
