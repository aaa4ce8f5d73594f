"""Attacks laid over one another bar by bar, for many tempi at once: where the bar begins, and how fast it is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamer.sound.flux import PER_SECOND, Array

BEATS = 4
"""Of a bar."""
BINS = 96
"""Of a bar, so 24 of a beat: triplets and sixteenths fall on bins."""
TEMPI = 25
SPAN = 0.06
"""How far the tempi lie around the one asked for, as a part of it."""
MEMORY = 3.0
"""Seconds after which an attack counts for a third of what it did."""
KEPT = round(4 * MEMORY * PER_SECOND)
"""Steps that are kept, to be laid out anew for another tempo."""

_HALF_BIN = 0.5 / BINS


class Fold:
    """The bar as it has sounded of late, once for each tempo.

    Parameters
    ----------
    bpm : float
        Beats a minute that are expected.

    Attributes
    ----------
    tempi : ndarray, float64, (25,)
        Beats a minute.
    bar : ndarray, float64, (25,)
        Where in its bar each tempo is at the last step, 0..1, counted from where it happened to begin.
    seconds : float
        That have been heard.
    """

    def __init__(self, bpm: float) -> None:
        self._history = np.zeros((0, 4), np.float32)
        self.seconds = 0.0
        self._lay_out(bpm)

    def expect(self, bpm: float) -> None:
        """Another tempo: what was heard is laid out anew for the tempi around it."""
        self._lay_out(bpm)
        self._add(self._history)

    def add(self, steps: Array) -> None:
        """Steps (n, 4) of flux."""
        self.seconds += len(steps) / PER_SECOND
        self._history = np.concatenate([self._history, steps])[-KEPT:]
        self._add(steps)

    def scores(self, spectrum: npt.NDArray[np.complex64]) -> Array:
        """How well a pattern fits, (25, 96): for each tempo, with the bar beginning in each of its bins.

        Parameters
        ----------
        spectrum : ndarray, complex64, (49, 4)
            Of the pattern, see `pattern_spectrum`.
        """
        found = np.fft.rfft(self.level(), axis=1) * spectrum.conj()
        fits: Array = np.fft.irfft(found.sum(axis=2), BINS, axis=1).astype(np.float32)
        return fits

    def level(self) -> Array:
        """The bars (25, 96, 4), each band free of its mean, all of them about as large whatever plays."""
        bars = self._bars - self._bars.mean(axis=1, keepdims=True)
        levelled: Array = bars / np.maximum(self._spread(), 1e-6)
        return levelled

    @property
    def loudness(self) -> Array:
        """How much has set in of late in each band, (4,)."""
        return np.sqrt(self._squares)

    def bar_in(self, row: int, first: int) -> Array:
        """One of the bars, (96, 4), as `level` has it, from one of its bins on."""
        bar = np.roll(self._bars[row], -first, axis=0)
        levelled: Array = (bar - bar.mean(axis=0)) / np.maximum(self._spread(), 1e-6)
        return levelled

    def _spread(self) -> Array:
        """How uneven each band would be if its attacks fell anywhere, (4,); and no band of next to none counts."""
        spread = self.loudness
        uneven: Array = np.maximum(spread, 0.2 * spread.max()).astype(np.float32)
        return uneven

    def _lay_out(self, bpm: float) -> None:
        self.bpm = bpm
        self.tempi = bpm * np.linspace(1 - SPAN, 1 + SPAN, TEMPI)
        self._steps = self.tempi / (60 * PER_SECOND * BEATS)
        self.bar = np.zeros(TEMPI)
        self._bars = np.zeros((TEMPI, BINS, 4), np.float32)
        self._squares = np.zeros(4, np.float32)

    def _add(self, steps: Array) -> None:
        count = len(steps)
        if not count:
            return
        weights = np.exp((np.arange(count) - count + 1) / (PER_SECOND * MEMORY)).astype(np.float32)
        fade = np.float32(np.exp(-count / (PER_SECOND * MEMORY)))
        self._bars *= fade
        steps = steps * weights[:, None]
        self._squares = self._squares * fade + (steps**2).sum(axis=0)
        bars = self.bar[:, None] + self._steps[:, None] * np.arange(1, count + 1)
        self.bar = bars[:, -1] % 1.0
        place = bars % 1.0 * BINS
        low = place.astype(np.intp)
        above = (place - low).astype(np.float32)[..., None]
        low %= BINS
        rows = np.broadcast_to(np.arange(TEMPI)[:, None], low.shape)
        np.add.at(self._bars, (rows, low), steps * (1 - above))
        np.add.at(self._bars, (rows, (low + 1) % BINS), steps * above)


def pattern_spectrum(pattern: Array) -> npt.NDArray[np.complex64]:
    """Of a bar's pattern (96, 4)."""
    spectrum: npt.NDArray[np.complex64] = np.fft.rfft(pattern, axis=0).astype(np.complex64)
    return spectrum
