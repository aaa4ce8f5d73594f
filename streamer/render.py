"""Offline: the engine's music to a sound file, as fast as the machine can."""

from __future__ import annotations

import math
import os
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

import soundfile

from streamer.controls import Controls
from streamer.engine import Engine, LogEntry, Model
from streamer.errors import UserError

FORMATS = {".wav": "WAV", ".flac": "FLAC"}
SUBTYPE = "PCM_24"
"""24 bits: below any hearing, read by every DAW; and unlike libsndfile's float WAV it holds no time stamp."""
SAMPLE_BYTES = 3
WAV_BYTES = 2**32 - 2**12
"""What a WAV file's 32-bit sizes can tell, less room for its header."""


def render(
    model: Model,
    controls: Controls,
    seconds: float,
    path: str | Path,
    progress: Callable[[float], None] | None = None,
    *,
    sample_rate: int | None = None,
    channels: int = 2,
    log: Iterable[LogEntry] = (),
) -> None:
    """Write what the engine plays to a WAV or FLAC file of 24 bits.

    The file appears when it is whole. Nothing is left of one that fails, and one that was there before stays till then.
    The same model, controls and log give identical files.

    Parameters
    ----------
    model : musicgen.MusicGen
    controls : Controls
    seconds : float
        Length, above 0; the file has exactly ``round(seconds * sample_rate)`` samples, and at least one.
    path : str or Path
        Ends in .wav or .flac.
    progress : callable, optional
        Called with the seconds done so far, about twice for each of them.
    sample_rate, channels, log
        See `Engine`.

    Raises
    ------
    UserError
        For a length or a path that cannot be, and when the file cannot be written.
    """
    target = Path(path)
    check_path(target)
    check_seconds(seconds)
    engine = Engine(model, controls, sample_rate=sample_rate, channels=channels, log=log)
    samples = max(1, round(seconds * engine.sample_rate))
    if target.suffix.lower() == ".wav" and samples * channels * SAMPLE_BYTES > WAV_BYTES:
        raise UserError(f"{seconds:g} s are more than a WAV file can hold: write a .flac file instead")
    # In the same folder, so that the last step is a rename within one file system.
    unfinished = target.with_name(f".{target.name}.{uuid.uuid4().hex}.part")
    try:
        # Opened by Python first: where the system refuses, it says why, and libsndfile would not.
        unfinished.open("xb").close()
        _write(engine, samples, unfinished, FORMATS[target.suffix.lower()], progress)
        unfinished.replace(target)
    except (OSError, soundfile.LibsndfileError) as error:
        raise UserError(f"{target} could not be written: {_reason(error, unfinished)}") from error
    finally:
        unfinished.unlink(missing_ok=True)


def check_path(path: str | Path) -> None:
    """Refuse a path that no sound file can be written to, before any work is done.

    Raises
    ------
    UserError
        For an ending other than .wav and .flac, a folder that does not exist, and a path that is a folder.
    """
    target = Path(path)
    if target.suffix.lower() not in FORMATS:
        raise UserError(f"{target} has no known ending: name a file that ends in .wav or .flac")
    if not target.parent.is_dir():
        raise UserError(f"the folder {target.parent} does not exist: create it first, or choose another")
    if target.is_dir():
        raise UserError(f"{target} is a folder: name a file")
    if not os.access(target.parent, os.W_OK):
        raise UserError(f"the folder {target.parent} may not be written to: choose another")


def check_seconds(seconds: float) -> None:
    """Refuse a length that is no length.

    Raises
    ------
    UserError
        For zero, a negative or an infinite number, and NaN.
    """
    if not (math.isfinite(seconds) and seconds > 0):
        raise UserError(f"{seconds:g} seconds is no length: choose a number above 0")


def _write(engine: Engine, samples: int, path: Path, container: str, progress: Callable[[float], None] | None) -> None:
    block = engine.sample_rate // 2
    rate, channels = engine.sample_rate, engine.channels
    with soundfile.SoundFile(path, "w", rate, channels, SUBTYPE, format=container) as file:
        for start in range(0, samples, block):
            count = min(block, samples - start)
            file.write(engine.read(count))
            if progress is not None:
                progress((start + count) / rate)
    # libsndfile does not report every short write: a FLAC file that lacks its last bytes closes without a word.
    if (found := soundfile.info(path).frames) != samples:
        raise OSError(f"only {found} of {samples} samples arrived")


def _reason(error: Exception, path: Path) -> str:
    """What stood in the way. libsndfile keeps the system's words to itself, so write once more to hear them."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    try:
        with path.open("ab") as file:
            file.write(bytes(2**16))
    except OSError as cause:
        return cause.strerror or str(cause)
    return str(error)
