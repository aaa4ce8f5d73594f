"""What the values were before each change, for undo.

A fader that is moved sends many values; they are one change to the hand that moved it, so they are undone as one.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from osc.values import Value

ONE_MOVE_SECONDS = 1.0
"""Values of the same names that follow each other faster than this are one change."""
MOST = 200
"""Changes that are remembered."""


@dataclass
class _Step:
    before: dict[str, Value]
    last: float  # when its last value came


class History:
    """Remembers what every change replaced.

    It belongs to one thread at a time; whoever tells it of changes also asks it.

    Parameters
    ----------
    values : mapping
        As they stand at the beginning.
    clock : callable
        Seconds on a clock that only goes forward.
    """

    def __init__(self, values: Mapping[str, Value], clock: Callable[[], float] = time.monotonic) -> None:
        self._now = dict(values)
        self._steps: deque[_Step] = deque(maxlen=MOST)
        self._clock = clock

    def __len__(self) -> int:
        return len(self._steps)

    def note(self, changed: Mapping[str, Value]) -> None:
        """Values have changed. What did not move them is not remembered."""
        moved = {name: value for name, value in changed.items() if self._now.get(name) != value}
        before = {name: self._now[name] for name in moved if name in self._now}
        self._now.update(moved)
        if not before:
            return
        now = self._clock()
        last = self._steps[-1] if self._steps else None
        same = last is not None and last.before.keys() == before.keys() and _faders(before)
        if last is not None and same and now - last.last < ONE_MOVE_SECONDS:
            last.last = now
        else:
            self._steps.append(_Step(before, now))

    def adopt(self, changed: Mapping[str, Value]) -> None:
        """Values have changed by themselves, or were undone: nobody will want to undo that."""
        self._now.update(changed)

    def undo(self) -> dict[str, Value]:
        """The values before the last change, which is forgotten; none where nothing is left to undo."""
        while self._steps:
            before = {n: value for n, value in self._steps.pop().before.items() if self._now.get(n) != value}
            if before:
                self.adopt(before)
                return before
        return {}


def _faders(values: Mapping[str, Value]) -> bool:
    """Whether a hand that moves sends these over and over: numbers, and no words or switches."""
    return not any(isinstance(value, (str, bool)) for value in values.values())
