"""How strongly sound sets in, in four bands, a hundred times a second: what a beat is heard by."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt

from streamer.sound.dynamics import Samples

PER_SECOND = 100
BANDS = (30.0, 130.0, 600.0, 3000.0, 12000.0)
"""Hz, where the four bands begin and end: kick and bass, body, snare and voices, hats."""

_PARTS = 7  # of each band at most, on a logarithmic scale: so a sound within one of them is not lost in its band
_WINDOW = 0.032  # seconds
_BACK = 2  # steps to look back by: an attack takes that long
_MOST = 3.0  # nats that count of one rise: silence is followed by an endless one
_FLOOR = 1e-4  # of the music's mean power in a part: what is softer is not heard
_LEVEL_SECONDS = 4.0

Array = npt.NDArray[np.float32]


class Flux:
    """Rises of level by band, as a stream: how the samples are cut into calls does not change them.

    A step belongs to the middle of its window, see `delay`.

    Parameters
    ----------
    rate : int
        Samples a second.

    Attributes
    ----------
    delay : float
        Samples from the sound that a step tells of to the last sample that it needs.
    """

    def __init__(self, rate: int) -> None:
        self._hop = rate / PER_SECOND
        self._length = round(rate * _WINDOW)
        self._window = np.hanning(self._length).astype(np.float32)
        self._starts, self._widths, self._groups = _parts(rate, self._length)
        self._counts = np.diff([*self._groups, len(self._widths)])
        self._leak = 1.0 - np.exp(-1.0 / (PER_SECOND * _LEVEL_SECONDS))
        self.delay = self._length / 2
        self.restart()

    def restart(self) -> None:
        """What comes next follows on nothing."""
        self._held = np.zeros(self._length, np.float32)
        self._position = float(self._length)  # in what is held, where the next step's window ends
        self._before = np.zeros((0, len(self._widths)), np.float32)
        self._level = 0.0

    def process(self, mono: Array) -> Array:
        """The steps (n, 4) that samples (m,) complete, nats."""
        self._held = np.concatenate([self._held, mono])
        ends = []
        while self._position + self._hop <= len(self._held):
            self._position += self._hop
            ends.append(round(self._position))
        if not ends:
            return np.zeros((0, len(BANDS) - 1), np.float32)
        frames = np.stack([self._held[end - self._length : end] for end in ends])
        spare = min(ends[-1] - self._length, len(self._held) - self._length)
        self._held, self._position = self._held[spare:], self._position - spare
        return self._rises(frames * self._window)

    def _rises(self, frames: Array) -> Array:
        spectrum = np.fft.rfft(frames)
        power = spectrum.real**2 + spectrum.imag**2
        parts = np.add.reduceat(power, self._starts, axis=1)[:, : len(self._widths)] / self._widths
        levels = np.empty_like(parts)
        for step, part in enumerate(parts):
            mean = float(part.mean())
            self._level += (mean - self._level) * (self._leak if self._level else 1.0)
            levels[step] = np.log(part / max(self._level, 1e-12) + _FLOOR)
        missing = max(0, _BACK - len(self._before))
        history = np.concatenate([np.repeat(levels[:1], missing, axis=0), self._before, levels])
        self._before = history[-_BACK:]
        rises = np.clip(history[_BACK:] - history[:-_BACK], 0.0, _MOST)
        bands: Array = (np.add.reduceat(rises, self._groups, axis=1) / self._counts).astype(np.float32)
        return bands


def mono(samples: Samples) -> Array:
    """Samples (n, channels) as one channel (n,)."""
    mixed: Array = samples.mean(axis=1, dtype=np.float32)
    return mixed


def _parts(rate: int, length: int) -> tuple[npt.NDArray[np.intp], Array, npt.NDArray[np.intp]]:
    """Where the parts of the bands begin among a spectrum's lines, how wide they are, and where bands begin.

    Parts at the bottom are a line wide, so the lowest band has fewer.
    """
    highest = rate / 2.2
    starts: list[int] = []
    groups = []
    for low, high in pairwise(BANDS):
        groups.append(len(starts))
        edges = np.unique(np.round(np.geomspace(low, min(high, highest), _PARTS + 1) * length / rate).astype(int))
        starts += [int(edge) for edge in edges[:-1] if not starts or edge > starts[-1]]
    end = round(min(BANDS[-1], highest) * length / rate)
    return np.array([*starts, end], np.intp), np.diff([*starts, end]).astype(np.float32), np.array(groups, np.intp)
