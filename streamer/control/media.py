"""Which files somebody on another machine may name: those under one folder, and nothing about any other."""

from __future__ import annotations

import re
from pathlib import Path

from osc.values import BadValue

INPUT = "input"
"""The melody that is played into an audio input."""
MIDI = "midi"
"""The melody of the notes that are played."""


def file_in(melody: str) -> str:
    """The sound file that the parameter `melody` names; empty for nothing, an input, and the notes that are played."""
    return "" if melody == MIDI or melody.partition(":")[0] == INPUT else melody


# Names that Windows takes for devices, with any ending.
_DEVICES = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
# A drive, a stream of a file, or what a shell would expand.
_STRANGE = re.compile(r"[:*?\"<>|\x00-\x1f]|^[~ ]|[ .]$")


def find(name: str, folder: Path | None, inputs: bool = False) -> str:
    """The file that a stranger means.

    Parameters
    ----------
    name : str
        Relative to the folder; "" for none.
    folder : Path or None
        The only place to look; None for nowhere.
    inputs : bool
        Whether the stranger may have this machine's inputs listened to: "input", "input:DEVICE".

    Returns
    -------
    str
        The path of a file under the folder, links followed; "" for "", and an input as it was named.

    Raises
    ------
    BadValue
        For anything else, always with the same words: they must not tell what exists on this machine.
    """
    if not name or (inputs and name.partition(":")[0] == INPUT):
        return name
    found = _under(folder, re.split(r"[/\\]", name)) if folder is not None else None
    if found is None:
        raise BadValue("no such file is offered here: name one under the folder given with --media")
    return str(found)


def _under(folder: Path, parts: list[str]) -> Path | None:
    if any(part in ("", ".", "..") or _STRANGE.search(part) or _DEVICES.fullmatch(part) for part in parts):
        return None
    try:
        root = folder.resolve(strict=True)
        path = root.joinpath(*parts).resolve(strict=True)
        return path if path.is_relative_to(root) and path.is_file() else None
    except (OSError, ValueError, RuntimeError):  # RuntimeError: links in a circle, before Python 3.13
        return None
