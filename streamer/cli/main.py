"""`streamer`: assembles its commands, one file each beside this one.

Whatever is slow to import is imported by the command that needs it: help and `devices` answer at once.
"""

from __future__ import annotations

import sys

import typer

from streamer.cli.bench import bench
from streamer.cli.console import capital, complain, ended_by_signals, unfailing_output
from streamer.cli.convert import convert
from streamer.cli.devices import devices
from streamer.cli.doctor import doctor
from streamer.cli.evaluate import evaluate
from streamer.cli.models import models
from streamer.cli.play import play
from streamer.cli.render import render
from streamer.cli.replay import replay
from streamer.errors import UserError

WRONG, OUTPUT_LOST, OURS, INTERRUPTED = 2, 1, 70, 130
"""Exit codes: something a person can put right; nobody could read what was said; a bug; Ctrl-C."""

app = typer.Typer(
    help="Endless music that follows a prompt and your faders.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
COMMANDS = (play, render, replay, models, devices, convert, bench, evaluate, doctor)
for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """The entry point: whatever goes wrong is one sentence on stderr and an exit code."""
    with unfailing_output() as output, ended_by_signals():
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
        if sys.flags.dev_mode:
            raise
        complain(_unforeseen(error))
        return OURS
    return 0


def _unforeseen(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = "" if trace is None else f" ({trace.tb_frame.f_code.co_filename}, line {trace.tb_lineno})"
    words = " ".join(f"{type(error).__name__}: {error}".split())
    return f"This should not happen, please report it: {words}{where}. `python -X dev -m streamer.cli.main` tells more."


if __name__ == "__main__":
    main()
