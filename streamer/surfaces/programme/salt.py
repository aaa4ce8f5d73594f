"""What makes this place's music differ from that of the same programme elsewhere, and survives a restart."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from streamer.errors import UserError

NAME = "salt"


def salt_of(folder: Path) -> str:
    """The salt that a folder keeps; it is made with the first call.

    Raises
    ------
    UserError
        The folder cannot be written to.
    """
    path = folder / NAME
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = path.read_text(encoding="ascii", errors="replace").strip() if path.exists() else ""
        if held:
            return held
        made, beside = secrets.token_hex(16), folder / f".{NAME}.{os.getpid()}"
        beside.write_text(made + "\n", encoding="ascii")
        beside.replace(path)
        return made
    except OSError as error:
        raise UserError(f"the state of the programme cannot be kept in {folder}: {error.strerror or error}") from None
