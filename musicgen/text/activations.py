"""The activations of feed-forward layers, in numpy."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


def gelu(x: Floats) -> Floats:
    """``x / 2 * (1 + erf(x / sqrt 2))``."""
    y: Floats = x * np.float32(0.5) * (1 + erf(x * np.float32(0.5**0.5)))
    return y


def silu(x: Floats) -> Floats:
    """``x / (1 + exp(-x))``."""
    with np.errstate(over="ignore"):  # what is far below 0 becomes 0 by it
        y: Floats = x / (1 + np.exp(-x))
    return y


def relu(x: Floats) -> Floats:
    """What is above 0."""
    y: Floats = np.maximum(x, np.float32(0))
    return y


def erf(x: Floats) -> Floats:
    """The error function, to 3e-7: numpy has none, and scipy's import takes as long as all of a stream's start.

    Formula 7.1.26 of Abramowitz and Stegun 1964, "Handbook of Mathematical Functions", in double precision.
    """
    size = np.abs(x).astype(np.float64)
    t = 1 / (1 + 0.3275911 * size)
    series = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))))
    value: Floats = np.copysign(1 - series * np.exp(-size * size), x).astype(np.float32)
    return value


ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {"gelu": gelu, "relu": relu, "silu": silu}
"""By their names in transformers' configurations."""
