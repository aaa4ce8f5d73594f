"""`streamer replay`: a recorded performance to a file, with its own model or with another."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from streamer.cli.console import console, plain
from streamer.cli.options import MODEL, Threads, engine_name
from streamer.cli.render import check_decoder, load_diffusion, load_model, with_progress
from streamer.errors import UserError
from streamer.reporting import complain


def replay(
    recording: Annotated[
        Path, typer.Argument(metavar="DIR", help="What `streamer play --record DIR` wrote; its journal alone will do.")
    ],
    out: Annotated[Path, typer.Argument(metavar="FILE", help="File to write; .wav, must not exist.")],
    model: Annotated[
        str | None, typer.Option(metavar="NAME", help="Another model than the one played.", rich_help_panel=MODEL)
    ] = None,
    backend: Annotated[
        str | None, typer.Option(metavar="NAME", help="Another backend than the one played.", rich_help_panel=MODEL)
    ] = None,
    threads: Threads = None,
    decoder: Annotated[
        str,
        typer.Option(
            metavar="NAME", help="codec, or diffusion: slow, for mono real checkpoints.", rich_help_panel=MODEL
        ),
    ] = "codec",
    diffusion_weights: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="MultiBand Diffusion's file, its folder, or a hub id.", rich_help_panel=MODEL
        ),
    ] = None,
) -> None:
    """Play a recording again: the same samples on the same backend, or the same moves with another model."""
    from streamer.offline.replay import read_performance
    from streamer.offline.replay import replay as replay_file

    check_decoder(decoder, diffusion_weights)
    if out.suffix.lower() != ".wav":
        raise UserError(f"the file {out} has another ending than .wav: name a WAV file")
    if out.exists():
        raise UserError(f"the file {out} exists already: choose another name")
    head = read_performance(recording)[0].header
    anchor = str(head.arguments.get("anchor", "card"))
    loaded = load_model(model or head.model, backend or head.backend, threads or head.threads or None, anchor)
    diffusion = load_diffusion(diffusion_weights, loaded) if decoder == "diffusion" else None
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console) as progress:
        task = progress.add_task(plain(out.name), total=1.0)
        written = replay_file(
            loaded,
            recording,
            out,
            decode=with_progress(diffusion, progress) if diffusion else None,
            progress=lambda done: progress.update(task, completed=done),
            report=complain,
        )
    engine = engine_name(loaded.backend.name, loaded.backend.threads)
    console.print(plain(f"Wrote {written / head.rate:.1f} s to {out}, computed by {engine}."))
    if model is None and _changed(head.content, head.model):
        complain(f"{head.model} has changed since it was played: the samples are others.")


def _changed(content: str, model: str) -> bool:
    from musicgen.load.hub import find_folder
    from streamer.process.job import content as hash_of

    return bool(content) and hash_of(find_folder(model)) != content
