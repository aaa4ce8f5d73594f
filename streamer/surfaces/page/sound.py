"""What is heard, on its way to pages: packets for those that listen, columns of a spectrogram for all that look.

Everything comes from the broadcast that the instrument's callback writes to. Whoever takes too little time for it
misses some of it, and nobody waits for anybody.
"""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streamer.process.broadcast import Hearing, Place

PACKET_SECONDS = 0.02
"""Between two packets."""
QUEUE_SECONDS = 1.0
"""That wait for a slow listener; then its oldest are dropped."""
ECHO = 40
"""Characters at most of what is echoed."""
COLUMNS_HZ = 25
BANDS = 96
LOWEST, HIGHEST = 40.0, 16_000.0
"""What a spectrogram shows, in Hz, evenly along pitch."""
RANGE_DB = 90.0
"""From its darkest to its brightest."""
_WINDOW = 4096
_PEAKS = 2  # bytes before a column's bands

Block = NDArray[np.float32]
_HEAD = struct.Struct("<d")


class Listener:
    """Somebody who listens: packets that wait for them, bounded.

    Attributes
    ----------
    dropped : int
        Packets that waited for too long.
    """

    def __init__(self) -> None:
        self.dropped = 0
        self._packets: deque[bytes | str] = deque(maxlen=round(QUEUE_SECONDS / PACKET_SECONDS))
        self._fresh = asyncio.Event()

    def put(self, packet: bytes) -> None:
        """One more packet, see `packed`."""
        self.dropped += len(self._packets) == self._packets.maxlen
        self._packets.append(packet)
        self._fresh.set()

    def echo(self, text: str) -> None:
        """Send a short text back, in its turn: so a listener measures its way here and back."""
        if len(text) <= ECHO:
            self._packets.append(text)
            self._fresh.set()

    async def next(self) -> bytes | str:
        """The next packet or echo, once there is one."""
        while not self._packets:
            self._fresh.clear()
            await self._fresh.wait()
        return self._packets.popleft()


class Sound:
    """The instrument's sound as its pages get it.

    Parameters
    ----------
    show : callable
        Called with every column: bytes, two peaks and `BANDS` levels, 0..255 for -90..0 dB.
    looks : callable
        Whether anybody looks: else there are no columns.

    Attributes
    ----------
    place : Place or None
        Of the broadcast; None where none can be heard here.
    listeners : set of Listener
        To whom packets go; they come and leave by themselves.
    """

    def __init__(self, show: Callable[[bytes], None], looks: Callable[[], bool]) -> None:
        self.place: Place | None = None
        self.listeners: set[Listener] = set()
        self._show, self._looks = show, looks
        self._hearing: Hearing | None = None
        self._columns: Columns | None = None

    def tune(self, place: Place) -> None:
        """Hear this broadcast from now on.

        Raises
        ------
        OSError, ValueError
            It is not on this machine.
        """
        hearing = Hearing(place)
        self.close()
        self._hearing, self.place = hearing, place
        self._columns = Columns(place.rate, place.channels)

    async def run(self) -> None:
        """Pass on what is heard, for ever."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            due = max(due + PACKET_SECONDS, loop.time())
            await asyncio.sleep(due - loop.time())
            self.pass_on()

    def pass_on(self) -> None:
        """Pass on what was heard since the last time."""
        hearing = self._hearing
        if hearing is None or not len(block := hearing.read()):
            return
        if self.listeners:
            packet = packed(hearing.at - len(block), block)
            for listener in self.listeners:
                listener.put(packet)
        assert self._columns is not None
        if self._looks():
            for column in self._columns.take(block):
                self._show(column)

    def close(self) -> None:
        """Hear nothing any more."""
        if self._hearing is not None:
            self._hearing.close()
            self._hearing = self.place = None


def packed(at: int, block: Block) -> bytes:
    """A block as it is sent: the place of its first sample as a float64, then 16-bit samples, all little-endian."""
    samples = np.rint(np.clip(block, -1.0, 1.0) * 32767.0).astype("<i2")
    data: bytes = samples.tobytes()
    return _HEAD.pack(at) + data


class Columns:
    """Sound -> the columns of its spectrogram.

    Parameters
    ----------
    rate, channels : int
        Of the sound.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._hop = rate // COLUMNS_HZ
        self._recent = np.zeros((_WINDOW, channels), np.float32)
        self._waiting = 0
        self._window = np.hanning(_WINDOW).astype(np.float32)
        edges = np.geomspace(LOWEST, min(HIGHEST, 0.49 * rate), BANDS + 1) * _WINDOW / rate
        self._edges = edges.astype(int)

    def take(self, block: Block) -> list[bytes]:
        """The columns that a block, float32 (samples, channels), completes."""
        columns = []
        while len(block):
            part = block[: min(self._hop - self._waiting, _WINDOW)]
            block = block[len(part) :]
            self._recent = np.concatenate([self._recent[len(part) :], part])
            self._waiting += len(part)
            if self._waiting >= self._hop:
                columns.append(self._column())
                self._waiting = 0
        return columns

    def _column(self) -> bytes:
        peaks = np.abs(self._recent[-min(self._hop, _WINDOW) :]).max(0)
        spectrum = np.abs(np.fft.rfft(self._recent.mean(1) * self._window)) / (self._window.sum() / 2)
        bands = np.maximum.reduceat(spectrum, self._edges)[:BANDS]
        levels = np.concatenate([np.resize(peaks, _PEAKS), bands])
        decibels = 20.0 * np.log10(np.maximum(levels, 1e-6))
        column: bytes = np.clip(255.0 * (1.0 + decibels / RANGE_DB), 0, 255).astype(np.uint8).tobytes()
        return column
