"""EnCodec's encoder in the native library: sound to frames, without torch.

What it hears is within 2e-5 of the RMS of transformers' ``EncodecModel``'s, in float32, whatever the chunks.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from musicgen.codec.native_network import NativeNetwork
from musicgen.codec.weights import EncoderWeights

Floats = NDArray[np.float32]

CHUNK = 25
"""Frames that are heard at once of a sound that is all there."""


class NativeEncoder:
    """An encoder's weights, packed for the native library.

    Parameters
    ----------
    weights
        Copied: they may be let go.
    kernels
        See :class:`musicgen.codec.NativeCodec`.

    Raises
    ------
    ModelError
        The library is not there, or has no such kernels here.
    """

    def __init__(self, weights: EncoderWeights, *, kernels: str | None = None) -> None:
        self.hop = weights.hop
        self._tables = weights.tables
        self._lengths = 0.5 * np.square(weights.tables).sum(2)
        features = weights.tables.shape[2]
        self._network = NativeNetwork(weights.layers, None, features=features, hop=weights.hop, kernels=kernels)
        self.new_state = self._network.new_state

    def hear(self, state: NDArray[np.uint8], sound: Floats, final: bool = False) -> Floats:
        """The next samples of a mono sound.

        Parameters
        ----------
        state
            Of the sound, (1, bytes), see :meth:`new_state`; moved on.
        sound
            (samples,).
        final
            These are the last samples; all together must be whole frames. The state is as new afterwards.

        Returns
        -------
        NDArray
            (frames, features): of the frames that no coming sample can change, before they are quantised.
        """
        network, sound = self._network, np.ascontiguousarray(sound, np.float32)
        place = state.ctypes.data
        room = (network.due(place) + len(sound)) // self.hop
        latents = np.empty((room, self._tables.shape[2]), np.float32)
        count = network.library.native_codec_encode(
            network.handle, place, sound.ctypes.data, len(sound), final, latents.ctypes.data
        )
        if final:
            network.reset(state)
        return latents[:count]

    def encode(self, sound: Floats) -> NDArray[np.int64]:
        """See :meth:`musicgen.codec.encoder.CodecEncoder.encode`."""
        codes = [np.concatenate([self._nearest(part) for part in self._heard(side)], 1) for side in sound.T]
        return np.stack(codes, 1).reshape(-1, codes[0].shape[1])

    def _heard(self, sound: Floats) -> Iterator[Floats]:
        state, size = self.new_state(), CHUNK * self.hop
        for start in range(0, len(sound), size):
            yield self.hear(state, sound[start : start + size], final=start + size >= len(sound))

    def _nearest(self, latents: Floats) -> NDArray[np.int64]:
        """Each codebook's entry nearest to what those before it left: (codebooks, frames)."""
        codes, rest = np.empty((len(self._tables), len(latents)), np.int64), latents.copy()
        for own, table, length in zip(codes, self._tables, self._lengths, strict=True):
            own[:] = (rest @ table.T - length).argmax(1)
            rest -= table[own]
        return codes
