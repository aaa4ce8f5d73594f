"""Where plug-ins find the engine: three small files in the user's configuration folder.

`plugin.json` is written by `streamer plugin install` and says how to start an engine; `engine.json` is written by a
running engine and says where it listens, with the token; `engine.lock` is locked by it.

On Windows they lie in the user's profile, as ``%LOCALAPPDATA%``, where its access list lets nobody in but the user and
administrators. Only they can read the token there; a folder elsewhere has to be closed to others by whoever names it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from platformdirs import user_config_path

from streamer.errors import UserError

HOME = "MUSICGEN_STREAMER_HOME"
"""The environment variable that names another folder, for tests and for a second installation."""
INSTALLED, RUNNING, LOCK = "plugin.json", "engine.json", "engine.lock"
_TRIES, _TRY_SECONDS = 50, 0.02


def home() -> Path:
    """The folder of these files; `home` in plugin/home.hpp finds the same one."""
    named = os.environ.get(HOME, "")
    return Path(named) if named else user_config_path("musicgen-streamer", appauthor=False)


def write(path: Path, fields: dict[str, str]) -> None:
    """Write a flat JSON object that only its user can read, whole or not at all.

    Raises
    ------
    UserError
        It cannot be written.
    """
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump(fields, file, indent=1)
        _at_last(lambda: new.replace(path))
    except OSError as error:
        new.unlink(missing_ok=True)
        raise UserError(f"{path} cannot be written ({error.strerror}): make its folder writable.") from None


def take_away(path: Path) -> None:
    """Remove one of the files, if it is there."""
    _at_last(lambda: path.unlink(missing_ok=True))


def _at_last(act: Callable[[], object]) -> None:
    """Do what Windows may refuse for the moment in which a plug-in reads the file."""
    for _ in range(_TRIES if sys.platform == "win32" else 0):
        try:
            act()
            return
        except PermissionError:
            time.sleep(_TRY_SECONDS)
    act()


def read(path: Path) -> dict[str, str]:
    """The texts of a flat JSON object; none where there is no such file."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(value) for name, value in found.items()} if isinstance(found, dict) else {}


@contextlib.contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold the folder's lock, which ends with the last process that inherited it.

    Raises
    ------
    UserError
        Another engine holds it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / LOCK).open("ab") as file:
        try:
            _lock(file.fileno())
        except OSError:
            raise UserError("An engine runs already: plug-ins will find it.") from None
        yield


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
