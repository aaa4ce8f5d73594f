"""Bars that go round while the music goes on unheard, beside it or over it.

Everything happens on a beat of the clock: a loop begins, its rounds do, the music comes back. What goes round is the
sound itself, before the effects, so these go on over its seam.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from osc.values import Value
from streamer.control.moves import CAPTURE, OVERDUB
from streamer.control.tempo import BEATS_PER_BAR
from streamer.errors import UserError
from streamer.sound.dynamics import Crossfade, Samples, likeness
from streamer.sound.line import Line

LONGEST = 60.0
"""Seconds that may go round: so much of what was heard is kept."""
SEAM = 0.04
"""Seconds in which a round fades into the next, and loop and music into each other."""
LOOSE = 0.005
"""Seconds by which a bar in the middle of a loop may miss the clock's; the loop's first is always on it."""

Beat = tuple[int, int]
"""A sample of a chunk, and the number of the beat that falls on it."""


@dataclass(frozen=True)
class _Asked:
    """What is to happen on the next beat that it fits.

    Parameters
    ----------
    every : int
        Beats whose multiples it waits for.
    bars : float
        To go round; 0 for none.
    samples : int
        Of these bars, in the tempo in which they were asked for.
    over : bool
        Whether the music is to be heard beside the loop.
    """

    every: int
    bars: float = 0.0
    samples: int = 0
    over: bool = False


class Looper:
    """Keeps what was heard, and has a part of it go round.

    Parameters
    ----------
    rate, channels : int
        Of the stream's sound.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._rate = rate
        self._seam = round(SEAM * rate)
        self._kept = _Kept(round(LONGEST * rate) + self._seam, channels)
        self._asked: _Asked | None = None
        self._rounds: list[_Round] = []  # the last one goes on, the others fade out
        self._music = _Gain(self._seam, 1.0)

    @property
    def playing(self) -> bool:
        """Whether a loop is heard."""
        return bool(self._rounds)

    def check(self, bars: float, beat: float) -> None:
        """Whether so many bars can go round, with so many samples a beat.

        Raises
        ------
        UserError
            No: how many could.
        """
        seconds = bars * BEATS_PER_BAR * beat / self._rate
        if seconds > LONGEST:
            raise UserError(
                f"{bars:g} bars last {seconds:.0f} s in this tempo, and {LONGEST:g} s can go round: capture fewer"
            )

    def ask(self, name: str, value: Value, beat: float) -> None:
        """What is to happen on the next beat that it fits; of several the last counts. beat: samples of one."""
        if name == CAPTURE:
            bars = float(value)
            self._asked = _Asked(_every(bars), bars, round(bars * BEATS_PER_BAR * beat))
        else:
            every = self._rounds[-1].every if self._rounds else BEATS_PER_BAR
            self._asked = _Asked(every, over=name == OVERDUB)

    def process(self, music: Samples, beats: Iterable[Beat]) -> Samples:
        """What is heard while the stream makes (n, channels): as many samples.

        Parameters
        ----------
        beats
            That fall on these samples, in their order.
        """
        heard, done = [], 0
        for sample, beat in beats:
            heard.append(self._play(music[done:sample]))
            self._strike(beat)
            done = sample
        heard.append(self._play(music[done:]))
        return np.concatenate(heard) if len(heard) > 1 else heard[0]

    def _strike(self, beat: int) -> None:
        """A beat falls on the next sample."""
        if self._rounds and beat % self._rounds[-1].every == 0:
            self._rounds[-1].align()
        asked = self._asked
        if asked is not None and beat % asked.every == 0 and asked.samples <= len(self._kept):
            self._asked = None
            self._take_up(asked)

    def _take_up(self, asked: _Asked) -> None:
        if asked.samples or not asked.over:
            for one in self._rounds:
                one.gain.to(0.0)
        if asked.samples:
            loose = round(LOOSE * self._rate)
            self._rounds.append(_Round(self._kept, asked, self._seam, loose, self._music.target == 1.0))
        self._music.to(0.0 if asked.samples else 1.0)

    def _play(self, music: Samples) -> Samples:
        """What is heard until the next beat."""
        heard = self._mixed(music) if self._rounds and len(music) else music
        self._kept.append(heard)
        return heard

    def _mixed(self, music: Samples) -> Samples:
        """The loop, and the music where that is heard."""
        count, (*others, latest) = len(music), self._rounds
        sounds = [one.play(count) for one in others]
        before = sum(sounds, np.zeros_like(music))
        latest.learn(before + music if latest.over_music else before)
        sounds.append(latest.play(count))
        alike = latest.alike_in(count)
        gains = [one.gain.next(count) for one in self._rounds]
        mixed = music * self._music.next(count)
        for sound, gain in zip(sounds, gains, strict=True):
            mixed += sound * gain
        self._rounds = [one for one in self._rounds if one.gain.target or one.gain.moving or not latest.whole]
        heard: Samples = (mixed / alike).astype(np.float32)
        return heard


class _Gain:
    """0 or 1, and between them a quarter of a sine: what rises and what falls at once have equal power.

    Attributes
    ----------
    target : float
        0 or 1.
    """

    def __init__(self, length: int, target: float) -> None:
        self.target = target
        self._length = length
        self._at = target * length

    @property
    def moving(self) -> bool:
        return self._at != self.target * self._length

    def to(self, target: float) -> None:
        """On the way to it from the next sample on."""
        self.target = target

    def ahead(self, count: int) -> NDArray[np.float64]:
        """Of the next samples, (n, 1)."""
        step = 1.0 if self.target else -1.0
        way = np.clip(self._at + step * (np.arange(count) + 0.5), 0, self._length)
        gains: NDArray[np.float64] = np.sin(way[:, None] / self._length * (np.pi / 2))
        return gains

    def next(self, count: int) -> NDArray[np.float64]:
        """The same, and they are over."""
        gains = self.ahead(count)
        self._at = float(np.clip(self._at + (count if self.target else -count), 0, self._length))
        return gains


class _Round:
    """A part of what was heard that goes round.

    Parameters
    ----------
    kept : _Kept
        Where it lies.
    asked : _Asked
    seam, loose : int
        Samples, see `SEAM`, `LOOSE`.
    over_music : bool
        Whether what it was captured from goes on with the music.

    Attributes
    ----------
    every : int
        Beats whose multiples its bars begin on.
    gain : _Gain
        That it is heard with.
    """

    def __init__(self, kept: _Kept, asked: _Asked, seam: int, loose: int, over_music: bool) -> None:
        self.every = asked.every
        self.over_music = over_music
        self.gain = _Gain(seam, 0.0)
        self.gain.to(1.0)
        self._seam, self._loose = seam, loose
        self._length = asked.samples
        # behind it what it was followed by, as that comes: each round goes on into it where it fades into the next
        self._sound = np.concatenate([kept.last(asked.samples), np.zeros((2 * seam, kept.channels), np.float32)])
        self._known = asked.samples
        parts = max(1, round(asked.bars))
        self._bars = [round(bar * asked.samples / parts) for bar in range(parts + 1)]
        self._alike = kept.alike(asked.samples, seam)
        self._at = 0
        self._fade: Crossfade | None = None

    @property
    def whole(self) -> bool:
        """Whether it is known what followed it."""
        return self._known == len(self._sound)

    def learn(self, sound: Samples) -> None:
        """What it would be followed by now, had nobody captured it."""
        count = min(len(sound), len(self._sound) - self._known)
        self._sound[self._known : self._known + count] = sound[:count]
        self._known += count

    def alike_in(self, count: int) -> NDArray[np.float64]:
        """While it comes in: by how much the next samples are louder as they are like what goes out, (n, 1)."""
        into = self.gain.ahead(count) if self.gain.target else np.zeros((count, 1))
        louder: NDArray[np.float64] = np.sqrt(1 + 2 * self._alike * into * np.sqrt(1 - into**2))
        return louder

    def play(self, count: int) -> Samples:
        """Its next samples."""
        parts: list[Samples] = []
        while count:
            end = self._length + self._seam
            if self._at == end:  # the clock has become slower
                self._jump(self._seam)
            part = self._sound[self._at : min(self._at + count, end)]
            self._at += len(part)
            count -= len(part)
            if self._fade is not None:
                part = self._fade.process(part)
                self._fade = None if self._fade.over else self._fade
            parts.append(part)
        return np.concatenate(parts)

    def align(self) -> None:
        """A beat that its bars begin on falls on the next sample."""
        place = min(self._bars, key=lambda bar: abs(bar - self._at))
        if place == self._length:
            self._jump(0)
        elif abs(place - self._at) > self._loose:
            self._jump(place)

    def _jump(self, place: int) -> None:
        """Go on from another place."""
        seam, before, old = abs(self._at - place - self._length) <= self._loose, self._fade, self._read(self._at)
        self._fade = Crossfade(
            self._seam,
            old if before is None else lambda count: before.process(old(count)),
            self._alike if seam else 0.0,
        )
        self._at = place

    def _read(self, start: int) -> Callable[[int], Samples]:
        at = start

        def read(count: int) -> Samples:
            nonlocal at
            at += count
            return self._sound[at - count : at]

        return read


class _Kept:
    """The last samples that were heard."""

    def __init__(self, most: int, channels: int) -> None:
        self.channels = channels
        self._line = Line(most, channels, np.float32)
        self._most = most
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def append(self, sound: Samples) -> None:
        self._line.write(sound)
        self._count = min(self._count + len(sound), self._most)

    def last(self, count: int) -> Samples:
        """The last so many, until more are heard."""
        return self._line.read(count, count)

    def alike(self, back: int, count: int) -> float:
        """How much the last so many samples are like those of a while before them, 0 to 1."""
        if len(self) < back + count:
            return 0.0
        return likeness(self.last(count), self._line.read(back + count, count))


def _every(bars: float) -> int:
    """The beats whose multiples a loop of so many bars begins on."""
    return round(BEATS_PER_BAR * min(1.0, bars))
