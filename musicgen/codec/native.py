"""EnCodec's decoder in the native library: the same stream as :mod:`musicgen.codec.exact`'s, without torch.

In float32 its samples are within 2e-5 of the RMS of the reference's, in fewer bits 45 dB below at least, see
:class:`NativeCodec`. Chunks, other streams and the number of threads change no bit of them; the instruction set changes
the last ones.
"""

from __future__ import annotations

import ctypes
import functools
import weakref
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicgen.backends import native_step, native_weights
from musicgen.codec.batched import Batched
from musicgen.codec.codes import Codes, checked
from musicgen.codec.weights import CodecWeights, Conv, Lstm, Residual, dense, look_ahead
from musicgen.errors import ModelError

LANES = 16
"""Features are padded to a multiple of it, and outputs are taken so many at a time."""
TOP_WORD, WORDS_TOGETHER = 8191, 128
"""As the library has them, see ``Panels`` in kernels.h."""
WORDS_FROM = {"neon": 2 * 1024 * 1024, "neondot": 2 * 1024 * 1024}
"""Bytes of a layer's float32 weights, from which on it is read in 16 bits, by kernels; from the first one on with the
others, which multiply whole numbers faster than floating-point ones. NEON does not: there only reading less pays."""

Audio = NDArray[np.float32]
Floats = NDArray[np.float32]


class _Conv(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("weights", "bias", "scales")),
        *(
            (name, ctypes.c_int32)
            for name in ("bits", "inputs", "outputs", "kernel", "dilation", "left", "right", "stride", "trim")
        ),
        *((name, ctypes.c_int32) for name in ("reflect", "elu")),
    ]


class _Gates(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("input", "recurrent", "bias")]


class _Layer(ctypes.Structure):
    _fields_ = [
        *((name, _Conv) for name in ("convolve", "project", "shortcut")),
        ("gates", ctypes.POINTER(_Gates)),
        *((name, ctypes.c_int32) for name in ("size", "depth", "bits")),
    ]


class _Weights(ctypes.Structure):
    _fields_ = [
        ("table", ctypes.c_void_p),
        *((name, ctypes.c_int32) for name in ("codebooks", "entries", "features", "hop", "layers")),
        ("layer", ctypes.POINTER(_Layer)),
    ]


class _Frames(ctypes.Structure):
    _fields_ = [
        ("codes", ctypes.c_void_p),
        ("codebook_step", ctypes.c_int64),
        *((name, ctypes.c_int32) for name in ("frames", "final")),
        *((name, ctypes.c_void_p) for name in ("state", "sound")),
        *((name, ctypes.c_int32) for name in ("sound_step", "samples")),
    ]


@functools.cache
def _functions(library: ctypes.CDLL) -> ctypes.CDLL:
    """The library with the codec's signatures."""
    pointer, integer = ctypes.c_void_p, ctypes.c_int32
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "native_codec_open": (pointer, [ctypes.POINTER(_Weights), ctypes.c_char_p, integer]),
        "native_codec_close": (None, [pointer]),
        "native_codec_state_size": (ctypes.c_size_t, [pointer]),
        "native_codec_reset": (None, [pointer, pointer]),
        "native_codec_due": (ctypes.c_int64, [pointer]),
        "native_codec_decode": (None, [pointer, ctypes.POINTER(_Frames), integer]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


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
        self._library = _functions(native_step.library())
        self.kernels = kernels or native_step.kernels()[0]
        self.threads = threads
        self.compact = compact
        self.codebooks, self.entries = weights.codebooks, weights.codebook_size
        self.hop, self.sample_rate = weights.hop, weights.sample_rate
        self.audio_channels = weights.audio_channels
        self.look_ahead = look_ahead(weights)
        self._packed = _Packed(weights, self.compact, WORDS_FROM.get(self.kernels, 0))
        handle = self._library.native_codec_open(self._packed.weights, self.kernels.encode(), threads)
        if handle is None:
            available = ", ".join(native_step.kernels())
            raise ModelError(f"This machine cannot run the kernels '{self.kernels}': it has {available}.")
        self._handle = handle
        weakref.finalize(self, self._library.native_codec_close, handle)

    @property
    def bytes(self) -> int:
        """Of its weights."""
        return self._packed.size

    def new_state(self, rows: int = 1) -> NDArray[np.uint8]:
        """The state before the first frame of so many mono decodes, (rows, bytes). A copy goes on as the original."""
        state = np.empty((rows, self._library.native_codec_state_size(self._handle)), np.uint8)
        self.reset(state)
        return state

    def reset(self, state: NDArray[np.uint8]) -> None:
        """Make a state as new."""
        for row in state:
            self._library.native_codec_reset(self._handle, row.ctypes.data)

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
        rows: list[_Frames] = []
        sounds: list[Audio] = []
        for state, own in zip(states, codes, strict=True):
            frames, channels = own.shape[1], len(state) * self.audio_channels
            due = self._library.native_codec_due(state.ctypes.data)
            sound = np.empty((due + frames * self.hop, channels), np.float32)
            for index in range(len(state)):
                rows.append(
                    _Frames(
                        codes=own.ctypes.data + 8 * index * frames,
                        codebook_step=len(state) * frames,
                        frames=frames,
                        final=final,
                        state=state[index].ctypes.data,
                        sound=sound.ctypes.data + 4 * index * self.audio_channels,
                        sound_step=channels,
                    )
                )
            sounds.append(sound)
        together = (_Frames * len(rows))(*rows)
        self._library.native_codec_decode(self._handle, together, len(rows))
        firsts = np.cumsum([0, *(len(state) for state in states)])
        if final:
            for state in states:
                self.reset(state)
        return [sound[: together[int(first)].samples] for sound, first in zip(sounds, firsts[:-1], strict=True)]


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


# ---------------------------------------------------------------------------------------------------------- packing


class _Packed:
    """A codec's weights in the library's layout, and the structures that point to them."""

    def __init__(self, weights: CodecWeights, compact: bool, words_from: int) -> None:
        self._compact, self._words_from = compact, words_from
        self._kept: list[Any] = []
        self.size = 0
        *inner, last = weights.layers
        assert isinstance(last, Conv)
        layers = (_Layer * len(weights.layers))()
        for made, layer in zip(layers, inner, strict=False):
            if isinstance(layer, Lstm):
                self._lstm(made, layer)
            elif isinstance(layer, Residual):
                made.convolve, made.project = self._conv(layer.convolve), self._conv(layer.project)
                if layer.shortcut is not None:
                    made.shortcut = self._conv(layer.shortcut)
            else:
                made.convolve = self._conv(layer)
        layers[-1].convolve = self._last(last)
        self.weights = _Weights(
            table=self._keep(np.asarray(weights.table)),
            codebooks=weights.codebooks,
            entries=weights.codebook_size,
            features=weights.table.shape[1],
            hop=weights.hop,
            layers=len(layers),
            layer=layers,
        )

    def _conv(self, conv: Conv) -> _Conv:
        taps, bias = _taps(conv), _padded(np.asarray(conv.bias).reshape(conv.stride, conv.outputs), 1)
        if not self._compact or 4 * taps.size < self._words_from:
            return self._described(conv, self._panels(taps), bias)
        words, scales = in_words(_padded(_padded(taps, 3), 1).reshape(conv.kernel, -1, bias.size))
        return self._described(conv, self._keep(words), bias, scales)

    def _last(self, conv: Conv) -> _Conv:
        """(outputs, kernel, width): each sample is a sum over one window."""
        filters = _padded(_taps(conv)[:, :, 0].transpose(2, 0, 1), 2)
        return self._described(conv, self._keep(filters), np.asarray(conv.bias))

    def _described(self, conv: Conv, weights: int, bias: Floats, scales: Floats | None = None) -> _Conv:
        names = ("inputs", "outputs", "kernel", "dilation", "left", "right", "stride", "trim", "reflect", "elu")
        sizes = {name: int(getattr(conv, name)) for name in names}
        if scales is None:
            return _Conv(weights=weights, bias=self._keep(bias), bits=32, **sizes)
        return _Conv(weights=weights, bias=self._keep(bias), scales=self._keep(scales), bits=16, **sizes)

    def _lstm(self, made: _Layer, lstm: Lstm) -> None:
        size = lstm.size
        bits = 8 if self._compact and size % native_weights.HEAD == 0 else 32
        gates = (_Gates * len(lstm.layers))()
        for own, (weight, recurrent, bias) in zip(gates, lstm.layers, strict=True):
            own.input, own.recurrent = (self._gates(np.asarray(dense(part)), bits) for part in (weight, recurrent))
            own.bias = self._keep(_padded(np.asarray(bias).reshape(4, size), 1))
        made.gates, made.size, made.depth, made.bits = gates, size, len(gates), bits
        self._kept.append(gates)

    def _gates(self, matrix: Floats, bits: int) -> int:
        inputs, outputs = matrix.shape
        if bits == 32:
            return self._panels(matrix.reshape(1, inputs, 4, outputs // 4))
        matrix = np.ascontiguousarray(matrix)
        library = native_step.library()
        packed = native_weights.pages(library.native_matrix_size(inputs, outputs, bits))
        library.native_pack(matrix.ctypes.data, outputs, inputs, outputs, bits, packed.ctypes.data)
        return self._keep(packed)

    def _panels(self, taps: Floats) -> int:
        """(kernel, inputs, pieces, outputs) -> (panels, kernel * inputs, 16)."""
        kernel, inputs = taps.shape[:2]
        return self._keep(_padded(taps, 3).reshape(kernel * inputs, -1, LANES).transpose(1, 0, 2))

    def _keep(self, array: NDArray[Any]) -> int:
        """Its address, in pages that stay."""
        place = native_weights.pages(max(1, array.nbytes)).view(array.dtype)
        place[: array.size] = array.reshape(-1)
        self._kept.append(place)
        self.size += array.nbytes
        return int(place.ctypes.data)


def _taps(conv: Conv) -> Floats:
    """(kernel, inputs, stride, outputs)."""
    matrix: Floats = np.asarray(dense(conv.matrix))
    taps: Floats
    if conv.narrow:
        taps = matrix.reshape(conv.inputs, conv.kernel, 1, conv.outputs).transpose(1, 0, 2, 3)
    else:
        taps = matrix.reshape(conv.kernel, conv.inputs, conv.stride, conv.outputs)
    return taps


def _padded(array: Floats, axis: int) -> Floats:
    """With zeros up to a multiple of 16 along an axis."""
    missing = -array.shape[axis] % LANES
    padded: Floats = np.pad(array, [(0, missing if own == axis else 0) for own in range(array.ndim)])
    return padded


def in_words(taps: Floats) -> tuple[NDArray[np.int16], Floats]:
    """Weights (kernel, inputs, outputs) as whole numbers, in panels, and each output's scale.

    No sum of ``WORDS_TOGETHER`` products with numbers up to ``TOP_WORD`` leaves 32 bits.
    """
    kernel, inputs, outputs = taps.shape
    together = np.add.reduceat(np.abs(taps), range(0, inputs, WORDS_TOGETHER), axis=1).max(axis=(0, 1))
    room = (2**31 - 1) // TOP_WORD - WORDS_TOGETHER  # rounding adds half a unit at most to each
    scales = np.maximum(np.maximum(np.abs(taps).max(axis=(0, 1)) / 32767, together / room), 1e-30).astype(np.float32)
    pairs = np.rint(taps / scales).astype(np.int16).reshape(kernel, inputs // 2, 2, outputs // LANES, LANES)
    return pairs.transpose(3, 0, 1, 4, 2), scales
