"""The engine in a process of its own, filling the ring; watched, and replaced when it dies or hangs.

The parent owns ring and status memory, so a killed worker leaves nothing behind, and its successor goes on filling
where it stopped. A warm standby (interpreter and imports done, no model yet) waits to be that successor.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import logging
import multiprocessing
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from osc.tree import Value
from streamer.errors import UserError
from streamer.process.ring import Ring

if TYPE_CHECKING:
    from streamer.engine.beginning import Excerpt

BLOCK_SECONDS = 0.02
HANG_SECONDS = 1.0
_FIRST_BLOCK_SECONDS = 60.0
_HEALTHY_SECONDS = 10.0
_LONGEST_BACKOFF_SECONDS = 30.0
_POLL_SECONDS = 0.001
_LOADING, _STARTING, _PLAYING = 0, 1, 2
SLOW = frozenset({"melody", "lora"})
"""Changes that may take long to prepare (a file, a device, Demucs): the others do not wait for them."""

Batch = Sequence[tuple[str, Value | None]]
Facts = dict[str, Any]

log = logging.getLogger(__name__)


class Store(Protocol):
    """Where a batch of changes goes."""

    def apply(self, batch: Batch) -> object:
        """Take over the changes; heard from the next frame on."""


class Source(Protocol):
    """What a worker runs: `streamer.Engine`, or anything that makes blocks of audio."""

    @property
    def controls(self) -> Store:
        """Where changes go."""
        ...

    def prepare(self, batch: Batch) -> None:
        """Do the slow part of changes ahead of them; called on other threads than `read`."""

    def read(self, samples: int) -> NDArray[np.float32]:
        """The next block, (samples, channels). A `UserError` is its end: another process would fare no better."""
        ...

    def collapses(self) -> list[str]:
        """A sentence for each time that it had to bring the music back, since this was last asked."""
        ...


@dataclass(frozen=True)
class Job:
    """What a worker's process runs. Code is named, never sent.

    Parameters
    ----------
    factory : str
        "package.module:function", called there as ``function(values, rate, channels, **arguments)``; it returns a
        `Source` and a dict of facts about it for the parent.
    rate, channels : int
        Of the audio.
    arguments : mapping
        For the factory.
    imports : tuple of str
        Modules to import before the word to start. A standby imports those too that the factory named as its
        "imports", among its facts: what turned out to be needed.
    opening : mapping
        Further arguments for the first process alone: what its successors are not to repeat.
    """

    factory: str
    rate: int
    channels: int
    arguments: Mapping[str, Value] = field(default_factory=dict)
    imports: tuple[str, ...] = ()
    opening: Mapping[str, Value] = field(default_factory=dict)


def music(
    model: str,
    rate: int,
    channels: int,
    backend: str = "auto",
    threads: int | None = None,
    excerpt: Excerpt | None = None,
    stems: bool = False,
    anchor: str = "card",
) -> Job:
    """The job of playing a MusicGen model, see `streamer.engine.loading.load`, on from an excerpt of a file.

    With `stems` melodies are followed without drums and bass, see `streamer.engine.melodies.Melodies`.
    """
    imports = ("streamer.engine.engine", "streamer.engine.loading", "musicgen.load.checkpoint")
    arguments: dict[str, Value] = {"model": model, "backend": backend, "threads": threads or 0, "stems": stems}
    arguments |= {"anchor": anchor}
    opening: dict[str, Value] = {"strict": True}
    if excerpt is not None:
        opening |= {"path": str(excerpt.path), "start": excerpt.start, "end": excerpt.end or 0.0}
    return Job("streamer.process.worker:play_model", rate, channels, arguments, imports, opening)


def play_model(
    values: dict[str, Value],
    rate: int,
    channels: int,
    model: str,
    backend: str,
    threads: int,
    stems: bool,
    anchor: str,
    path: str = "",
    start: float = 0.0,
    end: float = 0.0,
    strict: bool = False,
) -> tuple[Source, Facts]:
    """The factory behind `music`; 0 threads are None, and so is an end of 0.

    Raises
    ------
    UserError
        When the model cannot be loaded or the file to go on from not be read. Where it is strict also when the melody
        cannot be followed: else it is left out, and a word goes to the log.
    """
    from streamer.control.controls import Controls
    from streamer.engine.beginning import Excerpt, read_beginning
    from streamer.engine.engine import Engine
    from streamer.engine.listening import open_input
    from streamer.engine.loading import load
    from streamer.engine.melodies import Melodies

    loaded = load(model, backend, threads or None, anchor=anchor)
    beginning = read_beginning(Excerpt(Path(path), start, end or None), loaded) if path else None
    melodies, controls = Melodies(loaded, stems=stems, open_input=open_input), Controls(**values)
    try:
        melodies.prepare(str(controls.get("melody")))
    except UserError as error:
        if strict:
            raise
        log.warning("%s: the music goes on without a melody", error)
        controls.set(melody="")
    engine = Engine(loaded, controls, sample_rate=rate, channels=channels, beginning=beginning, melodies=melodies)
    adopted = {name: engine.controls.get(name) for name in ("temperature", "topk", "topp", "cfg")}
    facts = {"backend": loaded.backend.name, "threads": loaded.backend.threads, "defaults": adopted}
    imports = [name for name in sys.modules if name.partition(".")[0] in ("musicgen", "streamer")]
    return engine, {"model": loaded.name, "licence": loaded.licence, "imports": imports, **facts}


# What the worker tells without being asked, one writer for each field: the worker, or before its start the parent.
_STATUS = np.dtype([("phase", "i8"), ("beat", "i8"), ("frames", "i8"), ("rtf", "f8"), ("longest", "f8")])


class Status:
    """The worker's vital signs in shared memory; owned by the process that creates it, as a `Ring` is.

    Attributes
    ----------
    now : structured array, shape ()
        phase; beat, a counter that never rests while the worker is well; frames, samples per channel made; rtf, seconds
        of sound made in a second of work, over the last seconds; longest, seconds the slowest block took.
    """

    def __init__(self, name: str | None = None) -> None:
        self._owner = name is None
        memory = SharedMemory(name=name, create=self._owner, size=_STATUS.itemsize)
        assert memory.buf is not None  # until it is closed
        self.now: NDArray[np.void] = np.frombuffer(memory.buf, _STATUS, 1).reshape(())
        self._memory = memory  # after its view, see Ring

    def __reduce__(self) -> tuple[type[Status], tuple[str]]:
        return Status, (self._memory.name,)

    def close(self) -> None:
        """Let go of the memory; the owner also removes it."""
        del self.now
        with contextlib.suppress(BufferError):
            self._memory.close()
        if self._owner:
            self._memory.unlink()


class Refusal(NamedTuple):
    """A change that the engine could not take over.

    Attributes
    ----------
    name, value
        What was asked for.
    stands
        The value that it goes on with; None for the default.
    sentence
        What is wrong, and what to do.
    """

    name: str
    value: Value | None
    stands: Value | None
    sentence: str


# --- in the worker's process ---------------------------------------------------------------------------------------

Say = Callable[[str, object], None]
"""Tells the parent: what kind of news, and the news."""


def _main(connection: Connection, ring: Ring, status: Status, imports: Sequence[str]) -> None:
    """The worker's process: import, wait for the word to start, then play until the parent goes away."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    say = _voice(connection)
    logging.getLogger("streamer").addHandler(_Teller(say))
    gc.disable()  # imports leave little behind, and to look for it over and over takes a tenth of their time
    try:
        for module in imports:
            importlib.import_module(module)
        job, values = connection.recv()
        source, facts = _build(job, values)
        say("ready", facts)
        intake = _Intake(source, say, values)
        threading.Thread(target=intake.receive, args=(connection,), daemon=True).start()
        try:
            _play(source, job, intake, ring, status, say)
        except UserError as error:
            say("ended", str(error))
    except (EOFError, BrokenPipeError, KeyboardInterrupt):  # the parent has gone
        pass
    except Exception as error:
        say("failed", _sentence(error))
    # Not by way of atexit: a thread of torch's or a prompt that is being encoded must not keep a dead worker alive.
    os._exit(1)


def _build(job: Job, values: dict[str, Value]) -> tuple[Source, Facts]:
    module, _, function = job.factory.partition(":")
    factory = getattr(importlib.import_module(module), function)
    source, facts = factory(values, job.rate, job.channels, **job.arguments)
    gc.collect()
    gc.freeze()  # what is loaded stays: the collector need not walk it while the music plays
    gc.enable()
    return source, facts


def _voice(connection: Connection) -> Say:
    """Several threads tell the parent, and each to the end. A parent that has gone is the receiver's to notice."""
    speaking = threading.Lock()

    def say(kind: str, what: object) -> None:
        with contextlib.suppress(OSError), speaking:
            connection.send((kind, what))

    return say


class _Teller(logging.Handler):
    """Hands warnings of the instrument's log to the parent, who reports them."""

    def __init__(self, say: Say) -> None:
        super().__init__(logging.WARNING)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        self._say("report", record.getMessage())


def _play(source: Source, job: Job, intake: _Intake, ring: Ring, status: Status, say: Say) -> None:
    now = status.now
    now["phase"] = _STARTING
    ring.cut()  # a predecessor's sound may still wait in there
    made = busy = 0.0
    while True:
        samples = max(1, min(round(BLOCK_SECONDS * job.rate), ring.lead // 2))
        while ring.room < samples:
            now["beat"] += 1
            time.sleep(_POLL_SECONDS)
        # Only now, so that the block is made from the latest controls.
        while not intake.changes.empty():
            source.controls.apply(intake.changes.get())
        start = time.perf_counter()
        block = source.read(samples)
        took = time.perf_counter() - start
        ring.write(block)
        for sentence in source.collapses():
            say("collapse", sentence)
        if now["phase"] == _PLAYING:  # the first block pays for caches that start cold
            now["longest"] = max(now["longest"], took)
        made, busy = made * 0.98 + samples / job.rate, busy * 0.98 + took
        now["rtf"] = made / max(busy, 1e-9)
        now["frames"] += samples
        now["beat"] += 1
        now["phase"] = _PLAYING


class _Intake:
    """Takes changes in beside the music, and does the slow part of each before handing it over.

    Parameters
    ----------
    values
        That the source has begun with.

    Attributes
    ----------
    changes : queue of batches
        Ready to be applied.
    """

    def __init__(self, source: Source, say: Say, values: Mapping[str, Value]) -> None:
        self.changes: queue.SimpleQueue[Batch] = queue.SimpleQueue()
        self._source = source
        self._say = say
        self._stands: dict[str, Value | None] = dict(values)
        self._slow: queue.SimpleQueue[tuple[str, Value | None]] = queue.SimpleQueue()

    def receive(self, connection: Connection) -> None:
        """Take in what the parent sends, on a thread of its own. It ends this process when the parent has gone."""
        threading.Thread(target=self._take_slow_ones, daemon=True).start()
        while True:
            try:
                batch = connection.recv()
            except (EOFError, OSError):
                os._exit(0)
            self._take([change for change in batch if change[0] not in SLOW])
            for change in batch:
                if change[0] in SLOW:
                    self._slow.put(change)

    def _take_slow_ones(self) -> None:
        while True:
            waiting = dict([self._slow.get()])
            while not self._slow.empty():  # what was asked for since makes an older one idle
                waiting |= dict([self._slow.get()])
            for change in waiting.items():
                self._take([change])

    def _take(self, batch: Batch) -> None:
        """Hand over what can be prepared of a batch: whatever a client sent, the music goes on without the rest."""
        taken = []
        for name, value in batch:
            try:
                self._source.prepare([(name, value)])
            except Exception as error:
                self._say("refused", Refusal(name, value, self._stands.get(name), _sentence(error)))
            else:
                self._stands[name] = value
                taken.append((name, value))
        if taken:
            self.changes.put(taken)


def _sentence(error: Exception) -> str:
    """An error as one sentence: our own are sentences already, anything else says what and where."""
    if isinstance(error, UserError):
        return str(error)
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})"
    return f"{type(error).__name__}: {error}{where}"


# --- in the parent's process ---------------------------------------------------------------------------------------


@dataclass
class _Child:
    """One worker's process, and what the parent has to do with it."""

    process: BaseProcess
    connection: Connection
    outbox: queue.SimpleQueue[Any] = field(default_factory=queue.SimpleQueue)
    ready: bool = False
    failure: str = ""
    ended: str = ""  # why the music cannot go on
    started: float = 0.0  # when the music began
    beat: int = -1
    beaten: float = 0.0  # when the beat was last seen to change


class Worker:
    """Runs a job in a process of its own, and starts another when that one dies or hangs.

    Parameters
    ----------
    job
        What to run.
    ring
        What it fills.
    values
        Called for the values a (re)started engine begins with.
    report
        Called, from a thread of the worker's, with a sentence about anything a person should know.
    refused
        Called, from there too, with each change that could not be taken over.

    Attributes
    ----------
    restarts : int
        How many times a successor was started.
    collapses : int
        How often a source had to bring its music back.
    collapse : str
        The last time, as a sentence; "" if there was none.
    facts : dict
        What the factory told of its source.
    ended : str
        Why the music is over for good, as a sentence; "" while it is not.
    """

    def __init__(
        self,
        job: Job,
        ring: Ring,
        values: Callable[[], dict[str, Value]],
        report: Callable[[str], None],
        refused: Callable[[Refusal], None],
    ) -> None:
        self.restarts = 0
        self.collapses, self.collapse = 0, ""
        self.facts: Facts = {}
        self.ended = ""
        self._job = job
        self._ring = ring
        self._values = values
        self._report = report
        self._refused = refused
        self._status = Status()
        self._context = multiprocessing.get_context("spawn")  # fork would copy PortAudio's and torch's threads' locks
        self._closing = threading.Event()
        self._settled = threading.Event()
        self._problem: str | None = None
        self._quick_deaths = 0
        self._standby: _Child | None = None
        self._child = self._spawn()
        self._supervisor = threading.Thread(target=self._supervise, name="worker supervisor", daemon=True)

    def start(self) -> None:
        """Load, and return when the music can begin.

        Raises
        ------
        UserError
            When the job cannot be started; why.
        """
        opening = {**self._job.arguments, **self._job.opening}
        self._begin(self._child, replace(self._job, arguments=opening))
        self._supervisor.start()
        self._settled.wait()
        if self._problem is not None:
            raise UserError(self._problem)

    def send(self, batch: Batch) -> None:
        """Hand on changes, without waiting."""
        self._child.outbox.put(list(batch))

    @property
    def pid(self) -> int | None:
        """The number of the process at work."""
        return self._child.process.pid

    @property
    def rtf(self) -> float:
        """Seconds of sound made in one second of work, over the last seconds; 0 before the first sound."""
        return float(self._status.now["rtf"])

    @property
    def frames(self) -> int:
        """Samples per channel made by the process at work."""
        return int(self._status.now["frames"])

    @property
    def alive(self) -> bool:
        """Whether music is being made now."""
        return bool(self._child.ready and self._child.process.is_alive())

    def close(self) -> None:
        """End all processes and remove the status."""
        self._closing.set()
        self._settled.set()
        if self._supervisor.is_alive():
            self._supervisor.join()
        for child in (self._child, self._standby):
            if child is not None:
                _kill(child)
        self._status.close()

    def _spawn(self) -> _Child:
        ours, theirs = self._context.Pipe()
        imports = (*self._job.imports, *self.facts.get("imports", ()))
        process = self._context.Process(
            target=_main, args=(theirs, self._ring, self._status, imports), name="engine", daemon=True
        )
        with _no_interrupt(), _no_main():
            process.start()
        theirs.close()  # else its end would not be the end of the pipe
        return _Child(process, ours)

    def _begin(self, child: _Child, job: Job) -> None:
        """Tell a waiting process to start. From here on changes go to it."""
        self._status.now[()] = np.zeros((), _STATUS)
        self._child = child
        # Values are asked for after changes go to the new outbox: one that comes in between is sent twice, never lost.
        start = (job, self._values())
        threading.Thread(target=_send, args=(child, start), daemon=True).start()

    def _supervise(self) -> None:
        while not self._closing.is_set():
            child = self._child
            wait([child.process.sentinel, child.connection], timeout=0.1)
            self._hear(child)
            trouble = self._trouble(child)
            if child.ended:
                self.ended = child.ended
                self._report(child.ended)
                return
            if trouble and not self._settled.is_set():
                self._problem = trouble
                self._settled.set()
                return
            if trouble:
                self._replace(child, trouble)
            elif self._standby is None and self._at_ease():
                self._standby = self._spawn()

    def _at_ease(self) -> bool:
        """Whether the music can spare the core that a standby's imports take for seconds."""
        return bool(self._status.now["phase"] == _PLAYING and self._ring.fill >= self._ring.lead // 2)

    def _hear(self, child: _Child) -> None:
        """Take in what the worker says."""
        with contextlib.suppress(EOFError, OSError):
            while child.connection.poll():
                kind, what = child.connection.recv()
                if kind == "ready":
                    child.ready = True
                    child.beaten = child.started = time.monotonic()
                    self.facts = what
                    self._settled.set()
                elif kind == "failed":
                    child.failure = what
                elif kind == "ended":
                    child.ended = what
                elif kind == "refused":
                    self._refused(what)
                else:
                    if kind == "collapse":
                        self.collapses, self.collapse = self.collapses + 1, what
                    self._report(what)

    def _trouble(self, child: _Child) -> str:
        """What is wrong with the worker; nothing, most of the time."""
        if child.failure:
            return child.failure
        if not child.process.is_alive():
            self._hear(child)  # its last words
            code = child.process.exitcode
            return child.failure or f"The engine's process ended unexpectedly (exit code {code})."
        now = time.monotonic()
        beat = int(self._status.now["beat"])
        if beat != child.beat or self._ring.room == 0 or not child.ready:
            child.beat, child.beaten = beat, now
        if now - child.beaten > self._patience():
            return f"The engine's process has not moved for {now - child.beaten:.1f} s."
        return ""

    def _patience(self) -> float:
        """Seconds without a beat that mean a hang: a slow machine's blocks take their time."""
        if self._status.now["phase"] != _PLAYING:
            return _FIRST_BLOCK_SECONDS
        return max(HANG_SECONDS, 4 * float(self._status.now["longest"]))

    def _replace(self, child: _Child, trouble: str) -> None:
        _kill(child)
        lived = time.monotonic() - child.started if child.ready else 0.0
        self._quick_deaths = 0 if lived > _HEALTHY_SECONDS else self._quick_deaths + 1
        delay = backoff(self._quick_deaths)
        self._report(f"{trouble} Starting it again{f' in {delay:g} s' if delay else ''}.")
        if self._closing.wait(delay):
            return
        successor, self._standby = self._standby, None
        if successor is None or not successor.process.is_alive():
            successor = self._spawn()
        self._begin(successor, self._job)
        self.restarts += 1


def _send(child: _Child, start: object) -> None:
    """A thread for each worker: a full pipe must hold up nobody else."""
    with contextlib.suppress(OSError, ValueError):
        child.connection.send(start)
        while (message := child.outbox.get()) is not None:
            child.connection.send(message)


def _kill(child: _Child) -> None:
    child.process.kill()
    child.process.join()
    child.outbox.put(None)
    with contextlib.suppress(OSError):
        child.connection.close()


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
