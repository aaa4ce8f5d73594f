"""Sound files under any name: what cannot be read or written is a sentence, found before any work is done."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile
import soxr

from streamer.errors import UserError, reason
from streamer.sound.dynamics import Samples

SLOWEST, FASTEST = 1000, 768_000
"""Samples a second that sound is read at; the rates beyond are slips of a header."""
LOUDEST = 100.0
"""Of a sample that is read, 1.0 being full scale: what is larger is no sound, and models make NaN of it."""
_BLOCK = 2**20
"""Samples of all channels that are read at once: a file with 1024 channels must not fill the memory."""
FINEST, COARSER = 100_000, 96_000
"""Samples a second that are kept as they are, and to which finer ones are brought: minutes must fit into memory."""
_SLACK = 0.1
"""Seconds that a whole file may have less than its header says: lossy formats estimate."""


def library_name(path: Path) -> str | bytes:
    """The name as libsndfile takes it, one that is no UTF-8 included."""
    return str(path) if sys.platform == "win32" else os.fsencode(path)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """A sound file to read from.

    Raises
    ------
    UserError
        It is no sound, ends before it should, has a rate that no sound has, or cannot be read.
    """
    unreadable = f"the file {path} cannot be read as sound: name a WAV, FLAC, MP3 or Ogg file"
    try:
        file = soundfile.SoundFile(library_name(path))
    except (soundfile.SoundFileError, OSError, TypeError, ValueError) as error:  # TypeError: a .raw file has no header
        raise UserError(unreadable) from error
    with file:
        if not SLOWEST <= file.samplerate <= FASTEST:
            raise UserError(
                f"the file {path} has {file.samplerate} samples a second: export it with {SLOWEST} to {FASTEST}"
            )
        try:
            yield file
        except (soundfile.SoundFileError, OSError) as error:
            raise UserError(f"the file {path} is damaged, and cannot be read to its end: copy it again") from error


def seconds_of(path: Path) -> float:
    """The length of a sound file, as its header has it.

    Raises
    ------
    UserError
        See `opened`.
    """
    with opened(path) as file:
        return float(file.frames / file.samplerate)


def read(
    path: Path, start: float = 0.0, seconds: float | None = None, *, shape: Callable[[Samples], Samples]
) -> tuple[Samples, int]:
    """A part of a sound file, and its rate; a file finer than `FINEST` is brought to `COARSER`.

    Parameters
    ----------
    start, seconds
        Of the part; to the end where there is less than that.
    shape
        Makes of a block (samples, channels) the one to keep: most want fewer channels, and all would not fit.

    Raises
    ------
    UserError
        See `opened`; also for samples that are no numbers, or too large to be sound.
    """
    with opened(path) as file:
        rate = int(file.samplerate)
        first = min(round(start * rate), file.frames)
        wanted = file.frames - first if seconds is None else min(round(seconds * rate), file.frames - first)
        file.seek(first)
        blocks, left = [np.zeros((0, file.channels), np.float32)], wanted
        coarser = _Coarser(rate)
        while left > 0:
            block = file.read(min(left, max(1, _BLOCK // file.channels)), dtype="float32", always_2d=True)
            if not len(block):
                break
            left -= len(block)
            _check_samples(path, block)
            blocks.append(coarser(shape(block)))
    if left > _SLACK * rate:
        there = (wanted - left) / rate
        raise UserError(
            f"the file {path} is damaged: of {wanted / rate:.2f} s only {there:.2f} s are there: copy it again"
        )
    blocks[0] = shape(blocks[0])
    blocks.append(coarser(blocks[0], last=True))
    return np.concatenate(blocks), coarser.rate


class _Coarser:
    """Brings blocks to a rate that is no finer than `FINEST`, on their way into memory.

    Attributes
    ----------
    rate : int
        Of what comes out.
    """

    def __init__(self, rate: int) -> None:
        self.rate = rate if rate <= FINEST else COARSER
        self._from = rate
        self._stream: soxr.ResampleStream | None = None

    def __call__(self, block: Samples, last: bool = False) -> Samples:
        """The next samples, (samples, channels); with the last block the rest of what it holds."""
        if self.rate == self._from:
            return block
        if self._stream is None:
            self._stream = soxr.ResampleStream(self._from, self.rate, block.shape[1], "float32")
        made: Samples = self._stream.resample_chunk(np.ascontiguousarray(block), last=last)
        return made


def mixed(sound: Samples) -> Samples:
    """All channels as one, (samples, 1)."""
    mono: Samples = sound.mean(axis=1, keepdims=True, dtype=np.float32)
    return mono


def _check_samples(path: Path, block: Samples) -> None:
    peak = float(np.max(np.abs(block)))
    if not np.isfinite(peak):
        raise UserError(f"the file {path} has samples that are no numbers: export it again")
    if peak > LOUDEST:
        raise UserError(f"the file {path} has samples as large as {peak:.3g}, where 1 is full scale: export it again")


def is_file(path: Path) -> bool:
    """Whether there is such a file; no name is too long or too strange to ask for."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_folder(path: Path) -> bool:
    """Whether there is such a folder."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def check_new(path: Path, *, force: bool, sources: Sequence[Path | None] = ()) -> None:
    """Refuse to write over a file, before any work is done.

    Parameters
    ----------
    force
        Whether an existing file may be replaced.
    sources
        Files that are read: none of them is ever replaced.

    Raises
    ------
    UserError
        The path is one of the sources, or exists already, or is a name that no file can have.
    """
    try:
        path.lstat()
        exists = True
    except FileNotFoundError:
        exists = False
    except (OSError, ValueError) as error:
        raise UserError(f"the file {path} cannot be written ({reason(error)}): choose another name") from None
    for source in sources:
        if source is not None and exists and is_file(source) and is_file(path) and path.samefile(source):
            raise UserError(f"the file {path} is what is to be read, and would be lost: choose another file to write")
    if exists and not force and not path.is_dir():
        raise UserError(f"the file {path} exists already: choose another name, or add --force to replace it")
