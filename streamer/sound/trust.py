"""Whether a beat that is followed is the music's own: a tracker that has settled on the offbeat is as sure as ever."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamer.sound.flux import Array
from streamer.sound.fold import BEATS, BINS

LEARNT = "trust.json"
"""Beside this file: what `benchmarks.lock_trust` has learnt."""
NEAR = np.array([-2, -1, 0, 1, 2])
"""Bins of a beat that are still the same place."""

_BEAT = BINS // BEATS
EVIDENCE = 17
"""How many figures speak for a beat and against it, see `evidence`."""
_MOST = 4.0  # nats of the tracker's own lead that count
_OFFBEAT = _BEAT // 2


class Learnt(NamedTuple):
    """A network of one hidden layer.

    Parameters
    ----------
    middle, spread : ndarray, float32, (17,)
        Of the evidence in the songs that it has learnt from.
    hidden : ndarray, float32, (17, 8)
    bias, out : ndarray, float32, (8,)
    offset : float
    """

    middle: Array
    spread: Array
    hidden: Array
    bias: Array
    out: Array
    offset: float


def trust(evidence: Array) -> float:
    """How likely the beat is where it is said to be, 0..1.

    Parameters
    ----------
    evidence : ndarray, float32, (17,)
        See `evidence`.
    """
    net = _learnt()
    inner = np.tanh((evidence - net.middle) / net.spread @ net.hidden + net.bias)
    return float(1.0 / (1.0 + np.exp(-(inner @ net.out + net.offset))))


def evidence(bar: Array, loudness: Array, fits: npt.NDArray[np.complex64], lead: float) -> Array:
    """What speaks for the beat and against it, (17,).

    Each band alone, and all but each, say how much better the beat fits there than anywhere else: a beat that is right
    is found by more than one of them. The fits of offbeats, how loud the bands are beside one another, and how much
    sets in at all tell of music whose one pulse may be the beat or the offbeat.

    Parameters
    ----------
    bar : ndarray, float32, (96, 4)
        The bar as it sounds in each band, a beat in its first bin.
    loudness : ndarray, float32, (4,)
        Of what sets in in each band.
    fits : ndarray, complex64, (49, 4)
        Of the pattern, see `pattern_spectrum`.
    lead : float
        Nats by which the tracker takes the beat for likelier than any other.
    """
    scores = np.fft.irfft(np.fft.rfft(bar, axis=0) * fits.conj(), BINS, axis=0)
    whole = scores.sum(axis=1, keepdims=True)
    beats = _beats(np.concatenate([whole, scores, whole - scores], axis=1))
    here = beats[NEAR].max(axis=0)
    leads = here - beats[NEAR[-1] + 1 : _BEAT - NEAR[-1]].max(axis=0)
    beside = np.log(loudness / max(float(loudness.max()), 1e-9) + 1e-3)
    strength = np.sqrt((bar.reshape(BEATS, _BEAT, -1).mean(axis=0) ** 2).sum())
    off = here[0] - beats[NEAR + _OFFBEAT, 0].max()
    told = [min(lead, _MOST), np.sqrt(lead), *beside, *leads[1:], off, leads[0], strength]
    return np.array(told, np.float32)


def _beats(scores: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Scores (96, n) of places in a bar as scores (24, n) of places in a beat."""
    bars = scores.reshape(BEATS, _BEAT, -1)
    most = bars.max(axis=(0, 1))
    found: npt.NDArray[np.float64] = np.log(np.exp(bars - most).sum(axis=0) + 1e-6) + most
    return found


@lru_cache(maxsize=1)
def _learnt() -> Learnt:
    stored = json.loads((files("streamer.sound") / LEARNT).read_text(encoding="utf-8"))
    layers = {name: np.array(stored[name], np.float32) for name in Learnt._fields if name != "offset"}
    return Learnt(**layers, offset=float(stored["offset"]))
