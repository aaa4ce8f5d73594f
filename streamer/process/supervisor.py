"""The engine's process, seen from its parent: started, watched, and replaced when it dies or hangs.

The parent owns the shared memory, so a killed process leaves nothing behind, and its successor goes on filling where it
stopped. A spare waits to be that successor: with its model loaded where there is room, else with its imports done. It
goes on where the engine stood when it last left its state.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import ModuleType

from osc.tree import Value
from streamer.control.change import Change
from streamer.errors import UserError
from streamer.process import child as engine
from streamer.process.events import Applied, Event, Facts, Failed, Loaded, Noted, Ready, Refused, Report
from streamer.process.handover import Handover
from streamer.process.job import Job
from streamer.process.outbox import Outbox
from streamer.process.playhead import Playhead
from streamer.process.ring import Ring
from streamer.process.status import PLAYING, Status

HANG_SECONDS = 0.8  # noticed within a second
PENDING = 1024
"""Changes whose senders may have to be answered."""
_FIRST_BLOCK_SECONDS = 60.0
_HEALTHY_SECONDS = 10.0
_KILLED = {-signal.SIGTERM, -getattr(signal, "SIGKILL", 9)}
_LONGEST_BACKOFF_SECONDS = 30.0
_SEND_SECONDS = 0.001  # from one message to the next: more of them would only take the engine's interpreter


@dataclass
class _Child:
    """One process, and what the parent has to do with it."""

    process: BaseProcess
    connection: Connection
    outbox: Outbox = field(default_factory=Outbox)
    ready: bool = False
    loaded: bool = False  # a spare with a model
    failure: Failed | None = None
    started: float = 0.0  # when the music began
    beat: int = -1
    beaten: float = 0.0  # when the beat was last seen to change


class Supervisor:
    """Runs a job in a process of its own, and starts another when that one dies or hangs.

    Parameters
    ----------
    job
        What to run.
    ring, playhead
        What it fills, and where that is heard.
    values
        Called for the values a (re)started engine begins with.
    hear
        Called, from a thread of the supervisor's, with every event; its origin is that of the change.

    Attributes
    ----------
    restarts : int
        How many times a successor was started.
    facts : dict
        What the factory told of its source.
    ended : str
        Why the music is over for good, as a sentence; "" while it is not.
    """

    def __init__(
        self,
        job: Job,
        ring: Ring,
        playhead: Playhead,
        values: Callable[[], dict[str, Value]],
        hear: Callable[[Event], None],
    ) -> None:
        self.restarts = 0
        self.facts: Facts = {}
        self.ended = ""
        self._job = job
        self._ring = ring
        self._playhead = playhead
        self._values = values
        self._hear = hear
        self._status = Status()
        self._handover = Handover()
        self._roomless = ""  # why no spare has a model, once that was told
        self._context = multiprocessing.get_context("spawn")  # fork would copy PortAudio's and torch's threads' locks
        self._closing = threading.Event()
        self._settled = threading.Event()
        self._problem: str | None = None
        self._begins = 0  # the sample of the ring that is the first of the engine at work
        self._quick_deaths = 0
        self._lock = threading.Lock()
        self._pending: OrderedDict[int, Change] = OrderedDict()  # by ticket, which is their origin over there
        self._tickets = 0
        self._standby: _Child | None = None
        self._child = self._spawn()
        self._watcher = threading.Thread(target=self._supervise, name="engine supervisor", daemon=True)

    def start(self) -> None:
        """Load, and return when the music can begin.

        Raises
        ------
        UserError
            When the job cannot be started; why.
        """
        opening = {**self._job.arguments, **self._job.opening}
        self._begin(self._child, replace(self._job, arguments=opening))
        self._watcher.start()
        self._settled.wait()
        if self._problem is not None:
            raise UserError(self._problem)

    def send(self, change: Change) -> None:
        """Hand on a change, without waiting.

        Raises
        ------
        ValueError
            For a change with a moment when too many wait for theirs.
        """
        with self._lock:
            if change.at is not None and sum(own.at is not None for own in self._pending.values()) >= PENDING:
                raise ValueError(f"{PENDING} changes wait for their time already: send it later")
            self._tickets += 1
            self._pending[self._tickets] = change
            while len(self._pending) > 2 * PENDING:  # of those without a moment, whose senders are answered if need be
                self._pending.pop(next(ticket for ticket, own in self._pending.items() if own.at is None))
            child, ticket = self._child, self._tickets
        child.outbox.put(replace(change, origin=ticket))

    @property
    def pid(self) -> int | None:
        """The number of the process at work."""
        return self._child.process.pid

    @property
    def pids(self) -> list[int]:
        """Of all processes there are, the one at work first."""
        children = [self._child, *([self._standby] if self._standby else [])]
        return [child.process.pid for child in children if child.process.pid is not None]

    @property
    def spare(self) -> bool:
        """Whether a successor with a model waits."""
        return self._standby is not None and self._standby.loaded

    @property
    def rtf(self) -> float:
        """Seconds of sound made in one second of work, over the last seconds; 0 before the first sound."""
        return float(self._status.now["rtf"])

    @property
    def samples(self) -> int:
        """Samples per channel made by the process at work."""
        return int(self._status.now["samples"])

    @property
    def pulse(self) -> tuple[float, float]:
        """Beats a minute, and the beats that have passed at the frontier; 0 before the first sound."""
        return float(self._status.now["bpm"]), float(self._status.now["beats"])

    @property
    def frontier(self) -> int:
        """The sample of the ring from which a prompt that is asked for now is heard."""
        return self._begins + int(self._status.now["frontier"])

    @property
    def alive(self) -> bool:
        """Whether music is being made now."""
        return bool(self._child.ready and self._child.process.is_alive())

    def close(self) -> None:
        """End all processes and remove the status."""
        self._closing.set()
        self._settled.set()
        if self._watcher.is_alive():
            self._watcher.join()
        for child in (self._child, self._standby):
            if child is not None:
                _kill(child)
        self._status.close()
        self._handover.close()

    # ---- processes

    def _spawn(self, spare: bool = False) -> _Child:
        ours, theirs = self._context.Pipe()
        imports = (*self._job.imports, *self.facts.get("imports", ()))
        process = self._context.Process(
            target=engine.main,
            args=(
                theirs,
                self._ring,
                self._playhead,
                self._status,
                self._handover,
                imports,
                self._job if spare else None,
            ),
            name="engine",
            daemon=True,
        )
        with _no_interrupt(), _no_main():
            process.start()
        theirs.close()  # else its end would not be the end of the pipe
        return _Child(process, ours)

    def _begin(self, child: _Child, job: Job) -> None:
        """Tell a waiting process to start. From here on changes go to it."""
        self._status.clear()
        with self._lock:
            self._child = child
            # What had no moment is among the values; what still waits for its own is sent again.
            again = {ticket: change for ticket, change in self._pending.items() if change.at is not None}
            self._pending = OrderedDict(again)
        # Values are asked for after changes go to the new outbox: one that comes in between is sent twice, never lost.
        # A state that engines die of is not handed on again.
        state = self._handover.read() if self._quick_deaths <= 1 else b""
        start = (job, self._values(), state)
        for ticket, change in again.items():
            child.outbox.put(replace(change, origin=ticket))
        threading.Thread(target=_send, args=(child, start), name="sending", daemon=True).start()

    def _supervise(self) -> None:
        while not self._closing.is_set():
            child = self._child
            wait([child.process.sentinel, child.connection], timeout=0.1)
            self._listen(child)
            trouble = self._trouble(child)
            if child.failure is not None and child.failure.final:
                self.ended = child.failure.sentence
                self._hear(child.failure)
                return
            if trouble and not self._settled.is_set():
                self._problem = trouble
                self._settled.set()
                return
            if trouble:
                self._replace(child, trouble)
            elif self._standby is None and self._at_ease():
                self._standby = self._stand_by()
            self._look_after_standby()

    def _stand_by(self) -> _Child:
        """A successor; whether it may load the model is the engine's to say."""
        if self._job.loader and not self.facts.get("spare"):
            self._go_without("There is no room for a second model")
        return self._spawn(spare=bool(self._job.loader) and not self._roomless)

    def _look_after_standby(self) -> None:
        """Hear whether it is ready, and let go of one that died: one that could not load has no successor that does."""
        standby = self._standby
        if standby is None:
            return
        if not standby.loaded:
            self._listen(standby)
        if not standby.process.is_alive():
            self._standby = None
            if self._job.loader and not standby.loaded:
                self._go_without("A second model could not be loaded")
            _kill(standby)

    def _go_without(self, why: str) -> None:
        if not self._roomless:
            self._roomless = why
            self._hear(Report(f"{why}: after a crash the music waits until one is loaded."))

    def _at_ease(self) -> bool:
        """Whether the music can spare the core that a standby's imports take for seconds."""
        return bool(self._status.now["phase"] == PLAYING and self._ring.fill >= self._ring.lead // 2)

    def _listen(self, child: _Child) -> None:
        """Take in what the process says."""
        with contextlib.suppress(EOFError, OSError):
            while child.connection.poll():
                event = child.connection.recv()
                if isinstance(event, Failed):
                    child.failure = event
                    continue
                if isinstance(event, Loaded):
                    child.loaded = True
                    continue
                if isinstance(event, Ready):
                    child.ready = True
                    child.beaten = child.started = time.monotonic()
                    self.facts, self._begins = event.facts, event.sample
                self._hear(self._returned(event))
                if isinstance(event, Ready):
                    self._settled.set()

    def _returned(self, event: Event) -> Event:
        """An event with the origin of its change in place of the ticket."""
        if not isinstance(event, Applied | Refused | Noted) or event.origin is None:
            return event
        if isinstance(event, Noted):  # its change is yet to be applied
            with self._lock:
                noted = self._pending.get(event.origin) if isinstance(event.origin, int) else None
            return replace(event, origin=None if noted is None else noted.origin)
        with self._lock:
            change = self._pending.pop(event.origin, None) if isinstance(event.origin, int) else None
        if change is None:
            return replace(event, origin=None)
        if isinstance(event, Applied):
            return replace(event, origin=change.origin, at=change.at)
        return replace(event, origin=change.origin)

    def _trouble(self, child: _Child) -> str:
        """What is wrong with the process; nothing, most of the time."""
        if child.failure is not None:
            return child.failure.sentence
        if not child.process.is_alive():
            self._listen(child)  # its last words
            code = child.process.exitcode
            said = child.failure
            return said.sentence if said is not None else f"The engine's process ended unexpectedly (exit code {code})."
        now = time.monotonic()
        beat = int(self._status.now["beat"])
        if beat != child.beat or self._ring.room == 0 or not child.ready:
            child.beat, child.beaten = beat, now
        if now - child.beaten > self._patience():
            return f"The engine's process has not moved for {now - child.beaten:.1f} s."
        return ""

    def _patience(self) -> float:
        """Seconds without a beat that mean a hang: a slow machine's blocks take their time."""
        if self._status.now["phase"] != PLAYING:
            return _FIRST_BLOCK_SECONDS
        return max(HANG_SECONDS, 4 * float(self._status.now["longest"]))

    def _replace(self, child: _Child, trouble: str) -> None:
        own_fault = not child.ready or child.failure is not None or _died_by_itself(child.process)
        _kill(child)
        lived = time.monotonic() - child.started if child.ready else 0.0
        if lived > _HEALTHY_SECONDS:
            self._quick_deaths = 0
        self._quick_deaths += own_fault
        delay = backoff(self._quick_deaths)
        self._hear(Report(f"{trouble} Starting it again{f' in {delay:g} s' if delay else ''}."))
        if self._closing.wait(delay):
            return
        successor, self._standby = self._standby, None
        if successor is None or not successor.process.is_alive():
            successor = self._spawn()
        self._begin(successor, self._job)
        self.restarts += 1


def _send(child: _Child, start: object) -> None:
    """A thread for each process: a full pipe must hold up nobody else."""
    with contextlib.suppress(OSError, ValueError):
        child.connection.send(start)
        while (change := child.outbox.take()) is not None:
            child.connection.send(change)
            time.sleep(_SEND_SECONDS)


def _kill(child: _Child) -> None:
    child.process.kill()
    child.process.join()
    child.outbox.close()
    with contextlib.suppress(OSError):
        child.connection.close()


def _died_by_itself(process: BaseProcess) -> bool:
    """Whether it ended, and nobody asked for that: one that somebody kills or holds up is none the worse for it."""
    return process.exitcode is not None and process.exitcode not in _KILLED


def backoff(quick_deaths: int) -> float:
    """Seconds before another start: none at first, then longer and longer while workers die young."""
    return 0.0 if quick_deaths <= 1 else min(0.5 * 2.0 ** (quick_deaths - 2), _LONGEST_BACKOFF_SECONDS)


@contextlib.contextmanager
def _no_main() -> Iterator[None]:
    """Processes started in here do not import the parent's script first, be it the command line or somebody's own.

    A job names its code, so nothing of the script is needed; the first sound would wait for its imports.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


@contextlib.contextmanager
def _no_interrupt() -> Iterator[None]:
    """Processes started in here do not see Ctrl-C, not even before their first line of Python."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
