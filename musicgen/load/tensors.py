"""A checkpoint's weights by name: read when they are asked for, and held against what its configuration says."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from musicgen.errors import ModelError

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
# What weight norm was called in torch's older files, Meta's among them.
RENAMED = (
    (r"\.weight_g$", ".parametrizations.weight.original0"),
    (r"\.weight_v$", ".parametrizations.weight.original1"),
)


class Tensors:
    """Part of a checkpoint's weights.

    Parameters
    ----------
    source
        All of them by name.
    folder
        They are from, for messages.
    device, dtype
        What every weight is brought to.

    Attributes
    ----------
    device
        As given.
    """

    def __init__(
        self,
        source: Mapping[str, Tensor],
        folder: Path | str = "memory",
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.device = torch.device(device)
        self._source = source
        self._folder = folder
        self._dtype = dtype
        self._prefix = ""
        self._taken: set[str] = set()

    def part(self, name: str) -> Tensors:
        """The weights whose names begin so, known by the rest of their names."""
        part = copy.copy(self)
        part._prefix += f"{name}."
        return part

    def __contains__(self, name: str) -> bool:
        return self._prefix + name in self._source

    def take(self, name: str, *shape: int) -> Tensor:
        """A weight of a known shape.

        Raises
        ------
        ModelError
            There is none, or it has another shape.
        """
        if name not in self:
            raise ModelError(
                f"The weights in {self._folder} are incomplete (no {self._prefix}{name}): "
                "download or export them again."
            )
        tensor = self._source[self._prefix + name]
        self._taken.add(self._prefix + name)
        if tensor.shape != shape:
            raise ModelError(
                f"The weights in {self._folder} do not fit its configuration ({self._prefix}{name} has another shape): "
                "download or export them again."
            )
        return tensor.detach().to(self.device, self._dtype)

    def state(self) -> dict[str, Tensor]:
        """All of this part, as torch's modules load it."""
        names = [name for name in self._source if name.startswith(self._prefix)]
        return {name.removeprefix(self._prefix): self._source[name].to(self.device, self._dtype) for name in names}

    def untaken(self, *but: str) -> set[str]:
        """Names in the whole checkpoint that nobody has taken, except those that begin so."""
        return {name for name in self._source if name not in self._taken and not name.startswith(but)}


class _Stored(Mapping[str, Tensor]):
    """Tensors in safetensors files, each read when it is asked for."""

    def __init__(self, paths: list[Path]) -> None:
        self._places: dict[str, tuple[Any, str]] = {}
        for path in paths:
            file: Any = safe_open(path, framework="pt")
            self._places |= {_renamed(name): (file, name) for name in file.keys()}  # noqa: SIM118 (it is no mapping)

    def __getitem__(self, name: str) -> Tensor:
        file, stored = self._places[name]
        tensor: Tensor = file.get_tensor(stored)
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _renamed(name: str) -> str:
    for old, new in RENAMED:
        name = re.sub(old, new, name)
    return name


def stored(folder: Path) -> Mapping[str, Tensor]:
    """The weights in a folder as transformers saves them: one file, or several with an index.

    Raises
    ------
    ModelError
        There are none, or a file is damaged.
    """
    index = folder / INDEX
    try:
        if (folder / WEIGHTS).is_file() or not index.is_file():
            return _Stored([folder / WEIGHTS])
        files = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        return _Stored([folder / name for name in sorted(set(files))])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        raise ModelError(f"The weights in {folder} cannot be loaded: it needs a whole {WEIGHTS}.") from error
