"""A codec's network in the native library: its packed layers, what computes them, and states of streams."""

from __future__ import annotations

import ctypes
import functools
import weakref
from collections.abc import Iterable
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from musicgen.backends import native_step
from musicgen.codec.native_packing import NativeWeights, Packing
from musicgen.codec.weights import Conv, Layer
from musicgen.errors import ModelError

WORDS_FROM = {"neon": 2 * 1024 * 1024, "neondot": 2 * 1024 * 1024}
"""Bytes of a layer's float32 weights, from which on it is read in 16 bits, by kernels; from the first one on with the
others, which multiply whole numbers faster than floating-point ones. NEON does not: there only reading less pays."""


class Frames(ctypes.Structure):
    """The next frames of one mono decode, see codec.h."""

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
        "native_codec_open": (pointer, [ctypes.POINTER(NativeWeights), ctypes.c_char_p, integer]),
        "native_codec_close": (None, [pointer]),
        "native_codec_state_size": (ctypes.c_size_t, [pointer]),
        "native_codec_reset": (None, [pointer, pointer]),
        "native_codec_due": (ctypes.c_int64, [pointer]),
        "native_codec_decode": (None, [pointer, ctypes.POINTER(Frames), integer]),
        "native_codec_encode": (integer, [pointer, pointer, pointer, integer, integer, pointer]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class NativeNetwork:
    """Layers, packed for the native library, and the threads that compute them. Shared by any number of streams.

    Parameters
    ----------
    layers
        float32, on the CPU. Copied: they may be let go.
    table
        The codebooks one below the other, of a decoder, (codebooks * entries, features); None for an encoder.
    codebooks, features, hop
        Of the codec; features are those of a frame.
    compact, threads, kernels
        See :class:`musicgen.codec.NativeCodec`.

    Raises
    ------
    ModelError
        This machine has no such kernels.
    """

    def __init__(
        self,
        layers: Iterable[Layer],
        table: NDArray[np.float32] | None,
        *,
        codebooks: int = 1,
        features: int,
        hop: int,
        compact: bool = False,
        threads: int = 1,
        kernels: str | None = None,
    ) -> None:
        self.library = _functions(native_step.library())
        self.kernels = kernels or native_step.kernels()[0]
        self._packing = Packing(compact, WORDS_FROM.get(self.kernels, 0))
        if table is None:
            self._layers = self._packing.layers(layers)
        else:
            *inner, last = layers
            self._layers = self._packing.layers(inner, cast(Conv, last))
        self._weights = NativeWeights(
            table=None if table is None else self._packing.keep(table),
            codebooks=codebooks,
            entries=0 if table is None else len(table) // codebooks,
            features=features,
            hop=hop,
            layers=len(self._layers),
            layer=self._layers,
        )
        self.handle = self.library.native_codec_open(self._weights, self.kernels.encode(), threads)
        if self.handle is None:
            available = ", ".join(native_step.kernels())
            raise ModelError(f"This machine cannot run the kernels '{self.kernels}': it has {available}.")
        weakref.finalize(self, self.library.native_codec_close, self.handle)

    @property
    def bytes(self) -> int:
        """Of its weights."""
        return self._packing.size

    def new_state(self, rows: int = 1) -> NDArray[np.uint8]:
        """The state before the first frame of so many mono signals, (rows, bytes). A copy goes on as the original."""
        state = np.empty((rows, self.library.native_codec_state_size(self.handle)), np.uint8)
        self.reset(state)
        return state

    def reset(self, state: NDArray[np.uint8]) -> None:
        """Make a state as new."""
        for row in state:
            self.library.native_codec_reset(self.handle, row.ctypes.data)

    def due(self, place: int) -> int:
        """Samples that the signal whose state lies at an address still owes, see codec.h."""
        return int(self.library.native_codec_due(place))
