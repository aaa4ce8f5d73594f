"""Changes on their way into the engine: the slow part of each is done beside the music, and what is fast overtakes."""

from __future__ import annotations

import heapq
import itertools
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from osc.values import Value
from streamer.control.change import Beat, Change, Frame, Wall
from streamer.control.moves import CONTINUE
from streamer.control.table import FX, TURNS, WORDED
from streamer.control.timeline import Timeline
from streamer.process.events import Noted, Refused, Report
from streamer.process.heap import give_back
from streamer.process.job import Source, Tell
from streamer.threads import lasting

TEXTS = WORDED | {"negative"}
"""Changes that take as long as the text encoder."""
SLOW = TEXTS | {"melody", "lora", CONTINUE, *FX}
"""Changes that take their time to prepare; a melody (a file, a device, Demucs) may take minutes."""
_LARGE = frozenset({"melody", "lora", CONTINUE})  # what takes much memory for a moment
_LANES = (TEXTS, frozenset({"melody"}), frozenset({"lora"}), frozenset({CONTINUE}), frozenset(FX))
"""What is prepared beside each other."""
AHEAD = 5.0
"""Seconds before its moment in which a change is prepared: only so many encoded prompts are remembered."""
NEAR = 0.1
"""Seconds of sound before its sample in which a change goes to the engine, at a frame: until then the clocks decide."""

_ORDER = frozenset({"reset"})  # begins the music with the prompt that was asked for before it


@dataclass
class _Waiting:
    """A batch that is not ready, or a reset behind one."""

    change: Change
    moment: float  # when it is heard, monotonic seconds; minus infinity for as soon as possible
    needs: set[str]  # the names still to be prepared
    behind: list[_Waiting] = field(default_factory=list)
    gone: bool = False


class Intake:
    """Takes changes in, has them prepared, and hands them to the source whole and at their moments.

    A batch waits for its slowest part as a whole, and for nobody else's. What came later wins: of a batch that still
    waits the values that were asked for since are dropped, so what nobody wants any more is never prepared. A reset
    waits for the prompts before it.

    Parameters
    ----------
    source
        What plays.
    timeline
        Where in time its samples are heard.
    begins : int
        The sample of the ring that is its first.
    tell
        Takes what is refused.
    explain
        Makes a sentence of an error.
    """

    def __init__(
        self, source: Source, timeline: Timeline, begins: int, tell: Tell, explain: Callable[[Exception], str] = str
    ) -> None:
        self._source = source
        self._timeline = timeline
        self._begins = begins
        self._tell = tell
        self._explain = explain
        self._changed = threading.Condition()
        self._waiting: list[_Waiting] = []
        self._timed: list[tuple[float, int, Change]] = []  # ready, sorted by moment
        self._order = itertools.count()

    def start(self) -> None:
        """Prepare what comes, in threads of their own."""
        for names in _LANES:
            lasting("preparing", partial(self._prepare_all, names), self._report).start()

    def _report(self, sentence: str) -> None:
        self._tell(Report(sentence))

    def put(self, change: Change) -> None:
        """Take in a change, without waiting."""
        moment = self._timeline.moment(change.at) if isinstance(change.at, Wall | Beat) else -float("inf")
        with self._changed:
            if change.at is None:
                self._supersede(change.values)
            entry = _Waiting(change, moment, set(change.values) & SLOW)
            if change.values.keys() & _ORDER and change.at is None:
                entry.behind = [other for other in self._waiting if other.needs & TEXTS and other.change.at is None]
            self._waiting.append(entry)
            self._release()
            self._changed.notify_all()

    def hand_over(self, made: int) -> None:
        """Give the source what is due soon.

        Parameters
        ----------
        made : int
            Samples that it has made so far.
        """
        rate = self._timeline.rate
        while True:
            with self._changed:
                if not self._timed:
                    return
                moment, _, change = self._timed[0]
                sample = self._timeline.sample(moment) - self._begins
                if sample > made + NEAR * rate:
                    return
                heapq.heappop(self._timed)
            frame = self._source.frame_at(sample, change.values)
            self._source.change(replace(change, at=Frame(frame)))

    def _supersede(self, values: Iterable[str]) -> None:
        """What is asked for now is no longer wanted of those that wait for no moment; of turns only the last is."""
        later = set(values)
        later |= TURNS if later & TURNS else set()
        for entry in self._waiting:
            overtaken = entry.change.values.keys() & later
            if overtaken and entry.change.at is None:
                left = {name: value for name, value in entry.change.values.items() if name not in overtaken}
                entry.change = replace(entry.change, values=left)
                entry.needs -= overtaken

    def _release(self) -> None:
        """Let go of all that waits for nothing any more."""
        while free := [e for e in self._waiting if not e.needs and all(other.gone for other in e.behind)]:
            for entry in free:
                self._remove(entry)
                if isinstance(entry.change.at, Wall | Beat):
                    heapq.heappush(self._timed, (entry.moment, next(self._order), entry.change))
                elif entry.change.values:
                    self._source.change(entry.change)

    def _remove(self, entry: _Waiting) -> None:
        entry.gone = True
        self._waiting.remove(entry)

    # ---- preparing

    def _prepare_all(self, names: frozenset[str]) -> None:
        while True:
            with self._changed:
                while (found := self._next(names)) is None:
                    self._changed.wait(AHEAD / 4)
                entry, needed = found
                values = {name: entry.change.values[name] for name in needed}
            self._prepare(entry, values)

    def _next(self, names: frozenset[str]) -> tuple[_Waiting, set[str]] | None:
        """What to prepare next, together: the earliest moment first, of those that are near."""
        horizon = self._timeline.now() + AHEAD
        near = [entry for entry in self._waiting if entry.needs & names and entry.moment < horizon]
        entry = min(near, key=lambda entry: entry.moment, default=None)
        return None if entry is None else (entry, entry.needs & names)

    def _prepare(self, entry: _Waiting, values: Mapping[str, Value]) -> None:
        problem, notes = "", list[Noted]()
        try:
            notes += self._source.prepare(values, entry.change.over)
        except Exception as error:  # whatever a client sent, the music goes on
            problem = self._explain(error)
        if values.keys() & _LARGE:
            give_back()
        with self._changed:
            wanted = entry.change.values
            if entry.gone or any(wanted.get(name) != value for name, value in values.items()):
                return  # refused for another part, or no longer wanted
            for note in notes:
                self._tell(replace(note, origin=entry.change.origin))
            if problem:
                self._remove(entry)
                stands = self._source.stands(wanted)
                self._tell(Refused(wanted, min(values), problem, stands, entry.change.origin))
            entry.needs -= values.keys()
            self._release()
