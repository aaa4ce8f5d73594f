"""Layers of a codec in the native library's layout."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicgen.backends import native_step, native_weights
from musicgen.codec.weights import Conv, Layer, Lstm, Residual, dense

LANES = 16
"""Features are padded to a multiple of it, and outputs are taken so many at a time."""
TOP_WORD, WORDS_TOGETHER = 8191, 128
"""As the library has them, see ``Panels`` in kernels.h."""

Floats = NDArray[np.float32]


class NativeConv(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("weights", "bias", "scales")),
        *(
            (name, ctypes.c_int32)
            for name in ("bits", "inputs", "outputs", "kernel", "dilation", "left", "right", "stride", "trim", "step")
        ),
        *((name, ctypes.c_int32) for name in ("reflect", "elu")),
    ]


class NativeGates(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("input", "recurrent", "bias")]


class NativeLayer(ctypes.Structure):
    _fields_ = [
        *((name, NativeConv) for name in ("convolve", "project", "shortcut")),
        ("gates", ctypes.POINTER(NativeGates)),
        *((name, ctypes.c_int32) for name in ("size", "depth", "bits")),
    ]


class NativeWeights(ctypes.Structure):
    _fields_ = [
        ("table", ctypes.c_void_p),
        *((name, ctypes.c_int32) for name in ("codebooks", "entries", "features", "hop", "layers")),
        ("layer", ctypes.POINTER(NativeLayer)),
    ]


class Packing:
    """Packs layers for the library, and keeps what the structures point to.

    Parameters
    ----------
    compact, words_from
        Whether products take fewer bits, see :class:`musicgen.codec.NativeCodec`, and from how many bytes of float32
        weights on a convolution's do.

    Attributes
    ----------
    size
        Bytes of all that is kept.
    """

    def __init__(self, compact: bool = False, words_from: int = 0) -> None:
        self._compact, self._words_from = compact, words_from
        self._kept: list[Any] = []
        self.size = 0

    def layers(self, layers: Iterable[Layer], sound: Conv | None = None) -> ctypes.Array[NativeLayer]:
        """sound: a last layer that gives a sound's few channels, not features."""
        packed = [self._layer(layer) for layer in layers]
        if sound is not None:
            packed.append(NativeLayer(convolve=self._last(sound)))
        return (NativeLayer * len(packed))(*packed)

    def _layer(self, layer: Layer) -> NativeLayer:
        made = NativeLayer()
        if isinstance(layer, Lstm):
            self._lstm(made, layer)
        elif isinstance(layer, Residual):
            made.convolve, made.project = self._conv(layer.convolve), self._conv(layer.project)
            if layer.shortcut is not None:
                made.shortcut = self._conv(layer.shortcut)
        else:
            made.convolve = self._conv(layer)
        return made

    def keep(self, array: NDArray[Any]) -> int:
        """Its address, in pages that stay."""
        place = native_weights.pages(max(1, array.nbytes)).view(array.dtype)
        place[: array.size] = array.reshape(-1)
        self._kept.append(place)
        self.size += array.nbytes
        return int(place.ctypes.data)

    def _conv(self, conv: Conv) -> NativeConv:
        taps, bias = _taps(conv), _padded(np.asarray(conv.bias).reshape(conv.stride, conv.outputs), 1)
        if not self._compact or 4 * taps.size < self._words_from:
            return self._described(conv, self._panels(taps), bias)
        words, scales = in_words(_padded(_padded(taps, 3), 1).reshape(conv.kernel, -1, bias.size))
        return self._described(conv, self.keep(words), bias, scales)

    def _last(self, conv: Conv) -> NativeConv:
        """(outputs, kernel, width): each sample is a sum over one window."""
        filters = _padded(_taps(conv)[:, :, 0].transpose(2, 0, 1), 2)
        return self._described(conv, self.keep(filters), np.asarray(conv.bias))

    def _described(self, conv: Conv, weights: int, bias: Floats, scales: Floats | None = None) -> NativeConv:
        names = ("inputs", "outputs", "kernel", "dilation", "left", "right", "stride", "trim", "step", "reflect", "elu")
        sizes = {name: int(getattr(conv, name)) for name in names}
        if scales is None:
            return NativeConv(weights=weights, bias=self.keep(bias), bits=32, **sizes)
        return NativeConv(weights=weights, bias=self.keep(bias), scales=self.keep(scales), bits=16, **sizes)

    def _lstm(self, made: NativeLayer, lstm: Lstm) -> None:
        size = lstm.size
        bits = 8 if self._compact and size % native_weights.HEAD == 0 else 32
        gates = (NativeGates * len(lstm.layers))()
        for own, (weight, recurrent, bias) in zip(gates, lstm.layers, strict=True):
            own.input, own.recurrent = (self._gates(np.asarray(dense(part)), bits) for part in (weight, recurrent))
            own.bias = self.keep(_padded(np.asarray(bias).reshape(4, size), 1))
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
        return self.keep(packed)

    def _panels(self, taps: Floats) -> int:
        """(kernel, inputs, pieces, outputs) -> (panels, kernel * inputs, 16)."""
        kernel, inputs = taps.shape[:2]
        return self.keep(_padded(taps, 3).reshape(kernel * inputs, -1, LANES).transpose(1, 0, 2))


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
