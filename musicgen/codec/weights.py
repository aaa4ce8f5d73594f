"""What decoding needs of an EnCodec model, laid out for chunks.

Weights are numpy's arrays, or tensors where torch is to compute, see :mod:`musicgen.codec.tensors`. Signals are
(rows, time, features), a row being one mono decode: then a convolution is one matrix product over windows of its input,
a transposed convolution is one that emits ``stride`` samples per window, and no layout changes.

The network is the SEANet decoder of EnCodec (Défossez et al. 2022, "High Fidelity Neural Audio Compression")
in the form that transformers' ``EncodecModel`` gives it, paddings included.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicgen.arrays import Array
from musicgen.errors import ModelError
from musicgen.load.tensors import Tensors


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
    """What decoding needs of an EnCodec model, weight norm folded. Made by :func:`read_codec`, shared by any number
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


# EncodecConfig's own values, where a config.json names none.
DEFAULTS: dict[str, Any] = {
    "target_bandwidths": [1.5, 3.0, 6.0, 12.0, 24.0],
    "sampling_rate": 24_000,
    "audio_channels": 1,
    "normalize": False,
    "chunk_length_s": None,
    "overlap": None,
    "hidden_size": 128,
    "num_filters": 32,
    "num_residual_layers": 1,
    "upsampling_ratios": [8, 5, 4, 2],
    "norm_type": "weight_norm",
    "kernel_size": 7,
    "last_kernel_size": 7,
    "residual_kernel_size": 3,
    "dilation_growth_rate": 2,
    "use_causal_conv": True,
    "pad_mode": "reflect",
    "compress": 2,
    "num_lstm_layers": 2,
    "trim_right_ratio": 1.0,
    "codebook_size": 1024,
    "codebook_dim": None,
    "use_conv_shortcut": True,
}


def read_codec(config: dict[str, Any], tensors: Tensors, codebooks: int) -> CodecWeights:
    """Lay out a checkpoint's EnCodec for decoding.

    Parameters
    ----------
    config
        Its part of a config.json: transformers' ``EncodecConfig``.
    tensors
        Its weights, under transformers' names.
    codebooks
        How many of its codebooks are used, the first ones.

    Raises
    ------
    ModelError
        It is no EnCodec, pads in another way, is defined on chunks without naming their overlap, or weights are missing
        or have other shapes than the configuration says.
    """
    if config.get("model_type") != "encodec":
        raise ModelError(f"The codec is of type {config.get('model_type')!r}: only EnCodec can be decoded as a stream.")
    shape = SimpleNamespace(**(DEFAULTS | config))
    if shape.pad_mode not in ("constant", "reflect"):
        raise ModelError(f"The codec pads with {shape.pad_mode!r}: only 'constant' and 'reflect' can be streamed.")
    if shape.norm_type not in ("weight_norm", "time_group_norm"):
        raise ModelError(
            f"The codec norms with {shape.norm_type!r}: only 'weight_norm' and 'time_group_norm' are known here."
        )
    entries, hop = shape.codebook_size, math.prod(shape.upsampling_ratios)
    size = shape.codebook_dim or shape.hidden_size
    tables = [tensors.take(f"quantizer.layers.{i}.codebook.embed", entries, size) for i in range(codebooks)]
    return CodecWeights(
        table=np.concatenate(tables),
        offsets=np.arange(0, codebooks * entries, entries)[:, None],
        codebook_size=entries,
        layers=tuple(_layers(shape, tensors.part("decoder.layers"))),
        sample_rate=shape.sampling_rate,
        hop=hop,
        audio_channels=shape.audio_channels,
        own_chunks=_own_chunks(shape, hop),
    )


def _own_chunks(shape: Any, hop: int) -> tuple[int, int] | None:
    if shape.chunk_length_s is None:
        return None
    if shape.overlap is None:
        raise ModelError("The codec has chunk_length_s but no overlap: add `overlap` to its config.json.")
    samples = int(shape.chunk_length_s * shape.sampling_rate)
    return -(-samples // hop), max(1, int((1.0 - shape.overlap) * samples))


def _layers(shape: Any, tensors: Tensors) -> Iterator[Layer]:
    """The decoder network. transformers numbers its modules, the ELUs between them included."""
    numbers = itertools.count()

    def part() -> Tensors:
        return tensors.part(str(next(numbers)))

    width = shape.num_filters * 2 ** len(shape.upsampling_ratios)
    yield _conv(shape, part(), (shape.hidden_size, width, shape.kernel_size))
    yield _lstm(part().part("lstm"), width, shape.num_lstm_layers)
    for ratio in shape.upsampling_ratios:
        next(numbers)
        yield _transposed(shape, part(), (width, width // 2, ratio))
        width //= 2
        for i in range(shape.num_residual_layers):
            yield _residual(shape, part(), width, shape.dilation_growth_rate**i)
    next(numbers)
    sizes = (shape.num_filters, shape.audio_channels, shape.last_kernel_size)
    yield _conv(shape, part(), sizes, elu=True)


def _residual(shape: Any, tensors: Tensors, width: int, dilation: int) -> Residual:
    narrow, kernel = width // shape.compress, shape.residual_kernel_size
    block, shortcut = tensors.part("block"), tensors.part("shortcut")
    return Residual(
        convolve=_conv(shape, block.part("1"), (width, narrow, kernel), elu=True, dilation=dilation),
        project=_conv(shape, block.part("3"), (narrow, width, 1), elu=True),
        shortcut=_conv(shape, shortcut, (width, width, 1)) if shape.use_conv_shortcut else None,
    )


def _conv(
    shape: Any,
    tensors: Tensors,
    sizes: tuple[int, int, int],
    *,
    elu: bool = False,
    dilation: int = 1,
) -> Conv:
    """A convolution of so many inputs, outputs and taps."""
    inputs, outputs, kernel = sizes
    weight = _weight(tensors.part("conv"), outputs, inputs, kernel)
    padding = (kernel - 1) * dilation
    right = 0 if shape.use_causal_conv else padding // 2
    narrow = outputs <= 2 and kernel > 1
    if narrow:
        weight = weight.transpose(1, 2, 0).reshape(inputs, kernel * outputs)
    else:
        weight = weight.transpose(2, 1, 0).reshape(kernel * inputs, outputs)
    return Conv(
        matrix=Matrix(weight),
        bias=tensors.take("conv.bias", outputs),
        inputs=inputs,
        outputs=outputs,
        kernel=kernel,
        dilation=dilation,
        left=padding - right,
        right=right,
        reflect=shape.pad_mode == "reflect",
        elu=elu,
        norm=_norm(shape, tensors, outputs),
        narrow=narrow,
    )


def _transposed(shape: Any, tensors: Tensors, sizes: tuple[int, int, int]) -> Conv:
    """A transposed convolution of so many inputs, outputs and its ratio; its kernel is twice that.

    Window (x[n-1], x[n]) yields the samples n * stride + j = x[n-1] w[stride + j] + x[n] w[j], j < stride.
    """
    inputs, outputs, stride = sizes
    weight = _weight(tensors.part("conv"), inputs, outputs, 2 * stride)
    both = weight.transpose(0, 2, 1).reshape(inputs, 2, stride * outputs)
    now, before = both[:, 0], both[:, 1]
    # As transformers has it: of the `stride` samples too many, this share is cut on the right, the rest on the left.
    cut_right = math.ceil(stride * shape.trim_right_ratio) if shape.use_causal_conv else stride // 2
    trim = stride - cut_right
    norm = _norm(shape, tensors, outputs)
    return Conv(
        matrix=Matrix(np.concatenate((before, now))),
        bias=np.tile(tensors.take("conv.bias", outputs), stride),
        inputs=inputs,
        outputs=outputs,
        kernel=2,
        dilation=1,
        left=1,
        # The window over the end is cut off again when nothing was cut in front, but a time group norm counts it.
        right=1 if trim or norm is not None else 0,
        reflect=False,
        elu=True,
        stride=stride,
        trim=trim,
        norm=norm,
    )


def _weight(tensors: Tensors, *sizes: int) -> NDArray[Any]:
    """Of a convolution, weight norm folded: each slice of the first axis has a length of its own."""
    if "parametrizations.weight.original0" not in tensors:
        return tensors.take("weight", *sizes)
    lengths = tensors.take("parametrizations.weight.original0", sizes[0], 1, 1)
    directions = tensors.take("parametrizations.weight.original1", *sizes)
    own = np.sqrt(np.square(directions, dtype=np.float64).sum((1, 2), keepdims=True))
    folded: NDArray[Any] = directions * (lengths / own).astype(lengths.dtype)
    return folded


def _norm(shape: Any, tensors: Tensors, outputs: int) -> tuple[Array, Array] | None:
    if shape.norm_type != "time_group_norm":
        return None
    return tensors.take("norm.weight", outputs), tensors.take("norm.bias", outputs)


def _lstm(tensors: Tensors, size: int, layers: int) -> Lstm:
    def gates(name: str, *sizes: int) -> NDArray[Any]:
        first, forget, cell, output = np.split(tensors.take(name, 4 * size, *sizes), 4)
        return np.concatenate((first, forget, output, cell))  # the three sigmoids side by side

    return Lstm(
        layers=tuple(
            (
                Matrix(np.ascontiguousarray(gates(f"weight_ih_l{i}", size).T)),
                Matrix(np.ascontiguousarray(gates(f"weight_hh_l{i}", size).T)),
                gates(f"bias_ih_l{i}") + gates(f"bias_hh_l{i}"),
            )
            for i in range(layers)
        ),
        size=size,
    )


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
