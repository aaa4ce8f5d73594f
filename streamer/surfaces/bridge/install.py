"""The built plug-in, copied into the folders where a user's hosts look for it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from streamer.errors import UserError
from streamer.surfaces.bridge import endpoint

BUILT = Path(__file__).parent / "built"
"""Where `setup.py` leaves the plug-in; empty where it could not be built."""


def targets() -> dict[str, Path]:
    """Format -> the user's folder for it."""
    user = Path.home()
    if sys.platform == "darwin":
        library = user / "Library" / "Audio" / "Plug-Ins"
        return {"vst3": library / "VST3", "clap": library / "CLAP", "lv2": library / "LV2"}
    if sys.platform == "win32":
        local, roaming = (
            Path(os.environ.get(name, user / "AppData" / kind))
            for name, kind in (("LOCALAPPDATA", "Local"), ("APPDATA", "Roaming"))
        )
        common = local / "Programs" / "Common"
        return {"vst3": common / "VST3", "clap": common / "CLAP", "lv2": roaming / "LV2"}
    return {kind: user / f".{kind}" for kind in ("vst3", "clap", "lv2")}


def install(model: str) -> Iterator[Path]:
    """Copy every format into its folder and write how the engine is started; yields what was written.

    Raises
    ------
    UserError
        There is no built plug-in, a folder cannot be written to, or this Python keeps to itself what it writes.
    """
    if not BUILT.is_dir():
        raise UserError(
            "the plug-in was not built with this installation: with a C++ compiler and DPF (Debian and Ubuntu: "
            "apt-get install g++ dpf-source) install musicgen-streamer again"
        )
    if sys.platform == "win32" and "WindowsApps" in Path(sys.base_prefix).parts:
        raise UserError(
            "the Python of the Microsoft Store puts what it writes where no DAW looks: install musicgen-streamer with "
            "the Python of python.org, then do this again"
        )
    # Not resolved: the interpreter of a virtual environment is a link out of it.
    python = str(Path(sys.executable).absolute())
    endpoint.write(endpoint.home() / endpoint.INSTALLED, {"python": python, "model": model})
    yield endpoint.home() / endpoint.INSTALLED
    for kind, folder in targets().items():
        for source in (BUILT / kind).iterdir():
            yield _copied(source, folder / source.name)


def _copied(source: Path, target: Path) -> Path:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _take_away(target)  # a host that has it open keeps the old file
        if source.is_dir():
            shutil.copytree(source, target)
        else:
            shutil.copy2(source, target)
    except OSError as error:
        raise UserError(f"{target} cannot be written ({error.strerror}): {_remedy()}") from None
    return target


def remove() -> Iterator[Path]:
    """Take away what `install` has written; yields it.

    Raises
    ------
    UserError
        Something cannot be taken away.
    """
    for path in (*_installed(), endpoint.home() / endpoint.INSTALLED):
        if path.exists():
            try:
                _take_away(path)
            except OSError as error:
                raise UserError(f"{path} cannot be removed ({error.strerror}): {_remedy()}") from None
            yield path


def status() -> Iterator[str]:
    """What is installed, and whether an engine runs, in sentences."""
    found = list(_installed())
    yield from (f"Installed: {path}" for path in found)
    if not found:
        yield "Not installed: `streamer plugin install` does it."
    fields = endpoint.read(endpoint.home() / endpoint.INSTALLED)
    if fields:
        there = "" if Path(fields["python"]).exists() else ", which is gone: run `streamer plugin install` again"
        yield f"Its engine plays {fields['model']} with {fields['python']}{there}."
    running = endpoint.read(endpoint.home() / endpoint.RUNNING)
    if "error" in running:
        yield f"The engine could not start: {running['error']}"
    else:
        yield f"An engine runs (process {running['pid']})." if running else "No engine runs: the plug-in starts one."


def _installed() -> Iterator[Path]:
    for kind, folder in targets().items():
        names = [path.name for path in (BUILT / kind).iterdir()] if (BUILT / kind).is_dir() else []
        yield from (folder / name for name in names if (folder / name).exists())


def _remedy() -> str:
    return "close the DAWs that have it open, or " * (sys.platform == "win32") + "make its folder writable"


def _take_away(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
