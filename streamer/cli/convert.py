"""`streamer convert`: a model of another layout, saved in transformers'."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path
from typing import Annotated

import typer

from streamer.cli.console import console, plain
from streamer.errors import UserError


def convert(
    model: Annotated[
        str, typer.Argument(metavar="NAME", help="A folder, with AudioCraft's files for example, or a hub id.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to save.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a folder that holds a model already.")] = False,
) -> None:
    """Save a model in transformers' layout, as safetensors: AudioCraft's files load faster then, and anywhere."""
    replaces = _check_folder(folder, model, force)

    from musicgen import ModelError
    from musicgen.load.with_transformers import convert as convert_files

    part = folder.with_name(f".{uuid.uuid4().hex}.part")
    try:
        with console.status(f"Converting {plain(model)} ..."):
            convert_files(model, part)
            if replaces:
                shutil.rmtree(folder)
            part.replace(folder)
    except ModelError as error:
        raise UserError(str(error).replace(str(part), str(folder))) from None
    except OSError as error:
        raise UserError(f"the folder {folder} cannot be written ({error.strerror}): choose another place") from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    console.print(plain(f"Saved {model} as {folder}."))


def _check_folder(folder: Path, model: str, force: bool) -> bool:
    """Refuse a place that no folder can be made in, or that has something else in it; whether it replaces a model."""
    from streamer.sound.files import check_new, is_file, is_folder

    if not is_folder(folder):
        check_new(folder, force=False)
        if not is_folder(folder.parent):
            raise UserError(f"the folder {folder.parent} does not exist: create it first, or choose another")
        return False
    if is_folder(Path(model)) and folder.samefile(model):
        raise UserError(f"the folder {folder} is what is to be read, and would be lost: choose another folder to write")
    if not force:
        raise UserError(f"the folder {folder} exists already: choose another name, or add --force to replace it")
    if not is_file(folder / "config.json"):
        raise UserError(f"the folder {folder} holds no model that could be replaced: choose another folder")
    return True
