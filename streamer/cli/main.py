"""`streamer`: assembles its commands, one file each beside this one.

Whatever is slow to import is imported by the command that needs it: help and `devices` answer at once.
"""

from __future__ import annotations

import os
import sys

import typer

from streamer.cli.bench import bench
from streamer.cli.console import capital, complain
from streamer.cli.convert import convert
from streamer.cli.devices import devices
from streamer.cli.evaluate import evaluate
from streamer.cli.models import models
from streamer.cli.play import play
from streamer.cli.render import render
from streamer.errors import UserError

app = typer.Typer(
    help="Endless music that follows a prompt and your faders.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
COMMANDS = (play, render, models, devices, convert, bench, evaluate)
for command in COMMANDS:
    app.command()(command)


def main() -> None:
    """The entry point: an error a person can put right is one sentence on stderr and exit code 2."""
    try:
        app()
    except UserError as error:
        complain(capital(str(error)))
        sys.exit(2)
    except BrokenPipeError:  # `streamer models | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
