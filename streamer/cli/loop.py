"""`streamer loop`: bars of music that go round without a seam."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from osc.values import Value
from streamer.cli.console import console, plain
from streamer.cli.options import (
    MUSIC,
    PROMPT,
    SOUND,
    Anchor,
    Backend,
    ContinueFrom,
    Force,
    From,
    Model,
    Rate,
    Threads,
    To,
    excerpt,
    with_controls,
)
from streamer.cli.render import load_model
from streamer.control.score import NAMES
from streamer.control.table import DESK, HOSTED


@with_controls("lead", *DESK, *NAMES, *HOSTED, "tempo", "quantise", "melody", "volume", "mute", "loudness", "guard")
def loop(
    out: Annotated[Path, typer.Argument(metavar="FILE", help="File to write; .wav with loop points, or .flac.")],
    bars: Annotated[int, typer.Option(min=1, metavar="N", help="Length.", rich_help_panel=MUSIC)] = 4,
    bpm: Annotated[
        float, typer.Option(min=20, max=300, metavar="N", help="Quarter notes a minute.", rich_help_panel=MUSIC)
    ] = 120.0,
    metre: Annotated[str, typer.Option(metavar="N/N", help="Such as 4/4, 3/4 or 6/8.", rich_help_panel=MUSIC)] = "4/4",
    variations: Annotated[
        int, typer.Option(min=1, metavar="N", help="Loops to make: out-1.wav, out-2.wav ...", rich_help_panel=MUSIC)
    ] = 1,
    model: Model = "nano",
    backend: Backend = "auto",
    threads: Threads = None,
    anchor: Anchor = "card",
    normalise: Annotated[
        str,
        typer.Option(metavar="NAME", help="Level: loudness (-14 LUFS), peak, rms or none.", rich_help_panel=SOUND),
    ] = "peak",
    rate: Rate = None,
    force: Force = False,
    continue_from: ContinueFrom = None,
    start: From = 0.0,
    end: To = None,
    **values: Value,
) -> None:
    """Write a loop of exactly so many bars, beginning on a downbeat.

    A WAV file carries loop points, tempo, metre and a marker on every bar.
    """
    from streamer.offline.loops import check_target
    from streamer.offline.places import Bars

    length = Bars.of(bars, bpm, metre)
    targets = check_target(out, variations, normalise, rate, length, force=force, source=continue_from)
    part, _ = excerpt(continue_from, start, end)

    from streamer.control.controls import Controls
    from streamer.engine.beginning import read_beginning
    from streamer.engine.core import defaults
    from streamer.offline.loops import TAKES, write_loop

    loaded = load_model(model, backend, threads, anchor)
    beginning = read_beginning(part, loaded).frames if part else None
    controls = Controls(**({"prompt": PROMPT} | values | {"tempo": bpm}))
    controls.adopt(**defaults(loaded))
    asked: dict[str, Any] = controls.values()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), console=console) as progress:
        for number, target in enumerate(targets):
            task = progress.add_task(plain(target.name), total=1.0)
            made = write_loop(
                loaded,
                asked | {"seed": (int(asked["seed"]) + number * TAKES) % 2**31},
                length,
                target,
                rate=rate,
                normalise=normalise,
                beginning=beginning,
                progress=partial(_show, progress, task),
            )
            console.print(plain(f"Wrote {bars} bars, {length.seconds:.3f} s, to {target}: {made}."))


def _show(progress: Progress, task: TaskID, done: float) -> None:
    progress.update(task, completed=done)
