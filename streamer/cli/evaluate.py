"""`streamer evaluate`: how well music follows its melody and its prompt."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from streamer.cli.console import columns, console, plain, tell_machine
from streamer.cli.options import Json

if TYPE_CHECKING:
    from streamer.offline.evaluate import Report


def evaluate(
    generated: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Sound files, and folders of them.")],
    melody: Annotated[
        Path | None, typer.Option(metavar="FILE", help="What they were to follow: for the chroma cosine.")
    ] = None,
    prompt: Annotated[
        str | None, typer.Option(metavar="TEXT", help="What they were made from: for the CLAP score.")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Music such as they should be, a folder: for the Fréchet audio distance."),
    ] = None,
    clap: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="A folder with CLAP's weights, or a hub id; laion/larger_clap_music if not given."
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure how well music follows its melody and its prompt, and how far it is from music that it should be like."""
    from streamer.offline.evaluate import CLAP
    from streamer.offline.evaluate import evaluate as measure

    with console.status("Listening ...") as status:
        report = measure(
            generated,
            melody=melody,
            prompt=prompt,
            reference=reference,
            clap=clap or CLAP,
            progress=lambda sentence: status.update(plain(f"{sentence} ...")),
        )
    if as_json:
        tell_machine(asdict(report))
        return
    console.print(_evaluation_table(report))
    if report.fad_clap is not None and report.parts is not None:
        console.print(
            f"Fréchet audio distance (CLAP): {report.fad_clap:.3f}, of {report.parts[0]} parts from {report.parts[1]}."
        )
    for sentence in report.left_out:
        console.print(plain(sentence))


def _evaluation_table(report: Report) -> Table:
    table = columns("File", "Length", "Chroma", "CLAP")
    rows: list[tuple[str, float | None, float | None, float | None]]
    rows = [(figures.file, figures.seconds, figures.chroma_cosine, figures.clap_score) for figures in report.files]
    if len(rows) > 1:
        rows.append(("mean", None, report.chroma_cosine, report.clap_score))
    for name, seconds, chroma, score in rows:
        table.add_row(
            plain(name),
            "" if seconds is None else f"{seconds:.1f} s",
            "" if chroma is None else f"{chroma:.3f}",
            "" if score is None else f"{score:.3f}",
        )
    return table
