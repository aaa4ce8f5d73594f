"""`streamer bench`: what this machine can play live."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from streamer.cli.console import capital, columns, console, plain, tell_machine
from streamer.cli.options import Json, Threads
from streamer.errors import UserError

if TYPE_CHECKING:
    from streamer.bench.figures import Figures
    from streamer.bench.peers import Ratio


def bench(
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="NAME", help="nano, small, stereo-large, ... or a folder; repeatable."),
    ] = None,
    backend: Annotated[
        list[str] | None, typer.Option("--backend", metavar="NAME", help="Repeatable; all for the CPU if left out.")
    ] = None,
    threads: Threads = None,
    seconds: Annotated[
        float,
        typer.Option(
            min=0.0, metavar="SECONDS", help="For each measurement at the most; ten times that for each model."
        ),
    ] = 3.0,
    against: Annotated[
        str | None, typer.Option(metavar="NAME", help="'transformers': its generate is measured in turns.")
    ] = None,
    streams: Annotated[
        bool, typer.Option("--streams", help="Measure how many streams at a time `streamer serve` can play here.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure what this machine can play live; nothing is downloaded, released models get random weights."""
    from streamer.bench import figures as measuring
    from streamer.bench import peers

    if against not in (None, peers.TRANSFORMERS):
        raise UserError(f"Nothing can be measured against '{against}': use --against {peers.TRANSFORMERS}.")
    if streams:
        _measure_streams(model or ["nano"], (backend or ["auto"])[0], threads, as_json)
        return
    models, backends = model or ["nano", "small"], backend or measuring.BACKENDS
    results: list[object] = []
    with console.status("Measuring ...") as status:
        for name in models:
            status.update(f"Measuring {plain(name)} ...")
            results += measuring.measure(name, backends, threads, seconds)
            if against:
                status.update(f"Measuring {plain(name)} beside transformers ...")
                results += peers.against(name, backends, threads, seconds)
    figures = [result for result in results if isinstance(result, measuring.Figures)]
    ratios = [result for result in results if isinstance(result, peers.Ratio)]
    left_out = [result for result in results if isinstance(result, str)]
    if as_json:
        report = {
            "models": [asdict(row) | {"few": row.few} for row in figures],
            "against": [asdict(row) | {"few": row.few} for row in ratios],
        }
        tell_machine(report | {"left_out": left_out})
        return
    console.print(_figures_table(figures))
    if ratios:
        console.print(_ratios_table(ratios))
    few = [row.frames for row in figures if row.few] + [row.steps for row in ratios if row.few]
    if few:
        steps = f"{min(few)} to {max(few)} steps" if min(few) < max(few) else f"{few[0]} steps"
        console.print(f"*: of only {steps}, since more would have taken too long. --seconds gives more time.")
    for sentence in left_out:
        console.print(plain(capital(sentence)))


def _measure_streams(models: list[str], backend: str, threads: int | None, as_json: bool) -> None:
    from streamer.bench.streams import loads, places
    from streamer.engine.loading import load

    found = {}
    for name in models:
        with console.status(f"Measuring {plain(name)} ..."):
            found[name] = list(loads(load(name, backend, threads)))
    if as_json:
        told = {name: {"places": places(own), "loads": [asdict(one) for one in own]} for name, own in found.items()}
        tell_machine({"streams": told})
        return
    table = columns("Model", "Streams", "A frame of each", "Slowest", "Of the time")
    for name, own in found.items():
        for one in own:
            cells = (f"{one.round_ms:.1f} ms", f"{one.worst_ms:.1f} ms", f"{100 * one.share:.0f} %")
            table.add_row(plain(name), str(one.streams), *cells)
    console.print(table)
    for name, own in found.items():
        console.print(plain(f"{name}: {places(own)} at a time."))


def _figures_table(figures: list[Figures]) -> Table:
    table = columns("Model", "Backend", "Threads", "Step", "Slowest", "Decode", "Speed", "Safe lead")
    for row in figures:
        few = "*" if row.few else ""
        table.add_row(
            plain(row.model.removeprefix("facebook/")),
            row.backend,
            str(row.threads),
            f"{row.step_ms:.1f} ms",
            f"{row.step_worst_ms:.1f} ms{few}",
            f"{row.decode_ms:.0f} ms",
            f"{row.rtf:.2f}x",
            "too slow" if row.lead_ms is None else f"{row.lead_ms:.0f} ms{few}",
        )
    return table


def _ratios_table(ratios: list[Ratio]) -> Table:
    table = columns("Model", "Backend", "Threads", "Step", "transformers", "", "Faster")
    for row in ratios:
        steps = (f"{row.step_ms:.1f} ms", f"{row.transformers_ms:.1f} ms", row.dtype)
        faster = f"{row.ratio:.1f}x{'*' if row.few else ''}"
        table.add_row(plain(row.model.removeprefix("facebook/")), row.backend, str(row.threads), *steps, faster)
    return table
