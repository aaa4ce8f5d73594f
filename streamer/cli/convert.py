"""`streamer convert`: a model of another layout, saved in transformers'."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from streamer.cli.console import console
from streamer.errors import UserError


def convert(
    model: Annotated[
        str, typer.Argument(metavar="NAME", help="A folder, with AudioCraft's files for example, or a hub id.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to save; must not exist.")],
) -> None:
    """Save a model in transformers' layout, as safetensors: AudioCraft's files load faster then, and anywhere."""
    from musicgen import ModelError
    from musicgen.load.with_transformers import convert as convert_files

    try:
        with console.status(f"Converting {escape(model)} ..."):
            convert_files(model, folder)
    except ModelError as error:
        raise UserError(str(error)) from None
    console.print(escape(f"Saved {model} as {folder}."))
