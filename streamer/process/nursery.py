"""A process that has loaded the model and forks engines from itself: in milliseconds, and their weights are one memory.

Only on Linux, and only while no thread has begun there since its start: a fork takes no other threads along, and not
the locks that they hold. numpy's own begin anew.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection, wait
from multiprocessing.reduction import recv_handle
from pathlib import Path

from streamer.process.events import Born, Ended, Fork, Loaded
from streamer.process.heap import give_back

_REAP_SECONDS = 1.0


def threads() -> int:
    """Of this process, as the system counts them: those of numpy, which survives a fork, and whatever else began."""
    return len(list(Path("/proc/self/task").iterdir())) if sys.platform == "linux" else 0


def may_fork(before: int) -> bool:
    """Whether engines can be forked from this process, which had so many threads before it loaded anything."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open") and threads() <= before


def breed(connection: Connection) -> tuple[Connection, bool]:
    """Fork an engine whenever the parent asks for one, and return in those engines.

    Returns
    -------
    Connection, bool
        Its own, and whether it has the time to rehearse.

    Raises
    ------
    EOFError
        The parent has gone.
    """
    gc.collect()
    give_back()
    gc.freeze()  # what the collector does not touch stays one memory
    children: dict[int, int] = {}  # descriptor -> pid
    connection.send(Loaded(breeds=True))
    while True:
        for ready in wait([connection, *children]):
            if isinstance(ready, int):
                pid = children.pop(ready)
                os.close(ready)
                connection.send(Ended(pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])))
                continue
            asked: Fork = connection.recv()
            theirs = recv_handle(connection)
            pid = _fork()
            if pid == 0:
                connection.close()
                for descriptor in children:
                    os.close(descriptor)
                return Connection(theirs), asked.rehearses
            os.close(theirs)
            children[os.pidfd_open(pid)] = pid
            connection.send(Born(pid))


def _fork() -> int:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: numpy's, which begins them anew
        return os.fork()


class Forked:
    """An engine out of a nursery, seen as `multiprocessing` shows a process.

    Parameters
    ----------
    pid : int
    code : callable
        How it ended, as the nursery has it; None while it has not said.

    Attributes
    ----------
    sentinel : int
        Becomes ready when the process has ended; until it is joined.
    """

    def __init__(self, pid: int, code: Callable[[], int | None]) -> None:
        self.pid = pid
        self.sentinel = os.pidfd_open(pid)
        self._code = code
        self._exitcode: int | None = None
        self._joined = False

    @property
    def exitcode(self) -> int | None:
        """As `multiprocessing` gives it; None while it runs."""
        deadline = time.monotonic() + _REAP_SECONDS
        while self._exitcode is None and not self.is_alive() and time.monotonic() < deadline:
            self._exitcode = self._code()
            if self._exitcode is None:
                time.sleep(0.001)
        return self._exitcode

    def is_alive(self) -> bool:
        """Whether it has not ended."""
        return not self._joined and not wait([self.sentinel], timeout=0)

    def kill(self) -> None:
        """End it at once."""
        if not self._joined:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.sentinel, signal.SIGKILL)

    def join(self) -> None:
        """Wait for its end, and let go of it."""
        if self._joined:
            return
        wait([self.sentinel])
        _ = self.exitcode  # until then it is not gone from the system's books
        self._joined = True
        os.close(self.sentinel)
