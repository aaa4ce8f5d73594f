"""An EnCodec checkpoint's two networks, laid out as :mod:`musicgen.codec.weights` has them, paddings included."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicgen.arrays import Array
from musicgen.codec.weights import CodecWeights, Conv, EncoderWeights, Layer, Lstm, Matrix, Residual
from musicgen.errors import ModelError
from musicgen.load.tensors import Tensors

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
    return CodecWeights(
        table=np.concatenate(_tables(shape, tensors, codebooks)),
        offsets=np.arange(0, codebooks * entries, entries)[:, None],
        codebook_size=entries,
        layers=tuple(_decoder_layers(shape, tensors.part("decoder.layers"))),
        sample_rate=shape.sampling_rate,
        hop=hop,
        audio_channels=shape.audio_channels,
        own_chunks=_own_chunks(shape, hop),
    )


def read_encoder(config: dict[str, Any], tensors: Tensors, codebooks: int) -> EncoderWeights:
    """Lay out the encoder of an EnCodec that :func:`read_codec` takes.

    Parameters
    ----------
    config, tensors, codebooks
        See :func:`read_codec`.

    Raises
    ------
    ModelError
        Weights are missing or have other shapes than the configuration says.
    """
    shape = SimpleNamespace(**(DEFAULTS | config))
    return EncoderWeights(
        tables=np.stack(_tables(shape, tensors, codebooks)),
        layers=_encoder_layers(shape, tensors.part("encoder.layers")),
        hop=math.prod(shape.upsampling_ratios),
    )


def _tables(shape: Any, tensors: Tensors, codebooks: int) -> list[NDArray[Any]]:
    size = shape.codebook_dim or shape.hidden_size
    names = [f"quantizer.layers.{i}.codebook.embed" for i in range(codebooks)]
    return [tensors.take(name, shape.codebook_size, size) for name in names]


def _own_chunks(shape: Any, hop: int) -> tuple[int, int] | None:
    if shape.chunk_length_s is None:
        return None
    if shape.overlap is None:
        raise ModelError("The codec has chunk_length_s but no overlap: add `overlap` to its config.json.")
    samples = int(shape.chunk_length_s * shape.sampling_rate)
    return -(-samples // hop), max(1, int((1.0 - shape.overlap) * samples))


def _decoder_layers(shape: Any, tensors: Tensors) -> Iterator[Layer]:
    """transformers numbers its modules, the ELUs between them included."""
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


def _encoder_layers(shape: Any, tensors: Tensors) -> Iterator[Layer]:
    """Likewise."""
    numbers = itertools.count()

    def part() -> Tensors:
        return tensors.part(str(next(numbers)))

    width = shape.num_filters
    yield _conv(shape, part(), (shape.audio_channels, width, shape.kernel_size))
    for ratio in reversed(shape.upsampling_ratios):
        for i in range(shape.num_residual_layers):
            yield _residual(shape, part(), width, shape.dilation_growth_rate**i)
        next(numbers)
        yield _conv(shape, part(), (width, 2 * width, 2 * ratio), elu=True, step=ratio)
        width *= 2
    yield _lstm(part().part("lstm"), width, shape.num_lstm_layers)
    next(numbers)
    yield _conv(shape, part(), (width, shape.hidden_size, shape.last_kernel_size), elu=True)


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
    step: int = 1,
) -> Conv:
    """A convolution of so many inputs, outputs and taps."""
    inputs, outputs, kernel = sizes
    weight = _weight(tensors.part("conv"), outputs, inputs, kernel)
    padding = (kernel - 1) * dilation + 1 - step
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
        step=step,
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
