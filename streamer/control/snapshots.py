"""Snapshots: all values under a name, as files that people can read and carry to another machine.

A snapshot is one JSON file in the user's configuration folder. It is written beside its place and then moved there, so
a crash leaves the old one or the new one, never half of one.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_config_path

from osc.values import BadValue, Value
from streamer.control.table import TABLE, clamp
from streamer.errors import UserError

SUFFIX = ".json"
NAME_BYTES = 100
LARGEST_BYTES = 1_000_000
KEPT_OUT = frozenset({"lead", "sync", "clock", "keyboard"})
"""What belongs to a machine, not to a sound: a snapshot neither holds nor moves it."""

_FORBIDDEN = frozenset('/\\:*?"<>|')


def folder() -> Path:
    """Where this user's snapshots are kept."""
    return user_config_path("musicgen-streamer", appauthor=False) / "snapshots"


@dataclass(frozen=True)
class Snapshot:
    """What a file held, as far as this program understands it.

    Parameters
    ----------
    values : mapping
        By parameter, clamped to its range.
    unknown : tuple of str
        Names in the file that are no parameters here: of another version, or misspelt.
    """

    values: Mapping[str, Value]
    unknown: tuple[str, ...] = ()


class Snapshots:
    """The snapshots in one folder, which is made with the first of them.

    Parameters
    ----------
    where : Path, optional
        The user's own folder unless given.
    """

    def __init__(self, where: Path | None = None) -> None:
        self.where = folder() if where is None else where

    def check(self, name: str) -> None:
        """Look whether a snapshot can have a name.

        Raises
        ------
        UserError
            It cannot: why.
        """
        self._path(name)

    def save(self, name: str, values: Mapping[str, Value]) -> Path:
        """Keep values under a name; what that name held before is replaced.

        Raises
        ------
        UserError
            For a name that cannot be a file's, and a folder that cannot be written to. The old snapshot is still there.
        """
        path = self._path(name)
        kept = {key: value for key, value in values.items() if key in TABLE and key not in KEPT_OUT}
        if not kept.get("knobs"):  # one that was saved before knobs were learnt leaves them as they are
            kept.pop("knobs", None)
        try:
            self.where.mkdir(parents=True, exist_ok=True)
            _replace(path, json.dumps(kept, indent=2, ensure_ascii=False) + "\n")
        except OSError as error:
            raise UserError(f"the snapshot {name!r} could not be written to {path}: {error.strerror}") from None
        return path

    def load(self, name: str) -> Snapshot:
        """What a snapshot holds.

        Raises
        ------
        UserError
            When there is none of that name, or its file is broken: why. Nothing has changed then.
        """
        path = self._path(name)
        try:
            if path.stat().st_size > LARGEST_BYTES:
                raise UserError(f"the snapshot {path} is too large to be one")
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            there = ", ".join(self.names()[:10]) or "none yet"
            raise UserError(f"there is no snapshot {name!r}; there are: {there}") from None
        except OSError as error:
            raise UserError(f"the snapshot {path} could not be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise UserError(f"the snapshot {path} is broken: it is no UTF-8 text") from None
        return _understand(path, text)

    def check_there(self, name: str) -> None:
        """Look whether there is a snapshot.

        Raises
        ------
        UserError
            There is none of that name.
        """
        if not self._path(name).is_file():
            raise UserError(f"there is no snapshot {name!r} to delete")

    def names(self) -> list[str]:
        """All snapshots, in alphabetical order."""
        try:
            return sorted(path.stem for path in self.where.glob(f"*{SUFFIX}") if path.is_file())
        except OSError:
            return []

    def delete(self, name: str) -> None:
        """Remove a snapshot.

        Raises
        ------
        UserError
            When there is none of that name, or it cannot be removed.
        """
        try:
            self._path(name).unlink()
        except FileNotFoundError:
            raise UserError(f"there is no snapshot {name!r} to delete") from None
        except OSError as error:
            raise UserError(f"the snapshot {name!r} could not be deleted: {error.strerror}") from None

    def _path(self, name: str) -> Path:
        """A snapshot's file. No name leads out of the folder, or means another file on another system."""
        wrong = not name or name != name.strip() or name.startswith(".") or name.endswith(".")
        if wrong or any(letter in _FORBIDDEN or not letter.isprintable() for letter in name):
            raise UserError(f"{name!r} cannot be a snapshot's name: use letters, digits, spaces, - and _")
        if len(name.encode(errors="replace")) > NAME_BYTES:
            raise UserError(f"a snapshot's name may have {NAME_BYTES} bytes: choose a shorter one")
        return self.where / (name + SUFFIX)


def _understand(path: Path, text: str) -> Snapshot:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"the snapshot {path} is broken: {error}") from None
    if not isinstance(found, dict):
        raise UserError(f"the snapshot {path} is broken: it holds no values by name")
    values: dict[str, Value] = {}
    for name, value in found.items():
        if name in TABLE and name not in KEPT_OUT:
            try:
                values[name] = clamp(name, value)
            except (BadValue, TypeError, ValueError) as error:
                raise UserError(f"the snapshot {path} is broken: {error}") from None
    return Snapshot(values, tuple(name for name in found if name not in TABLE))


def _replace(path: Path, text: str) -> None:
    """Write a file beside its place, to the disk, and move it there."""
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(beside).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(beside).unlink()
        raise
