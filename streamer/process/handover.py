"""Where the engine at work leaves its state for its successor, in shared memory."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

from streamer.process.memory import Memory

LARGEST = 2**19
"""Bytes of a state; larger ones are not kept."""

_SLOT = np.dtype([("number", "i8"), ("size", "i8"), ("check", "i8"), ("payload", "u1", LARGEST)])


class Handover:
    """Two slots that are written in turns, so that an engine killed while it writes leaves the state before that whole.

    One process writes at a time. The one that creates it owns the memory, as with a `Ring`.
    """

    def __init__(self, name: str | None = None) -> None:
        memory = Memory(name, 2 * _SLOT.itemsize)
        self._slots: NDArray[np.void] = np.frombuffer(memory.buf, _SLOT, 2)
        self._memory = memory  # after its view, see Ring

    def __reduce__(self) -> tuple[type[Handover], tuple[str]]:
        return Handover, (self._memory.name,)

    def write(self, state: bytes) -> None:
        """Leave a state in place of the one before the last; an empty or too large one is left out."""
        if not 0 < len(state) <= LARGEST:
            return
        newest = int(self._slots["number"].max())
        slot = self._slots[int(self._slots["number"].argmin())]
        slot["number"] = 0  # not whole from here on
        slot["payload"][: len(state)] = np.frombuffer(state, np.uint8)
        slot["size"], slot["check"] = len(state), zlib.crc32(state)
        slot["number"] = newest + 1

    def read(self) -> bytes:
        """The last state that is whole; empty where there is none."""
        for slot in self._slots[np.argsort(-self._slots["number"])]:
            state: bytes = slot["payload"][: int(slot["size"])].tobytes()
            if slot["number"] and zlib.crc32(state) == slot["check"]:  # a core may see stores in another order
                return state
        return b""

    def close(self) -> None:
        """Let go of the memory; the owner also removes it."""
        del self._slots
        self._memory.close()
