"""`streamer`: assembles its commands, one file each beside this one.

Whatever is slow to import is imported by the command that needs it: help and `devices` answer at once.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import typer
from typer.core import TyperGroup

from streamer.cli.background import background
from streamer.cli.bench import bench
from streamer.cli.console import capital, ended_by_signals
from streamer.cli.convert import convert
from streamer.cli.devices import devices
from streamer.cli.doctor import doctor
from streamer.cli.evaluate import evaluate
from streamer.cli.fx import fx
from streamer.cli.loop import loop
from streamer.cli.models import models
from streamer.cli.page import page
from streamer.cli.play import play
from streamer.cli.plugin import plugin
from streamer.cli.render import render
from streamer.cli.replay import replay
from streamer.cli.serve import serve
from streamer.errors import UserError
from streamer.reporting import complain, explained, harmless, silence_harm, traced

WRONG, OUTPUT_LOST, OURS, INTERRUPTED = 2, 1, 70, 130
"""Exit codes: something a person can put right; nobody could read what was said; a bug; Ctrl-C."""


class _Commands(TyperGroup):
    """What is wrong with a line's words is told without what terminals obey in them."""

    def make_context(self, *arguments: Any, **named: Any) -> Any:
        with _harmless_errors():
            return super().make_context(*arguments, **named)

    def invoke(self, ctx: Any) -> Any:
        with _harmless_errors():
            return super().invoke(ctx)


@contextlib.contextmanager
def _harmless_errors() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if isinstance(words := getattr(error, "message", None), str):
            setattr(error, "message", harmless(words))  # noqa: B010 (an error of click's, by whatever name)
        raise


app = typer.Typer(
    cls=_Commands,
    help="Endless music that follows a prompt and your faders.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
PLAYING: tuple[Callable[..., Any], ...] = (play, background, page, serve, render, loop, replay)
COMMANDS: tuple[Callable[..., Any], ...] = (*PLAYING, models, devices, fx, convert, bench, evaluate, doctor)
for command in COMMANDS:
    app.command()(command)
app.add_typer(plugin, name="plugin")


def main() -> None:
    """The entry point: whatever goes wrong is one sentence on stderr and an exit code."""
    with silence_harm() as output, ended_by_signals():
        code = _run()
        output.flush()
        if output.problem is not None and code == 0:
            code = OUTPUT_LOST
            if not isinstance(output.problem, BrokenPipeError):  # `streamer models | head` has what it wants
                complain(f"What was to be written is lost: {output.problem.strerror}.")
    sys.exit(code)


def _run() -> int:
    """Run the command; its exit code."""
    try:
        app()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except UserError as error:
        complain(capital(str(error)))
        return WRONG
    except KeyboardInterrupt:
        return INTERRUPTED
    except MemoryError:
        complain("There is not enough memory for this: close other programs, or choose a smaller model.")
        return WRONG
    except Exception as error:
        for line in traced(error) if developing() else [_unforeseen(error)]:
            complain(line)
        return OURS
    return 0


def developing() -> bool:
    """Whether Python was asked to tell more."""
    return sys.flags.dev_mode


def _unforeseen(error: Exception) -> str:
    more = "`python -X dev -m streamer.cli.main` tells more."
    return f"This should not happen, please report it: {explained(error)}. {more}"


if __name__ == "__main__":
    main()
