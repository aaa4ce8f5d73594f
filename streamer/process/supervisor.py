"""The engine's process, seen from its parent: started, watched, and replaced when it dies or hangs.

The parent owns the shared memory, so a killed process leaves nothing behind, and its successor goes on filling where it
stopped. A spare waits to be that successor: with its model loaded where there is room, else with its imports done. It
goes on where the engine stood when it last left its state. Where the system allows it spares are forked from a nursery,
so that the next one is there at once, however fast engines are killed.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import wait

from osc.values import Value
from streamer.control.change import Change
from streamer.errors import UserError
from streamer.process.events import Event, Facts, Failed, Ready, Report
from streamer.process.handover import Handover
from streamer.process.job import Job
from streamer.process.playhead import Playhead
from streamer.process.ring import Ring
from streamer.process.status import PLAYING, Status
from streamer.process.tickets import Tickets
from streamer.process.worker import Worker
from streamer.threads import lasting, shielded

HANG_SECONDS = 0.8  # noticed within a second
HELD_SECONDS = 0.15  # that a process may be stopped: when a terminal lets all of us go on, not all do so at once
_FIRST_BLOCK_SECONDS = 60.0
LOADING_SECONDS, TAKEOVER_SECONDS = 60.0, 10.0
"""Without any use of a processor before the music begins, for a process that loads and for one that has loaded."""
GAP_SECONDS = 1.0
"""Between two looks at the processes that mean that nobody could look."""
MEMORY_LOSSES = 3
"""In a row that end the music: a successor would fare no better."""
_LOST_MEMORY = -getattr(signal, "SIGBUS", 10)
_HEALTHY_SECONDS = 10.0
_LONGEST_BACKOFF_SECONDS = 30.0


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
        self._hear = shielded(hear)
        self._status = Status()
        self._handover = Handover()
        self._roomless = ""  # why no spare has a model, once that was told
        self._closing = threading.Event()
        self._settled = threading.Event()
        self._problem: str | None = None
        self._begins = 0  # the sample of the ring that is the first of the engine at work
        self._quick_deaths = self._lost_memory = 0
        self._looked = time.monotonic()
        self._lock = threading.Lock()  # a change goes to the engine at work, and waits with a ticket, or neither
        self._tickets = Tickets()
        self._standby: Worker | None = None
        self._nursery: Worker | None = None
        self._worker = self._spawn(job if job.loader else None)
        self._watcher = lasting("engine supervisor", self._supervise, self._report)

    def start(self) -> None:
        """Load, and return when the music can begin.

        Raises
        ------
        UserError
            When the job cannot be started; why.
        """
        opening = {**self._job.arguments, **self._job.opening}
        self._begin(self._first(), replace(self._job, arguments=opening))
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
            worker, ticketed = self._worker, self._tickets.issue(change)
        worker.outbox.put(ticketed)

    @property
    def pid(self) -> int | None:
        """The number of the process at work."""
        return self._worker.process.pid

    @property
    def pids(self) -> list[int]:
        """Of all processes there are, the one at work first."""
        return [worker.process.pid for worker in self._workers() if worker.process.pid is not None]

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
    def pulse(self) -> tuple[int, float, float]:
        """The sample of the ring from which a prompt that is asked for now is heard, and there beats a minute and the
        beats that have passed; 0 before the first sound."""
        frontier, bpm, beats = self._status.read_pulse()
        return self._begins + frontier, bpm, beats

    @property
    def alive(self) -> bool:
        """Whether music is being made now."""
        return self._worker.plays

    def close(self) -> None:
        """End all processes and remove the status."""
        self._closing.set()
        self._settled.set()
        if self._watcher.is_alive():
            self._watcher.join()
        for worker in self._workers():
            worker.kill()
        self._status.close()
        self._handover.close()

    # ---- processes

    def _workers(self) -> list[Worker]:
        """The one at work first; a nursery last, so that it sees the ends of what it has forked."""
        return [worker for worker in (self._worker, self._standby, self._nursery) if worker is not None]

    def _spawn(self, ahead: Job | None = None, spare: bool = False) -> Worker:
        shared = (self._ring, self._playhead, self._status, self._handover)
        return Worker.spawn(shared, (*self._job.imports, *self.facts.get("imports", ())), ahead, spare)

    def _first(self) -> Worker:
        """The first engine: out of a nursery, where what has loaded can be one."""
        self._wait_for(self._worker)
        if not self._worker.breeds:
            return self._worker
        self._nursery = self._worker
        return self._fork(rehearses=False) or self._spawn()

    def _wait_for(self, worker: Worker) -> None:
        """Until it has loaded its model, if it does, or has ended."""
        while self._job.loader and worker.alive and not (worker.loaded or worker.failure or self._closing.is_set()):
            self._notice_gap()
            if worker.idle() > LOADING_SECONDS:
                return
            wait([worker.process.sentinel, worker.connection], timeout=0.1)
            self._listen(worker)

    def _begin(self, worker: Worker, job: Job) -> None:
        """Tell a waiting process to start. From here on changes go to it."""
        self._status.clear()
        with self._lock:
            self._worker = worker
            again = self._tickets.again()
        # Values are asked for after changes go to the new outbox: one that comes in between is sent twice, never lost.
        # A state that engines die of is not handed on again.
        state = self._handover.read() if self._quick_deaths <= 1 else b""
        start = (job, self._values(), state)
        for change in again:
            worker.outbox.put(change)
        worker.begin(start)

    def _supervise(self) -> None:
        while not self._closing.is_set():
            worker = self._worker
            self._notice_gap()
            wait([worker.process.sentinel, worker.connection], timeout=0.1)
            self._listen(worker)
            trouble = self._trouble(worker)
            if worker.failure is not None and worker.failure.final:
                self._end(worker.failure)
                return
            if trouble and not self._settled.is_set():
                self._problem = trouble
                self._settled.set()
                return
            if trouble:
                self._replace(worker, trouble)
                if self.ended:
                    return
            elif self._standby is None and self._at_ease():
                self._standby = self._stand_by()
            self._look_after_standby()

    def _end(self, why: Failed) -> None:
        """The music is over for good."""
        self.ended = why.sentence
        self._hear(why)

    def _notice_gap(self) -> None:
        """This process may have been held up itself, by a lid that was shut: then the others were too."""
        now = time.monotonic()
        if now - self._looked > GAP_SECONDS:
            for worker in self._workers():
                worker.excuse()
        self._looked = now

    def _stand_by(self) -> Worker:
        """A successor; whether it may load the model is the engine's to say."""
        forked = self._fork(rehearses=True)
        if forked is not None:
            return forked
        if self._job.loader and not self.facts.get("spare"):
            self._go_without("There is no room for a second model")
        return self._spawn(self._job if self._job.loader and not self._roomless else None, spare=True)

    def _fork(self, rehearses: bool) -> Worker | None:
        """One out of the nursery, where there is one; what does not answer there is let go of."""
        if self._nursery is None:
            return None
        forked = self._nursery.fork(rehearses)
        if forked is None:
            self._nursery.kill()
            self._nursery = None
        return forked

    def _look_after_standby(self) -> None:
        """Hear whether it is ready, and let go of one that died: one that could not load has no successor that does."""
        if self._nursery is not None and _is_lost(self._nursery):
            self._nursery.kill()
            self._nursery = None
        standby = self._standby
        if standby is None:
            return
        if not standby.loaded:
            self._listen(standby)
        if standby.breeds:
            self._nursery, self._standby = standby, None
            self._standby = self._fork(rehearses=True)
        elif _is_lost(standby) or (standby.loads and not standby.loaded and standby.idle() > LOADING_SECONDS):
            self._standby = None
            if self._job.loader and self._nursery is None and not standby.loaded and not standby.alive:
                self._go_without("A second model could not be loaded")
            standby.kill()

    def _go_without(self, why: str) -> None:
        if not self._roomless:
            self._roomless = why
            self._hear(Report(f"{why}: after a crash the music waits until one is loaded."))

    def _at_ease(self) -> bool:
        """Whether the music can spare the core that a standby's imports take for seconds."""
        return bool(self._status.now["phase"] == PLAYING and self._ring.fill >= self._ring.lead // 2)

    def _listen(self, worker: Worker) -> None:
        """Take in what the process says."""
        for event in worker.heard():
            if isinstance(event, Ready):
                self.facts, self._begins = event.facts, event.sample
                self._job = self._job.settled(event.facts)
            with self._lock:
                returned = self._tickets.returned(event)
            self._hear(returned)
            if isinstance(event, Ready):
                self._settled.set()

    def _trouble(self, worker: Worker) -> str:
        """What is wrong with the process; nothing, most of the time."""
        alive = worker.alive
        if not alive:
            self._listen(worker)  # its last words
        if worker.failure is not None:
            return worker.failure.sentence
        if not alive:
            return f"The engine's process ended unexpectedly (exit code {worker.process.exitcode})."
        if worker.held_up() > HELD_SECONDS:
            return "The engine's process is held up."
        patience = TAKEOVER_SECONDS if worker.loaded else LOADING_SECONDS
        if not worker.ready and worker.idle() > patience:
            return f"The engine's process has loaded nothing for {patience:.0f} s: is its disk, or its network, there?"
        motionless = worker.motionless(int(self._status.now["beat"]), excused=self._ring.room == 0)
        if motionless > self._patience():
            return f"The engine's process has not moved for {motionless:.1f} s."
        return ""

    def _patience(self) -> float:
        """Seconds without a beat that mean a hang: a slow machine's blocks take their time."""
        if self._status.now["phase"] != PLAYING:
            return _FIRST_BLOCK_SECONDS
        return max(HANG_SECONDS, 4 * float(self._status.now["longest"]))

    def _replace(self, worker: Worker, trouble: str) -> None:
        own_fault = worker.at_fault
        worker.kill()
        lived = time.monotonic() - worker.started if worker.ready else 0.0
        if lived > _HEALTHY_SECONDS:
            self._quick_deaths = self._lost_memory = 0
        self._quick_deaths += own_fault
        self._lost_memory += worker.process.exitcode == _LOST_MEMORY
        if self._lost_memory >= MEMORY_LOSSES:
            why = f"{MEMORY_LOSSES} engines have lost their shared memory: make room in /dev/shm, and play again."
            self._end(Failed(why))
            return
        delay = backoff(self._quick_deaths)
        self._hear(Report(f"{trouble} Starting it again{f' in {delay:g} s' if delay else ''}."))
        if self._closing.wait(delay):
            return
        successor = self._successor()
        if successor is not None:
            self._begin(successor, self._job)
            self.restarts += 1

    def _spawn_in_the_end(self) -> Worker | None:
        """A process, however long the system refuses one; None when all is closed before."""
        tries = 1
        while not self._closing.is_set():
            try:
                return self._spawn()
            except OSError as error:  # no more files, processes or memory
                tries += 1
                self._report(f"No engine can be started ({error.strerror}): trying again in {backoff(tries):g} s.")
                self._closing.wait(backoff(tries))
        return None

    def _report(self, sentence: str) -> None:
        self._hear(Report(sentence))

    def _successor(self) -> Worker | None:
        """Who goes on: the standby, or another one out of the nursery. One that loads may become a nursery.

        None when all is closed before.
        """
        if self._standby is not None and self._nursery is None and not self._roomless:
            self._wait_for(self._standby)
            self._look_after_standby()
        successor, self._standby = self._standby, None
        if successor is not None and successor.alive:
            return successor
        return self._fork(rehearses=False) or self._spawn_in_the_end()


def _is_lost(worker: Worker) -> bool:
    return not worker.alive or worker.held_up() > HELD_SECONDS


def backoff(quick_deaths: int) -> float:
    """Seconds before another start: none at first, then longer and longer while workers die young."""
    return 0.0 if quick_deaths <= 1 else min(0.5 * 2.0 ** (quick_deaths - 2), _LONGEST_BACKOFF_SECONDS)
