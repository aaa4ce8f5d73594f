"""A decoder's weights as the native library reads them: packed, and described by C structures."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from musicgen.arrays import Array, as_numpy, floats
from musicgen.backends.threads import cores
from musicgen.decoder import DecoderWeights, LayerWeights

HEAD = 64  # the head size, and the group that everything is laid out in

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]


class Matrix(ctypes.Structure):
    """A packed matrix."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("inputs", ctypes.c_int32),
        ("outputs", ctypes.c_int32),
        ("bits", ctypes.c_int32),
    ]


class Layer(ctypes.Structure):
    """A layer's weights."""

    _fields_ = [
        *(
            (f"{part}_norm_{name}", ctypes.c_void_p)
            for part in ("self", "cross", "feed")
            for name in ("scale", "shift")
        ),
        *((name, Matrix) for name in ("qkv", "self_out", "cross_q", "cross_out", "feed_in", "feed_out")),
    ]


class Weights(ctypes.Structure):
    """All of a decoder's weights."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in ("hidden", "layers", "codebooks", "feed")),
        *((name, ctypes.c_void_p) for name in ("embed", "offsets", "positions", "norm_scale", "norm_shift")),
        ("heads", Matrix),
        ("layer", ctypes.POINTER(Layer)),
    ]


class Packed:
    """A decoder's weights, packed, and the structures that point to them."""

    def __init__(self, library: ctypes.CDLL, weights: DecoderWeights, bits: int) -> None:
        jobs = [(name, matrix, bits) for layer in weights.layers for name, matrix in _matrices(layer)]
        jobs.append(("heads", weights.heads, 8))
        sizes = [library.native_matrix_size(*matrix.shape, bits) for _, matrix, bits in jobs]
        self.size = sum(sizes)
        self._memory = pages(self.size)
        places = np.split(self._memory, np.cumsum(sizes)[:-1])
        with ThreadPoolExecutor(cores()) as pool:
            packed = pool.map(lambda job, place: pack(library, job[1], job[2], place), jobs, places)
            matrices = iter(list(packed))
        self._kept: list[NDArray[Any]] = []
        layers = (Layer * len(weights.layers))()
        for made, layer in zip(layers, weights.layers, strict=True):
            for name, _ in _matrices(layer):
                setattr(made, name, next(matrices))
            cross_norm = layer.cross.norm if layer.cross is not None else None
            for part, norm in (("self", layer.self_norm), ("cross", cross_norm), ("feed", layer.feed_norm)):
                if norm is not None:
                    setattr(made, f"{part}_norm_scale", self._keep(norm[0]))
                    setattr(made, f"{part}_norm_shift", self._keep(norm[1]))
        self.weights = Weights(
            hidden=weights.hidden,
            layers=len(weights.layers),
            codebooks=weights.codebooks,
            feed=weights.layers[0].feed_in.shape[1],
            embed=self._keep(weights.embed),
            offsets=self._keep(weights.offsets, np.int64),
            positions=self._keep(weights.positions),
            norm_scale=self._keep(weights.norm[0]),
            norm_shift=self._keep(weights.norm[1]),
            heads=next(matrices),
            layer=layers,
        )

    def _keep(self, array: Array, dtype: DTypeLike = np.float32) -> int:
        self._kept.append(np.ascontiguousarray(as_numpy(array), dtype))
        return self._kept[-1].ctypes.data


def _matrices(layer: LayerWeights) -> Iterator[tuple[str, Array]]:
    """In the order of their use."""
    yield "qkv", layer.qkv
    yield "self_out", layer.self_out
    if layer.cross is not None:
        yield "cross_q", layer.cross.q
        yield "cross_out", layer.cross.out
    yield "feed_in", layer.feed_in
    yield "feed_out", layer.feed_out


def pack(library: ctypes.CDLL, matrix: Array, bits: int, place: Bytes) -> Matrix:
    """Quantise a matrix (inputs, outputs) into a place of the size that the library names, and describe it."""
    source = contiguous(matrix)
    inputs, outputs = source.shape
    library.native_pack(source.ctypes.data, outputs, inputs, outputs, bits, place.ctypes.data)
    return Matrix(place.ctypes.data, inputs, outputs, bits)


def contiguous(array: Array) -> Floats:
    """An array as the library reads it."""
    return np.ascontiguousarray(floats(array))


def pages(size: int) -> Bytes:
    """Zeros, page-aligned, in huge pages where the system has them: fewer look-ups while reading from end to end."""
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, np.uint8)
