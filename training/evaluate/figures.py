"""Figures of sound: what a spectrogram to 8 kHz tells of a decoder, without any original to compare with.

`docs/sound.md` shows them; each is taken of renders, of decoded renders and of generated music alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from training.codec import HOP, RATE

Audio = NDArray[np.float32]
Numbers = NDArray[np.float64]
Registers = Mapping[str, tuple[int, int]]

FRAME_RATE = RATE // HOP  # Hz
LINES = np.arange(25, 319)  # multiples of the frame rate that are watched: 1250 to 15 900 Hz
BESIDE = np.r_[-20:-4, 5:21]  # Hz from a line: where music is that is no line
DEVIATIONS = 3.0  # a comb stands out of what other frequencies show by so many standard deviations, or is none
NO_COMB = -60.0  # dB
LOUD = 1e-4  # windows quieter than this share of the loudest do not count
MASKED, HEARING = 10**-0.4, 10**-7.5  # a line is audible above these shares of its critical band and of the music
FOLD_BAND = (2000, 12000)  # Hz
PEAK_WINDOW, AROUND = 4096, 400  # samples; Hz around a peak whose median is its surroundings
ATTACK_WINDOW, STEPS, STEEPEST = 256, 3, 0.02  # samples; hops of a quarter of it; share of all moments
FLUTTER_BAND, FLUTTER_BLOCK, FLUTTER_MEAN = (750, 2500), 320, 11  # Hz; samples (10 ms); blocks
TONES: Registers = {"100-750 Hz": (100, 750), "750-2000 Hz": (750, 2000)}
ATTACKS: Registers = {"> 6 kHz": (6000, 16000), "2.5-6 kHz": (2500, 6000), "0.75-2.5 kHz": (750, 2500)}
LEVELS: Registers = {
    "40-200 Hz": (40, 200),
    "200-750 Hz": (200, 750),
    "750-2000 Hz": (750, 2000),
    "2-6 kHz": (2000, 6000),
    "6-12 kHz": (6000, 12000),
}


@dataclass(frozen=True)
class Heard:
    """What one clip, or several together, give to the figures: sums, so that clips can be added.

    Attributes
    ----------
    clips
        How many.
    tones, total
        Power by distance from the lines (50 values, 1 Hz each, 0 Hz first) beyond that `BESIDE` them; power in all.
    lines
        Audible ones.
    fold
        Power by distance from the lines (100 values, 0.5 Hz each), each frequency over its surroundings.
    peaks
        How far peaks stand out, dB, by `TONES`: sums and counts.
    attacks, levels
        dB by `ATTACKS`; share of the power by `LEVELS`.
    flutter
        dB.
    clipped, peak
        Clips with a sample above 1; the largest sample.
    """

    clips: int
    tones: Numbers
    total: float
    lines: int
    fold: Numbers
    peaks: Numbers
    attacks: Numbers
    levels: Numbers
    flutter: float
    clipped: int
    peak: float

    def __add__(self, other: Heard) -> Heard:
        """Both together."""
        both = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)}
        return Heard(**{**both, "peak": max(self.peak, other.peak)})


def powers(audio: Audio, window: int, hop: int) -> torch.Tensor:
    """Power spectra with a Hann window, float32 (bins, windows)."""
    sound = F.pad(torch.from_numpy(np.asarray(audio, np.float32)), (0, max(0, window - len(audio))))
    shape = torch.hann_window(window)
    return torch.stft(sound, window, hop, window=shape, center=False, return_complex=True).abs().square()


def loud(power: torch.Tensor) -> torch.Tensor:
    """The windows that count."""
    sums = power.sum(0)
    return power[:, sums > LOUD * sums.max()]


def _lines(audio: Audio) -> tuple[Numbers, float, int]:
    """``tones``, ``total`` and ``lines`` of `Heard`: windows of a second, so that bins are 1 Hz apart."""
    power = loud(powers(audio, RATE, RATE // 2)).double().numpy()
    if not power.size:
        return np.zeros(FRAME_RATE), 0.0, 0
    window = torch.hann_window(RATE).double().numpy()
    centres = LINES * FRAME_RATE
    beside = np.mean([power[centres + away] for away in BESIDE], 0)
    away = np.r_[0 : FRAME_RATE // 2, -FRAME_RATE // 2 : 0]
    # A sine of power p gives p / 2 times the window's sum squared.
    tones = np.stack([power[centres + a] - beside for a in away]) * 2 / window.sum() ** 2
    density = power.mean(1) * 2 / (window**2).sum() / RATE
    total = float(density.sum())
    return tones.sum((1, 2)), total * power.shape[1], _audible(tones[0].mean(1), density, total)


def _audible(tones: Numbers, density: Numbers, total: float) -> int:
    """Lines that their critical band, less all lines, does not mask."""
    off = np.ones(len(density), bool)
    for away in range(-3, 4):
        off[np.clip(np.arange(0, len(density), FRAME_RATE) + away, 0, len(density) - 1)] = False
    power, bins = np.cumsum(np.where(off, density, 0)), np.cumsum(off)
    hertz = LINES * FRAME_RATE
    half = 24.7 * (4.37 * hertz / 1000 + 1) / 2  # Glasberg & Moore 1990
    low, high = (hertz - half).astype(int), np.minimum((hertz + half).astype(int), len(density) - 1)
    mask = (power[high] - power[low]) / np.maximum(bins[high] - bins[low], 1) * (high - low)
    return int(((tones > MASKED * mask) & (tones > HEARING * total)).sum())


def _fold(audio: Audio) -> Numbers:
    """``fold`` of `Heard`: windows of two seconds, each frequency over its 200 Hz."""
    power = powers(audio, 2 * RATE, RATE).mean(1).double().numpy()
    band = power[2 * FOLD_BAND[0] : 2 * FOLD_BAND[1]] + 1e-12
    around = np.convolve(band, np.ones(400) / 400, "same")
    folded: Numbers = (band / around).reshape(-1, 2 * FRAME_RATE).mean(0)
    return folded


def _peaks(audio: Audio) -> Numbers:
    """Sums of how far local maxima stand above the median around them, dB, and their counts: (2, registers)."""
    power = loud(powers(audio, PEAK_WINDOW, PEAK_WINDOW // 2))
    hertz = RATE / PEAK_WINDOW
    reach = round(AROUND / 2 / hertz)
    top = round((max(high for _, high in TONES.values()) + AROUND) / hertz)
    level = 10 * (power[:top] + 1e-9).log10().mT
    around = F.pad(level, (reach, reach), mode="reflect").unfold(1, 2 * reach + 1, 1).median(2).values
    middle = level[:, 1:-1]
    peak = F.pad((middle > level[:, :-2]) & (middle >= level[:, 2:]), (1, 1))
    found = []
    for low, high in TONES.values():
        inside = slice(round(low / hertz), round(high / hertz))
        out = (level - around)[:, inside][peak[:, inside]]
        found.append((float(out.sum()), len(out)))
    sums: Numbers = np.array(found, np.float64).T
    return sums


def _attacks(audio: Audio) -> Numbers:
    """By register, the mean of the steepest rises of level within 6 ms, dB."""
    power = powers(audio, ATTACK_WINDOW, ATTACK_WINDOW // 4)
    rises = []
    for low, high in ATTACKS.values():
        level = 10 * (power[low * ATTACK_WINDOW // RATE : high * ATTACK_WINDOW // RATE].sum(0) + 1e-6).log10()
        rise = (level[STEPS:] - level[:-STEPS]).clamp_min(0)
        rises.append(float(rise.topk(max(1, round(STEEPEST * len(rise)))).values.mean()))
    return np.array(rises)


def _levels(audio: Audio) -> Numbers:
    """Share of the power by register."""
    power = powers(audio, 2048, 512).double().sum(1).numpy()
    hertz = np.arange(1025) * RATE / 2048
    inside = [power[(hertz >= low) & (hertz < high)].sum() for low, high in LEVELS.values()]
    shares: Numbers = np.array(inside) / max(power.sum(), 1e-12)
    return shares


def _flutter(audio: Audio) -> float:
    """How far the level of 10 ms in the middle register is from its mean over 110 ms, dB."""
    power = powers(audio, 2 * FLUTTER_BLOCK, FLUTTER_BLOCK)
    low, high = (hertz * 2 * FLUTTER_BLOCK // RATE for hertz in FLUTTER_BAND)
    level = 10 * (power[low:high].sum(0) + 1e-6).log10()
    mean = F.avg_pool1d(level[None], FLUTTER_MEAN, 1)[0]
    reach = FLUTTER_MEAN // 2
    return float((level[reach:-reach] - mean).abs().mean())


def listen(audio: Audio) -> Heard:
    """Everything of one clip, which is mono, at 32 kHz, and lasts 2 s or more."""
    tones, total, lines = _lines(audio)
    peak = float(np.abs(audio).max())
    return Heard(
        clips=1,
        tones=tones,
        total=total,
        lines=lines,
        fold=_fold(audio),
        peaks=_peaks(audio),
        attacks=_attacks(audio),
        levels=_levels(audio),
        flutter=_flutter(audio),
        clipped=int(peak > 1),
        peak=peak,
    )


def comb_db(heard: Heard) -> float:
    """Power of the lines beyond that of the music beside them, over the power of all, dB.

    Music has tones at multiples of 50 Hz as it has them anywhere: what does not stand out of the other distances from
    the lines by `DEVIATIONS` is no comb, and gives `NO_COMB`.
    """
    chance = DEVIATIONS * float(heard.tones[BESIDE].std())
    if heard.tones[0] <= max(chance, 1e-30):
        return NO_COMB
    return float(max(NO_COMB, 10 * np.log10(heard.tones[0] / heard.total)))


def fold_db(heard: Heard) -> float:
    """Power at the lines over the mean of all distances from them, dB: negative where the music has holes there."""
    around = np.convolve(np.r_[heard.fold[-2:], heard.fold, heard.fold[:2]], np.ones(5) / 5, "valid")
    return float(10 * np.log10(around[0] / around.mean()))


def figures(heard: Heard) -> dict[str, float]:
    """Every figure by its name. In dB but for the lines (a clip), the clipping (share of clips) and the peak."""
    values = {"comb": comb_db(heard), "lines": heard.lines / heard.clips, "fold": fold_db(heard)}
    values |= {f"peaks {name}": float(x) for name, x in zip(TONES, heard.peaks[0] / heard.peaks[1], strict=True)}
    values |= {f"attacks {name}": float(x) for name, x in zip(ATTACKS, heard.attacks / heard.clips, strict=True)}
    shares = 10 * np.log10(np.maximum(heard.levels / heard.clips, 1e-6))
    values |= {f"level {name}": float(x) for name, x in zip(LEVELS, shares, strict=True)}
    return {
        **values,
        "flutter": heard.flutter / heard.clips,
        "clipping": heard.clipped / heard.clips,
        "peak": heard.peak,
    }


def by_style(clips: Sequence[Audio], styles: Sequence[str]) -> dict[str, Heard]:
    """All clips of each style together."""
    heard: dict[str, Heard] = {}
    for clip, style in zip(clips, styles, strict=True):
        one = listen(clip)
        heard[style] = heard[style] + one if style in heard else one
    return heard


def together(heard: Mapping[str, Heard]) -> Heard:
    """All styles."""
    first, *rest = heard.values()
    for other in rest:
        first = first + other
    return first


def badness(name: str, value: float, of_renders: float) -> float:
    """How bad a style's figure is; the largest is the worst. What music itself decides is compared with its renders."""
    if name == "fold":
        return abs(value)
    if name.startswith("level"):
        return abs(value - of_renders)
    return of_renders - value if name.startswith(("peaks", "attacks")) else value


def report(heard: Mapping[str, Heard], renders: Mapping[str, Heard]) -> dict[str, dict[str, float | str]]:
    """By figure: ``all`` styles together, and the ``worst`` style's value beside its name (``style``)."""
    values = figures(together(heard))
    own = {style: figures(one) for style, one in heard.items()}
    theirs = {style: figures(renders[style]) for style in own}
    found: dict[str, dict[str, float | str]] = {}
    for name, value in values.items():
        worst = max(own, key=lambda style: badness(name, own[style][name], theirs[style][name]))
        found[name] = {"all": value, "worst": own[worst][name], "style": worst, "its_renders": theirs[worst][name]}
    return found
