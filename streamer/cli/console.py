"""Where the command line writes: results to stdout, sentences about them to stderr."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

console = Console()
# Sentences are never cut into lines: whoever reads them from a log searches for them.
errors = Console(stderr=True, soft_wrap=True, highlight=False)


def complain(sentence: str) -> None:
    """Write a sentence that a person should know to stderr."""
    errors.print(escape(sentence))


def capital(sentence: str) -> str:
    """The sentence with a capital at its start."""
    return sentence[:1].upper() + sentence[1:]
