"""Changes on their way to the engine's process: bounded, whatever comes."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import replace

from streamer.control.change import Change
from streamer.control.table import LOOPING, MOVES
from streamer.process.intake import SLOW


class Outbox:
    """A line of changes that never grows long: of what is to take effect at once the last value of each name is kept.

    Changes with a slow part stand by themselves, so that nobody's fader waits for somebody else's prompt, and so do
    moves, whose senders are answered. Changes with
    a moment stand in a line of their own, and wait for the others: whoever puts them in sees to it that they are few.
    """

    def __init__(self) -> None:
        self._line: deque[Change] = deque()
        self._timed: deque[Change] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, change: Change) -> None:
        """Append a change; from any thread, without waiting."""
        with self._changed:
            if change.at is None:
                self._append(change)
            else:
                self._timed.append(change)
            self._changed.notify()

    def take(self) -> Change | None:
        """The next change, once there is one; None when the box has been closed."""
        with self._changed:
            while not self._line and not self._timed and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            return (self._line or self._timed).popleft()

    def close(self) -> None:
        """Let go of whoever waits for a change."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _append(self, change: Change) -> None:
        self._line = deque(left for waiting in self._line if (left := _overtaken(waiting, change)).values)
        last = self._line[-1] if self._line else None
        if last is not None and _is_fast(last) and _is_fast(change):
            self._line[-1] = Change({**last.values, **change.values})
        else:
            self._line.append(change)


def _overtaken(waiting: Change, change: Change) -> Change:
    """What is left of a waiting change when a later one has been asked for.

    A glide begins at what was set before it, and ends older glides.
    """
    if change.over and not waiting.over:
        return waiting
    left = {name: value for name, value in waiting.values.items() if name not in change.values}
    return replace(waiting, values=left)


def _is_fast(change: Change) -> bool:
    return not change.values.keys() & (SLOW | MOVES | LOOPING) and not change.over
