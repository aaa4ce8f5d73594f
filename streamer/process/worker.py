"""One engine's process, as its parent holds it: how it is started, told to begin, heard and ended."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from multiprocessing.reduction import send_handle
from pathlib import Path
from typing import TYPE_CHECKING

from streamer.process.events import Born, Ended, Event, Failed, Fork, Loaded, Ready
from streamer.process.job import Job
from streamer.process.newborn import born
from streamer.process.nursery import Forked
from streamer.process.outbox import Outbox
from streamer.threads import lasting

if TYPE_CHECKING:
    from streamer.process.child import Shared

_KILLED = {-signal.SIGTERM, -getattr(signal, "SIGKILL", 9)}
_FORK_SECONDS = 2.0
_SEND_SECONDS = 0.001  # from one message to the next: more of them would only take the engine's interpreter


class Worker:
    """A process that imports, and then waits for the word to begin. Made by `spawn` and by `fork`.

    Parameters
    ----------
    process
        The process.
    connection
        Our end of its pipe.

    Attributes
    ----------
    outbox : Outbox
        Changes on their way there.
    ready, loaded : bool
        Whether the music has begun; whether a spare has loaded its model.
    loads : bool
        Whether it says when it has loaded.
    breeds : bool
        Whether others can be forked from it; then it never begins itself.
    failure : Failed or None
        What it said that ends it.
    started : float
        When the music began, monotonic seconds.
    """

    def __init__(self, process: BaseProcess | Forked, connection: Connection) -> None:
        self.process = process
        self.connection = connection
        self.outbox = Outbox()
        self.ready = self.loaded = self.breeds = False
        self.failure: Failed | None = None
        self._start: object = None  # the word to begin, until it is said
        self.started = 0.0
        self._beat = -1
        self._beaten = 0.0  # when the beat was last seen to change
        self._runs = time.monotonic()  # when it was last seen not to be stopped
        self.loads = False
        self._busy: bytes | None = None  # the processor time it has used, as the system tells it
        self._worked = self._runs  # when it was last seen to use some
        self._born: int | None = None  # the last one that was forked from it
        self._codes: dict[int, int] = {}  # how those ended

    @classmethod
    def spawn(cls, shared: Shared, imports: Sequence[str], ahead: Job | None, spare: bool) -> Worker:
        """A new process.

        Parameters
        ----------
        shared
            What it fills and reads.
        imports : sequence of str
            Modules to import.
        ahead : Job or None
            What to load before the word to begin.
        spare : bool
            Whether that is to hold up nobody, and to be rehearsed.
        """
        newborn = born()
        with contextlib.suppress(OSError):  # one that is dead already is found to be so
            newborn.connection.send((shared, tuple(imports), ahead, spare))
        made = cls(newborn.process, newborn.connection)
        made.loads = ahead is not None
        return made

    def fork(self, rehearses: bool) -> Worker | None:
        """One that breeds: another, which has loaded what it has; None where it does not answer."""
        ours, theirs = multiprocessing.Pipe()
        self._born = None
        try:
            self.connection.send(Fork(rehearses))
            send_handle(self.connection, theirs.fileno(), self.process.pid)
            deadline = time.monotonic() + _FORK_SECONDS
            while self._born is None and self.alive and time.monotonic() < deadline:
                self.connection.poll(0.1)
                self._hear_all()
            pid = self._born
            process = None if pid is None else Forked(pid, lambda: self._code(pid))
        except OSError:
            process = None
        finally:
            theirs.close()
        if process is None:
            ours.close()
            return None
        made = Worker(process, ours)
        made.loads = True
        return made

    @property
    def alive(self) -> bool:
        """Whether the process is there."""
        return self.process.is_alive()

    @property
    def plays(self) -> bool:
        """Whether it makes music."""
        return self.ready and self.alive

    @property
    def at_fault(self) -> bool:
        """Whether what ails it is its own doing: one that somebody kills or holds up is none the worse for it."""
        ended = self.process.exitcode is not None and self.process.exitcode not in _KILLED
        return not self.ready or self.failure is not None or ended

    def begin(self, start: object) -> None:
        """Say the word, and from then on what comes into the outbox."""
        self._start = start
        lasting("sending", self._send).start()

    def heard(self) -> Iterator[Event]:
        """What it has said and is not about the process alone."""
        with contextlib.suppress(EOFError, OSError):
            while self.connection.poll():
                event = self.connection.recv()
                match event:
                    case Failed():
                        self.failure = event
                    case Loaded(breeds):
                        self.loaded, self.breeds = True, breeds
                    case Born(pid):
                        self._born = pid
                    case Ended(pid, code):
                        self._codes[pid] = code
                    case _:
                        if isinstance(event, Ready):
                            self.ready = True
                            self._beaten = self.started = time.monotonic()
                        yield event

    def motionless(self, beat: int, excused: bool) -> float:
        """Seconds for which the beat has been the same; none where it has an excuse."""
        now = time.monotonic()
        if beat != self._beat or excused or not self.ready:
            self._beat, self._beaten = beat, now
        return now - self._beaten

    def held_up(self) -> float:
        """Seconds for which somebody has stopped the process, with SIGSTOP; 0 where the system does not tell."""
        now = time.monotonic()
        if not _is_stopped(self.process.pid):
            self._runs = now
        return now - self._runs

    def idle(self) -> float:
        """Seconds for which the process has used no processor: while it loads, that means that it hangs.

        Always 0 where the system does not tell.
        """
        now, busy = time.monotonic(), _processor_time(self.process.pid)
        if busy != self._busy or busy is None:
            self._busy, self._worked = busy, now
        return now - self._worked

    def excuse(self) -> None:
        """Whoever watches has been held up as well, so nothing that was not seen meanwhile counts."""
        self._beaten = self._runs = self._worked = time.monotonic()

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.join()
        self.outbox.close()
        with contextlib.suppress(OSError):
            self.connection.close()

    def _hear_all(self) -> None:
        """One that breeds says nothing that is not about processes."""
        for _ in self.heard():
            pass

    def _code(self, pid: int) -> int | None:
        """How one ended that was forked from it; where it is no more itself, that was not the other's fault."""
        gone = not self.alive
        self._hear_all()
        return self._codes.pop(pid, -signal.SIGTERM if gone else None)

    def _send(self) -> None:
        """A thread for each process: a full pipe must hold up nobody else."""
        with contextlib.suppress(OSError, ValueError):
            start, self._start = self._start, None
            if start is not None:
                self.connection.send(start)
            while (change := self.outbox.take()) is not None:
                self.connection.send(change)
                time.sleep(_SEND_SECONDS)


def _is_stopped(pid: int | None) -> bool:
    return _facts(pid)[:1] == [b"T"]


def _processor_time(pid: int | None) -> bytes | None:
    """Anything that changes with it; None where the system does not tell."""
    return b" ".join(_facts(pid)[11:13]) or None


def _facts(pid: int | None) -> list[bytes]:
    """What Linux tells of a process, from its state on, see proc(5); nothing elsewhere."""
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return []
    return status.rpartition(b")")[2].split()
