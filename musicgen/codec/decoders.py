"""The codec as the stream sees it: frames in, sound out, one object a stream."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Literal, Protocol, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from musicgen.codec.batch import join, phase, take
from musicgen.codec.codes import Codes, checked
from musicgen.codec.exact import decode_step, new_state
from musicgen.codec.native import NativeCodec, NativeDecoder
from musicgen.codec.overlap import chunk_grid, new_overlap_state, overlap_step
from musicgen.codec.weights import CodecWeights, Conv, Residual, look_ahead
from musicgen.errors import ModelError

Audio = NDArray[np.float32]
K = TypeVar("K", bound=Hashable)


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


def open_decoder(
    weights: CodecWeights,
    channels: int = 1,
    kind: Literal["exact", "overlap"] = "exact",
    native: NativeCodec | None = None,
) -> Decoder:
    """A decoder by name: "exact" (:class:`ExactDecoder`, of ``native`` where it is given) or "overlap"
    (:class:`OverlapAddDecoder`)."""
    if kind == "exact":
        return ExactDecoder(weights, channels) if native is None else NativeDecoder(native, channels)
    if kind == "overlap":
        return OverlapAddDecoder(weights, channels)
    raise ValueError(f"The codec mode is {kind!r}: choose 'exact' or 'overlap'.")


class ExactDecoder:
    """The samples of the whole-clip decode, whatever the chunks.

    Parameters
    ----------
    weights
        Of a codec that can be decoded exactly as a stream: without time group norm and chunks of its own.
    channels
        Channels of the sound. A MusicGen codec is mono: two channels are two decodes of interleaved codebooks.

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

    def decode(self, codes: Codes) -> Audio:
        """See :meth:`Decoder.decode`."""
        return _audio(decode_step(self._weights, self._state, _split(self._weights, self._rows, codes)))

    def flush(self) -> Audio:
        """See :meth:`Decoder.flush`."""
        none = self._weights.offsets.new_zeros(self._rows, self._weights.codebooks, 0)
        rest = decode_step(self._weights, self._state, none, final=True)
        self.reset()
        return _audio(rest)

    def reset(self) -> None:
        """See :meth:`Decoder.reset`."""
        self._state = new_state(self._weights, self._rows)


def decode_many(decoders: Sequence[Decoder], codes: Sequence[Codes]) -> list[Audio]:
    """Decode the next frames of several streams, those that can go together in one batch.

    Native decoders of one codec always go together; exact ones of the same weights once they have played their start
    and if they get equally many frames: every matrix is then read once for all of them. The others are decoded one by
    one.

    Parameters
    ----------
    decoders
        All different.
    codes
        For each, as in :meth:`Decoder.decode`.

    Returns
    -------
    list
        For each, what :meth:`Decoder.decode` returns.

    Raises
    ------
    ValueError
        As :meth:`Decoder.decode`; then no native and no exact decoder has moved on.
    """
    native = {i: decoder for i, decoder in enumerate(decoders) if isinstance(decoder, NativeDecoder)}
    exact = {i: decoder for i, decoder in enumerate(decoders) if isinstance(decoder, ExactDecoder)}
    frames = {i: decoder.checked(codes[i]) for i, decoder in native.items()}
    split = {i: _split(decoder._weights, decoder._rows, codes[i]) for i, decoder in exact.items()}
    sounds = {i: decoder.decode(codes[i]) for i, decoder in enumerate(decoders) if i not in native and i not in exact}
    for codec, group in _groups(native, lambda i: native[i].codec).items():
        together = codec.decode([native[i].state for i in group], [frames[i] for i in group])
        sounds.update(zip(group, together, strict=True))
    for group in _groups(exact, lambda i: (id(exact[i]._weights), split[i].shape, phase(exact[i]._state))).values():
        together = _decode_together([exact[i] for i in group], torch.cat([split[i] for i in group]))
        sounds.update(zip(group, together, strict=True))
    return [sounds[i] for i in range(len(decoders))]


def _groups(items: Iterable[int], key: Callable[[int], K]) -> dict[K, list[int]]:
    groups: dict[K, list[int]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return groups


def _decode_together(decoders: Sequence[ExactDecoder], codes: Tensor) -> list[Audio]:
    """Decoders of the same weights in the same phase; codes are (all their rows, codebooks, frames)."""
    state = join([decoder._state for decoder in decoders])
    sound = decode_step(decoders[0]._weights, state, codes)
    rows = decoders[0]._rows
    streams = [slice(i, i + rows) for i in range(0, len(sound), rows)]
    for decoder, stream in zip(decoders, streams, strict=True):
        decoder._state = take(state, stream)
    return [_audio(sound[stream]) for stream in streams]


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
        """See :meth:`Decoder.decode`."""
        return _audio(overlap_step(self._weights, self._grid, self._state, _split(self._weights, self._rows, codes)))

    def flush(self) -> Audio:
        """See :meth:`Decoder.flush`."""
        none = self._weights.offsets.new_zeros(self._rows, self._weights.codebooks, 0)
        rest = overlap_step(self._weights, self._grid, self._state, none, final=True)
        self.reset()
        return _audio(rest)

    def reset(self) -> None:
        """See :meth:`Decoder.reset`."""
        self._state = new_overlap_state(self._weights, self._rows)


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
