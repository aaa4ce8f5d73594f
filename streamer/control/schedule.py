"""Things that the parent does at their moments: what the gate and the ring obey."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable

from streamer.control.timeline import Timeline
from streamer.reporting import Say, mention
from streamer.threads import lasting

WAITING = 1024
"""Actions that may wait for their moments."""


class Schedule:
    """Does things when they are to be heard, in a thread of its own.

    Parameters
    ----------
    timeline
        What time it is.
    say
        Called with a sentence about an action that failed.
    """

    def __init__(self, timeline: Timeline, say: Say = mention) -> None:
        self._timeline = timeline
        self._changed = threading.Condition()
        self._order = itertools.count()
        self._waiting: list[tuple[float, int, Callable[[], None]]] = []
        self._closed = False
        self._thread = lasting("schedule", self._run, say)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def at(self, moment: float, do: Callable[[], None]) -> None:
        """Call `do` at a moment (monotonic seconds), at once where that is over.

        Raises
        ------
        ValueError
            When too many wait already.
        """
        with self._changed:
            if len(self._waiting) >= WAITING:
                raise ValueError(f"{WAITING} changes wait for their time already: send it later")
            heapq.heappush(self._waiting, (moment, next(self._order), do))
            self._changed.notify()

    def close(self) -> None:
        """Do no more."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._closed and (wait := self._seconds()) > 0:
                    self._changed.wait(None if wait == float("inf") else wait)
                if self._closed:
                    return
                _, _, do = heapq.heappop(self._waiting)
            do()

    def _seconds(self) -> float:
        return self._waiting[0][0] - self._timeline.now() if self._waiting else float("inf")
