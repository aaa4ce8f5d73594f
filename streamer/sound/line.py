"""The last samples of a signal."""

from __future__ import annotations

from typing import Generic, TypeVar

import numpy as np
import numpy.typing as npt

Real = TypeVar("Real", np.float32, np.float64)


class Line(Generic[Real]):
    """A ring of them, to be read from a delay of at least what is read.

    Parameters
    ----------
    longest, channels : int
        Samples that are kept, and how wide they are.
    kind : type
        Of a sample: `numpy.float32` or `numpy.float64`.
    """

    def __init__(self, longest: int, channels: int, kind: type[Real]) -> None:
        self._past: npt.NDArray[Real] = np.zeros((longest, channels), kind)
        self._at = 0

    def read(self, delay: int, samples: int) -> npt.NDArray[Real]:
        """The samples that were written so many samples ago, (samples, channels); to be copied, to be kept."""
        first = (self._at - delay) % len(self._past)
        part = self._past[first : first + samples]
        return part if len(part) == samples else np.concatenate([part, self._past[: samples - len(part)]])

    def write(self, samples: npt.NDArray[Real]) -> None:
        """The next samples (n, channels), at most as many as are kept."""
        fits = min(len(samples), len(self._past) - self._at)
        self._past[self._at : self._at + fits] = samples[:fits]
        self._past[: len(samples) - fits] = samples[fits:]
        self._at = (self._at + len(samples)) % len(self._past)

    def clear(self) -> None:
        """Silence."""
        self._past[:] = 0.0
