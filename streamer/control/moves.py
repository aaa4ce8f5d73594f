"""What takes the music elsewhere, once: a passage of a file to go on from, seconds to go back by."""

from __future__ import annotations

import math
from dataclasses import dataclass

from osc.values import BadValue, Value, number

CONTINUE, REWIND = "continue", "rewind"
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
