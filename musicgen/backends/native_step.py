"""Quantised weights and kernels for the CPU at hand, in C++ (the folder ``native``): one call a step for all rows.

The library is built when the package is installed where a C++ compiler (GCC or Clang) is found, and left out elsewhere.
Weights have 8 bits with a scale for each group of 64 inputs, or 6 or 4 bits with a scale for each 32, chosen for the
least squared error; activations 8 bits with a scale for each group of 64, keys and values 8 bits with a scale for each
head and position; all else is float32.
"""

from __future__ import annotations

import ctypes
import functools
import math
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicgen.arrays import Array
from musicgen.backends.native_weights import HEAD, Bytes, Floats, Matrix, Packed, Weights, contiguous, pack, pages
from musicgen.backends.threads import best_threads, cores, least_time
from musicgen.decoder import DecoderWeights, Prompts
from musicgen.errors import ModelError
from musicgen.library import ANOTHER_VERSION, load_library
from musicgen.past.policy import StreamingPolicy
from musicgen.past.state import State

BLOCK = 16  # positions that lie side by side, see kernels.h
OUT_OF_HEARING = -1e30  # a score that nothing is left of
LIGHT = 32 << 20
"""Bytes of weights a step that one thread reads in a small part of a frame. More threads would gain nothing that is
heard, and a process without threads of its own can be forked: that is how a killed engine is replaced at once."""
BITS = {"native": 8, "native-int6": 6, "native-int4": 4}
"""Of the layers' weights, by the backend's name."""


class _Row(ctypes.Structure):
    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("column", "input", "memory", "prompt")),
        *((name, ctypes.c_int32) for name in ("capacity", "position", "prompt_size")),
        ("logits", ctypes.c_void_p),
        ("prompt_bias", ctypes.c_void_p),
        ("added", ctypes.c_void_p),
    ]


@functools.cache
def library() -> ctypes.CDLL:
    """The library with the steps' signatures.

    Raises
    ------
    ModelError
        It was not built, or is of another version.
    """
    loaded = load_library()
    if loaded.native_row_size() != ctypes.sizeof(_Row):
        raise ModelError(ANOTHER_VERSION)
    pointer, integer, size = ctypes.c_void_p, ctypes.c_int32, ctypes.c_size_t
    signatures: dict[str, tuple[Any, list[Any]]] = {
        "native_kernels": (ctypes.c_char_p, []),
        "native_max_rows": (integer, []),
        "native_matrix_size": (size, [integer, integer, integer]),
        "native_pack": (None, [pointer, ctypes.c_int64, integer, integer, integer, pointer]),
        "native_memory_size": (size, [integer, integer, integer]),
        "native_open": (pointer, [ctypes.POINTER(Weights), ctypes.c_char_p, integer]),
        "native_close": (None, [pointer]),
        "native_step": (None, [pointer, ctypes.POINTER(_Row), integer]),
        "native_fill": (None, [pointer, pointer, pointer, integer, pointer]),
        "native_product": (None, [pointer, ctypes.POINTER(Matrix), pointer, integer, pointer]),
        "native_read": (ctypes.c_uint64, [pointer, pointer, size]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(loaded, name)
        function.restype, function.argtypes = result, arguments
    return loaded


def kernels() -> list[str]:
    """The kernels that this machine can run, best first; "portable", plain C++, is always the last."""
    names: bytes = library().native_kernels()
    return names.decode().split(",")


def read_rate(threads: int | None = None, size: int = 1 << 28) -> float:
    """Bytes a second at which so many threads read memory together, None for as many as there are cores."""
    loaded = library()
    handle = loaded.native_open(Weights(hidden=HEAD), kernels()[0].encode(), threads or cores())
    try:
        return _read_rate(loaded, handle, size)
    finally:
        loaded.native_close(handle)


def _read_rate(loaded: ctypes.CDLL, handle: int, size: int) -> float:
    buffer = pages(size)
    buffer.fill(1)
    return size / least_time(lambda: loaded.native_read(handle, buffer.ctypes.data, size))


def refusal(weights: DecoderWeights) -> str:
    """Why a decoder does not suit this backend, "" where it does."""
    sizes = {
        "hidden size": weights.hidden,
        "feed-forward size": weights.layers[0].feed_in.shape[1],
        "number of codebooks times vocabulary": weights.heads.shape[1],
    }
    if weights.hidden != weights.head_count * HEAD:
        return (
            f"the native backend needs heads of size {HEAD}, this decoder's have {weights.hidden // weights.head_count}"
        )
    for name, size in sizes.items():
        if size % HEAD:
            return f"the native backend needs a {name} that is a multiple of {HEAD}, this decoder's is {size}"
    if weights.activation != "gelu":
        return "the native backend knows no activation but the exact gelu"
    return ""


@dataclass(frozen=True)
class NativePrompt:
    """A prompt, or a blend of some.

    Attributes
    ----------
    memory
        Keys and values.
    sizes
        Positions of each; in a blend there is room behind it up to the next multiple of ``BLOCK``.
    bias
        (positions and room,) float32, added to the scores; None in a prompt by itself.
    """

    memory: Bytes
    sizes: tuple[int, ...]
    bias: NDArray[np.float32] | None = None

    @property
    def size(self) -> int:
        """Positions that are attended to."""
        return self.sizes[0] if self.bias is None else len(self.bias)


class NativeBackend:
    """See :class:`musicgen.backends.Backend`.

    Parameters
    ----------
    weights
        Copied: they may be let go afterwards.
    bits
        Of the layers' weights, one of ``BITS``; the heads have 8 always.
    threads
        None: as many as a short measurement finds best, and one for a light decoder, see ``LIGHT``.
    kernels
        One of :func:`kernels`, None for the first.

    Attributes
    ----------
    threads
        That a step uses; the caller's is one of them.
    kernels
        In use.
    step_bytes
        Weights that a step reads, scales included.

    Raises
    ------
    ModelError
        The library is not there, or the decoder does not suit it.
    """

    def __init__(
        self, weights: DecoderWeights, *, bits: int = 8, threads: int | None = None, kernels: str | None = None
    ) -> None:
        self._library = library()
        reason = refusal(weights)
        if reason:
            raise ModelError(f"This model cannot be used: {reason}. Use the torch backend.")
        self.name = next(name for name, own in BITS.items() if own == bits)
        self.bits = bits
        self.kernels = kernels or globals()["kernels"]()[0]
        self._layers, self._heads = len(weights.layers), weights.head_count
        self._codebooks, self._vocabulary = weights.codebooks, weights.vocabulary
        self._hidden = weights.hidden
        self._cross_kv = [contiguous(layer.cross.kv) for layer in weights.layers if layer.cross is not None]
        self._packed = Packed(self._library, weights, bits)
        self.step_bytes = self._packed.size
        if threads is None and self.step_bytes < LIGHT:
            self._open(1)
        elif threads is None:
            state, column = self.new_state(StreamingPolicy(1, 2)), np.zeros((1, self._codebooks), np.int64)
            best_threads(self._open, lambda: self.step([state], [column], [(None, None)]), cores())
        else:
            self._open(threads)

    def _open(self, threads: int) -> None:
        handle = self._library.native_open(self._packed.weights, self.kernels.encode(), threads)
        if handle is None:
            raise ModelError(f"This machine cannot run the kernels '{self.kernels}': it has {', '.join(kernels())}.")
        self._handle, self.threads = handle, threads
        close = weakref.finalize(self, self._library.native_close, handle)
        self._close, previous = close, getattr(self, "_close", None)
        if previous is not None:
            previous()

    def take_over(self, other: NativeBackend) -> None:
        """Go on with the weights of another one of the same shape; pasts stay. Between two steps."""
        self._lender = other  # whose end would close what it lends
        self._cross_kv, self._packed, self._handle = other._cross_kv, other._packed, other._handle
        self._close()

    def prompt(self, states: Floats) -> NativePrompt | None:
        """See :meth:`musicgen.backends.Backend.prompt`. None in a decoder without cross-attention."""
        if not self._cross_kv:
            return None
        size = len(states)
        kv = np.stack([states @ matrix for matrix in self._cross_kv])
        kv = kv.reshape(self._layers, size, 2, self._heads, HEAD).transpose(2, 0, 3, 1, 4)
        memory = pages(self._library.native_memory_size(self._layers, self._heads, size))
        keys, values = np.ascontiguousarray(kv)
        self._library.native_fill(self._handle, keys.ctypes.data, values.ctypes.data, size, memory.ctypes.data)
        return NativePrompt(memory, (size,))

    def blend(self, prompts: Sequence[NativePrompt | None]) -> NativePrompt:
        """See :meth:`musicgen.backends.Backend.blend`. Blocks of positions are copied as they lie."""
        heads = self._layers * self._heads
        sizes = tuple(1 if prompt is None else prompt.size for prompt in prompts)
        rooms = [_padded(size) for size in sizes]
        memory = pages(self._library.native_memory_size(self._layers, self._heads, sum(rooms)))
        whole = _parts(memory, heads, sum(rooms))
        start = 0
        for prompt, room in zip(prompts, rooms, strict=True):
            if prompt is not None:
                for part, own in zip(whole, _parts(prompt.memory, heads, room), strict=True):
                    part[:, start : start + room] = own
            start += room
        return self.weigh(NativePrompt(memory, sizes), [1.0] * len(sizes))

    def weigh(self, blend: NativePrompt, weights: Sequence[float]) -> NativePrompt:
        """See :meth:`musicgen.backends.Backend.weigh`."""
        bias = np.full(sum(map(_padded, blend.sizes)), OUT_OF_HEARING, np.float32)
        start = 0
        for size, weight in zip(blend.sizes, weights, strict=True):
            bias[start : start + size] = math.log(weight)
            start += _padded(size)
        return replace(blend, bias=bias)

    def new_state(self, policy: StreamingPolicy) -> State:
        """Its memory: (lanes, 2 conditional and null, bytes)."""
        size = self._library.native_memory_size(self._layers, self._heads, policy.max_position)
        return State(policy, pages(policy.lanes * 2 * size).reshape(policy.lanes, 2, size))

    def step(
        self,
        states: Sequence[State],
        columns: Sequence[NDArray[np.int64]],
        prompts: Sequence[Prompts],
        added: Sequence[Floats | None] | None = None,
    ) -> Floats:
        """See :meth:`musicgen.backends.Backend.step`."""
        logits = np.empty((len(states), 2, self._codebooks, self._vocabulary), np.float32)
        column = np.ascontiguousarray(np.concatenate(columns))
        rows: list[_Row] = []
        at = column.ctypes.data
        vectors = [own if own is None else np.ascontiguousarray(own, np.float32) for own in added or ()]
        places = [own if own is None else own.ctypes.data for own in vectors] or [None] * len(states)
        for index, (state, pair, place) in enumerate(zip(states, prompts, places, strict=True)):
            for lane in state.lanes:
                for row, prompt in enumerate(pair):
                    made = self._row(state, lane, row, prompt)
                    made.column = at
                    if row == 0:
                        made.added = place
                    if lane == state.lanes[0]:
                        made.logits = logits[index, row].ctypes.data
                    rows.append(made)
                at += column.strides[0]
        self._run(rows)
        return logits

    def prefill(self, state: State, inputs: Floats, prompts: Prompts) -> Floats:
        """See :meth:`musicgen.backends.Backend.prefill`."""
        lane, start, count = state.lanes[0], state.position, inputs.shape[1]
        state.skip(count)
        inputs = contiguous(inputs)
        logits = np.empty((2, self._codebooks, self._vocabulary), np.float32)
        block = self._library.native_max_rows() // 2
        for first in range(0, count, block):
            rows = []
            for row, prompt in enumerate(prompts):
                for index in range(first, min(first + block, count)):
                    made = self._row(state, lane, row, prompt)
                    made.position = start + index
                    made.input = inputs[row, index].ctypes.data
                    made.logits = logits[row].ctypes.data if index == count - 1 else None
                    rows.append(made)
            self._run(rows)
        return logits

    def _row(self, state: State, lane: int, row: int, prompt: NativePrompt | None) -> _Row:
        return _Row(
            memory=state.memory[lane, row].ctypes.data,
            prompt=prompt.memory.ctypes.data if prompt else None,
            capacity=state.policy.max_position,
            position=state.positions[lane],
            prompt_size=prompt.size if prompt else 0,
            prompt_bias=prompt.bias.ctypes.data if prompt is not None and prompt.bias is not None else None,
        )

    def _run(self, rows: Sequence[_Row]) -> None:
        most = self._library.native_max_rows()
        for first in range(0, len(rows), most):
            part = rows[first : first + most]
            self._library.native_step(self._handle, (_Row * len(part))(*part), len(part))

    def product(self, matrix: Array, x: Floats) -> Floats:
        """``x @ matrix`` as a step computes it: (rows, inputs), (inputs, outputs), 1 to 64 rows."""
        packed = pages(self._library.native_matrix_size(*matrix.shape, self.bits))
        described = pack(self._library, matrix, self.bits, packed)
        y = np.empty((len(x), matrix.shape[1]), np.float32)
        x = contiguous(x)
        self._library.native_product(self._handle, described, x.ctypes.data, len(x), y.ctypes.data)
        return y

    def read_rate(self, size: int = 1 << 29) -> float:
        """Bytes a second at which these threads read memory: the bound of a step. size: of the buffer read."""
        return _read_rate(self._library, self._handle, size)


def _padded(positions: int) -> int:
    return -(-positions // BLOCK) * BLOCK


def _parts(memory: Bytes, heads: int, capacity: int) -> tuple[Bytes, ...]:
    """Keys, values and the scales of both, (heads, capacity, bytes of a position) each; see ``kernels.h``."""
    whole = memory[: heads * capacity * (2 * HEAD + 8)].reshape(heads, -1)
    ends = np.cumsum([HEAD * capacity, HEAD * capacity, 4 * capacity])
    return tuple(part.reshape(heads, capacity, -1) for part in np.split(whole, ends, axis=1))
