"""A tempo that is tapped."""

from __future__ import annotations

from collections import deque

ENOUGH = 3
"""Taps that make a tempo."""
_MOST = 8
_PAUSE = 2.0  # seconds after which somebody taps anew


class Taps:
    """Knows how fast somebody taps; one thread at a time."""

    def __init__(self) -> None:
        self._times: deque[float] = deque(maxlen=_MOST)

    def tap(self, at: float) -> float | None:
        """Take in a tap.

        Parameters
        ----------
        at : float
            Seconds, of any clock.

        Returns
        -------
        float or None
            Beats a minute, to a tenth; None while there are too few taps.
        """
        if self._times and not 0 < at - self._times[-1] < _PAUSE:
            self._times.clear()
        self._times.append(at)
        if len(self._times) < ENOUGH:
            return None
        return round(60 * (len(self._times) - 1) / (at - self._times[0]), 1)
