"""What is done once, with an argument: a passage of a file to go on from, seconds to go back by, bars to go round."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from osc.values import BadValue, Value, number

CONTINUE, REWIND = "continue", "rewind"
CAPTURE, RELEASE, OVERDUB = "capture", "release", "overdub"
PARTS = (0.25, 0.5)
"""Of a bar, that may go round; else whole bars."""
MOST_BARS = 64
_MARK = "#t="  # as in media fragments; the last one of a text counts, so a path may hold anything


@dataclass(frozen=True)
class Passage:
    """Part of a sound file.

    Parameters
    ----------
    path : str
    start, end : float
        Seconds; an end of None is the file's.
    """

    path: str
    start: float = 0.0
    end: float | None = None

    @property
    def text(self) -> str:
        """As a change carries it: ``intro.wav#t=2,8.5``."""
        return f"{self.path}{_MARK}{self.start!r},{'' if self.end is None else repr(self.end)}"

    @classmethod
    def of(cls, text: str) -> Passage:
        """What `text` has written; a path alone is a whole file.

        Raises
        ------
        BadValue
            There is no file in it, or the seconds are none.
        """
        path, mark, times = text.rpartition(_MARK)
        start, _, end = times.partition(",") if mark else ("", "", "")
        try:
            found = cls(path if mark else text, float(start or 0.0), float(end) if end else None)
        except ValueError:
            raise BadValue(f"continue takes seconds, not {times[:40]!r}") from None
        if not found.path:
            raise BadValue("continue takes a sound file")
        if not 0 <= found.start < (math.inf if found.end is None else found.end) or found.end == math.inf:
            raise BadValue("continue takes seconds from 0 on, the first before the second")
        return found


def move(name: str, value: Value | None) -> Value:
    """What is asked of a move, as a change carries it.

    Raises
    ------
    BadValue
        It cannot be that.
    """
    if name == CONTINUE:
        if not isinstance(value, str):
            raise BadValue("continue takes a sound file")
        return Passage.of(value).text
    try:
        seconds = number("" if value is None else value)
    except BadValue as error:
        raise BadValue(f"rewind {error}") from None
    if not 0 < seconds < math.inf:
        raise BadValue(f"rewind takes seconds above 0, not {seconds:g}")
    return float(seconds)


def round_trip(name: str, value: Value | None) -> Value:
    """What is asked of a loop, as a change carries it: bars to capture; True for all else.

    Raises
    ------
    BadValue
        So many bars cannot go round.
    """
    if name != CAPTURE:
        return True
    try:
        bars = float(number("" if value is None else value))
    except BadValue as error:
        raise BadValue(f"capture {error}") from None
    if bars not in PARTS and not (1 <= bars <= MOST_BARS and bars == round(bars)):
        raise BadValue(f"capture takes a quarter or half a bar, or 1 to {MOST_BARS} whole bars, not {bars:g}")
    return bars


def bars_after(values: Mapping[str, Value], bars: float) -> float:
    """The bars that go round after a batch, where so many did before it; 0 for none."""
    for name, value in values.items():
        if name in (CAPTURE, RELEASE):
            bars = float(value) if name == CAPTURE else 0.0
    return bars
