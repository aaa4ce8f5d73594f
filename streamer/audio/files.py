"""Sound files that are written while the music plays."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import struct
import sys
import threading
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.audio.tap import Tap
from streamer.errors import UserError, reason
from streamer.reporting import Say
from streamer.threads import lasting

WRITE_EVERY = 0.25
"""Seconds from one piece that goes into a file to the next."""
_HEADER_BYTES = 12 + 8 + 28 + 8 + 16 + 8
_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


class SoundWriter(Protocol):
    """A sound file of 24 bits that can be read at any time, up to what it says that it has.

    Attributes
    ----------
    samples : int
        Per channel, that it has.
    """

    samples: int

    def write(self, sound: NDArray[np.float32]) -> None:
        """Append (samples, channels) within -1..1; OSError where they cannot all be taken."""

    def close(self) -> None:
        """Nothing more comes; OSError where what waits cannot all be taken."""


class WavOut:
    """A WAV file of what a clock plays, written in a thread of its own: no disk, slow or full, holds up the clock.

    Parameters
    ----------
    path
        Replaced if it exists.
    rate, channels : int
        Of the sound.
    report
        Called with a sentence, once, when the file has to end before the music.

    Attributes
    ----------
    cut_short : bool
        Whether it had to.

    Raises
    ------
    UserError
        When it cannot be made, or another player writes into it.
    """

    def __init__(self, path: Path, rate: int, channels: int, report: Say) -> None:
        self.cut_short = False
        self._path, self._report = path, report
        self._wav = _replaced(path, rate, channels)
        self._tap = Tap(rate, channels)
        self._closing = threading.Event()
        self._thread = lasting("wav writer", self._run, report)
        self._thread.start()

    def take(self, block: NDArray[np.float32]) -> None:
        """Have a block written soon, float32 (samples, channels) (the clock)."""
        if not self.cut_short:
            self._tap.take(block)

    def close(self) -> None:
        """Write what waits, and end the file."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        problem = ""
        while not problem and not self._closing.wait(WRITE_EVERY):
            problem = drained(self._tap, self._wav)
        problem = problem or drained(self._tap, self._wav)
        try:
            self._wav.close()
        except OSError as error:
            problem = problem or reason(error)
        if problem:
            self.cut_short = True
            self._report(f"Nothing more goes into {self._path} ({problem}); what it has stays, and the music goes on.")


def drained(tap: Tap, writer: SoundWriter) -> str:
    """Write what waits in a tap; what went wrong, or nothing."""
    try:
        writer.write(tap.sound())
    except (OSError, ValueError) as error:
        return reason(error)
    return f"{tap.lost} samples could not be written in time" if tap.lost else ""


def _replaced(path: Path, rate: int, channels: int) -> WavWriter:
    new = not path.exists()
    try:
        return WavWriter(path, rate, channels, replace=True)
    except OSError as error:
        if new:
            with contextlib.suppress(OSError):
                path.unlink()
        raise UserError(f"Cannot write {path}: {reason(error)}: choose another name, or make room there") from None


class WavWriter:
    """A WAV file of 24 bits that is a WAV file at any time: its header tells what has been written so far.

    Beyond 4 GB it becomes RF64 (EBU Tech 3306), in the room that its header has kept for that. Other players are kept
    from writing into it for as long as it is open.

    Parameters
    ----------
    path
        Must not exist, unless it may be replaced.
    rate, channels : int
        Of the sound.
    replace
        Whether what there is may be.

    Attributes
    ----------
    samples : int
        Per channel, written so far.

    Raises
    ------
    OSError
        When it cannot be made; from `write` when the disk is full.
    """

    def __init__(self, path: Path, rate: int, channels: int, replace: bool = False) -> None:
        self.samples = 0
        self._rate, self._channels = rate, channels
        self._file = _alone(path) if replace else path.open("xb", buffering=0)
        try:
            write_whole(self._file, wav_header(0, rate, channels))
        except OSError:
            self._file.close()
            raise

    def write(self, sound: NDArray[np.float32]) -> None:
        """Append (samples, channels) within -1..1, and then say so in the header."""
        check_there(self._file)
        if not len(sound):
            return
        try:
            write_whole(self._file, as_24_bits(sound).tobytes())
        finally:  # of a full disk, too, what it has taken counts
            self.samples = (self._file.seek(0, 2) - _HEADER_BYTES) // (3 * self._channels)
            self._file.seek(0)
            write_whole(self._file, wav_header(self.samples, self._rate, self._channels))
            self._file.seek(0, 2)

    def close(self) -> None:
        """Nothing more comes."""
        self._file.close()


def write_whole(file: io.FileIO, data: bytes) -> None:
    """Write all of it into an unbuffered file: a full disk takes a part, and says so with the next."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def check_there(file: io.FileIO) -> None:
    """Refuse a file that was removed: nobody would ever find what is written now.

    Raises
    ------
    OSError
    """
    if not os.fstat(file.fileno()).st_nlink:
        raise OSError(errno.ENOENT, "its file was removed")


def _alone(path: Path) -> io.FileIO:
    """A file to write, emptied once it is certain that nobody else writes into it.

    Raises
    ------
    OSError
        Another process does, or it cannot be opened, or is none that sound can be written into.
    """
    file = io.FileIO(os.open(path, os.O_RDWR | os.O_CREAT | _FLAGS, 0o666), "r+")
    try:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "it is no file but something that only looks like one")
        _lock(file.fileno())
        file.truncate(0)
    except OSError:
        file.close()
        raise
    return file


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":  # there locks are in the way of those who read, too
        return
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise OSError(errno.EBUSY, "another player writes into it") from None
    except OSError:  # a file system without locks
        return


def as_integers(sound: NDArray[np.float32]) -> NDArray[np.int32]:
    """Samples within -1..1 as integers of 24 bits; little-endian, in four bytes each."""
    return np.clip(np.rint(sound.astype(np.float64) * 2**23), -(2**23), 2**23 - 1).astype("<i4")


def as_24_bits(sound: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Samples within -1..1 as little-endian integers, three bytes each."""
    return np.ascontiguousarray(as_integers(sound).reshape(-1, 1).view(np.uint8)[:, :3])


def wav_header(samples: int, rate: int, channels: int) -> bytes:
    """Of a file of 24 bits with so many samples per channel; as long whatever their number."""
    width = 3 * channels
    data = samples * width
    size = _HEADER_BYTES - 8 + data
    large = size >= 2**32 - 1
    most = 2**32 - 1
    name, kept = (b"RF64", b"ds64") if large else (b"RIFF", b"JUNK")
    ds64 = struct.pack("<QQQI", size, data, samples, 0) if large else bytes(28)
    return b"".join(
        [
            struct.pack("<4sI4s", name, most if large else size, b"WAVE"),
            struct.pack("<4sI", kept, 28) + ds64,
            struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * width, width, 24),
            struct.pack("<4sI", b"data", most if large else data),
        ]
    )
