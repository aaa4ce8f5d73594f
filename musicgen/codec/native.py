"""EnCodec's decoder in the native library: the same stream as :mod:`musicgen.codec.exact`'s, without torch.

In float32 its samples are within 2e-5 of the RMS of the reference's, in fewer bits 45 dB below at least, see
:class:`NativeCodec`. Chunks, other streams and the number of threads change no bit of them; the instruction set changes
the last ones.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from musicgen.backends import native_step
from musicgen.codec.batched import Batched
from musicgen.codec.codes import Codes, checked
from musicgen.codec.native_network import Frames, NativeNetwork
from musicgen.codec.weights import CodecWeights, Conv, Residual, look_ahead
from musicgen.errors import ModelError

Audio = NDArray[np.float32]


def native_refusal(weights: CodecWeights) -> str:
    """Why the native library cannot decode a codec, "" where it can."""
    try:
        native_step.library()
    except ModelError as error:
        return str(error)
    parts = [layer.convolve if isinstance(layer, Residual) else layer for layer in weights.layers]
    if any(isinstance(part, Conv) and part.norm is not None for part in parts) or weights.own_chunks is not None:
        return "The native library decodes no codec with time group norm or chunks of its own."
    if weights.device != "cpu" or str(weights.table.dtype).removeprefix("torch.") != "float32":
        return "The native library packs float32 weights on the CPU."
    return ""


class NativeCodec:
    """A codec's weights, packed for the native library, and the threads that decode. Shared by any number of streams.

    Parameters
    ----------
    weights
        float32, on the CPU. Copied: they may be let go.
    compact
        Whether products take fewer bits: 8 in the LSTM, 16 in convolutions but for the last. The noise stays 45 dB
        below the sound, usually 60. Else all is float32.
    threads
        Of a call.
    kernels
        One of :func:`musicgen.backends.native_step.kernels`, None for the first.

    Raises
    ------
    ModelError
        The library is not there, or cannot decode this codec.
    """

    def __init__(
        self, weights: CodecWeights, *, compact: bool = True, threads: int = 1, kernels: str | None = None
    ) -> None:
        reason = native_refusal(weights)
        if reason:
            raise ModelError(reason)
        self.threads = threads
        self.compact = compact
        self.codebooks, self.entries = weights.codebooks, weights.codebook_size
        self.hop, self.sample_rate = weights.hop, weights.sample_rate
        self.audio_channels = weights.audio_channels
        self.look_ahead = look_ahead(weights)
        table = np.asarray(weights.table)
        self._network = NativeNetwork(
            weights.layers,
            table,
            codebooks=weights.codebooks,
            features=table.shape[1],
            hop=weights.hop,
            compact=compact,
            threads=threads,
            kernels=kernels,
        )
        self.kernels = self._network.kernels
        self.bytes, self.new_state, self.reset = self._network.bytes, self._network.new_state, self._network.reset

    def decode(
        self, states: Sequence[NDArray[np.uint8]], codes: Sequence[NDArray[np.int64]], final: bool = False
    ) -> list[Audio]:
        """Decode the next frames of several streams and move their states on.

        Parameters
        ----------
        states
            Of each stream, (rows, bytes); all different.
        codes
            For each, (codebooks * rows, frames), its rows interleaved, contiguous, 0 .. entries - 1.
        final
            The right padding follows; the states are as new afterwards.

        Returns
        -------
        list
            For each, float32 (samples, rows * audio_channels): what no coming frame can change.
        """
        network = self._network
        rows: list[Frames] = []
        firsts: list[int] = []
        sounds: list[Audio] = []
        for state, own in zip(states, codes, strict=True):
            frames, channels = own.shape[1], len(state) * self.audio_channels
            place, given = state.ctypes.data, own.ctypes.data  # asked for once: that takes longer than all else here
            sound = np.empty((network.due(place) + frames * self.hop, channels), np.float32)
            heard = sound.ctypes.data
            firsts.append(len(rows))
            for index in range(len(state)):
                rows.append(
                    Frames(
                        codes=given + 8 * index * frames,
                        codebook_step=len(state) * frames,
                        frames=frames,
                        final=final,
                        state=place + index * state.strides[0],
                        sound=heard + 4 * index * self.audio_channels,
                        sound_step=channels,
                    )
                )
            sounds.append(sound)
        together = (Frames * len(rows))(*rows)
        network.library.native_codec_decode(network.handle, together, len(rows))
        if final:
            for state in states:
                self.reset(state)
        return [sound[: together[first].samples] for sound, first in zip(sounds, firsts, strict=True)]


class NativeDecoder(Batched):
    """One stream, see :class:`musicgen.codec.Decoder`.

    Parameters
    ----------
    codec
        Shared by any number of them.
    channels
        Of the sound, see :class:`musicgen.codec.ExactDecoder`.

    Raises
    ------
    ModelError
        The codec cannot give so many channels.
    """

    def __init__(self, codec: NativeCodec, channels: int = 1) -> None:
        if channels < 1 or channels % codec.audio_channels:
            raise ModelError(f"The codec decodes to {codec.audio_channels} channels: it cannot give {channels}.")
        self.codec = codec
        self.look_ahead = codec.look_ahead
        self.state = codec.new_state(channels // codec.audio_channels)

    def checked(self, codes: Codes) -> NDArray[np.int64]:
        """Frames as the codec takes them; ValueError where they do not fit."""
        return checked(codes, self.codec.codebooks * len(self.state), self.codec.entries)

    def crowd(self, frames: NDArray[np.int64]) -> Hashable:
        """See :meth:`musicgen.codec.batched.Batched.crowd`."""
        return self.codec

    @staticmethod
    def decode_together(decoders: Sequence[NativeDecoder], frames: Sequence[NDArray[np.int64]]) -> list[Audio]:
        """See :meth:`musicgen.codec.batched.Batched.decode_together`."""
        return decoders[0].codec.decode([decoder.state for decoder in decoders], frames)

    def decode(self, codes: Codes) -> Audio:
        """See :meth:`musicgen.codec.Decoder.decode`."""
        return self.codec.decode([self.state], [self.checked(codes)])[0]

    def flush(self) -> Audio:
        """See :meth:`musicgen.codec.Decoder.flush`."""
        none = np.zeros((self.codec.codebooks * len(self.state), 0), np.int64)
        return self.codec.decode([self.state], [none], final=True)[0]

    def reset(self) -> None:
        """See :meth:`musicgen.codec.Decoder.reset`."""
        self.codec.reset(self.state)
