"""Where the audio callback is in the ring, in shared memory: one writer, any number of readers, nobody waits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.control.timeline import Reading
from streamer.process.memory import Memory

# Two readings, written in turns, and a count of those written: a reader takes the one that is not being written.
_READING = np.dtype([("sample", "i8"), ("at", "f8"), ("latency", "f8")])
_LAYOUT = np.dtype([("count", "i8"), ("readings", _READING, (2,))])


class Playhead:
    """The callback's last reading; owned by the process that creates it, as a `Ring` is.

    Parameters
    ----------
    name
        Of the shared memory to attach to; without it new memory is made.
    """

    def __init__(self, name: str | None = None) -> None:
        memory = Memory(name, _LAYOUT.itemsize)
        whole = np.frombuffer(memory.buf, _LAYOUT, 1).reshape(())
        self._count: NDArray[np.int64] = whole["count"]
        self._readings: NDArray[np.void] = whole["readings"]
        self._memory = memory  # after its views, see Ring

    def __reduce__(self) -> tuple[type[Playhead], tuple[str]]:
        return Playhead, (self._memory.name,)

    def move(self, sample: int, at: float, latency: float) -> None:
        """A block is taken from this sample on, at this moment, and heard so many seconds later (the callback)."""
        count = int(self._count) + 1
        self._readings[count % 2] = (sample, at, latency)
        self._count[...] = count

    def read(self) -> Reading | None:
        """The last reading; None before the first."""
        while count := int(self._count):
            sample, at, latency = self._readings[count % 2].tolist()
            if int(self._count) <= count + 1:  # else it may have been written to meanwhile
                return Reading(sample, at, latency)
        return None

    def close(self) -> None:
        """Let go of the memory; the owner also removes it."""
        del self._count, self._readings
        self._memory.close()
