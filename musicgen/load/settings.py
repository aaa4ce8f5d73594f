"""AudioCraft's files as they are: pickles, opened without running anything, and the configuration in them."""

import pickle
import re
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
import yaml

from musicgen.errors import ModelError
from musicgen.load.hub import unreadable
from musicgen.load.rules import Table, check

T = TypeVar("T")

EXPORT = "export the model with AudioCraft's export, or get it from somebody you trust"
MOST_HOPS = 8
"""Links that are followed one after the other."""
MOST_FIELDS = 10_000
"""Of a configuration's sections; YAML's aliases can make a small file mean more."""


@dataclass(frozen=True)
class Settings:
    """What Hydra left in a checkpoint, ``xp.cfg`` for example: nested, and read by dotted paths."""

    folder: Path
    content: dict[str, Any] = field(repr=False)

    def get(self, path: str, kind: type[T], default: T | None = None) -> T:
        """The value at a path; default where there is none, without a default that is refused."""
        value = self.at(path)
        if value is None and default is not None:
            return default
        if kind is float and isinstance(value, int):
            value = float(value)
        if not isinstance(value, kind):
            raise ModelError(f"The configuration in {self.folder} has no usable '{path}': export the model again.")
        return value

    def at(self, path: str, hops: int = 0) -> Any:
        """The value at a path, whatever it is, links followed; None where there is none."""
        value: Any = self.content
        for key in path.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        return self._linked(value, hops)

    def _linked(self, value: Any, hops: int = 0) -> Any:
        link = re.fullmatch(r"\$\{([\w.]+)\}", value) if isinstance(value, str) else None
        return self.at(link[1], hops + 1) if link and hops < MOST_HOPS else value

    def checked(self, sections: Sequence[str], table: Table) -> dict[str, Any]:
        """The fields of some sections that are used, by their paths, each held against its rule.

        Raises
        ------
        ModelError
            A field has a value that it cannot have here, or is not known.
        """
        found: dict[str, Any] = {}
        waiting = [(name, self.at(name)) for name in reversed(sections)]
        while waiting:
            path, value = waiting.pop()
            if isinstance(value, dict) and path not in table:
                waiting += [(f"{path}.{key}", self._linked(inner)) for key, inner in value.items()]
            elif value is not None or path in table:
                found[path] = value
            if len(found) + len(waiting) > MOST_FIELDS:
                raise ModelError(f"The configuration in {self.folder} has too many fields: export the model again.")
        # null is what a file says that does not want to say anything
        said = {path: value for path, value in found.items() if value is not None}
        return check(table, said, f"The configuration in {self.folder}")

    def require(self, path: str, *allowed: object) -> None:
        """Refuse a model that is built otherwise; what is not said is taken to be allowed."""
        value = self.at(path)
        if value is not None and value not in allowed:
            wanted = " or ".join(str(choice) for choice in allowed)
            raise ModelError(f"The model in {self.folder} has {path}={value}: only {wanted} can be played.")


def read_pickle(path: Path, remedy: str = EXPORT, stand_ins: Sequence[tuple[Any, str]] = ()) -> dict[Any, Any]:
    """Open one of AudioCraft's files without running anything that it holds.

    Parameters
    ----------
    remedy
        What to do about a file that is none, as the end of a sentence.
    stand_ins
        What to make in place of classes that a file may name beside tensors and plain values: (class, full name).

    Raises
    ------
    ModelError
        It is damaged, could run code, or is no dictionary.
    """
    try:
        with torch.serialization.safe_globals(list(stand_ins)):
            # mapped, not read, where the format allows: the weights of the large model would be in memory twice
            package = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except pickle.UnpicklingError as error:
        raise unreadable(
            path, f"holds more than tensors and plain values, so it could run code and was not opened: {remedy}"
        ) from error
    except (OSError, EOFError, RuntimeError, ValueError, KeyError) as error:
        raise unreadable(path, "cannot be read: download or export the model again") from error
    if not isinstance(package, dict):
        raise ModelError(f"{path} is no AudioCraft checkpoint: {remedy}.")
    return package


def read_settings(folder: Path, package: dict[str, Any]) -> Settings:
    """The configuration in one of the files.

    Raises
    ------
    ModelError
        There is none.
    """
    try:
        content = yaml.safe_load(package.get("xp.cfg", ""))
    except (yaml.YAMLError, AttributeError, ValueError, RecursionError) as error:
        raise ModelError(f"The configuration in {folder} is not plain YAML: export the model again.") from error
    if not isinstance(content, dict):
        raise ModelError(f"The checkpoint in {folder} has no configuration ('xp.cfg'): export the model again.")
    return Settings(folder, content)
