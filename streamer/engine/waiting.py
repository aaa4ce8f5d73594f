"""Changes on their way into an engine: what waits for its frame, and which gains wait for their sample.

One rule decides what counts. Gains act on samples, everything else on frames; the gains of a batch that holds both act
on the first sample of its frame. What is late or has no moment acts on the next frame or sample there is. **What acts
on one frame, or one sample, acts in the order in which it was asked for**, and a reset after the rest of its frame. So
of two values for one name the later moment counts, and of one moment what was asked for later.

The engine tells of both kinds as they act (`streamer.engine.events.Applied`, `Turned`). Asked for again at those frames
and in that order, they act in that order again: that is what makes a journal exact.
"""

from __future__ import annotations

import threading
from bisect import insort
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from osc.values import Value
from streamer.control.change import Change, Frame
from streamer.control.table import GAINS

_SOON = 0.0  # the frame of what has no moment: no later than any frame to come


class Due(NamedTuple):
    """A change that waits.

    Attributes
    ----------
    frame : float
        That it waits for.
    order : int
        Counts what was asked for.
    change : Change
        What is left of it.
    told : bool
        Whether it is the gains of a batch that has been applied, and told of as a whole.
    """

    frame: float
    order: int
    change: Change
    told: bool = False


class Waiting:
    """All changes that wait, and their lock: from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._order = 0
        self._batches: list[Due] = []  # by frame, and by order
        self._gains: list[Due] = []
        self._acting: list[Due] = []  # batches that are being taken over
        self._turned: dict[str, int] = {}  # when each gain was last asked for without a moment

    def put(self, change: Change) -> None:
        """Take in a change, which waits for its frame; without a moment for the next one.

        Of several without a moment the last value of each name is enough, so a flood costs no more than one.
        """
        gains = change.values.keys() <= GAINS
        with self._lock:
            self._order += 1
            if isinstance(change.at, Frame):
                due = Due(change.at.number, self._order, change)
            else:
                due = Due(_SOON, self._order, change)
                self._batches = _without(self._batches, change)
                self._gains = _without(self._gains, change)
                self._turned |= dict.fromkeys(change.values.keys() & GAINS, self._order)
            insort(self._gains if gains else self._batches, due, key=_place)

    def put_gains(self, batch: Due, gains: Mapping[str, Value], frame: int) -> None:
        """Have the gains of a batch that is applied now wait for the first sample of its frame."""
        due = Due(frame, batch.order, replace(batch.change, values=gains), told=True)
        with self._lock:
            insort(self._gains, due, key=_place)

    def take(self, frame: int) -> list[Due]:
        """The batches that act before a frame is made, in the order in which they do; see `taken`."""
        with self._lock:
            acting = [due for due in self._batches if round(due.frame) <= frame]
            self._batches = self._batches[len(acting) :]
            self._acting = sorted(acting, key=_asked)
            return self._acting

    def taken(self) -> None:
        """Those of the last `take` are among what is played."""
        with self._lock:
            self._acting = []

    def next_frame(self) -> int | None:
        """The frame of the next batch; None where none waits."""
        with self._lock:
            return round(self._batches[0].frame) if self._batches else None

    def take_gains(self, sample: int, sample_of: Callable[[float], int]) -> list[Due]:
        """The gains that act from a sample on, in the order in which they do.

        Those of a batch that somebody has set since, without naming a moment, are left out: they come too late.

        Parameters
        ----------
        sample_of
            Frames to samples, rising.
        """
        with self._lock:
            count = 0
            while count < len(self._gains) and sample_of(self._gains[count].frame) <= sample:
                count += 1
            acting, self._gains = sorted(self._gains[:count], key=_asked), self._gains[count:]
            return [due for own in acting if (due := self._wanted(own)).change.values]

    def next_gain(self) -> float | None:
        """The frame, with its fraction, of the next gain; None where none waits."""
        with self._lock:
            return self._gains[0].frame if self._gains else None

    def soon(self) -> dict[str, Value]:
        """What is played from the next frame on, beside what is played already."""
        with self._lock:
            batches = [due for due in self._batches if due.change.at is None]
            gains = [self._wanted(due) for due in self._gains if due.told or due.change.at is None]
            ahead: dict[str, Value] = {}
            for due in sorted([*self._acting, *batches, *gains], key=_asked):
                ahead.update(due.change.values)
            return ahead

    def _wanted(self, due: Due) -> Due:
        late = {name for name in due.change.values if due.told and self._turned.get(name, 0) > due.order}
        return _less(due, late) if late else due


def _place(due: Due) -> tuple[float, int]:
    return due.frame, due.order


def _asked(due: Due) -> int:
    return due.order


def _without(line: list[Due], later: Change) -> list[Due]:
    """A line without what nobody wants any more: a glide begins at what was set before it, and ends older glides."""
    left = [
        _less(due, later.values) if due.change.at is None and (due.change.over or not later.over) else due
        for due in line
    ]
    return [due for due in left if due.change.values]


def _less(due: Due, names: Iterable[str]) -> Due:
    left = {name: value for name, value in due.change.values.items() if name not in set(names)}
    return due._replace(change=replace(due.change, values=left))
