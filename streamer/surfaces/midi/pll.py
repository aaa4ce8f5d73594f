"""MIDI clock in: ticks that come early and late -> a beat that does not.

A second-order loop (an alpha-beta filter): the next tick is expected where the last ones were and as far on as they
were apart; of what it errs by, a part moves the place and a smaller one the period. Both parts begin as those of a
least-squares line through all ticks so far, and shrink to the lasting ones, so a new clock is followed at once.
"""

from __future__ import annotations

from streamer.control.pulse import Place
from streamer.control.tempo import FASTEST, SLOWEST

TICKS = 24
"""Of a quarter note."""
ALPHA = 0.02
"""The lasting part of an error that moves the place: 5 ms of jitter come out as some tenths of one."""
BETA = ALPHA**2 / 2
ENOUGH = 12
"""Ticks after which there is a beat."""
AWAY = 0.5
"""Seconds without a tick in which a clock has gone."""
_STRAY = 0.004  # seconds that ticks are off on average where the tempo has changed
_GRACE = 1.02  # what a tempo at the end of the range may seem to be beyond it
_LATE = 0.015  # seconds that a tick may come late; with more there are some missing
_MEMORY = 1 / 12  # of that average


class Pll:
    """Follows one clock; one thread at a time, and `place` from any.

    Positions are counted in ticks from the beginning of the song, as song position pointers are.
    """

    def __init__(self) -> None:
        self._next = 0  # the position of the next tick
        self._count = 0  # ticks heard since the clock came, or changed
        self._now: tuple[int, float, float, float] | None = None  # position, its time, seconds a tick, when it came
        self._off = 0.0
        self._lost = 0  # ticks that may be missing before the last one

    def locate(self, position: int) -> None:
        """The next tick is at a position: start is 0, a song position pointer is 6 times its number."""
        self._next = position

    @property
    def position(self) -> int:
        """Of the next tick."""
        return self._next

    def tick(self, at: float) -> None:
        """A tick has come.

        Parameters
        ----------
        at : float
            Monotonic seconds.
        """
        position, self._next = self._next, self._next + 1
        now = self._now
        if now is None or at - now[3] > AWAY or at < now[3]:
            self._now, self._count, self._off = (position, at, 0.0, at), 1, 0.0
            return
        _, place, period, before = now
        lost, self._lost = self._lost, 0
        if lost and abs(at - before - period) < min(_LATE, period / 3):  # the tempo is as it was: some were missing
            position, self._next = position + lost, self._next + lost
        elif lost or self._count == 1:  # a slower tempo, or the first two ticks
            self._now, self._count, self._off = (position, at, at - before, at), 2, 0.0
            return
        elif self._count > ENOUGH and at - before - period > max(_LATE, period / 2):
            self._lost = round((at - before) / period) - 1
            self._now = position, at, period, at
            return
        self._now = self._moved(position, place + period, period, at)

    def _moved(self, position: int, expected: float, period: float, at: float) -> tuple[int, float, float, float]:
        error = at - expected
        self._off += _MEMORY * (error - self._off)
        if abs(self._off) > _STRAY and self._count > ENOUGH:
            self._count, self._off = ENOUGH, 0.0  # another tempo: as if the clock had just come
        self._count += 1
        count = self._count
        alpha = max(ALPHA, 2 * (2 * count - 1) / (count * (count + 1)))
        beta = max(BETA, 6 / (count * (count + 1)))
        return position, expected + min(alpha, 1.0) * error, period + min(beta, 1.0) * error, at

    def place(self, now: float) -> Place | None:
        """Where its beat is; None while there is none, or where nobody could play to it."""
        found = self._now
        if found is None or self._count < ENOUGH or now - found[3] > AWAY:
            return None
        position, at, period, _ = found
        if not period > 0:
            return None
        bpm = 60 / (TICKS * period)
        if not SLOWEST / _GRACE <= bpm <= FASTEST * _GRACE:
            return None
        return Place(min(max(bpm, SLOWEST), FASTEST), (position + (now - at) / period) / TICKS)
