"""One step of exact decoding: every layer keeps what its next samples need, and nothing is computed twice."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from musicgen.codec.matrix import multiply
from musicgen.codec.weights import CodecWeights, Conv, Layer, Lstm, Residual

# From so many windows on, a product per tap beats one product over copied windows (float32, AVX-512).
WINDOWS_PER_TAP = 256
# Up to so many numbers, one call to torch's slower ELU costs less than four calls of our own.
SMALL_ELU = 4096


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
    begun: bool = False  # a frame has come


def new_state(weights: CodecWeights, rows: int = 1) -> CodecState:
    """The state before the first frame of ``rows`` mono decodes that run in lock-step."""

    def zeros(*shape: int) -> Tensor:
        made: Tensor = weights.table.new_zeros(shape)
        return made

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
    state.begun = state.begun or codes.shape[2] > 0
    if not state.begun:
        return codes.new_zeros(codes.shape[0], 0, weights.audio_channels, dtype=weights.table.dtype)
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
    x = torch.cat((state.tail, _elu(x) if conv.elu else x), 1)
    if final or not state.started:
        x = _pad(conv, state, x, final)
    count = max(0, x.shape[1] - conv.span + 1) if state.started else 0
    state.tail = x[:, count:].clone()  # a view would keep the whole chunk in memory
    y = _normalise(conv, _slide(conv, x, count))
    return _trim(conv, state, y, final) if final or state.trim else y


def _elu(x: Tensor) -> Tensor:
    """ELU without expm1, which takes most of its time on a CPU: exp(x) - 1 >= x everywhere, so the larger one is it.

    The lower limit keeps exp out of denormal numbers, which are slow; exp(-40) is nothing beside 1, in float64 too.
    """
    if x.numel() <= SMALL_ELU:
        return F.elu(x)
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


def _slide(conv: Conv, x: Tensor, count: int) -> Tensor:
    """Apply a layer's weights to the first ``count`` windows: (rows, time, in) -> (rows, count * stride, out)."""
    rows, time, _ = x.shape
    if not count:
        return x.new_zeros(rows, 0, conv.outputs)
    if conv.narrow:
        return _sum_taps(conv, x, count)
    if conv.matrix.packed or rows * time < WINDOWS_PER_TAP:
        windows = _view(x, (rows, count, conv.kernel, conv.inputs), conv.dilation)
        y = multiply(conv.matrix, windows.reshape(rows * count, -1), conv.bias)
        return y.view(rows, count * conv.stride, conv.outputs)
    return _slide_taps(conv, x)[:, : count * conv.stride]


def _view(x: Tensor, shape: tuple[int, int, int, int], dilation: int) -> Tensor:
    """(rows, time, in) -> (rows, windows, kernel, in) without a copy."""
    _, time, inputs = x.shape
    return x.contiguous().as_strided(shape, (time * inputs, inputs, dilation * inputs, 1))


def _slide_taps(conv: Conv, x: Tensor) -> Tensor:
    """One product per tap, added up, over all rows as one signal; windows that straddle two rows stand at each end."""
    rows, time, inputs = x.shape
    flat = x.reshape(rows * time, inputs)
    windows = rows * time - conv.span + 1
    y = x.new_empty(rows * time, conv.stride * conv.outputs)
    for tap, weight in enumerate(conv.matrix.weight.view(conv.kernel, inputs, -1)):
        signal = flat[tap * conv.dilation :][:windows]
        if tap:
            y[:windows].addmm_(signal, weight)
        else:
            torch.addmm(conv.bias, signal, weight, out=y[:windows])
    return y.view(rows, time * conv.stride, conv.outputs)


def _sum_taps(conv: Conv, x: Tensor, count: int) -> Tensor:
    """Every sample times every tap, then each window's sum along a diagonal."""
    rows, time, inputs = x.shape
    weight = conv.matrix.weight
    outputs, width = conv.outputs, conv.kernel * conv.outputs
    products = x.reshape(rows * time, inputs).to(weight.dtype) @ weight
    strides = (time * width, width, 1, conv.dilation * width + outputs)
    summed: Tensor = products.as_strided((rows, count, outputs, conv.kernel), strides).sum(3)
    return summed.add_(conv.bias)


def _project(conv: Conv, x: Tensor, add: Tensor | None = None) -> Tensor:
    """A convolution that sees one sample at a time: (rows, time, in) -> (rows, time, out), plus ``add``."""
    rows, time, inputs = x.shape
    flat = x.reshape(rows * time, inputs)
    if add is None or conv.norm is not None:
        y = _normalise(conv, multiply(conv.matrix, flat, conv.bias).view(rows, time, conv.outputs))
        return y if add is None else y.add_(add)
    return multiply(conv.matrix, flat, conv.bias, add.reshape(rows * time, conv.outputs)).view(rows, time, conv.outputs)


def _normalise(conv: Conv, y: Tensor) -> Tensor:
    """Time group norm, if the layer has it: over all features and all of time, so only where the whole signal is."""
    if conv.norm is None:
        return y
    scale, shift = conv.norm
    normed: Tensor = F.layer_norm(y, y.shape[1:]) * scale + shift
    return normed


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
    skip = _delayed(state, x, y.shape[1])
    if layer.shortcut is not None:
        skip = _project(layer.shortcut, skip)
    return _project(layer.project, _elu(y), add=skip)


def _delayed(state: ResidualState, x: Tensor, count: int) -> Tensor:
    """The next ``count`` samples of the input, of which the last wait for a branch that looks ahead."""
    if not state.skip.shape[1] and count == x.shape[1]:
        return x
    skip = torch.cat((state.skip, x), 1)
    state.skip = skip[:, count:].clone()
    return skip[:, :count]


def _lstm(layer: Lstm, state: LstmState, x: Tensor) -> Tensor:
    rows, frames, size = x.shape
    if not frames:
        return x
    y = x
    for i, (weight, recurrent, bias) in enumerate(layer.layers):
        gates = multiply(weight, y.reshape(rows * frames, size), bias).view(rows, frames, 4 * size)
        hidden, cell = state.hidden[i], state.cell[i]
        outputs = []
        for frame in gates.unbind(1):
            hidden, cell = _lstm_cell(multiply(recurrent, hidden, add=frame), cell)
            outputs.append(hidden)
        state.hidden[i], state.cell[i] = hidden, cell
        y = torch.stack(outputs, 1)
    return x + y


def _lstm_cell(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    size = cell.shape[1]
    first, forget, output = gates[:, : 3 * size].sigmoid().chunk(3, 1)
    cell = torch.addcmul(forget * cell, first, gates[:, 3 * size :].tanh())
    return output * cell.tanh(), cell
