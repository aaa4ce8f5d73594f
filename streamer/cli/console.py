"""Where the command line writes: results to stdout, sentences about them to stderr; and how it ends.

Neither stream is ever in the way of the music: what cannot be written (a full disk, a reader that has gone, a name
that the encoding lacks) is left out, and `main` says so at the end.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Column, Table

console = Console()
# Sentences are never cut into lines: whoever reads them from a log searches for them.
errors = Console(stderr=True, soft_wrap=True, highlight=False)


def complain(sentence: str) -> None:
    """Write a sentence that a person should know to stderr."""
    errors.print(escape(sentence))


def tell_machine(report: object) -> None:
    """Write what a script reads: JSON on stdout, on one line."""
    typer.echo(json.dumps(report))


def columns(first: str, *others: str) -> Table:
    """A table for a narrow window, too: the first column's words are broken where there is no room, never a number."""
    fixed = (Column(name, no_wrap=True) for name in others)
    return Table(Column(first, overflow="fold"), *fixed, box=None, padding=(0, 1, 0, 0))


def capital(sentence: str) -> str:
    """The sentence with a capital at its start."""
    return sentence[:1].upper() + sentence[1:]


class Unfailing:
    """A stream of text that nobody who writes to it needs to fear.

    Parameters
    ----------
    stream
        Where the text goes; None where the process was started without.

    Attributes
    ----------
    problem : OSError or None
        What kept text from being written, the first time; the stream is given up then.
    """

    def __init__(self, stream: Any) -> None:
        self.problem: OSError | None = None
        if stream is None:
            self.problem = OSError(errno.EBADF, os.strerror(errno.EBADF))
            stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 (it lasts as long as the process)
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # ASCII and cp1252 lack most of what we draw
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write if that can be; the number of characters, in any case."""
        try:
            self._stream.write(text)
        except (OSError, ValueError) as error:  # ValueError: it was closed
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Write now what waits."""
        try:
            self._stream.flush()
        except (OSError, ValueError) as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self.problem = self.problem or (error if isinstance(error, OSError) else OSError(errno.EBADF, str(error)))
        with contextlib.suppress(OSError, ValueError):
            # What waits in the buffer would be tried again, at the interpreter's end, too.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


@contextlib.contextmanager
def unfailing_output() -> Iterator[Unfailing]:
    """Both streams are unfailing in here; gives stdout's."""
    for number in range(3):  # a file that is opened later must not become what everyone takes for a terminal
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    before = sys.stdout, sys.stderr
    output, complaints = Unfailing(sys.stdout), Unfailing(sys.stderr)
    sys.stdout, sys.stderr = output, complaints
    try:
        yield output
    finally:
        output.flush()
        complaints.flush()
        sys.stdout, sys.stderr = before


@contextlib.contextmanager
def ended_by_signals() -> Iterator[None]:
    """A polite kill, and a terminal that is closed, unwind what runs in here: nothing half-done stays behind."""

    def end(number: int, frame: object) -> None:
        raise SystemExit(128 + number)

    with handling(end):
        yield


@contextlib.contextmanager
def handling(handler: Any) -> Iterator[None]:
    """SIGTERM and SIGHUP go to a handler in here, but what is ignored stays so: `nohup streamer play`."""
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    for number, old in before.items():
        if old is not signal.SIG_IGN:
            signal.signal(number, handler)
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
