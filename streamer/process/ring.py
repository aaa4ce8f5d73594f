"""A lock-free ring of interleaved float32 between one writing and one reading process, in shared memory.

The writer waits for room, the reader never waits. How far the writer may run ahead (the *lead*) can be changed at any
time from either side: it is the instrument's one latency knob.
"""

from __future__ import annotations

import time

import numpy as np
from numpy.typing import NDArray

from streamer.process.memory import Memory

# Eight int64 apart, so that no two of these share a cache line: the two sides write them at the same time.
_WRITTEN, _READ, _LEAD, _RESERVE, _SEAM = 0, 8, 16, 24, 32
_HEADER_BYTES = 320
_POLL_SECONDS = 0.001


class Ring:
    """Single-producer single-consumer ring of audio.

    The process that creates it owns the memory: its `close` removes it, whatever became of the other side. A ring can
    be sent to a spawned process; there it attaches to the same memory.

    Parameters
    ----------
    capacity
        Samples per channel that fit, > 0. Any number: counters only grow and are taken modulo the capacity.
    channels
        Interleaved channels, > 0.
    name
        Of the shared memory to attach to; without it new memory is made, with the lead at the whole capacity.
    """

    # Counters are int64 and count samples since the beginning: at 192 kHz they last 1.5 million years, so "full" and
    # "empty" never look alike. Each has one writer: `written` the producer, `read` the consumer.
    #
    # Order: the payload is stored before the counter that announces it, and copied out before the counter that frees
    # it. x86 keeps that order for other cores. ARM may not, and Python has no fence to ask for it; there it is the
    # reader's reserve that protects: the player leaves the newest samples it sees in the ring (Ring.reserve), so what
    # it copies was stored milliseconds, not nanoseconds, ago.

    def __init__(self, capacity: int, channels: int, name: str | None = None) -> None:
        if capacity < 1 or channels < 1:
            raise ValueError(f"a ring needs at least one sample and one channel, not {capacity} x {channels}")
        self.capacity = capacity
        self.channels = channels
        size = _HEADER_BYTES + 4 * capacity * channels
        memory = Memory(name, size)
        self._header: NDArray[np.int64] = np.frombuffer(memory.buf, np.int64, _HEADER_BYTES // 8)
        payload = np.frombuffer(memory.buf, np.float32, capacity * channels, offset=_HEADER_BYTES)
        self._payload: NDArray[np.float32] = payload.reshape(capacity, channels)
        # After its views, so that a ring nobody closed is taken apart in this order: views first.
        self._memory = memory
        if name is None:
            self.lead = capacity

    def __reduce__(self) -> tuple[type[Ring], tuple[int, int, str]]:
        return Ring, (self.capacity, self.channels, self._memory.name)

    @property
    def written(self) -> int:
        """Samples written since the beginning."""
        return int(self._header[_WRITTEN])

    @property
    def taken(self) -> int:
        """Samples read since the beginning."""
        return int(self._header[_READ])

    @property
    def fill(self) -> int:
        """Samples waiting to be read, 0..capacity."""
        return self.written - self.taken

    @property
    def seam(self) -> int:
        """The sample, counted as in `written`, that does not continue the one before it; 0 while there is none."""
        return int(self._header[_SEAM])

    def cut(self) -> None:
        """Say that what is written from here on does not continue what was written so far (the writer's side)."""
        self._header[_SEAM] = self._header[_WRITTEN]

    @property
    def whole(self) -> int:
        """Of the samples that wait, those before the next seam: they can be played without a jump."""
        taken, seam = self.taken, self.seam
        return seam - taken if taken < seam else self.written - taken

    @property
    def lead(self) -> int:
        """The most samples that may wait to be read: what was asked for, at least the reserve, at most the capacity."""
        return min(max(int(self._header[_LEAD]), self.reserve, 1), self.capacity)

    @lead.setter
    def lead(self, samples: int) -> None:
        self._header[_LEAD] = samples

    @property
    def reserve(self) -> int:
        """The least lead that the reader can work with, in samples (its block and its fade): set by the reader."""
        return int(self._header[_RESERVE])

    @reserve.setter
    def reserve(self, samples: int) -> None:
        self._header[_RESERVE] = samples

    @property
    def room(self) -> int:
        """Samples that can be written now without waiting."""
        return max(0, self.lead - self.fill)

    def write(self, block: NDArray[np.float32]) -> None:
        """Append `block`, float32 (samples, channels), waiting for room; what was not read yet is never overwritten."""
        start = 0
        while start < len(block):
            count = min(self.room, len(block) - start)
            if count:
                self._put(block[start : start + count])
                start += count
            else:
                time.sleep(_POLL_SECONDS)

    def read_into(self, out: NDArray[np.float32]) -> int:
        """Copy what waits into `out`, float32 (samples, channels), without ever blocking; the samples copied."""
        count = min(self.fill, len(out))
        at = self.taken % self.capacity
        first = min(count, self.capacity - at)
        out[:first] = self._payload[at : at + first]
        out[first:count] = self._payload[: count - first]
        self._header[_READ] += count
        return count

    def skip(self) -> None:
        """Go on behind the seam, if it lies ahead (the reader's side)."""
        self._header[_READ] = max(self.taken, self.seam)

    def drop(self) -> None:
        """Throw away what waits (the reader's side)."""
        self._header[_READ] = self._header[_WRITTEN]

    def close(self) -> None:
        """Let go of the memory; the owner also removes it. A ring that is closed cannot be used again."""
        # numpy's views must go first: the memory refuses to close while something points into it.
        del self._header, self._payload
        self._memory.close()

    def _put(self, block: NDArray[np.float32]) -> None:
        at = self.written % self.capacity
        first = min(len(block), self.capacity - at)
        self._payload[at : at + first] = block[:first]
        self._payload[: len(block) - first] = block[first:]
        self._header[_WRITTEN] += len(block)
