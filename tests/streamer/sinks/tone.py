"""What the tests broadcast, and how they know it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE = 48_000
LEFT, RIGHT = 440.0, 1000.0


def tone(samples: int, start: int = 0) -> NDArray[np.float32]:
    """Two notes, one on each side, float32 (samples, 2)."""
    at = np.arange(start, start + samples)[:, None] / RATE
    return (0.4 * np.sin(2 * np.pi * at * [[LEFT, RIGHT]])).astype(np.float32)


def decoded(source: Any, **options: Any) -> NDArray[np.float32]:
    """What FFmpeg hears in a file or a stream, (samples, 2), until it ends."""
    import av

    with av.open(source if not isinstance(source, Path) else str(source), **options) as container:
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE)
        blocks = [block.to_ndarray() for frame in container.decode(audio=0) for block in resampler.resample(frame)]
    sound: NDArray[np.float32] = np.concatenate(blocks, axis=1).T
    return sound


def notes(sound: NDArray[np.float32]) -> tuple[float, float]:
    """The loudest frequency on each side, Hz."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))[:, None], axis=0))
    left, right = spectrum.argmax(axis=0) * RATE / len(sound)
    return float(left), float(right)
