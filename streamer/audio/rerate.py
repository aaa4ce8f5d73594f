"""What is played at another rate: for a device that came back with one, while the music keeps its own."""

from __future__ import annotations

import math

import numpy as np
import soxr
from numpy.typing import NDArray

from streamer.audio.playback import Playback

_BLOCK_SECONDS = 0.25  # more than a device asks for at a time
_PROBE = 16  # samples: in such steps it is found out how much the resampler holds back
_MARGIN = 64


class Rerate:
    """Pulls from a playback at its rate, and gives at a device's, always the same time later.

    A resampler gives what it has in pieces of some 20 ms. So much waits here from the start: every block of the
    device's is one of the playback's, as long as it lasts. The resampler makes a new array of each, a few kilobytes.

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
        self._rate = rate
        self._stream = soxr.ResampleStream(playback.rate, rate, playback.channels, dtype="float32", quality="HQ")
        self._block = np.zeros((math.ceil(_BLOCK_SECONDS * playback.rate), playback.channels), np.float32)
        most, held = self._probe()
        most = math.ceil(most) + _MARGIN
        self._rest = np.zeros((round(most - held), playback.channels), np.float32)
        self._owed = 0  # of a sample of the playback's, in parts of the device's rate
        self.latency = most / rate

    def _probe(self) -> tuple[float, float]:
        """The most that the resampler holds back while it is fed silence for a second, and what it holds at the end."""
        silence, ratio = self._block[:_PROBE], self._rate / self._playback.rate
        held = most = 0.0
        for _ in range(self._playback.rate // _PROBE):
            held += _PROBE * ratio - len(self._stream.resample_chunk(silence))
            most = max(most, held)
        return most, held

    def fill(self, out: NDArray[np.float32]) -> None:
        """As `Playback.fill`, at the device's rate."""
        count, self._owed = divmod(self._owed + len(out) * self._playback.rate, self._rate)
        if count > len(self._block):
            self._block = np.zeros((count, self._block.shape[1]), np.float32)
        if count:
            self._playback.fill(self._block[:count])
            self._rest = np.concatenate([self._rest, self._stream.resample_chunk(self._block[:count])])
        there = min(len(out), len(self._rest))
        out[:there], out[there:] = self._rest[:there], 0.0
        self._rest = self._rest[there:]
