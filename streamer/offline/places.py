"""Where in music a loop lies: two places that sound alike, in time, and the downbeat between them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from streamer.control.tempo import FASTEST, SLOWEST
from streamer.errors import UserError
from streamer.sound.dynamics import Samples

if TYPE_CHECKING:
    from musicgen.score import Fields

Curve = NDArray[np.float64]

MOST_BENT = 0.025
"""Share by which a loop's own length may differ from the exact one; a cent of pitch is 0.0006. Music that was learnt in
whole frames a beat, as nano's was, is off by up to 2 % at fast tempi."""
ALIKE_BEATS = 2.0
"""How long the two places have to sound alike."""
LATE = 0.5
"""What it costs a place that its music is in another tempo, beside what it costs that it sounds unlike: what a model
plays that is told the beat is in time anyway, see docs/loops.md."""
_LONGEST, _SHORTEST = 60.0, 1.0
_BANDS = 32


@dataclass(frozen=True)
class Bars:
    """How long a loop is, in music.

    Parameters
    ----------
    count : int
        Of bars.
    bpm : float
        Quarter notes a minute.
    beats, unit : int
        The metre: 3 and 4 for 3/4.

    Raises
    ------
    UserError
        It is no music, or longer or shorter than a loop can be.
    """

    count: int
    bpm: float
    beats: int = 4
    unit: int = 4

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UserError(f"a loop of {self.count} bars is no music: choose 1 or more")
        if not SLOWEST <= self.bpm <= FASTEST:
            raise UserError(f"a tempo of {self.bpm:g} bpm cannot be played: choose one from {SLOWEST:g} to {FASTEST:g}")
        if not 1 <= self.beats <= 32 or self.unit not in (1, 2, 4, 8, 16):
            raise UserError(f"{self.beats}/{self.unit} is no metre: write one like 4/4, 3/4 or 6/8")
        if not _SHORTEST <= self.seconds <= _LONGEST:
            raise UserError(
                f"{self.count} bars at {self.bpm:g} bpm last {self.seconds:.1f} s: "
                f"choose bars and tempo for {_SHORTEST:g} to {_LONGEST:g} seconds"
            )

    @classmethod
    def of(cls, count: int, bpm: float, metre: str) -> Bars:
        """With a metre as it is written, "6/8"."""
        beats, _, unit = metre.partition("/")
        if not (beats.strip().isdecimal() and unit.strip().isdecimal()):
            raise UserError(f"{metre!r} is no metre: write one like 4/4, 3/4 or 6/8")
        return cls(count, bpm, int(beats), int(unit))

    @property
    def quarters(self) -> Fraction:
        """Of all bars."""
        return Fraction(self.count * self.beats * 4, self.unit)

    @property
    def seconds(self) -> float:
        return float(self.quarters) * 60 / self.bpm

    def samples(self, rate: int) -> int:
        """Rounded once."""
        return round(self.quarters * 60 * rate / Fraction(self.bpm).limit_denominator(10**6))


@dataclass(frozen=True)
class Clock:
    """What a model that follows a score is told, so that bars begin on whole frames.

    Parameters
    ----------
    bars : Bars
    frames : int
        Of all of them.
    first : int
        The frame at which one of them begins.
    early : float
        Frames by which it is told earlier than it is to be heard, see `streamer.engine.score`.
    """

    bars: Bars
    frames: int
    first: int = 0
    early: float = 0.0

    def __call__(self, frame: int) -> Fields:
        """See `musicgen.Stream.set_score`."""
        fields: Fields = self.fields(frame, 1)[0]
        return fields

    def fields(self, first: int, count: int) -> Fields:
        """What is told of so many frames, (count, fields)."""
        from musicgen.score import FIELDS, unknown

        told = unknown(count)
        bars = (first + self.early - self.first + np.arange(count)) * self.bars.count / self.frames
        quarters = bars * float(self.bars.quarters) / self.bars.count
        for name, column in (("beat", quarters % 1.0), ("bar", bars % 1.0), ("bpm", self.bars.bpm)):
            told[:, FIELDS.index(name)] = column
        return told

    def to_bar(self, frame: int) -> float:
        """Frames from one on to the first bar, as a share of all."""
        return (self.first - frame) * self.bars.count / self.frames % 1.0 / self.bars.count


@dataclass(frozen=True)
class Place:
    """Where a loop may lie in a take: its first frame, its length, and what speaks against it."""

    take: int
    start: int
    length: int
    unlike: float


def heard(sound: Samples, hop: int) -> Curve:
    """What is heard in each frame, (frames, bands): the logarithm of bands of equal ratio, 60 Hz to 60 % of the rate's
    half, floored 60 dB below the loudest."""
    mono = np.pad(sound.mean(axis=1, dtype=np.float64), hop // 2)
    window = sliding_window_view(mono, 2 * hop)[::hop] * np.hanning(2 * hop)
    power = np.abs(np.fft.rfft(window, axis=1)) ** 2
    share = np.geomspace(0.002, 0.6, _BANDS + 1)
    edges = np.unique(np.round(share * power.shape[1]).astype(int))
    bands = np.add.reduceat(power, edges[:-1], axis=1)
    levels: Curve = np.log(bands + bands.max() * 1e-6 + 1e-12)
    return levels


def best(take: int, sound: Samples, hop: int, target: float, bars: Bars, first: int, clock: Clock | None) -> Place:
    """The two places of a take, some bars apart, that sound most alike in the beats before and after them.

    What lies between them is to be played in the tempo, too: half a beat more or less can sound just as much alike.

    Parameters
    ----------
    take : int
        Its number.
    sound : ndarray, float32, (samples, channels)
    hop : int
        Samples a frame.
    target : float
        Frames of the bars.
    bars : Bars
    first : int
        The first frame that may be taken.
    clock : Clock, optional
        That the music follows.

    Raises
    ------
    UserError
        The loop is too short for its tempo.
    """
    curve = heard(sound, hop)
    beat = target / float(bars.quarters)
    around = round(ALIKE_BEATS * beat / 2)
    slack = min(MOST_BENT * target, 0.3 * beat)
    lengths = range(math.ceil(target - slack), math.floor(target + slack) + 1)
    spread = float(curve.var(axis=0).mean()) + 1e-9
    found: list[Place] = []
    for length in lengths if clock is None else [clock.frames]:
        unlike = ((curve[length:] - curve[:-length]) ** 2).mean(axis=1) / spread
        smooth = np.convolve(unlike, np.ones(2 * around + 1) / (2 * around + 1), "valid")[first:]
        if len(smooth):
            at = int(smooth.argmin())
            bent = abs(length / target - 1) / MOST_BENT
            start = first + around + at
            late = 1.0 - in_time(curve[start : start + length], bars)
            found.append(Place(take, start, length, float(smooth[at]) + 0.2 * bent**2 + LATE * late))
    if not found:
        raise UserError("the loop is too short for its tempo: choose more bars")
    return min(found, key=lambda place: place.unlike)


def in_time(curve: Curve, bars: Bars) -> float:
    """How much of what is struck in a loop, around its beats, halves and quarters, is struck on them, 0 to 1.

    What goes round has a spectrum of lines; those of its beats, and of what comes again in every bar, are known. What
    lies between them is music in another tempo.
    """
    strokes = np.maximum(np.diff(curve, axis=0, prepend=curve[-1:]), 0.0).mean(axis=1)
    power = np.abs(np.fft.rfft(strokes - strokes.mean())) ** 2
    beats = round(bars.quarters)
    on = around = 0.0
    for line in (beats, 2 * beats, 4 * beats):
        near = power[max(1, line - bars.count + 1) : line + bars.count]
        if line < len(power):
            on, around = on + float(power[line]), around + float(near.sum())
    return on / around if around > 0 else 1.0


def stretched(sound: Samples, samples: int) -> Samples:
    """One period of a sound that goes round, with other samples for the same period: exact where the spectrum fits."""
    spectrum = np.fft.rfft(sound.astype(np.float64), axis=0)
    kept = min(len(spectrum), samples // 2 + 1)
    spectrum = spectrum[:kept]
    if kept == samples // 2 + 1 and samples % 2 == 0 and len(sound) > samples:
        spectrum[-1] = spectrum[-1].real  # what lies at half the rate has no phase
    out: Samples = (np.fft.irfft(spectrum, samples, axis=0) * (samples / len(sound))).astype(np.float32)
    return out


def downbeat(sound: Samples, rate: int, bars: Bars) -> int:
    """The sample to begin at: a little before the beat of the bar that the bass and the drums stress most."""
    hop = rate // 200
    count = len(sound) // hop
    mono = sound.mean(axis=1, dtype=np.float64)
    tripled = np.concatenate([mono[-4 * hop :], mono, mono[: 4 * hop]])
    windows = sliding_window_view(tripled, 4 * hop)[: count * hop : hop] * np.hanning(4 * hop)
    power = np.abs(np.fft.rfft(windows, axis=1)) ** 2
    low = max(2, round(150 * 4 * hop / rate))
    rise = np.zeros(count)
    for part, weight in ((power[:, 1:low], 2.0), (power[:, low:], 1.0)):
        level = np.log(part.sum(axis=1) + 1e-6 * power.sum(axis=1).max() + 1e-12)
        rise += weight * np.maximum(0.0, level - np.roll(level, 2))
    # where within a beat the strokes fall, then which beat of the bar is the strongest
    period = count / (bars.count * bars.beats)
    beats = np.arange(bars.count * bars.beats)
    offsets = np.arange(math.ceil(period))
    strokes = rise[np.round(offsets[:, None] + beats * period).astype(int) % count]
    offset = int(strokes.sum(axis=1).argmax())
    stressed = strokes[offset].reshape(bars.count, bars.beats).sum(axis=0)
    return round((offset + int(stressed.argmax()) * period) * hop) % len(sound)
