"""A picture of a loop's seam: what is heard around it as the loop goes round."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.errors import UserError
from streamer.offline.places import Bars, heard
from streamer.sound.dynamics import Samples

_CLOSE = 0.02  # seconds on each side, as a wave
_TOP = 8000.0  # Hz


def check_picture() -> None:
    """Refuse a picture that cannot be drawn, before any work is done.

    Raises
    ------
    UserError
        matplotlib is not there.
    """
    if find_spec("matplotlib") is None:
        raise UserError(f"a picture needs matplotlib: run `{sys.executable} -m pip install matplotlib`")


def changes(sound: Samples, seam: int, rate: int, bars: Bars) -> NDArray[np.float64]:
    """How much what is heard changes on each beat of a loop, from the seam on, (beats,): half a beat before it against
    half a beat after it, in decibels."""
    hop = rate // 50
    curve = heard(np.tile(sound, (3, 1)), hop) * (10 / np.log(10))
    beats = max(1, round(bars.count * bars.beats))
    beat = len(sound) / beats / hop
    half = max(1, round(beat / 2))
    first = (len(sound) + seam) / hop
    places = [round(first + number * beat) for number in range(beats)]
    steps = [curve[at : at + half].mean(axis=0) - curve[at - half : at].mean(axis=0) for at in places]
    made: NDArray[np.float64] = np.sqrt(np.square(steps).mean(axis=1))
    return made


def draw(sound: Samples, seam: int, rate: int, bars: Bars, path: Path) -> None:
    """Write a PNG: the spectrum of a bar on each side of the seam, the wave close to it, and every beat's change.

    Parameters
    ----------
    sound : ndarray, float32, (samples, channels)
        The loop.
    seam : int
        The sample at which its tokens begin.
    rate : int
        Samples a second.
    """
    from matplotlib.figure import Figure

    bar = len(sound) // bars.count
    around = np.take(sound.mean(axis=1), np.arange(seam - bar, seam + bar), mode="wrap")
    figure = Figure(figsize=(9, 6), layout="constrained")
    above, wave, beats = figure.subplots(3, 1, height_ratios=(2, 1, 1))
    above.specgram(around + 1e-9, NFFT=1024, Fs=rate, noverlap=768, xextent=(-bar / rate, bar / rate), vmin=-120)
    above.set(ylim=(0, min(_TOP, rate / 2)), ylabel="Hz", xlabel="seconds from the seam")
    above.axvline(0.0, color="white", linewidth=0.8)
    close = max(1, min(bar, round(_CLOSE * rate)))
    wave.plot(np.arange(-close, close) * 1000 / rate, around[bar - close : bar + close], linewidth=0.8)
    wave.axvline(0.0, color="0.6", linewidth=0.8)
    wave.set(xlabel="ms from the seam", ylabel="sample")
    steps = changes(sound, seam, rate, bars)
    beats.bar(np.arange(len(steps)), steps, color=["C1"] + ["C0"] * (len(steps) - 1))
    beats.set(xlabel="beats from the seam, which is 0", ylabel="change, dB")
    figure.savefig(path, dpi=80)
