"""What is played at another rate: for a device that came back with one, while the music keeps its own."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from streamer.audio.playback import Playback

BLOCK_SECONDS = 0.005


class Rerate:
    """Pulls from a playback at its rate, and gives at a device's.

    Parameters
    ----------
    playback
    rate
        The device's, samples a second.

    Attributes
    ----------
    latency : float
        Seconds that the sound is held up for.
    """

    def __init__(self, playback: Playback, rate: int) -> None:
        self._playback = playback
        self._stream = soxr.ResampleStream(playback.rate, rate, playback.channels, dtype="float32", quality="HQ")
        self._block = np.zeros((max(1, round(BLOCK_SECONDS * playback.rate)), playback.channels), np.float32)
        self._rest = np.zeros((0, playback.channels), np.float32)
        for _ in range(100):  # the resampler holds back as much as it looks ahead
            self._stream.resample_chunk(self._block)
        self.latency = self._stream.delay() / rate

    def fill(self, out: NDArray[np.float32]) -> None:
        """As `Playback.fill`, at the device's rate."""
        done = 0
        while True:
            count = min(len(self._rest), len(out) - done)
            out[done : done + count] = self._rest[:count]
            self._rest = self._rest[count:]
            done += count
            if done == len(out):
                return
            self._playback.fill(self._block)
            self._rest = self._stream.resample_chunk(self._block)
