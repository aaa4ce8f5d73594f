"""`streamer loop`: bars of music that go round without a seam."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
from streamer.errors import UserError

if TYPE_CHECKING:
    from streamer.offline.loop_files import Song
    from streamer.offline.places import Bars


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
    from_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Take the bars from a sound file, at --bpm.", rich_help_panel=MUSIC),
    ] = None,
    at: Annotated[
        float, typer.Option(min=0, metavar="SECONDS", help="Where in it the first bar begins.", rich_help_panel=MUSIC)
    ] = 0.0,
    stems: Annotated[
        bool,
        typer.Option(
            "--stems",
            help="Write drums, bass, vocals and the rest beside it: out-drums.wav ...; needs Demucs.",
            rich_help_panel=SOUND,
        ),
    ] = False,
    picture: Annotated[
        bool, typer.Option("--picture", help="Draw the seam: out.png; needs matplotlib.", rich_help_panel=SOUND)
    ] = False,
    **values: Value,
) -> None:
    """Write a loop of exactly so many bars, beginning on a downbeat.

    A WAV file carries loop points, tempo, metre and a marker on every bar; a FLAC file says so in tags.
    """
    from streamer.offline.loop_files import check_files, loop_targets
    from streamer.offline.places import Bars

    length = Bars.of(bars, bpm, metre)
    song = _song(from_file, at, length, continue_from)
    targets = loop_targets(out, variations)
    check_files(
        targets,
        normalise=normalise,
        rate=rate,
        force=force,
        sources=(continue_from, from_file),
        stems=stems,
        picture=picture,
    )
    _check_extras(stems, picture)
    part, _ = excerpt(continue_from, start, end)

    from streamer.control.controls import Controls
    from streamer.engine.beginning import read_beginning
    from streamer.engine.core import defaults
    from streamer.offline.loop_files import write_loop
    from streamer.offline.loops import TAKES

    loaded = load_model(model, backend, threads, anchor)
    beginning = read_beginning(part, loaded).frames if part else None
    bars_of_song = song.frames(length, loaded) if song else None
    controls = Controls(**({"prompt": "" if song else PROMPT} | values | {"tempo": bpm}))
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
                song=bars_of_song,
                stems=stems,
                picture=picture,
                progress=partial(_show, progress, task),
            )
            console.print(plain(f"Wrote {bars} bars, {length.seconds:.3f} s, to {target}: {made}."))


def _song(path: Path | None, at: float, bars: Bars, continue_from: Path | None) -> Song | None:
    """The bars of a file that the loop is made of."""
    from streamer.offline.loop_files import Song

    if path is None:
        if at:
            raise UserError("--at is a place in a file: name it with --from-file")
        return None
    if continue_from is not None:
        raise UserError("--from-file takes bars as they are, --continue-from goes on from others: choose one")
    song = Song(path, at)
    song.check(bars)
    return song


def _check_extras(stems: bool, picture: bool) -> None:
    if stems:
        from streamer.offline.stems import check_stems

        check_stems()
    if picture:
        from streamer.offline.seam_picture import check_picture

        check_picture()


def _show(progress: Progress, task: TaskID, done: float) -> None:
    progress.update(task, completed=done)
