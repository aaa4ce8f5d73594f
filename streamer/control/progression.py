"""Chords in time: a progression as it is written -> which chord sounds at a beat."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import lru_cache

from osc.values import BadValue
from streamer.control.chords import Chord, chord_of
from streamer.control.tempo import BEATS_PER_BAR, EXACT

LONGEST = 512
"""Beats that a progression may have."""
HOLDS = (".", "%")
_FREE = "N"


@dataclass(frozen=True)
class Progression:
    """Chords one after the other, round and round.

    Parameters
    ----------
    text : str
        As this project writes it.
    chords : tuple of Chord or None
        None: whatever the music likes.
    starts : tuple of float
        The beat on which each of them begins, the first 0.
    beats : float
        Of one round.
    """

    text: str
    chords: tuple[Chord | None, ...]
    starts: tuple[float, ...]
    beats: float

    def at(self, beat: float) -> Chord | None:
        """What sounds so many beats after its start; before it, as if it had gone round already."""
        return self.chords[bisect_right(self.starts, (beat + EXACT) % self.beats) - 1]


@lru_cache(maxsize=64)
def progression_of(text: str) -> Progression | None:
    """A progression as it is written; None for an empty one.

    Chords alone are a bar each: ``Am F C G``. Where there are dots, every chord and every dot is a beat, and a dot
    holds the chord before it: ``Am . F . C . G .``. Where there are bar lines, what is between two of them shares the
    bar: ``Am | F . . G | C``; a bar of ``%`` alone repeats the one before. ``N`` leaves the chord to the music.

    Raises
    ------
    BadValue
        For what is no progression.
    """
    signs = [sign for sign in re.sub(r"[,\s]+", " ", text.replace("|", " | ")).split() if sign != "-"]
    if not set(signs) - {"|"}:
        return None
    if "|" in signs:
        bars = _bars(signs)
        written = " | ".join(map(" ".join, bars))
        timed = [(sign, BEATS_PER_BAR / len(own)) for own in _repeated(bars) for sign in own]
        written = f"| {written} |" if len(bars) == 1 else written
    else:
        own = [_sign(sign) for sign in signs]
        written = " ".join(own)
        timed = [(sign, 1.0 if set(own) & set(HOLDS) else float(BEATS_PER_BAR)) for sign in own]
    if sum(beats for _, beats in timed) > LONGEST + EXACT:
        raise BadValue(f"takes {LONGEST} beats at most: write a shorter progression")
    return _joined(written, timed)


def progression_text(text: str) -> str:
    """A progression as this project writes it; "" for none.

    Raises
    ------
    BadValue
        For what is no progression.
    """
    found = progression_of(text)
    return found.text if found else ""


def _bars(signs: list[str]) -> list[list[str]]:
    """What stands between bar lines; nothing between two of them is a double line."""
    bars: list[list[str]] = [[]]
    for sign in signs:
        if sign == "|":
            bars.append([])
        else:
            bars[-1].append(_sign(sign))
    return [bar for bar in bars if bar]


def _repeated(bars: list[list[str]]) -> list[list[str]]:
    """Bars with repeats written out."""
    whole: list[list[str]] = []
    for bar in bars:
        whole.append(whole[-1] if bar == ["%"] and whole else bar)
    return whole


def _sign(written: str) -> str:
    """A chord or a hold, as this project writes it."""
    if written in HOLDS:
        return written
    chord = chord_of(written)
    return chord.name if chord else _FREE


def _joined(written: str, timed: list[tuple[str, float]]) -> Progression:
    if timed[0][0] in HOLDS:
        raise BadValue("begins with a chord: there is none yet that a dot could hold")
    chords: list[Chord | None] = []
    starts: list[float] = []
    beat = 0.0
    for sign, beats in timed:
        if sign not in HOLDS:
            chords.append(chord_of(sign))
            starts.append(beat)
        beat += beats
    return Progression(written, tuple(chords), tuple(starts), beat)
