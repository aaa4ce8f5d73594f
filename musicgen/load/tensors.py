"""A checkpoint's weights by name: read when they are asked for, and held against what its configuration says."""

from __future__ import annotations

import copy
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from musicgen.errors import ModelError
from musicgen.load.hub import read_json, unreadable

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
# What weight norm was called in torch's older files, Meta's among them.
RENAMED = (
    (r"\.weight_g$", ".parametrizations.weight.original0"),
    (r"\.weight_v$", ".parametrizations.weight.original1"),
)
# What training wraps a model in: FSDP and torch.compile around any part of it, Dora and DDP around the whole.
AROUND_PARTS = re.compile(r"(?<![^.])(?:_fsdp_wrapped_module\.|_orig_mod\.)+")
AROUND_ALL = re.compile(r"^(?:model\.|module\.)+")


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
        self.check_shape(name, shape)
        self._taken.add(self._prefix + name)
        return self.read(self._prefix + name)

    def check_shape(self, name: str, shape: tuple[int, ...]) -> None:
        """Refuse a weight that has another shape than this, before it is read."""
        if _shape(self._source, self._prefix + name) != tuple(shape):
            raise ModelError(
                f"The weights in {self._folder} do not fit its configuration ({self._prefix}{name} has another shape): "
                "download or export them again."
            )

    def state(self) -> dict[str, Tensor]:
        """All of this part, as torch's modules load it.

        Raises
        ------
        ModelError
            Something of it is no weight.
        """
        names = [name for name in self._source if name.startswith(self._prefix)]
        counters = ("position_ids", "token_type_ids")  # of whole numbers rightly; older files keep them
        return {name.removeprefix(self._prefix): self.read(name) for name in names if not name.endswith(counters)}

    def read(self, name: str) -> Tensor:
        """A weight by its whole name, brought to device and type.

        Raises
        ------
        ModelError
            It is none: whole numbers, or values that are no numbers.
        """
        stored = self._source[name]
        if not stored.is_floating_point():
            kind = str(stored.dtype).removeprefix("torch.")
            raise ModelError(f"The weights in {self._folder} are damaged ({name} holds {kind}): export them again.")
        tensor = stored.detach().to(self.device, self._dtype)
        if not math.isfinite(float(tensor.sum())) and not bool(tensor.isfinite().all()):
            raise ModelError(
                f"The weights in {self._folder} are damaged ({name} has values that are no numbers, NaN or infinity): "
                "download or export them again."
            )
        return tensor

    def on(self, source: Mapping[str, Tensor]) -> Tensors:
        """The same view of other weights of these names."""
        return Tensors(source, self._folder, self.device, self._dtype)

    @property
    def source(self) -> Mapping[str, Tensor]:
        """All of the weights, as they are stored."""
        return self._source

    def untaken(self, *but: str) -> set[str]:
        """Names in the whole checkpoint that nobody has taken, except those that begin so."""
        return {name for name in self._source if name not in self._taken and not name.startswith(but)}


class Files(Mapping[str, Tensor]):
    """Tensors in safetensors files, each read when it is asked for."""

    def __init__(self, paths: list[Path]) -> None:
        self._places: dict[str, tuple[Any, str]] = {}
        for path in paths:
            try:
                file: Any = safe_open(path, framework="pt")
            except (OSError, ValueError, SafetensorError) as error:
                raise unreadable(path, f"cannot be read, so the model needs a whole {path.name}") from error
            self._places |= {name: (file, stored) for name, stored in unwrapped(file.keys(), path).items()}

    def __getitem__(self, name: str) -> Tensor:
        file, stored = self._places[name]
        tensor: Tensor = file.get_tensor(stored)
        return tensor

    def shape(self, name: str) -> tuple[int, ...]:
        """Of a tensor, without reading it."""
        file, stored = self._places[name]
        return tuple(file.get_slice(stored).get_shape())

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _shape(source: Mapping[str, Tensor], name: str) -> tuple[int, ...]:
    return source.shape(name) if isinstance(source, Files) else tuple(source[name].shape)


def unwrapped(names: Iterable[str], path: Path) -> dict[str, str]:
    """Weights' names without what training has wrapped the model in, and how they are called in the file.

    Raises
    ------
    ModelError
        Two of them are then the same.
    """
    plain = [(_renamed(name), name) for name in names]
    twice = [name for name, count in Counter(name for name, _ in plain).items() if count > 1]
    if twice:
        raise ModelError(f"{path} holds {min(twice)} twice, in one wrapper and in another: export the model again.")
    return dict(plain)


def _renamed(name: str) -> str:
    name = AROUND_ALL.sub("", AROUND_PARTS.sub("", name))
    for old, new in RENAMED:
        name = re.sub(old, new, name)
    return name


def weight_files(folder: Path) -> list[Path]:
    """The files with the weights in a folder as transformers saves them: one, or several with an index.

    Raises
    ------
    ModelError
        There are none, or the index names something that is not in the folder.
    """
    if (folder / WEIGHTS).is_file() or not (folder / INDEX).is_file():
        if not (folder / WEIGHTS).is_file():
            raise ModelError(f"{folder} holds no weights: it needs a {WEIGHTS}.")
        return [folder / WEIGHTS]
    places = read_json(folder / INDEX).get("weight_map")
    names = (
        set(places.values()) if isinstance(places, dict) and all(isinstance(n, str) for n in places.values()) else ()
    )
    if not names:
        raise ModelError(f"{folder / INDEX} is no index of weights: download or export the model again.")
    for name in sorted(names):
        if name in ("", ".", "..") or re.search(r"[/\\\0:]", name):
            raise ModelError(f"{folder / INDEX} names a file outside its folder, so it is not followed.")
        if not (folder / name).is_file():
            raise ModelError(f"{folder / name} is missing, which {WEIGHTS} is in parts: download the model again.")
    return [folder / name for name in sorted(names)]


def stored(folder: Path) -> Mapping[str, Tensor]:
    """The weights in a folder as transformers saves them.

    Raises
    ------
    ModelError
        There are none, or a file is damaged.
    """
    return Files(weight_files(folder))
