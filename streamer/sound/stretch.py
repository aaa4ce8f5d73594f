"""A sound a little faster or slower, at its own pitch: small pieces are left out or repeated where nobody hears it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from streamer.sound.dynamics import Samples, likeness
from streamer.sound.flux import Array, mono

AHEAD = 0.060
"""Seconds of sound that are held back, to choose the place of a splice in."""
DUE = 0.006
"""Seconds that have to be owed before a splice is made."""
MOST = 0.04
"""How much faster or slower it may be, as a part of the speed."""

_SHORTEST, _LONGEST = 0.003, 0.011  # seconds that one splice leaves out or repeats
_FADE = 0.010  # seconds
_COARSE = 4  # samples in one, where a place is looked for
_GRID = 32  # samples from one place to the next
_BLOCK = 0.001  # seconds, in which attacks are seen
_RISE = 6  # blocks within which an attack rises
_BEFORE, _AFTER = 3, 7  # blocks around a splice that an attack is heard against
_CALM = 4.0  # dB that the level may rise by within a splice
_STEEP = 0.1  # what a dB above that counts, against a difference of 1 between what is joined
_ATTACK = 7.0  # dB: no splice touches what rises by more
_GOOD = 0.9  # a splice that costs no more is made; a dearer one waits for a better place
_URGENT = 0.014  # seconds owed, from which on a splice waits for nothing but the end of an attack
_MOST_OWED = 0.040  # seconds: where attacks leave no place, the rest is let go


class Splice(NamedTuple):
    """A place where the sound is like itself a little later."""

    cost: float
    place: int
    lag: int


class Stretch:
    """Plays at a speed near 1.

    Whenever 6 ms are owed, a piece of 3 to 11 ms is left out or repeated, with a crossfade of 10 ms, where the sound
    after the piece is most like the sound before it and nothing sets in. Where attacks follow one another too closely
    for that, nothing is done, and of what is owed no more than 40 ms is kept. Until the speed first differs from 1
    samples pass as they are.

    Parameters
    ----------
    rate, channels : int
        Of the sound.

    Attributes
    ----------
    owed : float
        Samples still to be left out; negative: to be repeated.
    """

    def __init__(self, rate: int, channels: int) -> None:
        self._ahead, self._due, self._urgent, self._most = (
            round(rate * seconds) for seconds in (AHEAD, DUE, _URGENT, _MOST_OWED)
        )
        self._fade = round(rate * _FADE / _GRID) * _GRID
        self._past = round(rate * (_LONGEST + _FADE))
        self._lags = np.arange(round(rate * _SHORTEST / _COARSE), round(rate * _LONGEST / _COARSE) + 1)
        self._block = round(rate * _BLOCK)
        blocks = -(-(self._lags * _COARSE + self._fade) // self._block) + _BEFORE + _AFTER
        self._reaches, self._reach = np.unique(blocks, return_inverse=True)  # blocks, and of each lag
        self._channels = channels
        self._in = (0.5 - 0.5 * np.cos(np.pi * (np.arange(self._fade) + 0.5) / self._fade)).astype(np.float32)
        self.restart()

    def restart(self) -> None:
        """What comes next follows on nothing; what is held is lost."""
        self._sound = np.zeros((0, self._channels), np.float32)  # what has been given out, then what has not
        self._given = 0  # samples of it that have been given out
        self._free = 0  # from where on nothing has been spliced
        self.owed = 0.0

    @property
    def held(self) -> int:
        """Samples that have come in and wait."""
        return len(self._sound) - self._given

    def process(self, samples: Samples, speed: float) -> Samples:
        """What comes out (m, channels) while samples (n, channels) go in, at a speed of 0.96 to 1.04."""
        self._sound = np.concatenate([self._sound, samples])
        self.owed = min(self._most, max(-self._most, self.owed + (speed - 1.0) * len(samples)))
        if abs(self.owed) >= self._due and self.held >= self._ahead:
            self._splice()
        return self._give(max(0, self.held - self._ahead))

    def drain(self) -> Samples:
        """All that is held."""
        return self._give(self.held)

    def _give(self, count: int) -> Samples:
        out = self._sound[self._given : self._given + count]
        self._given += count
        spare = max(0, self._given - self._past)
        self._sound, self._given, self._free = self._sound[spare:], self._given - spare, max(0, self._free - spare)
        return out

    def _splice(self) -> None:
        """Leave out or repeat a piece, if there is a place for it."""
        drop = self.owed > 0
        found = self._best(drop)
        if found is None or (found.cost > _GOOD and abs(self.owed) < self._urgent):
            return
        early, late = found.place, found.place + found.lag
        # left out: from the early sound into the late one; repeated: from the late one back into the early one
        first, then = (early, late) if drop else (late, early)
        joined = self._joined(self._sound[first : first + self._fade], self._sound[then : then + self._fade])
        self._sound = np.concatenate([self._sound[:first], joined, self._sound[then + self._fade :]])
        self._free = first + self._fade
        self.owed -= found.lag if drop else -found.lag

    def _best(self, drop: bool) -> Splice | None:
        """The cheapest splice."""
        longest = int(self._lags[-1]) * _COARSE
        start = max(self._free, self._given if drop else max(0, self._given - longest))
        heard = mono(self._sound[start:])
        count = (len(heard) - longest - self._fade) // _GRID
        if count <= 0:
            return None
        lags, places = self._lags * _COARSE, np.arange(count) * _GRID
        cost = self._differences(heard, count) + np.abs(lags - abs(self.owed)) / (50.0 * self._fade)
        cost += self._harms(start, places)[:, self._reach]
        if not drop:  # what is faded out begins there, and may have been given out
            cost[start + places[:, None] + lags < max(self._given, self._free)] = np.inf
        place, lag = np.unravel_index(int(cost.argmin()), cost.shape)
        if not np.isfinite(cost[place, lag]):
            return None
        first = int(places[place])
        return Splice(float(cost[place, lag]), start + first, self._exactly(heard, first, int(lags[lag])))

    def _differences(self, heard: Array, count: int) -> Array:
        """How different the sound is from itself a lag later, 0..4: for each place, and each lag."""
        longest, blocks = int(self._lags[-1]), count + self._fade // _GRID
        coarse = heard[: len(heard) // _COARSE * _COARSE].reshape(-1, _COARSE).mean(axis=1)
        used = blocks * _GRID // _COARSE
        coarse = np.concatenate([coarse, np.zeros(max(0, used + longest - len(coarse)), np.float32)])
        later = np.lib.stride_tricks.sliding_window_view(coarse[: used + longest], used)[self._lags]
        apart = ((later - coarse[:used]) ** 2).reshape(len(self._lags), blocks, -1).sum(axis=2)
        energy = (later**2).reshape(len(self._lags), blocks, -1).sum(axis=2)
        here = (coarse[:used] ** 2).reshape(1, blocks, -1).sum(axis=2)
        both = _sums(energy + here, self._fade // _GRID)[:, :count]
        different: Array = (2.0 * _sums(apart, self._fade // _GRID)[:, :count] / (both + 1e-9)).T
        return different

    def _harms(self, start: int, places: npt.NDArray[np.intp]) -> Array:
        """What attacks say against a splice at each place, for each of `_reaches`: nothing, much, or no (infinity).

        An attack is the most that the level rises by within 6 ms, anywhere in what a splice touches.
        """
        before = min(start // self._block, _BEFORE + _RISE + 1)
        heard = mono(self._sound[start - before * self._block :])
        bright = np.diff(heard, prepend=heard[:1])[: len(heard) // self._block * self._block]
        power = (bright.reshape(-1, self._block) ** 2).mean(axis=1) + np.float32(1e-9)
        short = power[2:] + power[1:-1] + power[:-2]
        rises = np.zeros(_BEFORE + len(power) + int(self._reaches[-1]), np.float32)
        begin = _BEFORE + 1 + _RISE  # a rise is noted where it ends
        rises[begin : begin + len(short) - _RISE] = 10 * np.log10(short[_RISE:] / short[:-_RISE])
        blocks = before + places // self._block
        windows = np.lib.stride_tricks.sliding_window_view(rises, int(self._reaches[-1]))[blocks]
        steepest = np.maximum.accumulate(windows, axis=1)[:, self._reaches - 1]
        harms: Array = np.where(steepest > _ATTACK, np.inf, _STEEP * np.maximum(0.0, steepest - _CALM))
        return harms

    def _exactly(self, heard: Array, place: int, lag: int) -> int:
        """The lag to the sample."""
        lags = np.arange(lag - _COARSE, lag + _COARSE + 1)
        lags = lags[place + lags + self._fade <= len(heard)]
        here = heard[place : place + self._fade]
        apart = [float(((heard[place + one : place + one + self._fade] - here) ** 2).sum()) for one in lags]
        return int(lags[int(np.argmin(apart))])

    def _joined(self, old: Samples, new: Samples) -> Samples:
        """A crossfade that keeps the level, however alike the two are."""
        comes, goes = self._in[:, None], 1.0 - self._in[:, None]
        level = np.sqrt(goes**2 + comes**2 + 2 * likeness(old, new) * goes * comes)
        joined: Samples = ((old * goes + new * comes) / level).astype(np.float32)
        return joined


def _sums(values: Array, length: int) -> Array:
    """Of every `length` columns that follow one another."""
    totals = np.concatenate([np.zeros_like(values[:, :1]), values.cumsum(axis=1)], axis=1)
    sums: Array = totals[:, length:] - totals[:, :-length]
    return sums
