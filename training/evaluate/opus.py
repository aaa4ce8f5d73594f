"""Opus at 6 kb/s, through its own tools, as a yardstick for nano's codec."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from training.codec import RATE

OPUS_RATE = 48000  # Opus has no 32 kHz
BITRATE = 6  # kb/s
# 60 ms frames are Opus's best at this rate, nearer to the original than its default of 20 ms by every distance we take.
ENCODE = ("opusenc", "--quiet", "--bitrate", str(BITRATE), "--hard-cbr", "--comp", "10", "--framesize", "60")
DECODE = ("opusdec", "--quiet", "--float", "--rate", str(OPUS_RATE))
MISSING = "opusenc and opusdec are not installed (package opus-tools)"

Audio = NDArray[np.float32]


def installed() -> bool:
    """Whether the tools are there."""
    return bool(shutil.which("opusenc") and shutil.which("opusdec"))


def through_opus(audio: Audio) -> Audio:
    """Encode and decode a mono clip at 32 kHz; same length, aligned."""
    original = soxr.resample(audio, RATE, OPUS_RATE, "VHQ")
    with tempfile.TemporaryDirectory() as folder:
        wav, packed, back = (Path(folder) / name for name in ("in.wav", "in.opus", "out.wav"))
        soundfile.write(wav, original, OPUS_RATE, "PCM_16")
        subprocess.run([*ENCODE, str(wav), str(packed)], check=True)
        subprocess.run([*DECODE, str(packed), str(back)], check=True)
        decoded, _ = soundfile.read(back, dtype="float32")
    aligned = align(decoded, original)
    return np.asarray(soxr.resample(aligned, OPUS_RATE, RATE, "VHQ")[: len(audio)], np.float32)


def align(late: Audio, original: Audio, most: int = 2000) -> Audio:
    """Shift ``late`` by up to ``most`` samples to where it matches best: the tools leave a few samples of delay."""
    size = len(original)
    late = np.pad(late, (0, max(0, size - len(late))))[:size]
    spectra = np.fft.rfft(original, 2 * size).conj() * np.fft.rfft(late, 2 * size)
    lags = np.r_[0:most, -most:0]
    lag = int(lags[np.fft.irfft(spectra)[lags].argmax()])
    return np.roll(late, -lag)
