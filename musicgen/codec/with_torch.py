"""Decoders in torch: the reference of exact decoding, and chunks that are crossfaded."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from musicgen.codec.batch import join, phase, take
from musicgen.codec.batched import Batched
from musicgen.codec.codes import Codes, checked
from musicgen.codec.exact import decode_step, new_state
from musicgen.codec.overlap import chunk_grid, new_overlap_state, overlap_step
from musicgen.codec.weights import CodecWeights, Conv, Residual, look_ahead
from musicgen.errors import ModelError

Audio = NDArray[np.float32]


class ExactDecoder(Batched):
    """The samples of the whole-clip decode, whatever the chunks.

    Parameters
    ----------
    weights
        Of a codec that can be decoded exactly as a stream: without time group norm and chunks of its own.
    channels
        Channels of the sound. A MusicGen codec is mono: two channels are two decodes of interleaved codebooks.

    Attributes
    ----------
    state
        Where its layers stand.

    Raises
    ------
    ModelError
        If the codec cannot be decoded exactly as a stream, or not into so many channels.
    """

    def __init__(self, weights: CodecWeights, channels: int = 1) -> None:
        _refuse_inexact(weights)
        self._weights = weights
        self._rows = _rows(weights, channels)
        self.look_ahead = look_ahead(weights)
        self.reset()

    def checked(self, codes: Codes) -> Tensor:
        """See :meth:`musicgen.codec.batched.Batched.checked`."""
        return _split(self._weights, self._rows, codes)

    def crowd(self, frames: Tensor) -> Hashable:
        """See :meth:`musicgen.codec.batched.Batched.crowd`."""
        return id(self._weights), frames.shape, phase(self.state)

    @staticmethod
    def decode_together(decoders: Sequence[ExactDecoder], frames: Sequence[Tensor]) -> list[Audio]:
        """See :meth:`musicgen.codec.batched.Batched.decode_together`."""
        state = join([decoder.state for decoder in decoders])
        sound = decode_step(decoders[0]._weights, state, torch.cat(list(frames)))
        rows = decoders[0]._rows
        streams = [slice(i, i + rows) for i in range(0, len(sound), rows)]
        for decoder, stream in zip(decoders, streams, strict=True):
            decoder.state = take(state, stream)
        return [_audio(sound[stream]) for stream in streams]

    def decode(self, codes: Codes) -> Audio:
        """See :meth:`musicgen.codec.Decoder.decode`."""
        return _audio(decode_step(self._weights, self.state, self.checked(codes)))

    def flush(self) -> Audio:
        """See :meth:`musicgen.codec.Decoder.flush`."""
        none = self._weights.offsets.new_zeros(self._rows, self._weights.codebooks, 0)
        rest = decode_step(self._weights, self.state, none, final=True)
        self.reset()
        return _audio(rest)

    def reset(self) -> None:
        """See :meth:`musicgen.codec.Decoder.reset`."""
        self.state = new_state(self._weights, self._rows)


class OverlapAddDecoder:
    """Chunks decoded each by itself and crossfaded linearly.

    A codec that is defined on chunks (``chunk_length_s``) is decoded by its own rule, and so exactly: every chunk has
    frames of its own, and the chunks' sound overlaps. For any other codec the frames of the overlap are decoded twice:
    that hides the seams, it is not exact (docs/codec.md has the error).

    Parameters
    ----------
    weights
        Of any codec.
    channels
        As in :class:`ExactDecoder`.
    chunk_frames, overlap_frames
        Frames per chunk (>= 1) and frames that a chunk shares with the one before it (0 .. chunk_frames - 1). Only for
        a codec without chunks of its own.

    Raises
    ------
    ValueError
        If the sizes do not fit each other or the codec.
    """

    def __init__(
        self,
        weights: CodecWeights,
        channels: int = 1,
        chunk_frames: int | None = None,
        overlap_frames: int | None = None,
    ) -> None:
        self._weights = weights
        self._rows = _rows(weights, channels)
        self._grid = chunk_grid(weights, chunk_frames, overlap_frames)
        self.look_ahead = (self._grid.frames - 1) * weights.hop
        self.reset()

    def decode(self, codes: Codes) -> Audio:
        """See :meth:`musicgen.codec.Decoder.decode`."""
        return _audio(overlap_step(self._weights, self._grid, self.state, _split(self._weights, self._rows, codes)))

    def flush(self) -> Audio:
        """See :meth:`musicgen.codec.Decoder.flush`."""
        none = self._weights.offsets.new_zeros(self._rows, self._weights.codebooks, 0)
        rest = overlap_step(self._weights, self._grid, self.state, none, final=True)
        self.reset()
        return _audio(rest)

    def reset(self) -> None:
        """See :meth:`musicgen.codec.Decoder.reset`."""
        self.state = new_overlap_state(self._weights, self._rows)


def _refuse_inexact(weights: CodecWeights) -> None:
    convs = [layer.convolve if isinstance(layer, Residual) else layer for layer in weights.layers]
    if any(isinstance(conv, Conv) and conv.norm is not None for conv in convs):
        raise ModelError(
            "This codec normalises every layer over all of time (time_group_norm), so each sample depends on every "
            "later frame and no stream can be exact: choose the codec mode 'overlap'."
        )
    if weights.own_chunks is not None:
        raise ModelError(
            "This codec is defined on chunks (chunk_length_s) that are decoded apart and crossfaded: choose the codec "
            "mode 'overlap', which follows its own rule."
        )


def _rows(weights: CodecWeights, channels: int) -> int:
    if channels < 1 or channels % weights.audio_channels:
        raise ModelError(f"The codec decodes to {weights.audio_channels} channels: it cannot give {channels}.")
    return channels // weights.audio_channels


def _split(weights: CodecWeights, rows: int, codes: Codes) -> Tensor:
    """Interleaved frames (codebooks * rows, frames) -> (rows, codebooks, frames) on the codec's device, checked."""
    given = torch.from_numpy(checked(codes, weights.codebooks * rows, weights.codebook_size))
    return given.to(weights.table.device).reshape(weights.codebooks, rows, given.shape[1]).transpose(0, 1)


def _audio(sound: Tensor) -> Audio:
    """(rows, samples, audio_channels) -> float32 (samples, channels)."""
    samples: Audio = sound.transpose(0, 1).flatten(1).float().cpu().numpy()
    return samples
