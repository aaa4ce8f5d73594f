"""What decoding needs of an EnCodec model, laid out for chunks.

Tensors are (rows, time, features), a row being one mono decode: then a convolution is one matrix product over windows
of its input, a transposed convolution is one that emits ``stride`` samples per window, and no layout changes.

The network is the SEANet decoder of EnCodec (Défossez et al. 2022, "High Fidelity Neural Audio Compression")
in the form that transformers' ``EncodecModel`` gives it, paddings included.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from musicgen.codec.matrix import Matrix, matrix
from musicgen.errors import ModelError

if TYPE_CHECKING:
    from transformers import EncodecModel


@dataclass(frozen=True)
class Conv:
    """A convolution over time, and the ELU in front of it if there is one.

    A transposed convolution of kernel ``2 * stride`` is held as a convolution of kernel 2 whose every window yields
    ``stride`` samples; ``trim`` samples are then cut off its start.
    """

    matrix: Matrix  # (kernel * in, stride * out), of a narrow one (in, kernel * out)
    bias: Tensor  # (stride * out,)
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
    norm: tuple[Tensor, Tensor] | None = None  # time group norm: scale (out,), shift (out,)
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

    layers: tuple[tuple[Matrix, Matrix, Tensor], ...]  # input (in, 4 d), recurrent (d, 4 d), bias (4 d,)
    size: int  # d


Layer = Conv | Residual | Lstm


@dataclass(frozen=True)
class CodecWeights:
    """What decoding needs of an EnCodec model, weight norm folded. Made by :func:`codec_weights`, shared by any number
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

    table: Tensor
    offsets: Tensor
    codebook_size: int
    layers: tuple[Layer, ...]
    sample_rate: int
    hop: int
    audio_channels: int
    own_chunks: tuple[int, int] | None

    @property
    def codebooks(self) -> int:
        return self.offsets.shape[0]


def codec_weights(model: EncodecModel, codebooks: int | None = None, dtype: torch.dtype | None = None) -> CodecWeights:
    """Take the decoder's weights out of transformers' EnCodec, on its device.

    Parameters
    ----------
    model
        Any configuration: causal or not, reflect or constant padding, weight norm or time group norm.
    codebooks
        How many of the codec's codebooks the language model uses, the first ones; all of them by default.
    dtype
        To compute in; the model's own by default. Half precision halves what is read (docs/codec.md has the error).

    Returns
    -------
    CodecWeights
        Independent of ``model``, which may be dropped.

    Raises
    ------
    ModelError
        If the model is no EnCodec, pads in another way, or is defined on chunks without naming their overlap.
    """
    dtype = dtype or model.dtype
    config = model.config
    if config.model_type != "encodec":
        raise ModelError(f"The codec is of type {config.model_type!r}: only EnCodec can be decoded as a stream.")
    if config.pad_mode not in ("constant", "reflect"):
        raise ModelError(f"The codec pads with {config.pad_mode!r}: only 'constant' and 'reflect' can be streamed.")
    with torch.no_grad():
        quantizers: Any = model.quantizer.layers[:codebooks]
        table = torch.cat([quantizer.codebook.embed for quantizer in quantizers]).to(dtype)
        return CodecWeights(
            table=table,
            offsets=torch.arange(0, table.shape[0], config.codebook_size, device=table.device)[:, None],
            codebook_size=config.codebook_size,
            layers=tuple(_layers(model.decoder.layers, dtype)),
            sample_rate=config.sampling_rate,
            hop=config.hop_length,
            audio_channels=config.audio_channels,
            own_chunks=_own_chunks(config),
        )


def _own_chunks(config: Any) -> tuple[int, int] | None:
    if config.chunk_length_s is None:
        return None
    if config.overlap is None:
        raise ModelError("The codec has chunk_length_s but no overlap: add `overlap` to its config.json.")
    return -(-config.chunk_length // config.hop_length), config.chunk_stride


def _layers(modules: Any, dtype: torch.dtype) -> Iterator[Layer]:
    from transformers.models.encodec import modeling_encodec as encodec

    elu = False
    for module in modules:
        if isinstance(module, encodec.EncodecConv1d):
            yield _conv_weights(module, elu, dtype)
        elif isinstance(module, encodec.EncodecConvTranspose1d):
            yield _transposed_weights(module, elu, dtype)
        elif isinstance(module, encodec.EncodecResnetBlock):
            yield _residual_weights(module, dtype)
        elif isinstance(module, encodec.EncodecLSTM):
            yield _lstm_weights(module.lstm, dtype)
        elif not isinstance(module, nn.ELU):
            raise ModelError(f"The codec has a layer of type {type(module).__name__}, which cannot be streamed.")
        elu = isinstance(module, nn.ELU)


def _residual_weights(module: Any, dtype: torch.dtype) -> Residual:
    _, convolve, _, project = module.block
    plain = isinstance(module.shortcut, nn.Identity)
    return Residual(
        convolve=_conv_weights(convolve, True, dtype),
        project=_conv_weights(project, True, dtype),
        shortcut=None if plain else _conv_weights(module.shortcut, False, dtype),
    )


def _conv_weights(module: Any, elu: bool, dtype: torch.dtype) -> Conv:
    conv = module.conv
    outputs, inputs, kernel = conv.weight.shape
    dilation = conv.dilation[0]
    padding = (kernel - 1) * dilation
    right = 0 if module.causal else padding // 2
    narrow = outputs <= 2 and kernel > 1
    if narrow:  # the last layer: half precision would save little and round every sample
        dtype = torch.promote_types(dtype, torch.float32)
        weight = conv.weight.permute(1, 2, 0).reshape(inputs, kernel * outputs)
    else:
        weight = conv.weight.permute(2, 1, 0).reshape(kernel * inputs, outputs)
    return Conv(
        matrix=matrix(weight.to(dtype)),
        bias=conv.bias.to(dtype, copy=True),
        inputs=inputs,
        outputs=outputs,
        kernel=kernel,
        dilation=dilation,
        left=padding - right,
        right=right,
        reflect=module.pad_mode == "reflect",
        elu=elu,
        norm=_norm_weights(module, dtype),
        narrow=narrow,
    )


def _transposed_weights(module: Any, elu: bool, dtype: torch.dtype) -> Conv:
    """Window (x[n-1], x[n]) yields the samples n * stride + j = x[n-1] w[stride + j] + x[n] w[j], j < stride."""
    conv = module.conv
    inputs, outputs, kernel = conv.weight.shape
    stride = conv.stride[0]
    if kernel != 2 * stride:
        raise ModelError(f"The codec upsamples by {stride} with kernel {kernel}: only twice the ratio can be streamed.")
    now, before = conv.weight.to(dtype).permute(0, 2, 1).reshape(inputs, 2, stride * outputs).unbind(1)
    # As transformers has it: of the `stride` samples too many, this share is cut on the right, the rest on the left.
    cut_right = math.ceil(stride * module.trim_right_ratio) if module.causal else stride // 2
    trim = stride - cut_right
    return Conv(
        matrix=matrix(torch.cat((before, now))),
        bias=conv.bias.to(dtype).repeat(stride),
        inputs=inputs,
        outputs=outputs,
        kernel=2,
        dilation=1,
        left=1,
        # The window over the end is cut off again when nothing was cut in front, but a time group norm counts it.
        right=1 if trim or hasattr(module, "norm") else 0,
        reflect=False,
        elu=elu,
        stride=stride,
        trim=trim,
        norm=_norm_weights(module, dtype),
    )


def _norm_weights(module: Any, dtype: torch.dtype) -> tuple[Tensor, Tensor] | None:
    if not hasattr(module, "norm"):
        return None
    return module.norm.weight.to(dtype, copy=True), module.norm.bias.to(dtype, copy=True)


def _lstm_weights(lstm: nn.LSTM, dtype: torch.dtype) -> Lstm:
    def gates(name: str, layer: int) -> Tensor:
        first, forget, cell, output = getattr(lstm, f"{name}_l{layer}").chunk(4)
        return torch.cat((first, forget, output, cell)).to(dtype)  # the three sigmoids side by side

    return Lstm(
        layers=tuple(
            (
                matrix(gates("weight_ih", i).T),
                matrix(gates("weight_hh", i).T, rows=1),
                gates("bias_ih", i) + gates("bias_hh", i),
            )
            for i in range(lstm.num_layers)
        ),
        size=lstm.hidden_size,
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
