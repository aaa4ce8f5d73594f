"""What decoding and encoding need of an EnCodec model, laid out for chunks.

Weights are numpy's arrays, or tensors where torch is to compute, see :mod:`musicgen.codec.tensors`. Signals are
(rows, time, features), a row being one mono decode: then a convolution is one matrix product over windows of its input,
a transposed convolution is one that emits ``stride`` samples per window, and no layout changes.

The networks are the SEANet decoder and encoder of EnCodec (Défossez et al. 2022, "High Fidelity Neural Audio
Compression") in the form that transformers' ``EncodecModel`` gives it, paddings included.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicgen.arrays import Array


@dataclass(frozen=True)
class Matrix:
    """A weight of a layer."""

    weight: Array  # (in, out); of a packed matrix only oneDNN knows the layout, see `musicgen.codec.matrix`
    packed: bool = False


def dense(matrix: Matrix) -> Array:
    """The weight (in, out) again, whatever its layout."""
    return matrix.weight.to_dense().T if matrix.packed else matrix.weight


@dataclass(frozen=True)
class Conv:
    """A convolution over time, and the ELU in front of it if there is one.

    Its windows start every ``step`` samples.
    A transposed convolution of kernel ``2 * stride`` is held as a convolution of kernel 2 whose every window yields
    ``stride`` samples; ``trim`` samples are then cut off its start.
    """

    matrix: Matrix  # (kernel * in, stride * out), of a narrow one (in, kernel * out)
    bias: Array  # (stride * out,)
    inputs: int
    outputs: int
    kernel: int
    dilation: int
    left: int  # padding of the input in front, samples
    right: int  # padding of the input behind: what the layer must wait for
    reflect: bool  # the padding mirrors the signal, else it is zero
    elu: bool
    stride: int = 1
    trim: int = 0
    step: int = 1
    norm: tuple[Array, Array] | None = None  # time group norm: scale (out,), shift (out,)
    narrow: bool = False  # so few outputs that summing products of single samples is cheaper than copying windows

    @property
    def span(self) -> int:
        """Input samples that one window covers."""
        return (self.kernel - 1) * self.dilation + 1


@dataclass(frozen=True)
class Residual:
    """``shortcut(x) + project(convolve(x))``; only ``convolve`` looks at more than one sample."""

    convolve: Conv
    project: Conv
    shortcut: Conv | None


@dataclass(frozen=True)
class Lstm:
    """A stack of LSTM layers and the connection around it. The gates stand in the order input, forget, output, cell."""

    layers: tuple[tuple[Matrix, Matrix, Array], ...]  # input (in, 4 d), recurrent (d, 4 d), bias (4 d,)
    size: int  # d


Layer = Conv | Residual | Lstm


@dataclass(frozen=True)
class CodecWeights:
    """What decoding needs of an EnCodec model, weight norm folded. Made by
    :func:`musicgen.codec.read_codec`, shared by any number
    of streams.

    Attributes
    ----------
    table
        The codebooks one below the other, (codebooks * codebook_size, hidden).
    offsets
        Where each codebook starts in ``table``, int64 (codebooks, 1).
    codebook_size
        Entries of one codebook: codes are 0 .. codebook_size - 1.
    layers
        The decoder network from the first convolution to the last.
    sample_rate
        Hz.
    hop
        Samples per frame.
    audio_channels
        Channels that one decode yields (1 for every MusicGen codec: stereo is two decodes).
    own_chunks
        (frames per chunk, samples from one chunk's start to the next one's) of a codec defined on chunks
        (``chunk_length_s``), else None.
    """

    table: Array
    offsets: Array
    codebook_size: int
    layers: tuple[Layer, ...]
    sample_rate: int
    hop: int
    audio_channels: int
    own_chunks: tuple[int, int] | None

    @property
    def codebooks(self) -> int:
        return int(self.offsets.shape[0])

    @property
    def device(self) -> str:
        """Where the weights are, as torch names it."""
        return str(getattr(self.table, "device", "cpu"))


@dataclass(frozen=True)
class EncoderWeights:
    """What encoding needs of an EnCodec model, likewise.

    Attributes
    ----------
    tables
        The codebooks that are used, (codebooks, codebook_size, hidden).
    layers
        The encoder network, to be gone through once: each layer is laid out as it is taken, and all of them never lie
        beside the packed ones.
    hop
        Samples of a frame.
    """

    tables: NDArray[np.float32]
    layers: Iterator[Layer]
    hop: int


def look_ahead(weights: CodecWeights) -> int:
    """Samples that exact decoding holds back: those that a coming frame can still change.

    A convolution waits for its right padding, a transposed one for what it cuts off its start; upsampling multiplies
    what was held before it. 2402 samples for the 32 kHz EnCodec, 0 for a causal one.
    """
    held = 0
    for layer in weights.layers:
        if isinstance(layer, Residual):
            held += layer.convolve.right
        elif isinstance(layer, Conv):
            held = held * layer.stride + (layer.trim if layer.stride > 1 else layer.right)
    return held


def size_in_bytes(weights: CodecWeights) -> int:
    """Of the decoder network's matrices as float32."""
    return 4 * sum(int(math.prod(part.weight.shape)) for layer in weights.layers for part in _matrices(layer))


def _matrices(layer: Layer) -> list[Matrix]:
    if isinstance(layer, Lstm):
        return [part for weight, recurrent, _ in layer.layers for part in (weight, recurrent)]
    convs = [layer] if isinstance(layer, Conv) else [layer.convolve, layer.project, layer.shortcut]
    return [conv.matrix for conv in convs if conv is not None]
