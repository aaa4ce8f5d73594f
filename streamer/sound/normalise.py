"""Levels of a finished piece, by the definitions of AudioCraft's `audio_write`.

They are those of `normalize_audio` in audiocraft/data/audio_utils.py (Copet et al. 2023) with its default headrooms,
so that files from here and from there can be compared. The instrument's own level, `streamer.sound.dynamics.Loudness`,
moves while the music plays; these are one gain for the whole piece, whose end they have to know.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from streamer.sound.dynamics import Samples, amplitude

LUFS = -14.0
"""Integrated loudness (ITU-R BS.1770-4) that "loudness" brings a piece to."""
PEAK_HEADROOM, RMS_HEADROOM = 1.0, 18.0
"""dB below full scale: of the highest sample with "peak" and "clip", of the root mean square with "rms"."""
FLOOR = 2e-3
"""Root mean square below which "loudness" leaves a piece as it is: what is nearly silent is not to be blown up."""
_SHORTEST = 0.4  # seconds: one block of BS.1770


def loudness(sound: Samples, rate: int, compressor: bool = False) -> Samples:
    """Bring a piece to `LUFS`; what then exceeds full scale is clipped, or with the compressor bent by tanh.

    Parameters
    ----------
    sound
        (samples, channels), float32.
    rate
        Samples a second.
    """
    if not len(sound) or math.sqrt(np.mean(np.square(sound, dtype=np.float64))) < FLOOR:
        return _clipped(sound)
    # What is shorter than a block has no loudness by the norm: it is measured as a loop.
    repeats = math.ceil(_SHORTEST * rate / len(sound))
    import pyloudnorm  # with scipy, which takes a second or two, and only files that are levelled so need it

    measured = pyloudnorm.Meter(rate).integrated_loudness(np.tile(sound, (repeats, 1)))
    if not math.isfinite(measured):  # below hearing: there is no gain that would help
        return _clipped(sound)
    louder = sound * np.float32(amplitude(LUFS - measured))
    return _clipped(np.tanh(louder) if compressor else louder)


def peak(sound: Samples, rate: int) -> Samples:
    """Bring the highest sample to `PEAK_HEADROOM` below full scale."""
    highest = float(np.abs(sound).max(initial=0.0))
    return sound * np.float32(amplitude(-PEAK_HEADROOM) / highest) if highest else sound


def rms(sound: Samples, rate: int) -> Samples:
    """Bring the root mean square of the mono mix to `RMS_HEADROOM` below full scale, and clip what exceeds that."""
    mono = sound.mean(axis=1, dtype=np.float64)
    level = math.sqrt(np.mean(np.square(mono))) if len(mono) else 0.0
    return _clipped(sound * np.float32(amplitude(-RMS_HEADROOM) / level) if level else sound)


def clip(sound: Samples, rate: int) -> Samples:
    """Cut off what is above `PEAK_HEADROOM` below full scale."""
    return _clipped(sound, amplitude(-PEAK_HEADROOM))


def none(sound: Samples, rate: int) -> Samples:
    """As the model made it; a file cannot hold more than full scale."""
    return _clipped(sound)


STRATEGIES: dict[str, Callable[[Samples, int], Samples]] = {
    "loudness": loudness,
    "peak": peak,
    "rms": rms,
    "clip": clip,
    "none": none,
}


def strategy(name: str, compressor: bool) -> Callable[[Samples, int], Samples]:
    """One of `STRATEGIES` by name; the compressor is for "loudness" alone."""
    return partial(loudness, compressor=True) if name == "loudness" and compressor else STRATEGIES[name]


def _clipped(sound: Samples, limit: float = 1.0) -> Samples:
    clipped: Samples = np.clip(sound, np.float32(-limit), np.float32(limit))
    return clipped
