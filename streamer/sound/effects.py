"""Built-in effects: low cut, tilt, echo, space and width, in numpy, each transparent at its neutral value.

They work frame by frame, in blocks of one size, so how many frames come in one call changes no bit. Amounts move evenly
through a frame: nothing clicks when a knob is turned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from streamer.sound.dynamics import Samples
from streamer.sound.line import Line

Block = npt.NDArray[np.float64]

LOWEST_CUT = 20.0
"""Hz; a low cut there is none."""
TILT_PIVOT = 1000.0
"""Hz that a tilt leaves as they are."""
ECHO_BEATS = 0.75
"""A dotted eighth note, in quarter notes."""
ECHO_FEEDBACK = 0.45
SPACE_SECONDS = 2.2
"""In which the reverb falls by 60 dB below its damping."""

_MOST_BLOCK = 128  # samples: what a filter works out at once
_LONGEST_ECHO = 60.0 / 20.0 * ECHO_BEATS  # seconds, at the slowest tempo
# Of the reverb's lines, in seconds: without common divisors, so that their echoes never fall together.
_LINES = (0.0297, 0.0331, 0.0371, 0.0411, 0.0437, 0.0473, 0.0521, 0.0563)
_VELVET_SECONDS, _VELVET_TAPS = 0.018, 24
_APART: Block = np.array([0.7, -0.7])  # what goes left as it is goes right upside down


@dataclass(frozen=True)
class Amounts:
    """What the effects are to do; as it stands here they do nothing.

    Parameters
    ----------
    lowcut : float
        Hz below which the sound is thinned by 12 dB an octave; `LOWEST_CUT` is off.
    tilt : float
        dB by which what is above `TILT_PIVOT` rises over what is below, -12 to 12.
    echo, space, width : float
        0 to 1.
    """

    lowcut: float = LOWEST_CUT
    tilt: float = 0.0
    echo: float = 0.0
    space: float = 0.0
    width: float = 0.0


class Effects:
    """All effects one after the other, on two channels.

    Parameters
    ----------
    rate : int
        Samples a second.
    frame : int
        Samples a frame.
    """

    def __init__(self, rate: int, frame: int) -> None:
        self._frame = frame
        block = _block(frame)
        self._lowcut = _LowCut(rate, block)
        self._tilt = _Tilt(rate, block)
        self._echo = _Echo(rate, frame)
        self._space = _Space(rate, frame)
        self._width = _Width(rate, frame)

    def set(self, amounts: Amounts, bpm: float) -> None:
        """What to do from the next sample on; the echo keeps time with so many beats a minute."""
        self._lowcut.set(amounts.lowcut)
        self._tilt.set(amounts.tilt)
        self._echo.set(amounts.echo, bpm)
        self._space.set(amounts.space)
        self._width.set(amounts.width)

    def process(self, samples: Samples) -> Samples:
        """The samples, float32 (n, 2), with the effects on them; the same array where there are none.

        Frames end where the samples end: of a codec that looks ahead the first chunk is short of a whole frame.
        """
        sections: tuple[_Section, ...] = (self._lowcut, self._tilt, self._echo, self._space, self._width)
        working = [section for section in sections if section.working]
        if not working:
            return samples
        out = np.empty_like(samples)
        ends = range(len(samples) % self._frame or self._frame, len(samples) + 1, self._frame)
        for first, end in pairwise((0, *ends)):
            block = samples[first:end].astype(np.float64)
            for section in working:
                block = section.process(block)
            out[first:end] = block
        for section in working:
            if not section.working:  # it begins from silence when it comes back
                section.clear()
        return out


def _block(frame: int) -> int:
    """The largest size that divides a frame and is worked out at once."""
    return next(size for size in range(min(_MOST_BLOCK, frame), 0, -1) if frame % size == 0)


class _Amount:
    """A number on its way, evenly within a frame, to what was asked for."""

    def __init__(self) -> None:
        self.now = self.target = 0.0

    def ramp(self, samples: int) -> Block:
        """Its way through a frame, (samples, 1)."""
        start, self.now = self.now, self.target
        return (start + (self.target - start) * np.arange(1, samples + 1) / samples)[:, None]

    @property
    def idle(self) -> bool:
        return self.now == self.target == 0.0


class _OnePole:
    """A first-order low-pass, a block at a time: its response to a block and to its own state, as one product each."""

    def __init__(self, block: int) -> None:
        self._block = block
        self._state: Block = np.zeros(1)
        self._hertz = -1.0
        steps = np.arange(block)
        lag = steps[:, None] - steps
        self._past, self._lag = lag >= 0, np.maximum(lag, 0)
        self._response: Block = np.zeros((block, block))
        self._decay: Block = np.zeros((block, 1))

    def tune(self, hertz: float, rate: int) -> None:
        if hertz == self._hertz:
            return
        self._hertz = hertz
        pole = math.exp(-2 * math.pi * hertz / rate)
        self._decay = np.power(pole, np.arange(1.0, self._block + 1.0))[:, None]
        powers = np.append(1.0, self._decay[:-1, 0])
        self._response = (1 - pole) * self._past * powers[self._lag]

    def process(self, samples: Block) -> Block:
        """The low-passed samples, (n, channels)."""
        out = np.empty_like(samples)
        state = self._state
        for first in range(0, len(samples), self._block):
            part = slice(first, first + self._block)
            size = len(out[part])
            out[part] = self._response[:size, :size] @ samples[part] + self._decay[:size] * state
            state = out[first + size - 1]
        self._state = state.copy()
        return out

    def clear(self) -> None:
        self._state = np.zeros(1)


class _LowCut:
    """Two first-order high-passes; mixed in, so that it comes and goes without a jump."""

    def __init__(self, rate: int, block: int) -> None:
        self._rate = rate
        self._poles = (_OnePole(block), _OnePole(block))
        self._mix = _Amount()
        self.set(LOWEST_CUT)

    def set(self, hertz: float) -> None:
        self._mix.target = float(hertz > LOWEST_CUT)
        for pole in self._poles:
            pole.tune(max(hertz, LOWEST_CUT), self._rate)

    @property
    def working(self) -> bool:
        return not self._mix.idle

    def process(self, samples: Block) -> Block:
        high = samples
        for pole in self._poles:
            high = high - pole.process(high)
        return samples + self._mix.ramp(len(samples)) * (high - samples)

    def clear(self) -> None:
        for pole in self._poles:
            pole.clear()


class _Tilt:
    """What is above the pivot louder, what is below quieter, each by half."""

    def __init__(self, rate: int, block: int) -> None:
        self._pole = _OnePole(block)
        self._pole.tune(TILT_PIVOT, rate)
        self._decibels = _Amount()

    def set(self, decibels: float) -> None:
        self._decibels.target = decibels

    @property
    def working(self) -> bool:
        return not self._decibels.idle

    def process(self, samples: Block) -> Block:
        low = self._pole.process(samples)
        factor = 10.0 ** (self._decibels.ramp(len(samples)) / 40.0)
        return low / factor + (samples - low) * factor

    def clear(self) -> None:
        self._pole.clear()


class _Echo:
    """Repeats, each quieter than the last, on the dotted eighth notes of the tempo."""

    def __init__(self, rate: int, frame: int) -> None:
        self._rate, self._frame = rate, frame
        self._line = Line(round(_LONGEST_ECHO * rate) + 2 * frame, 2, np.float64)
        self._amount = _Amount()
        self._delay = self._last = frame

    def set(self, amount: float, bpm: float) -> None:
        self._amount.target = amount
        longest = round(_LONGEST_ECHO * self._rate)
        self._delay = min(max(round(60.0 / bpm * ECHO_BEATS * self._rate), self._frame), longest)
        if not self.working:
            self._last = self._delay

    @property
    def working(self) -> bool:
        return not self._amount.idle

    def process(self, samples: Block) -> Block:
        count = len(samples)
        repeats = self._line.read(self._delay, count)
        if self._last != self._delay:  # another tempo: over to the new place within the frame
            share = np.arange(1, count + 1)[:, None] / count
            repeats = repeats * share + self._line.read(self._last, count) * (1 - share)
            self._last = self._delay
        self._line.write(samples + ECHO_FEEDBACK * repeats)
        return samples + self._amount.ramp(count) * repeats

    def clear(self) -> None:
        self._line.clear()


class _Space:
    """A room: eight delays that feed each other (Jot and Chaigne 1991, a feedback delay network)."""

    def __init__(self, rate: int, frame: int) -> None:
        self._lengths = [max(frame, round(seconds * rate)) for seconds in _LINES]
        self._lines = [Line(length + frame, 1, np.float64) for length in self._lengths]
        self._last: Block = np.zeros((1, len(_LINES)))
        self._amount = _Amount()
        # The same loss a second in every line, so that no pitch of the room stands out; Householder keeps the energy.
        loss = 10.0 ** (-3.0 * np.array(self._lengths) / (SPACE_SECONDS * rate))
        self._mix: Block = loss[:, None] * (np.eye(len(_LINES)) - 2.0 / len(_LINES))
        signs = np.where(np.arange(len(_LINES)) % 2, -1.0, 1.0)
        halves = np.where(np.arange(len(_LINES)) < len(_LINES) / 2, 1.0, -1.0)
        self._sides: Block = np.stack([signs, signs * halves], 1) / 4.0

    def set(self, amount: float) -> None:
        self._amount.target = amount

    @property
    def working(self) -> bool:
        return not self._amount.idle

    def process(self, samples: Block) -> Block:
        count = len(samples)
        heard = np.concatenate(
            [line.read(length, count) for line, length in zip(self._lines, self._lengths, strict=True)], 1
        )
        # What comes back is a little duller each time: walls and air.
        dull = 0.7 * heard + 0.3 * np.concatenate([self._last, heard[:-1]])
        self._last = heard[-1:]
        fed = dull @ self._mix + samples.mean(1, keepdims=True)
        for number, line in enumerate(self._lines):
            line.write(fed[:, number : number + 1])
        out: Block = samples + self._amount.ramp(count) * (heard @ self._sides)
        return out

    def clear(self) -> None:
        self._last = np.zeros_like(self._last)
        for line in self._lines:
            line.clear()


class _Width:
    """Opens what both sides share: a blurred copy of it goes left as it is and right upside down.

    The copy cancels when the sides are added, so a mono listener hears what was there before.
    """

    def __init__(self, rate: int, frame: int) -> None:
        taps = np.random.default_rng(5)  # velvet noise: sparse, flat and always the same
        spread = round(_VELVET_SECONDS * rate / _VELVET_TAPS)
        self._delays = np.array([n * spread + int(taps.integers(spread)) for n in range(_VELVET_TAPS)])
        # It begins after a frame of its own past, and dies away within its length.
        shape = np.exp(-3.0 * np.arange(_VELVET_TAPS) / _VELVET_TAPS) * taps.choice([-1.0, 1.0], _VELVET_TAPS)
        self._weights = shape / np.sqrt((shape**2).sum())
        self._past = np.zeros((max(self._delays) + 1, 1))
        block = _block(frame)
        self._bass = (_OnePole(block), _OnePole(block))
        for pole in self._bass:
            pole.tune(250.0, rate)
        self._amount = _Amount()

    def set(self, amount: float) -> None:
        self._amount.target = amount

    @property
    def working(self) -> bool:
        return not self._amount.idle

    def process(self, samples: Block) -> Block:
        count = len(samples)
        mid = samples.mean(1, keepdims=True)
        line = np.concatenate([self._past, mid])
        self._past = line[count:]
        start = len(line) - count
        delayed = sliding_window_view(line[:, 0], count)[start - self._delays]
        side = (self._weights @ delayed)[:, None]
        for pole in self._bass:  # the bass stays in the middle
            side = side - pole.process(side)
        out: Block = samples + self._amount.ramp(count) * side * _APART
        return out

    def clear(self) -> None:
        self._past = np.zeros_like(self._past)
        for pole in self._bass:
            pole.clear()


_Section = _LowCut | _Tilt | _Echo | _Space | _Width
