"""Sound files that are written while the music plays."""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.errors import UserError

WAV_BYTES = 4_000_000_000
_HEADER_BYTES = 12 + 8 + 28 + 8 + 16 + 8


def open_wav(path: Path, rate: int, channels: int) -> Any:
    """A file of 16 bits, replaced if it exists.

    Raises
    ------
    UserError
        When it cannot be made.
    """
    import soundfile

    from streamer.sound.files import library_name

    new = not path.exists()
    try:
        hold(path)
        return soundfile.SoundFile(library_name(path), "w", rate, channels, format="WAV", subtype="PCM_16")
    except (OSError, soundfile.SoundFileError) as error:
        if new:
            with contextlib.suppress(OSError):
                path.unlink()
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"Cannot write {path}: {reason}: choose another name, or make room there") from None


_held: dict[Path, int] = {}


def hold(path: Path) -> None:
    """Keep other players from writing into a file for as long as this process lives; it is made where there is none.

    Raises
    ------
    OSError
        When another process holds it, or it cannot be made.
    """
    if sys.platform == "win32":  # there an open file is its writer's
        return
    import fcntl

    if path.resolve() in _held:
        os.close(_held.pop(path.resolve()))
    held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(held)
        raise OSError(errno.EBUSY, "another player writes into it") from None
    except OSError:  # a file system without locks
        os.close(held)
        return
    _held[path.resolve()] = held
    os.pwrite(held, bytes(_HEADER_BYTES), 0)  # where the system refuses it says why, and libsndfile would not


class WavWriter:
    """A WAV file of 24 bits that is a WAV file at any time: its header tells what has been written so far.

    Beyond 4 GB it becomes RF64 (EBU Tech 3306), in the room that its header has kept for that.

    Parameters
    ----------
    path
        Must not exist.
    rate, channels : int
        Of the sound.

    Attributes
    ----------
    samples : int
        Per channel, written so far.

    Raises
    ------
    OSError
        When it cannot be made; from `write` when the disk is full.
    """

    def __init__(self, path: Path, rate: int, channels: int) -> None:
        self.samples = 0
        self._rate, self._channels = rate, channels
        self._file = path.open("xb", buffering=0)
        self._whole(wav_header(0, rate, channels))

    def write(self, sound: NDArray[np.float32]) -> None:
        """Append (samples, channels) within -1..1, and then say so in the header."""
        if not os.fstat(self._file.fileno()).st_nlink:  # what is written now nobody would ever find
            raise OSError(errno.ENOENT, "its file was removed")
        if not len(sound):
            return
        try:
            self._whole(as_24_bits(sound).tobytes())
        finally:  # of a full disk, too, what it has taken counts
            self.samples = (self._file.seek(0, 2) - _HEADER_BYTES) // (3 * self._channels)
            self._file.seek(0)
            self._whole(wav_header(self.samples, self._rate, self._channels))
            self._file.seek(0, 2)

    def close(self) -> None:
        """Nothing more comes."""
        self._file.close()

    def _whole(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:  # unbuffered: a full disk takes a part, and says so with the next
            rest = rest[self._file.write(rest) :]


def as_24_bits(sound: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Samples within -1..1 as little-endian integers, three bytes each."""
    scaled = np.clip(np.rint(sound.astype(np.float64) * 2**23), -(2**23), 2**23 - 1).astype("<i4")
    return np.ascontiguousarray(scaled.reshape(-1, 1).view(np.uint8)[:, :3])


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
