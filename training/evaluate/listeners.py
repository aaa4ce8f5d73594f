"""Listeners for what a score asks for: where the beats fall, which triad sounds, how busy it is. None of them knows it.

They are plain signal processing, fitted on nothing that nano played; the report says beside its figures how well they
do on renders whose score is known.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d, uniform_filter1d

from training import judge
from training.codec import RATE

Audio = NDArray[np.float32]
Beats = NDArray[np.float64]
AROUND = 0.1  # of the asked tempo: how far from it the tracker looks for the tempo that is played
TIGHT = 100.0  # how much a beat of another length costs the tracker, in onsets
LOWEST, LOW, HIGHEST = 4, 7, 60  # mel bands: up to about 150 and 200 Hz, and from about 6 kHz on
HOP = 256 / RATE  # seconds of the onset curve
ATTACK = 0.011  # seconds by which the curve rises before an attack: half of its window and of its smoothing
LATER = 2  # windows between the two that are compared to hear an onset
APART, USUALLY, RISE = 0.048, 0.5, 0.05  # seconds; seconds; mean over the bands of the rise of their natural logarithm

MAJOR, MINOR = (0, 4, 7), (0, 3, 7)
TRIADS = np.array([[(p - root) % 12 in kind for p in range(12)] for kind in (MAJOR, MINOR) for root in range(12)])


# --- beats --------------------------------------------------------------------------------------------------------


def beats(audio: Audio, near: float) -> Beats:
    """Beats of a clip in seconds, by dynamic programming (Ellis 2007): strong onsets at regular distances.

    Parameters
    ----------
    audio
        float32 at 32 kHz.
    near
        Beats a minute; the tempo is looked for within `AROUND` of it.
    """
    mel = judge.mel_frames(audio)
    # The bass drum counts as much as all the rest: the hats are often struck halfway between the beats.
    both = [judge.onset_curve(bands) for bands in (mel, mel[:, :LOWEST])]
    curve = np.sum([one / max(float(one.std()), 1e-9) for one in both], 0) / 2
    period = period_of(curve, near)
    low, high = round(period / 2), round(2 * period)
    lags = np.arange(high, low - 1, -1)
    cost = TIGHT * np.log(lags / period) ** 2
    total, before = curve.copy(), np.full(len(curve), -1)
    for i in range(low, len(curve)):
        first = max(0, high - i)
        options = total[i - lags[first:]] - cost[first:]
        best = int(options.argmax())
        total[i] += options[best]
        before[i] = i - lags[first + best]
    last = len(curve) - round(1.5 * period) + int(total[-round(1.5 * period) :].argmax())
    found = [last]
    while before[found[-1]] >= 0:
        found.append(int(before[found[-1]]))
    return (np.array(found[::-1]) + 0.5) * HOP + ATTACK


def period_of(curve: NDArray[np.float64], near: float) -> float:
    """The beat's length, in steps of the onset curve: where its autocorrelation at 1, 2 and 4 beats is highest."""
    correlation = judge.autocorrelation(curve)
    lags = 60 / HOP / (near * np.linspace(1 - AROUND, 1 + AROUND, 201))
    heard = np.stack([np.interp(lags * beats, np.arange(len(correlation)), correlation) for beats in (1, 2, 4)])
    return float(lags[heard.mean(0).argmax()])


def errors(found: Beats, grid: Beats) -> Beats:
    """How far every beat that was found, in seconds, lies from the nearest of a grid (late is positive)."""
    later = np.clip(np.searchsorted(grid, found), 1, len(grid) - 1)
    nearest = np.where(found - grid[later - 1] < grid[later] - found, grid[later - 1], grid[later])
    away: Beats = found - nearest
    return away


def halves(grid: Beats) -> Beats:
    """A grid and what lies halfway between."""
    return np.sort(np.concatenate([grid, (grid[1:] + grid[:-1]) / 2]))


# --- chords -------------------------------------------------------------------------------------------------------


def triads(audio: Audio) -> NDArray[np.float64]:
    """How much a clip's pitch classes are like each of `TRIADS`."""
    low, high = judge.chroma(audio).double().numpy()
    heard = high / max(float(np.linalg.norm(high)), 1e-9)
    bass = low / max(float(low.sum()), 1e-9)
    return np.asarray(TRIADS @ heard / np.sqrt(3) + 0.3 * np.tile(bass, 2))


def triad(audio: Audio) -> int:
    """The triad that a clip's pitch classes are most like: 0 to 11 in major, C first, 12 to 23 in minor."""
    return int(triads(audio).argmax())


# --- how much is played -------------------------------------------------------------------------------------------


def level(audio: Audio) -> float:
    """RMS in dB below full scale."""
    return float(10 * np.log10(np.mean(audio.astype(np.float64) ** 2) + 1e-12))


def onset_rate(audio: Audio) -> float:
    """Onsets a second: moments at which the spectrum rises most for `APART` around, by `RISE` more than it mostly does.

    A band counts only as far as it rises above its neighbours of before, so that what glides is not struck anew (Boeck
    & Widmer 2013). The threshold is one for all music: one that goes by the loudest strokes loses the soft ones between
    them, and one by the mean finds onsets in what a codec makes of silence.
    """
    mel = judge.mel_frames(audio).numpy()
    before = maximum_filter1d(mel, 3, axis=1)[:-LATER]
    rises = uniform_filter1d(np.maximum(mel[LATER:] - before, 0).mean(1), 3)
    usual = uniform_filter1d(rises, round(USUALLY / HOP))
    peaks = (rises == maximum_filter1d(rises, 2 * round(APART / HOP) + 1)) & (rises > usual + RISE)
    return float(peaks.sum() / (len(audio) / RATE))


# --- who plays ----------------------------------------------------------------------------------------------------


def drums(audio: Audio) -> float:
    """How loud the loudest tenth of the windows is above some 6 kHz, where cymbals and snares are: mean log-mel."""
    return float(torch.quantile(judge.mel_frames(audio)[:, HIGHEST:].mean(1), 0.9))


def bass(audio: Audio) -> float:
    """How loud half of the windows are below some 200 Hz, at the least: a bass goes on where a bass drum stops."""
    return float(judge.mel_frames(audio)[:, :LOW].mean(1).median())
