"""EnCodec decoding as a stream.

:class:`ExactDecoder` gives, for any chunk schedule, the samples that decoding the whole clip at once would give: every
layer carries its own state, nothing is computed twice. :class:`OverlapAddDecoder` decodes chunks without state and
crossfades them: the rule of codecs that are defined on chunks, and a choice for the others.

Weights and state are separate: :class:`CodecWeights` is immutable and shared by any number of streams,
:class:`CodecState` belongs to one, and :func:`decode_step` is the function between them.

Tensors are laid out (rows, time, features), a row being one mono decode: then a convolution is one matrix product over
windows of its input, a transposed convolution is one that emits ``stride`` samples per window, and no layout changes.

The network is the SEANet decoder of EnCodec (Défossez et al. 2022, "High Fidelity Neural Audio Compression")
in the form that transformers' ``EncodecModel`` gives it, paddings included.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from musicgen.errors import ModelError

if TYPE_CHECKING:
    from transformers import EncodecModel

Codes = NDArray[np.integer[Any]] | Tensor
Audio = NDArray[np.float32]


# ---------------------------------------------------------------------------------------------------------- weights


@dataclass(frozen=True)
class Conv:
    """A convolution over time, and the ELU in front of it if there is one.

    A transposed convolution of kernel ``2 * stride`` is held as a convolution of kernel 2 whose every window yields
    ``stride`` samples; ``trim`` samples are then cut off its start.
    """

    weight: Tensor  # (kernel * in, stride * out)
    bias: Tensor  # (stride * out,)
    kernel: int
    dilation: int
    left: int  # padding of the input in front, samples
    right: int  # padding of the input behind: what the layer must wait for
    reflect: bool  # the padding mirrors the signal, else it is zero
    elu: bool
    stride: int = 1
    trim: int = 0
    norm: tuple[Tensor, Tensor] | None = None  # time group norm: scale (out,), shift (out,)

    @property
    def inputs(self) -> int:
        return self.weight.shape[0] // self.kernel

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

    layers: tuple[tuple[Tensor, Tensor, Tensor], ...]  # input (in, 4 d), recurrent (d, 4 d), bias (4 d,)

    @property
    def size(self) -> int:
        return self.layers[0][1].shape[0]


Layer = Conv | Residual | Lstm


@dataclass(frozen=True)
class CodecWeights:
    """What decoding needs of an EnCodec model: plain tensors, weight norm folded. Made by :func:`codec_weights`.

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


def codec_weights(model: EncodecModel, codebooks: int | None = None) -> CodecWeights:
    """Take the decoder's weights out of transformers' EnCodec, on its device and in its dtype.

    Parameters
    ----------
    model
        Any configuration: causal or not, reflect or constant padding, weight norm or time group norm.
    codebooks
        How many of the codec's codebooks the language model uses, the first ones; all of them by default.

    Returns
    -------
    CodecWeights
        Independent of ``model``, which may be dropped.

    Raises
    ------
    ModelError
        If the model is no EnCodec, pads in another way, or is defined on chunks without naming their overlap.
    """
    config = model.config
    if config.model_type != "encodec":
        raise ModelError(f"The codec is of type {config.model_type!r}: only EnCodec can be decoded as a stream.")
    if config.pad_mode not in ("constant", "reflect"):
        raise ModelError(f"The codec pads with {config.pad_mode!r}: only 'constant' and 'reflect' can be streamed.")
    with torch.no_grad():
        quantizers: Any = model.quantizer.layers[:codebooks]
        table = torch.cat([quantizer.codebook.embed for quantizer in quantizers])
        return CodecWeights(
            table=table,
            offsets=torch.arange(0, table.shape[0], config.codebook_size, device=table.device)[:, None],
            codebook_size=config.codebook_size,
            layers=tuple(_layers(model.decoder.layers)),
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


def _layers(modules: Any) -> Iterator[Layer]:
    from transformers.models.encodec import modeling_encodec as encodec

    elu = False
    for module in modules:
        if isinstance(module, encodec.EncodecConv1d):
            yield _conv_weights(module, elu)
        elif isinstance(module, encodec.EncodecConvTranspose1d):
            yield _transposed_weights(module, elu)
        elif isinstance(module, encodec.EncodecResnetBlock):
            yield _residual_weights(module)
        elif isinstance(module, encodec.EncodecLSTM):
            yield _lstm_weights(module.lstm)
        elif not isinstance(module, nn.ELU):
            raise ModelError(f"The codec has a layer of type {type(module).__name__}, which cannot be streamed.")
        elu = isinstance(module, nn.ELU)


def _residual_weights(module: Any) -> Residual:
    _, convolve, _, project = module.block
    plain = isinstance(module.shortcut, nn.Identity)
    shortcut = None if plain else _conv_weights(module.shortcut, elu=False)
    return Residual(_conv_weights(convolve, elu=True), _conv_weights(project, elu=True), shortcut)


def _conv_weights(module: Any, elu: bool) -> Conv:
    conv = module.conv
    outputs, inputs, kernel = conv.weight.shape
    dilation = conv.dilation[0]
    padding = (kernel - 1) * dilation
    right = 0 if module.causal else padding // 2
    return Conv(
        weight=conv.weight.permute(2, 1, 0).reshape(kernel * inputs, outputs).contiguous(),
        bias=conv.bias.clone(),
        kernel=kernel,
        dilation=dilation,
        left=padding - right,
        right=right,
        reflect=module.pad_mode == "reflect",
        elu=elu,
        norm=_norm_weights(module),
    )


def _transposed_weights(module: Any, elu: bool) -> Conv:
    """Window (x[n-1], x[n]) yields the samples n * stride + j = x[n-1] w[stride + j] + x[n] w[j], j < stride."""
    conv = module.conv
    inputs, outputs, kernel = conv.weight.shape
    stride = conv.stride[0]
    if kernel != 2 * stride:
        raise ModelError(f"The codec upsamples by {stride} with kernel {kernel}: only twice the ratio can be streamed.")
    now, before = conv.weight.permute(0, 2, 1).reshape(inputs, 2, stride * outputs).unbind(1)
    # As transformers has it: of the `stride` samples too many, this share is cut on the right, the rest on the left.
    cut_right = math.ceil(stride * module.trim_right_ratio) if module.causal else stride // 2
    trim = stride - cut_right
    return Conv(
        weight=torch.cat((before, now)).contiguous(),
        bias=conv.bias.repeat(stride),
        kernel=2,
        dilation=1,
        left=1,
        # The window over the end is cut off again when nothing was cut in front, but a time group norm counts it.
        right=1 if trim or hasattr(module, "norm") else 0,
        reflect=False,
        elu=elu,
        stride=stride,
        trim=trim,
        norm=_norm_weights(module),
    )


def _norm_weights(module: Any) -> tuple[Tensor, Tensor] | None:
    return (module.norm.weight.clone(), module.norm.bias.clone()) if hasattr(module, "norm") else None


def _lstm_weights(lstm: nn.LSTM) -> Lstm:
    def gates(name: str, layer: int) -> Tensor:
        first, forget, cell, output = getattr(lstm, f"{name}_l{layer}").chunk(4)
        return torch.cat((first, forget, output, cell))  # the three sigmoids side by side

    return Lstm(
        tuple(
            (
                gates("weight_ih", i).T.contiguous(),
                gates("weight_hh", i).T.contiguous(),
                gates("bias_ih", i) + gates("bias_hh", i),
            )
            for i in range(lstm.num_layers)
        )
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


# ------------------------------------------------------------------------------------------------------------ state


@dataclass
class ConvState:
    """The end of the padded input, which the coming windows need."""

    tail: Tensor  # (rows, time, in)
    started: bool  # False while too little has come to mirror the start
    trim: int  # samples still to be cut off the start of the output


@dataclass
class ResidualState:
    convolve: ConvState
    skip: Tensor  # (rows, time, channels): input that the delayed branch has not reached yet


@dataclass
class LstmState:
    hidden: list[Tensor]  # (rows, d) for each layer
    cell: list[Tensor]


@dataclass
class CodecState:
    """Where one stream's decoding stands. Its size does not grow."""

    layers: list[ConvState | ResidualState | LstmState]
    frames: int = 0


def new_state(weights: CodecWeights, rows: int = 1) -> CodecState:
    """The state before the first frame of ``rows`` mono decodes that run in lock-step."""

    def zeros(*shape: int) -> Tensor:
        return weights.table.new_zeros(shape)

    def conv_state(conv: Conv) -> ConvState:
        mirrors = conv.reflect and conv.left > 0
        return ConvState(zeros(rows, 0 if mirrors else conv.left, conv.inputs), not mirrors, conv.trim)

    def layer_state(layer: Layer) -> ConvState | ResidualState | LstmState:
        if isinstance(layer, Conv):
            return conv_state(layer)
        if isinstance(layer, Residual):
            return ResidualState(conv_state(layer.convolve), zeros(rows, 0, layer.convolve.inputs))
        return LstmState(
            [zeros(rows, layer.size) for _ in layer.layers], [zeros(rows, layer.size) for _ in layer.layers]
        )

    return CodecState([layer_state(layer) for layer in weights.layers])


# ------------------------------------------------------------------------------------------------------------- step


@torch.inference_mode()
def decode_step(weights: CodecWeights, state: CodecState, codes: Tensor, final: bool = False) -> Tensor:
    """Decode the next frames of a stream and move its state on.

    Parameters
    ----------
    weights
        Of the codec.
    state
        Of the stream; changed in place.
    codes
        int64 (rows, codebooks, frames), 0 .. codebook_size - 1; any number of frames, none too.
    final
        These are the stream's last frames: the right padding follows them.

    Returns
    -------
    Tensor
        (rows, samples, audio_channels), the samples that no coming frame can change. Over the whole stream
        ``frames * hop`` of them.
    """
    state.frames += codes.shape[2]
    if not state.frames:
        return weights.table.new_zeros(codes.shape[0], 0, weights.audio_channels)
    x = F.embedding(codes + weights.offsets, weights.table).sum(1)
    for layer, own in zip(weights.layers, state.layers, strict=True):
        if isinstance(layer, Conv):
            assert isinstance(own, ConvState)
            x = _convolve(layer, own, x, final)
        elif isinstance(layer, Residual):
            assert isinstance(own, ResidualState)
            x = _residual(layer, own, x, final)
        else:
            assert isinstance(own, LstmState)
            x = _lstm(layer, own, x)
    return x


def _convolve(conv: Conv, state: ConvState, x: Tensor, final: bool) -> Tensor:
    if conv.elu:
        x = _elu(x)
    x = _pad(conv, state, torch.cat((state.tail, x), 1), final)
    count = max(0, x.shape[1] - conv.span + 1) if state.started else 0
    state.tail = x[:, count:].clone()  # a view would keep the whole chunk in memory
    return _trim(conv, state, _project(conv, _windows(conv, x, count)), final)


def _elu(x: Tensor) -> Tensor:
    """ELU without expm1, which takes most of its time on a CPU: exp(x) - 1 >= x everywhere, so the larger one is it.

    The lower limit keeps exp out of denormal numbers, which are slow; exp(-40) is nothing beside 1, in float64 too.
    """
    return torch.maximum(x, x.clamp(-40, 0).exp_().sub_(1))


def _pad(conv: Conv, state: ConvState, x: Tensor, final: bool) -> Tensor:
    """Put the mirrored start in front of the signal once it is known, and the right padding behind its end."""
    if not state.started:
        missing = max(0, conv.left + 1 - x.shape[1])
        if missing and not final:
            return x
        state.started = True
        if missing:
            # A signal shorter than its padding: transformers appends zeros, mirrors, and cuts as much off the end.
            x = F.pad(x, (0, 0, 0, missing))
            return torch.cat((_mirror_start(conv, x), x, _mirror_end(conv, x)), 1)[:, :-missing]
        x = torch.cat((_mirror_start(conv, x), x), 1)
    if final and conv.right:
        end = _mirror_end(conv, x) if conv.reflect else x.new_zeros(x.shape[0], conv.right, x.shape[2])
        x = torch.cat((x, end), 1)
    return x


def _mirror_start(conv: Conv, x: Tensor) -> Tensor:
    return x[:, 1 : conv.left + 1].flip(1)


def _mirror_end(conv: Conv, x: Tensor) -> Tensor:
    return x[:, x.shape[1] - 1 - conv.right : -1].flip(1)


def _windows(conv: Conv, x: Tensor, count: int) -> Tensor:
    """(rows, time, in) -> (rows, count, kernel * in)."""
    rows, time, inputs = x.shape
    strides = (time * inputs, inputs, conv.dilation * inputs, 1)
    return x.contiguous().as_strided((rows, count, conv.kernel, inputs), strides).flatten(2)


def _project(conv: Conv, x: Tensor) -> Tensor:
    """(rows, time, kernel * in) -> (rows, time * stride, out)."""
    rows, time, inputs = x.shape
    y = torch.addmm(conv.bias, x.reshape(rows * time, inputs), conv.weight)
    y = y.view(rows, time * conv.stride, conv.weight.shape[1] // conv.stride)
    return y if conv.norm is None else _time_group_norm(conv.norm, y)


def _time_group_norm(norm: tuple[Tensor, Tensor], y: Tensor) -> Tensor:
    """Normalise over all features and all of time: only where the whole signal is there."""
    scale, shift = norm
    return F.layer_norm(y, y.shape[1:]) * scale + shift


def _trim(conv: Conv, state: ConvState, y: Tensor, final: bool) -> Tensor:
    """Cut off what a transposed convolution yields before the first and after the last sample."""
    if final and conv.stride > 1 and conv.right:
        y = y[:, : y.shape[1] - (conv.stride - conv.trim)]
    if state.trim and y.shape[1]:
        y = y[:, state.trim :]
        state.trim = 0
    return y


def _residual(layer: Residual, state: ResidualState, x: Tensor, final: bool) -> Tensor:
    y = _convolve(layer.convolve, state.convolve, x, final)
    count = y.shape[1]
    skip = torch.cat((state.skip, x), 1) if state.skip.shape[1] else x
    state.skip = skip[:, count:].clone()
    skip = skip[:, :count]
    if layer.shortcut is not None:
        skip = _project(layer.shortcut, skip)
    return _project(layer.project, _elu(y)).add_(skip)


def _lstm(layer: Lstm, state: LstmState, x: Tensor) -> Tensor:
    y = x
    for i, (weight, recurrent, bias) in enumerate(layer.layers):
        hidden, cell = state.hidden[i], state.cell[i]
        outputs = []
        for gates in (y @ weight + bias).unbind(1):
            hidden, cell = _lstm_cell(torch.addmm(gates, hidden, recurrent), cell)
            outputs.append(hidden)
        state.hidden[i], state.cell[i] = hidden, cell
        y = torch.stack(outputs, 1) if outputs else y
    return x + y


def _lstm_cell(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    size = cell.shape[1]
    first, forget, output = gates[:, : 3 * size].sigmoid().chunk(3, 1)
    cell = torch.addcmul(forget * cell, first, gates[:, 3 * size :].tanh())
    return output * cell.tanh(), cell


# ------------------------------------------------------------------------------------------------------ overlap-add


@dataclass(frozen=True)
class ChunkGrid:
    """Which frames each chunk decodes, and where its sound stands."""

    frames: int  # per chunk
    frame_step: int  # from one chunk's first frame to the next one's
    sample_step: int  # from one chunk's first sample to the next one's


@dataclass
class OverlapState:
    """The chunk to come, and the sound from its first sample on."""

    codes: Tensor  # (rows, codebooks, frames)
    sound: Tensor  # (rows, samples, audio_channels), the sum of the weighted chunks
    weight: Tensor  # (samples,), the sum of their weights


def chunk_grid(weights: CodecWeights, chunk_frames: int | None = None, overlap_frames: int | None = None) -> ChunkGrid:
    """The codec's own grid; for a codec without one, chunks of the given sizes (default: 25, a fifth shared)."""
    if weights.own_chunks is not None:
        if chunk_frames is not None or overlap_frames is not None:
            raise ValueError("This codec is defined on chunks of its own: leave chunk and overlap out.")
        frames, sample_step = weights.own_chunks
        return ChunkGrid(frames, frames, sample_step)
    chunk = 25 if chunk_frames is None else chunk_frames
    overlap = chunk // 5 if overlap_frames is None else overlap_frames
    if not 0 <= overlap < chunk:
        raise ValueError(f"Chunks of {chunk} frames cannot overlap by {overlap}: choose 0 to {chunk - 1}.")
    return ChunkGrid(chunk, chunk - overlap, (chunk - overlap) * weights.hop)


def new_overlap_state(weights: CodecWeights, rows: int = 1) -> OverlapState:
    """The state before the first frame."""
    return OverlapState(
        codes=weights.offsets.new_zeros(rows, weights.codebooks, 0),
        sound=weights.table.new_zeros(rows, 0, weights.audio_channels),
        weight=weights.table.new_zeros(0),
    )


@torch.inference_mode()
def overlap_step(
    weights: CodecWeights, grid: ChunkGrid, state: OverlapState, codes: Tensor, final: bool = False
) -> Tensor:
    """Like :func:`decode_step`, for chunks that know nothing of each other."""
    state.codes = torch.cat((state.codes, codes), 2)
    done = []
    while state.codes.shape[2] >= grid.frames:
        _add_chunk(weights, grid, state, state.codes[:, :, : grid.frames])
        state.codes = state.codes[:, :, grid.frame_step :]
        done.append(_take(state, grid.sample_step))
    if final:
        known = grid.frames - grid.frame_step if state.sound.shape[1] else 0
        if state.codes.shape[2] > known:
            _add_chunk(weights, grid, state, state.codes)
        done.append(_take(state, state.sound.shape[1]))
    return torch.cat(done, 1) if done else state.sound[:, :0]


def _add_chunk(weights: CodecWeights, grid: ChunkGrid, state: OverlapState, codes: Tensor) -> None:
    """Add a chunk under EnCodec's triangle: where two chunks overlap, their weights make a linear crossfade."""
    chunk = decode_step(weights, new_state(weights, codes.shape[0]), codes, final=True)
    samples = chunk.shape[1]
    position = torch.arange(1, samples + 1, device=chunk.device, dtype=chunk.dtype) / (grid.frames * weights.hop + 1)
    weight = 0.5 - (position - 0.5).abs()
    missing = max(0, samples - state.sound.shape[1])
    state.sound = F.pad(state.sound, (0, 0, 0, missing))
    state.weight = F.pad(state.weight, (0, missing))
    state.sound[:, :samples] += weight[:, None] * chunk
    state.weight[:samples] += weight


def _take(state: OverlapState, samples: int) -> Tensor:
    """The first samples, which no coming chunk reaches."""
    sound = state.sound[:, :samples] / state.weight[:samples, None]
    state.sound, state.weight = state.sound[:, samples:], state.weight[samples:]
    return sound


# --------------------------------------------------------------------------------------------------------- decoders


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


def open_decoder(weights: CodecWeights, channels: int = 1, kind: Literal["exact", "overlap"] = "exact") -> Decoder:
    """A decoder by name: "exact" (:class:`ExactDecoder`) or "overlap" (:class:`OverlapAddDecoder`)."""
    if kind == "exact":
        return ExactDecoder(weights, channels)
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
    codes = torch.as_tensor(codes)
    expected = weights.codebooks * rows
    if codes.dim() != 2 or codes.shape[0] != expected:
        raise ValueError(f"Codes have the shape {tuple(codes.shape)}: the codec needs ({expected}, frames).")
    if codes.is_floating_point() or codes.is_complex():
        raise ValueError(f"Codes are {codes.dtype}: the codec needs integers.")
    if codes.numel() and not 0 <= int(codes.min()) <= int(codes.max()) < weights.codebook_size:
        raise ValueError(f"A code is outside 0 .. {weights.codebook_size - 1}, the codec's codebook.")
    codes = codes.to(weights.table.device, torch.int64)
    return codes.reshape(weights.codebooks, rows, codes.shape[1]).transpose(0, 1)


def _audio(sound: Tensor) -> Audio:
    """(rows, samples, audio_channels) -> float32 (samples, channels)."""
    samples: Audio = sound.transpose(0, 1).flatten(1).float().cpu().numpy()
    return samples
