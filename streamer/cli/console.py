"""What the command line writes to stdout, whose text is made harmless by `streamer.reporting`; and how it ends."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterable, Iterator
from typing import Any

import typer
from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment
from rich.table import Column, Table

from streamer.reporting import as_json, harmless


class _Disarmed(Console):
    """A console that draws nothing but what we draw: text that holds a terminal's commands is text."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            if segment.control or segment.text.replace("\n", "").isprintable():
                yield segment
            else:
                lines = (harmless(line, len(line)) for line in segment.text.split("\n"))
                yield Segment("\n".join(lines), segment.style)


# Names like :skull: stay as they are.
console = _Disarmed(emoji=False)


def plain(text: object) -> str:
    """Any text as a part of a table or a line that rich prints: no markup, no control characters, one line."""
    return escape(harmless(text))


def tell_machine(report: object) -> None:
    """Write what a script reads: JSON on stdout, on one line."""
    typer.echo(as_json(report))


def columns(first: str, *others: str) -> Table:
    """A table for a narrow window, too: the first column's words are broken where there is no room, never a number."""
    fixed = (Column(name, no_wrap=True) for name in others)
    return Table(Column(first, overflow="fold"), *fixed, box=None, padding=(0, 1, 0, 0))


def capital(sentence: str) -> str:
    """The sentence with a capital at its start."""
    return sentence[:1].upper() + sentence[1:]


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
