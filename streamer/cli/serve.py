"""`streamer serve`: many listeners, each with a stream of their own."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streamer.cli import figures
from streamer.cli.console import console, plain
from streamer.cli.options import MODEL, Anchor, Backend, Ice, Model, Threads

if TYPE_CHECKING:
    from musicgen import MusicGen
    from streamer.serve.keys import Keys

LISTENERS = "Listeners"


def serve(
    model: Model = "nano",
    backend: Backend = "auto",
    threads: Threads = None,
    anchor: Anchor = "card",
    streams: Annotated[
        int | None,
        typer.Option(
            min=1, max=64, metavar="N", help="That may play at a time; measured unless given.", rich_help_panel=MODEL
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(metavar="HOST", help="Serve here; 0.0.0.0 lets other machines in, with a key.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, metavar="N", help="The port; 0 for a free one.")] = 7780,
    public: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="An address under which others reach it, https://...; repeatable."),
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="API keys and their limits, see docs/serve.md.", rich_help_panel=LISTENERS),
    ] = None,
    icecast: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="STREAMER_ICECAST",
            help="Sessions may be mounted on this server: icecast://source:PASSWORD@HOST:8000/mp3.",
            rich_help_panel=LISTENERS,
        ),
    ] = None,
    ice: Ice = None,
    metrics: figures.Port = None,
    metrics_host: figures.Host = "127.0.0.1",
) -> None:
    """Serve streams over HTTP: each listener opens a session with a prompt of their own."""
    from streamer.doctor import require

    require("serve", "serving")
    from streamer.engine.loading import load
    from streamer.serve.outputs import mount_of
    from streamer.serve.run import Place, Server, origins
    from streamer.serve.stage import Stage
    from streamer.surfaces.page.web import LOCAL

    place = Place(host, port, tuple(public or ()), tuple(ice or ()), mount_of(icecast) if icecast else None)
    origins(place.public)
    known = _keys(keys, local=host in LOCAL and not public)
    loaded = load(model, backend, threads, anchor=anchor)
    many = streams or _measured(loaded)
    server = Server(Stage(loaded, many, known), place)

    def tell(address: str) -> None:
        console.print(plain(f"{many} stream{'' if many == 1 else 's'} at a time, on {address}"), soft_wrap=True)
        console.print("Ctrl-C stops.")

    with figures.shown(server.figures, metrics_host, metrics):
        server.serve(tell)


def _keys(file: Path | None, local: bool) -> Keys:
    """The keys of a file; without one nobody needs any on this machine, and others one that is made now."""
    from streamer.serve.keys import Key, Keys, for_anybody, read_keys

    if file is not None:
        return Keys(read_keys(file))
    if local:
        return for_anybody()
    made = secrets.token_hex(16)
    console.print(f"The key for this run: {made}")
    return Keys([Key("guest", made)])


def _measured(model: MusicGen) -> int:
    from streamer.bench.streams import loads, places

    with console.status("Measuring how many streams this machine makes at a time ..."):
        return places(list(loads(model)))
