"""An audio beginning: part of a sound file, after which the music goes on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray

from streamer.engine.model import Encoder
from streamer.errors import UserError
from streamer.sound.dynamics import Crossfade, Samples, likeness
from streamer.sound.files import is_file, mixed, read, seconds_of

SHORTEST = 0.1
"""Seconds of music that there is something to go on from; less is a slip."""
LONGEST_PART = 600.0
"""Seconds that are heard of a file, at the most: they are held in memory."""
LONGEST = 30.0
"""Seconds that are encoded, the last ones: more than any model remembers."""
FADE = 0.1
"""Seconds in which the file's sound turns into the codec's version of it, at the most."""


@dataclass(frozen=True)
class Excerpt:
    """Part of a sound file.

    Attributes
    ----------
    path
        Of anything that libsndfile reads.
    start, end
        Seconds; None: to the file's end.
    """

    path: Path
    start: float = 0.0
    end: float | None = None


@dataclass(frozen=True)
class Beginning:
    """What is heard first, and what the music goes on from.

    Attributes
    ----------
    sound
        (samples, channels) at the model's rate, whole frames.
    frames
        (K, frames) of it, or of its last seconds.
    """

    sound: Samples
    frames: NDArray[np.int64]


def check_excerpt(excerpt: Excerpt) -> float:
    """Its length in seconds, found without reading it.

    Raises
    ------
    UserError
        There is no such file, it is no sound, or the part is not in it.
    """
    path, start = excerpt.path, excerpt.start
    if not is_file(path):
        raise UserError(f"there is no file {path}: name a sound file to continue from")
    length = seconds_of(path)
    end = length if excerpt.end is None else excerpt.end
    # a hundredth of a second of tolerance: who asks for the end has it from a rounded display
    if not (0 <= start < end <= length + 0.01):
        raise UserError(
            f"the file {path} is {length:.2f} s long, it has no part from {start:g} to {end:g} s: "
            "choose other values for --from and --to"
        )
    if end - start < SHORTEST:
        raise UserError(f"{end - start:.2f} s are too little to continue from: choose {SHORTEST:g} s or more")
    if min(end, length) - start > LONGEST_PART:
        raise UserError(
            f"{end - start:.0f} s are too much to begin with: choose {LONGEST_PART:g} s or less by --from and --to"
        )
    return min(end, length) - start


def read_beginning(excerpt: Excerpt, model: Encoder, longest: float = LONGEST) -> Beginning:
    """Read and encode a part of a file, of a long one the last seconds.

    It is cut at its start to whole frames, so that it ends where it was asked to.

    Raises
    ------
    UserError
        See `check_excerpt` and `streamer.sound.files.read`.
    """
    seconds = check_excerpt(excerpt)
    sound, rate = read(excerpt.path, excerpt.start, seconds, shape=lambda block: _as_wide(block, model.channels))
    resampled = soxr.resample(sound, rate, model.sample_rate) if rate != model.sample_rate else sound
    whole = np.ascontiguousarray(resampled[len(resampled) % model.hop :], np.float32)
    encoded = round(longest * model.sample_rate / model.hop) * model.hop
    return Beginning(whole, model.encode(whole[-encoded:]))


def _as_wide(sound: Samples, channels: int) -> Samples:
    """With the model's channels: mixed down, doubled, or of many the first two."""
    if channels == 1:
        return mixed(sound)
    return np.repeat(sound, 2, axis=1) if sound.shape[1] == 1 else sound[:, :2]


def join(beginning: Samples, decoded: Samples, start: int, rate: int) -> Samples:
    """The file's sound, turning into the codec's version of the same music at its end.

    The curves are those of equal power, cosine and sine, scaled so that the power stays the same for signals that are
    alike in part, too: two versions of one music would swell by up to 3 dB in the middle.

    Parameters
    ----------
    beginning
        (samples, channels).
    decoded
        The same from sample ``start`` on; a codec that looks ahead has not given the last samples yet.
    rate
        Samples a second.

    Returns
    -------
    Samples
        As far as `decoded` goes, so that what is decoded next follows.
    """
    length = min(len(decoded), round(FADE * rate))
    end = start + len(decoded)
    old, new = beginning[end - length : end], decoded[len(decoded) - length :]
    faded = Crossfade(length, lambda count: old[:count], likeness(old, new)).process(new)
    return np.concatenate([beginning[: end - length], faded])
