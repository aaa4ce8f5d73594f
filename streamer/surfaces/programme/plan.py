"""What a programme plays at a moment: a pure function of the moment, so a restart goes on where the clock is."""

from __future__ import annotations

import bisect
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from streamer.surfaces.programme.calendar import DAY, Clock
from streamer.surfaces.programme.entries import Entry, Programme, Prompts

USUAL_TURN = 1800.0
"""Seconds that one of several entries plays, where it does not say."""
LOUDNESS_STEP = 0.25
"""LUFS: nobody hears a step of so little, which the leveller smooths besides."""
_BACK, _AHEAD = 4, 3  # days around a moment in which the ends of windows are looked for
_LONGEST = 2  # days that a window may last


@dataclass(frozen=True)
class Turn:
    """An entry at work.

    Parameters
    ----------
    entry : Entry
    begins, ends : float
        Seconds since 1970. It is silent at first where the entry says so.
    seed : int
    """

    entry: Entry
    begins: float
    ends: float
    seed: int

    @property
    def sounds(self) -> float:
        """From when on it is heard."""
        return min(self.begins + self.entry.silence, self.ends)


@dataclass(frozen=True)
class Scene:
    """What there is to hear at a moment.

    Parameters
    ----------
    turn : Turn or None
        None where nothing is to play.
    silent : bool
    blend : Prompts
        That plays at the moment; empty where the entry's snapshot has the prompts.
    towards : Prompts
        That it is on its way to; empty where it stays.
    arrives : float
        When it is there.
    loudness : float or None
        LUFS.
    until : float
        The first moment at which there may be something else to do.
    """

    turn: Turn | None
    silent: bool
    blend: Prompts
    towards: Prompts
    arrives: float
    loudness: float | None
    until: float

    @property
    def title(self) -> str:
        """What plays, for people."""
        if self.turn is None or self.silent:
            return ""
        words = " + ".join(text for text, _ in self.towards or self.blend)
        return f"{self.turn.entry.name}: {words}" if words and words != self.turn.entry.name else self.turn.entry.name


class Plan:
    """Looks up what a programme plays.

    Parameters
    ----------
    programme : Programme
    salt : str
        Makes what is drawn differ from what the same programme draws elsewhere.
    """

    def __init__(self, programme: Programme, salt: str = "") -> None:
        self.programme = programme
        self._salt = salt
        self._walks: dict[Turn, list[int]] = {}

    def at(self, moment: float) -> Scene:
        """What there is to hear at a moment, seconds since 1970."""
        turn, ends = self._turn(moment)
        loudness, step = self._loudness(moment)
        if turn is None:
            return Scene(None, True, (), (), moment, loudness, min(ends, step))
        if moment < turn.sounds:
            return Scene(turn, True, (), (), moment, loudness, min(turn.sounds, step))
        blend, towards, until = self._walk(turn, moment)
        return Scene(turn, False, blend, towards, until if towards else moment, loudness, min(turn.ends, until, step))

    # ---- whose turn it is

    def _turn(self, moment: float) -> tuple[Turn | None, float]:
        """The turn at a moment, and when it ends; None between turns."""
        windows = list(self._windows(moment))
        begins, ends = self._stretch(moment, windows)
        entries = self._eligible(moment, windows)
        if not entries:
            return None, ends
        dice = random.Random(f"{self._salt} {begins}")
        last: Entry | None = None
        while True:
            others = [entry for entry in entries if entry is not last] or entries
            last = dice.choices(others, [entry.weight for entry in others])[0]
            length = last.lasts or (ends - begins if len(entries) == 1 else USUAL_TURN)
            end = min(begins + length, ends)
            if moment < end:
                return Turn(last, begins, end, self._seed(last, begins)), end
            begins = end

    def _seed(self, entry: Entry, begins: float) -> int:
        return random.Random(f"{self._salt} {begins} seed").randrange(2**31) if entry.seed is None else entry.seed

    def _windows(self, moment: float) -> Iterator[tuple[float, float, Entry]]:
        """When the entries that have times may play, around a moment."""
        calendar, today = self.programme.calendar, self.programme.calendar.day(moment)
        for entry in self.programme.entries:
            for days in range(-_BACK - _LONGEST, _AHEAD + 1) if entry.timed else ():
                day = today + timedelta(days=days)
                if day.weekday() not in entry.days:
                    continue
                start = calendar.moment(day, entry.start or Clock(0))
                if start is None:
                    continue
                if entry.until is None and entry.start is not None and entry.lasts is not None:
                    end: float | None = start + entry.lasts
                else:
                    until = entry.until or (entry.start if entry.start is not None else Clock(DAY))
                    end = calendar.moment(day, until)
                    if _next_day(entry, start, end):
                        end = calendar.moment(day + timedelta(days=1), until)
                if end is not None and end > start:
                    yield start, end, entry

    def _eligible(self, moment: float, windows: list[tuple[float, float, Entry]]) -> list[Entry]:
        """What may play: entries that have times before those that have none."""
        due = {id(entry) for start, end, entry in windows if start <= moment < end}
        timed = [entry for entry in self.programme.entries if id(entry) in due]
        return timed or [entry for entry in self.programme.entries if not entry.timed]

    def _stretch(self, moment: float, windows: list[tuple[float, float, Entry]]) -> tuple[float, float]:
        """From when to when the same entries may play as at a moment; cut at midnights that are far from its ends."""
        calendar, today = self.programme.calendar, self.programme.calendar.day(moment)
        around = [calendar.midnight(today + timedelta(days=days)) for days in range(-_BACK, _AHEAD + 1)]
        edges = sorted({edge for start, end, _ in windows for edge in (start, end)})
        edges = [edge for edge in edges if around[0] <= edge <= around[-1]]
        before = [self._eligible(edge, windows) for edge in [around[0], *edges]]
        changes = [edge for edge, old, new in zip(edges, before, before[1:], strict=False) if old != new]
        cuts = [at for at in around if not any(abs(at - edge) < DAY for edge in changes)]
        marks = sorted({*changes, *cuts})
        place = bisect.bisect_right(marks, moment)
        return marks[place - 1], marks[place]

    # ---- where it has walked to

    def _walk(self, turn: Turn, moment: float) -> tuple[Prompts, Prompts, float]:
        """The blend at a moment, what it is fading to, and when that changes."""
        entry, evolve = turn.entry, turn.entry.evolve
        if evolve is None or len(entry.prompts) < 2:
            return entry.prompts, (), turn.ends
        leg = int((moment - turn.sounds) // evolve.every)
        here, there = (entry.prompts[place][0] for place in self._places(turn, leg))
        arrives = turn.sounds + (leg + 1) * evolve.every
        share = (moment - (arrives - evolve.crossfade)) / evolve.crossfade if evolve.crossfade else -1.0
        if share < 0:
            return ((here, 1.0),), (), arrives - evolve.crossfade
        blend = ((here, 1.0 - share), (there, share)) if share else ((here, 1.0),)
        return blend, ((there, 1.0),), arrives

    def _places(self, turn: Turn, leg: int) -> tuple[int, int]:
        """The prompts, by number, that a leg of the walk leads from and to."""
        if turn not in self._walks:
            self._walks = {turn: []}
        walk = self._walks[turn]
        if len(walk) < leg + 2:
            weights = [weight for _, weight in turn.entry.prompts]
            steps = _steps(weights, random.Random(f"{self._salt} {turn.begins} walk"))
            walk[:] = itertools.islice(steps, leg + 2)
        return walk[leg], walk[leg + 1]

    # ---- how loud it is

    def _loudness(self, moment: float) -> tuple[float | None, float]:
        """The loudness at a moment, and when it takes its next step."""
        points = self.programme.loudness
        if not points:
            return None, float("inf")
        calendar, today = self.programme.calendar, self.programme.calendar.day(moment)
        days = [today + timedelta(days=days) for days in (-2, -1, 0, 1, 2)]
        moments = sorted({(calendar.moment(day, Clock(at)) or 0.0, level) for day in days for at, level in points})
        place = bisect.bisect_right(moments, (moment, float("inf")))
        (start, low), (end, high) = moments[place - 1], moments[place]
        steps = max(1, round(abs(high - low) / LOUDNESS_STEP))
        length = (end - start) / steps
        step = min(int((moment - start) / length), steps - 1)
        following = start + (step + 1) * length if step + 1 < steps else end
        return low + (high - low) * step / steps, following if following > moment else end


def _next_day(entry: Entry, start: float, end: float | None) -> bool:
    """Whether a window that starts on a day ends on the day after it."""
    if entry.until is None:
        return entry.start is not None
    if entry.clocked:
        begins = entry.start.seconds if isinstance(entry.start, Clock) else 0
        return isinstance(entry.until, Clock) and entry.until.seconds <= begins
    return end is None or end <= start


def _steps(weights: list[float], dice: random.Random) -> Iterator[int]:
    """A walk that never stays where it is."""
    place = dice.choices(range(len(weights)), weights)[0]
    while True:
        yield place
        others = [number for number in range(len(weights)) if number != place]
        place = dice.choices(others, [weights[number] for number in others])[0]
