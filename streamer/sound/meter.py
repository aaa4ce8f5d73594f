"""Loudness by ITU-R BS.1770-4 while music plays, in numpy alone.

pyloudnorm, which measures finished pieces (`streamer.sound.normalise`) and is this one's oracle, stands on scipy's
filters: importing them takes longer than loading nano, and the first sound would wait for it.
"""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

BLOCK, STEP = 0.4, 0.1
"""Seconds of a gating block, and from one to the next."""
ABSOLUTE, RELATIVE = -70.0, -10.0
"""Gates: LUFS, and LU below the loudness of what passes the first one."""
_OFFSET = -0.691  # dB, of BS.1770: a sine of 997 Hz at full scale in one channel is -3.01 LUFS
_MEMORY = 0.2  # seconds after which the filters have forgotten: their slowest part has decayed by 1e-20

Sound = NDArray[np.float32]


def integrated_loudness(sound: Sound, rate: int) -> float:
    """Gated loudness of a piece.

    Parameters
    ----------
    sound
        (samples, channels), one or two channels, at least `BLOCK` seconds.
    rate
        Samples a second.

    Returns
    -------
    float
        LUFS; -inf for what no gate lets pass.
    """
    return _gated(_weighted_power(sound, rate), rate)


class Recent:
    """The gated loudness of the last seconds of a sound that comes in pieces; each piece is weighted once.

    Parameters
    ----------
    rate : int
        Samples a second.
    channels : int
        1 or 2.
    seconds : float
        How much is remembered, at least `BLOCK`.
    """

    def __init__(self, rate: int, channels: int, seconds: float) -> None:
        self._rate = rate
        self._past = np.zeros((0, channels), np.float32)
        self._power = np.zeros(0)
        self._most = round(seconds * rate)

    def hear(self, sound: Sound) -> float:
        """LUFS of what is remembered with the next piece (samples, channels); -inf for what no gate lets pass."""
        heard = np.concatenate([self._past, sound])
        fresh = _weighted_power(heard, self._rate)[len(self._past) :]
        self._past = heard[-round(_MEMORY * self._rate) :]
        self._power = np.concatenate([self._power, fresh])[-self._most :]
        return _gated(self._power, self._rate)


def _gated(power: NDArray[np.float64], rate: int) -> float:
    powers = _block_powers(power, rate)
    heard = powers[powers > _power(ABSOLUTE)]
    if not len(heard):
        return -math.inf
    gate = _power(_loudness(float(heard.mean())) + RELATIVE)
    return _loudness(float(heard[heard > gate].mean()))


def _loudness(power: float) -> float:
    return _OFFSET + 10.0 * math.log10(power)


def _power(loudness: float) -> float:
    return float(10.0 ** ((loudness - _OFFSET) / 10.0))


def _block_powers(power: NDArray[np.float64], rate: int) -> NDArray[np.float64]:
    """Of every gating block, all channels together."""
    energy = np.concatenate([[0.0], np.cumsum(power)])
    count = math.floor((len(power) / rate - BLOCK) / STEP + 1e-6) + 1
    starts = np.round(np.arange(count) * (STEP * rate)).astype(np.int64)
    ends = np.minimum(starts + round(BLOCK * rate), len(power))
    powers: NDArray[np.float64] = (energy[ends] - energy[starts]) / (BLOCK * rate)
    return powers


def _weighted_power(sound: Sound, rate: int) -> NDArray[np.float64]:
    """The K-weighted sound's power at every sample, all channels together: filtered by its spectrum, piece by piece."""
    memory, size = round(_MEMORY * rate), 1 << rate.bit_length()
    response, segment = _k_weighting(size, rate), size - memory
    channels, power = np.ascontiguousarray(sound.T), np.empty(len(sound))
    for start in range(0, len(sound), segment):
        # what goes round from a piece's end to its start falls onto the past, or onto silence where there is none
        past = min(start, memory)
        piece = channels[:, start - past : start + segment]
        weighted = np.fft.irfft(np.fft.rfft(piece, size) * response, size)
        power[start : start + segment] = np.square(weighted[:, past : piece.shape[1]]).sum(axis=0)
    return power


@functools.cache
def _k_weighting(size: int, rate: int) -> NDArray[np.complex128]:
    """The filters' response at the frequencies of a real transform of so many samples.

    A shelf of 4 dB from 1500 Hz on and a high pass at 38 Hz, as BS.1770 has them at 48 kHz and as pyloudnorm and
    torchaudio make them for other rates, by R. Bristow-Johnson's "Cookbook formulae for audio EQ biquad filter
    coefficients".
    """
    delay = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    powers = np.stack([np.ones_like(delay), delay, delay**2])
    response: NDArray[np.complex128] = np.ones_like(delay)
    for numerator, denominator in (_shelf(rate), _high_pass(rate)):
        response = response * (np.array(numerator) @ powers) / (np.array(denominator) @ powers)
    return response


Biquad = tuple[tuple[float, float, float], tuple[float, float, float]]


def _shelf(rate: int, decibels: float = 4.0, frequency: float = 1500.0, quality: float = math.sqrt(0.5)) -> Biquad:
    a, angle = 10.0 ** (decibels / 40.0), 2.0 * math.pi * frequency / rate
    cosine, width = math.cos(angle), math.sqrt(a) * math.sin(angle) / quality
    more, less = a + 1.0, a - 1.0
    numerator = (
        a * (more + less * cosine + width),
        -2.0 * a * (less + more * cosine),
        a * (more + less * cosine - width),
    )
    return numerator, (more - less * cosine + width, 2.0 * (less - more * cosine), more - less * cosine - width)


def _high_pass(rate: int, frequency: float = 38.0, quality: float = 0.5) -> Biquad:
    angle = 2.0 * math.pi * frequency / rate
    cosine, alpha = math.cos(angle), math.sin(angle) / (2.0 * quality)
    return ((1.0 + cosine) / 2.0, -(1.0 + cosine), (1.0 + cosine) / 2.0), (1.0 + alpha, -2.0 * cosine, 1.0 - alpha)
