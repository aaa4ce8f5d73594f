"""FLAC files that are written while the music plays."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from streamer.audio.files import as_integers, check_there, write_whole

_SYNC = b"\xff\xf8"  # what every block of a stream with blocks of one size begins with
_BLOCK_AT = 8  # where the head says how long blocks are
_COUNT_AT = 21  # and how many samples there are: 36 bits, of which the first four share a byte with something else


class FlacWriter:
    """A FLAC file of 24 bits that is a FLAC file at any time: its head tells how many samples its whole blocks hold.

    What comes is held back until it fills a block, less than a tenth of a second.

    Parameters
    ----------
    path
        Must not exist.
    rate, channels : int
        Of the sound.

    Attributes
    ----------
    samples : int
        Per channel, that can be read so far; after `close` all of them.

    Raises
    ------
    OSError
        When it cannot be made; from `write` and `close` when the disk is full.
    """

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        self.samples = 0
        self._given = 0
        self._blocks = _Blocks(path.open("x+b", buffering=0))
        self._encoder = soundfile.SoundFile(self._blocks, "w", rate, channels, subtype="PCM_24", format="FLAC")
        if self._blocks.problem is not None:
            self.close()

    def write(self, sound: NDArray[np.float32]) -> None:
        """Encode (samples, channels) within -1..1, and then say in the head what has been written."""
        self._blocks.there()
        if not len(sound):
            return
        self._encoder.write(as_integers(sound) << 8)
        self._given += len(sound)
        self.samples = self._blocks.tell_samples()
        self._blocks.check()

    def close(self) -> None:
        """Write the last block, which is a short one."""
        if self._encoder.closed:
            return
        try:
            self._encoder.close()
            if self._blocks.problem is not None:
                self.samples = self._blocks.tell_samples()
            self._blocks.check()
            self.samples = self._given
        finally:
            self._blocks.close()


class _Blocks:
    """The file below libFLAC, which hands over its head and then block by block, each whole.

    libFLAC hears of no failure, since it could only give up: from the first one on nothing more goes into the file.

    Attributes
    ----------
    problem : OSError or None
        Why.
    """

    def __init__(self, file: io.FileIO) -> None:
        self.problem: OSError | None = None
        self._file = file
        self._count = 0

    def write(self, data: bytes) -> int:
        if self.problem is None:
            end = self._file.tell()
            try:
                write_whole(self._file, data)
                self._count += data.startswith(_SYNC)
            except OSError as error:
                self.problem = error
                with contextlib.suppress(OSError):  # half a block would be taken for a damaged one
                    self._file.truncate(end)
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int) -> bytes:
        return self._file.read(size)

    def there(self) -> None:
        """Refuse a file that was removed."""
        check_there(self._file)

    def check(self) -> None:
        """Raise what has gone wrong."""
        if self.problem is not None:
            raise self.problem

    def tell_samples(self) -> int:
        """Say in the head how many samples the whole blocks hold; how many."""
        if not self._count:
            return 0
        self._file.seek(0)
        head = self._file.read(_COUNT_AT + 5)
        samples = self._count * int.from_bytes(head[_BLOCK_AT : _BLOCK_AT + 2], "big")
        shared = head[_COUNT_AT] & 0xF0
        self._file.seek(_COUNT_AT)
        write_whole(self._file, (shared << 32 | samples).to_bytes(5, "big"))
        self._file.seek(0, 2)
        return samples

    def close(self) -> None:
        self._file.close()
