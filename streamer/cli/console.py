"""Where the command line writes: results to stdout, sentences about them to stderr."""

from __future__ import annotations

import json

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
