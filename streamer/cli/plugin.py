"""`streamer plugin`: the DAW plug-in in the folders where hosts look for it."""

from __future__ import annotations

from typing import Annotated

import typer

from streamer.cli.console import console, plain

plugin = typer.Typer(
    help="Put the DAW plug-in where hosts find it, take it away, or say how it stands.", no_args_is_help=True
)


@plugin.command()
def install(
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="What its engine plays; see `streamer models`.")
    ] = "nano",
) -> None:
    """Copy the plug-in into your folders for VST3, CLAP and LV2, and note how its engine is started."""
    from streamer.surfaces.bridge.install import install as do

    for path in do(model):
        console.print(plain(f"Installed {path}"), soft_wrap=True)
    console.print("Rescan the plug-ins in your DAW, then look for MusicGen Streamer.")


@plugin.command()
def remove() -> None:
    """Take the plug-in out of your folders again."""
    from streamer.surfaces.bridge.install import remove as do

    for path in do():
        console.print(plain(f"Removed {path}"), soft_wrap=True)


@plugin.command()
def status() -> None:
    """Say what is installed, and whether an engine runs."""
    from streamer.surfaces.bridge.install import status as told

    for line in told():
        console.print(plain(line), soft_wrap=True)
