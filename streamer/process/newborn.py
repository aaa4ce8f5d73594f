"""An engine's process from its birth on: it imports what every engine needs before it is told its place.

Importing this module costs next to nothing, so that the command line can start the first engine's process before it
imports what it needs itself: they then import side by side, and the first sound comes sooner.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType

NEEDED = ("streamer.engine.core", "streamer.engine.loading", "musicgen.load.checkpoint")
"""Modules that every engine of music imports."""

_early: list[Newborn] = []


class Newborn:
    """A process that imports, and then waits for its place.

    Attributes
    ----------
    process
        It.
    connection
        The parent's end of the pipe to it.
    """

    def __init__(self, imports: tuple[str, ...] = ()) -> None:
        self.process, self.connection = begin("engine", _live, imports)


def begin(name: str, live: Callable[..., None], *arguments: object) -> tuple[BaseProcess, Connection]:
    """A process of its own, and our end of a pipe to it: it calls `live` with its end and the arguments.

    Ctrl-C is not for it, and it ends with this process.
    """
    # Not a fork: that would copy PortAudio's and torch's threads' locks.
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_undisturbed, args=(live, theirs, *arguments), name=name, daemon=True)
    with _no_interrupt(), _no_main(), _a_folder():
        process.start()
    theirs.close()  # else its end would not be the end of the pipe
    return process, ours


def begin_early() -> None:
    """Have a process of music ready for whoever asks first."""
    _early.append(Newborn(NEEDED))


def born() -> Newborn:
    """The process that was begun early, or a new one."""
    return _early.pop() if _early else Newborn()


def _undisturbed(live: Callable[..., None], connection: Connection, *arguments: object) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    live(connection, *arguments)


def _live(connection: Connection, imports: tuple[str, ...]) -> None:
    from streamer.process import child

    child.main(connection, imports)


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
def _a_folder() -> Iterator[None]:
    """Where the folder has been removed that we were started in, processes begin in another one."""
    gone = None
    try:
        Path.cwd()
    except FileNotFoundError:
        gone = os.open(".", os.O_RDONLY)
        os.chdir("/")
    try:
        yield
    finally:
        if gone is not None:
            os.fchdir(gone)
            os.close(gone)


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
