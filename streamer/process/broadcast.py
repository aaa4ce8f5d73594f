"""A ring of interleaved float32 in shared memory for whoever listens: one writer that never waits, many readers.

A reader that falls behind by more than the capacity skips what was overwritten. It needs nobody's permission to come
and go, so nothing that happens to it can reach the writer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.process.memory import PREFIX, Foreign, Memory

SECONDS = 2.0
"""That a reader may fall behind."""
MOST_RATE, MOST_CHANNELS = 768_000, 64
# Eight int64 apart, as in `Ring`.
_BEGUN, _WRITTEN = 0, 8
_HEADER_BYTES = 128
_NAME = re.compile(rf"{PREFIX}[0-9a-f]{{16}}")


@dataclass(frozen=True)
class Place:
    """Where a broadcast is on this machine, for others to attach to.

    Parameters
    ----------
    name : str
        Of its shared memory.
    rate, channels, capacity : int
        Samples a second; interleaved channels; samples per channel that fit.
    """

    name: str
    rate: int
    channels: int
    capacity: int

    @classmethod
    def read(cls, values: list[Any]) -> Place:
        """A place as it was sent: its fields in their order.

        Raises
        ------
        ValueError
            It can be none.
        """
        name, *numbers = values
        if not isinstance(name, str) or not _NAME.fullmatch(name) or len(numbers) != 3:
            raise ValueError("is no broadcast's place")
        rate, channels, capacity = (int(number) for number in numbers)
        if not (1 <= rate <= MOST_RATE and 1 <= channels <= MOST_CHANNELS and 1 <= capacity <= 10 * MOST_RATE):
            raise ValueError("is no broadcast's place")
        return cls(name, rate, channels, capacity)


class Broadcast:
    """The writer's side, and the owner of the memory.

    Parameters
    ----------
    rate, channels : int
        Of the sound, > 0.
    capacity : int
        Samples per channel that fit; `SECONDS` of sound unless given.

    Raises
    ------
    UserError
        There is no room for the memory.

    Attributes
    ----------
    place : Place
        For readers.
    """

    # Before a block is stored, `begun` says how far this will overwrite; after it, `written` says how far one may read.
    # A reader copies, and then looks at `begun`: what may have been overwritten meanwhile it throws away. x86 keeps the
    # order of stores for other cores. ARM may not; readers there come after milliseconds, by when stores have landed.

    def __init__(self, rate: int, channels: int, capacity: int | None = None) -> None:
        size = round(SECONDS * rate) if capacity is None else capacity
        if size < 1 or channels < 1:
            raise ValueError(f"a broadcast needs at least one sample and one channel, not {size} x {channels}")
        memory = Memory(None, _HEADER_BYTES + 4 * size * channels)
        self.place = Place(memory.name, rate, channels, size)
        self._header, self._payload = _views(memory, self.place)
        self._memory = memory  # after its views, see Ring

    def put(self, block: NDArray[np.float32]) -> None:
        """Append a block, float32 (samples, channels); never waits and makes no array (the callback)."""
        size = self.place.capacity
        written = int(self._header[_WRITTEN])
        if len(block) > size:
            written += len(block) - size
            block = block[-size:]
        self._header[_BEGUN] = written + len(block)
        at = written % size
        first = min(len(block), size - at)
        self._payload[at : at + first] = block[:first]
        self._payload[: len(block) - first] = block[first:]
        self._header[_WRITTEN] = written + len(block)

    def close(self) -> None:
        """Let go of the memory and remove it; readers keep what they have and hear no more."""
        del self._header, self._payload
        self._memory.close()


class Hearing:
    """A reader's side, in any process of this user on this machine.

    Parameters
    ----------
    place : Place
        Of the broadcast.

    Raises
    ------
    OSError, ValueError
        There is none, or it is another.

    Attributes
    ----------
    at : int
        The sample, counted since the broadcast began, that is heard next.
    skipped : int
        Samples that were overwritten before this reader came to them.
    """

    def __init__(self, place: Place) -> None:
        memory = Foreign(place.name)
        if memory.buf.nbytes < _bytes(place):
            memory.close()
            raise ValueError(f"{place.name} is smaller than a broadcast of {place.capacity} samples")
        self.place = place
        self.skipped = 0
        self._header, self._payload = _views(memory, place)
        self._memory = memory  # after its views, see Ring
        self.at = int(self._header[_WRITTEN])

    def read(self) -> NDArray[np.float32]:
        """What was put since this was last asked, (samples, channels), a copy; what was missed is skipped."""
        size = self.place.capacity
        end = int(self._header[_WRITTEN])
        start = max(self.at, end - size)
        copied: NDArray[np.float32] = self._payload[np.arange(start, end) % size]
        whole = min(max(start, int(self._header[_BEGUN]) - size), end)
        self.skipped += whole - self.at
        self.at = end
        return copied[whole - start :]

    def close(self) -> None:
        """Let go of the memory."""
        del self._header, self._payload
        self._memory.close()


def _bytes(place: Place) -> int:
    return _HEADER_BYTES + 4 * place.capacity * place.channels


def _views(memory: Memory | Foreign, place: Place) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    header = np.frombuffer(memory.buf, np.int64, _HEADER_BYTES // 8)
    payload = np.frombuffer(memory.buf, np.float32, place.capacity * place.channels, offset=_HEADER_BYTES)
    return header, payload.reshape(place.capacity, place.channels)
