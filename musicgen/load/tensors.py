"""A checkpoint's weights by name: read when they are asked for, and held against what its configuration says.

They come as numpy's arrays. torch's tensors are taken as they are where a checkpoint has nothing else: AudioCraft's
pickles, transformers' models, and safetensors of types that numpy lacks.
"""

from __future__ import annotations

import copy
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from safetensors import SafetensorError, safe_open

from musicgen.arrays import Array, as_numpy, widened
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
NUMPYS = {
    **{f"F{8 * size}": f"f{size}" for size in (2, 4, 8)},
    **{f"{kind}{8 * size}": f"{kind.lower()}{size}" for kind in "IU" for size in (1, 2, 4, 8)},
    "BOOL": "?",
}
"""Of safetensors' names of types, those that numpy has numbers for, and what numpy calls them."""


class Tensors:
    """Part of a checkpoint's weights.

    Parameters
    ----------
    source
        All of them by name.
    folder
        They are from, for messages.
    dtype
        What every weight is brought to.

    Attributes
    ----------
    prefix
        What the names of this part begin with in the whole.
    """

    def __init__(
        self, source: Mapping[str, Array], folder: Path | str = "memory", dtype: DTypeLike = np.float32
    ) -> None:
        self._source = source
        self._folder = folder
        self._dtype = np.dtype(dtype)
        self.prefix = ""
        self._taken: set[str] = set()

    def part(self, name: str) -> Tensors:
        """The weights whose names begin so, known by the rest of their names."""
        part = copy.copy(self)
        part.prefix += f"{name}."
        return part

    def __contains__(self, name: str) -> bool:
        return self.prefix + name in self._source

    def take(self, name: str, *shape: int, stored: bool = False, mapped: bool = False) -> NDArray[Any]:
        """A weight of a known shape; ``stored`` in the type that its file has it in, where numpy has that.

        ``mapped`` leaves it in its file besides, where that can be: of a table only the rows in use take memory.

        Raises
        ------
        ModelError
            There is none, or it has another shape.
        """
        if name not in self:
            raise ModelError(
                f"The weights in {self._folder} are incomplete (no {self.prefix}{name}): download or export them again."
            )
        self.check_shape(name, shape)
        name = self.prefix + name
        self._taken.add(name)
        if mapped and isinstance(self._source, Files):
            self._checked(name, self._source.mapped(name))  # a view of its own: its pages go with it
            return as_numpy(self._source.mapped(name))
        return self.read(name, stored=stored or mapped)

    def check_shape(self, name: str, shape: tuple[int, ...]) -> None:
        """Refuse a weight that has another shape than this, before it is read."""
        if _shape(self._source, self.prefix + name) != tuple(shape):
            raise ModelError(
                f"The weights in {self._folder} do not fit its configuration ({self.prefix}{name} has another shape): "
                "download or export them again."
            )

    def state(self) -> dict[str, NDArray[Any]]:
        """All of this part.

        Raises
        ------
        ModelError
            Something of it is no weight.
        """
        names = [name for name in self._source if name.startswith(self.prefix)]
        counters = ("position_ids", "token_type_ids")  # of whole numbers rightly; older files keep them
        return {name.removeprefix(self.prefix): self.read(name) for name in names if not name.endswith(counters)}

    def read(self, name: str, *, stored: bool = False) -> NDArray[Any]:
        """A weight by its whole name, brought to the type unless it is to stay as it is stored.

        Raises
        ------
        ModelError
            It is none: whole numbers, or values that are no numbers.
        """
        return self._checked(name, self._source[name], stored)

    def _checked(self, name: str, found: Array, stored: bool = True) -> NDArray[Any]:
        kind = str(found.dtype).removeprefix("torch.")
        if not kind.removeprefix("b").startswith("float"):
            raise ModelError(f"The weights in {self._folder} are damaged ({name} holds {kind}): export them again.")
        array = as_numpy(found)
        weight = array if stored else widened(array).astype(self._dtype, copy=False)
        if not _finite(weight):
            raise ModelError(
                f"The weights in {self._folder} are damaged ({name} has values that are no numbers, NaN or infinity): "
                "download or export them again."
            )
        return weight

    def on(self, source: Mapping[str, Array]) -> Tensors:
        """The same view of other weights of these names."""
        return Tensors(source, self._folder, self._dtype)

    def close(self) -> None:
        """Give the memory of mapped files back. What is asked for later opens them again."""
        if isinstance(self._source, Files):
            self._source.close()

    @property
    def source(self) -> Mapping[str, Array]:
        """All of the weights, as they are stored."""
        return self._source

    def untaken(self, *but: str) -> set[str]:
        """Names in the whole checkpoint that nobody has taken, except those that begin so."""
        return {name for name in self._source if name not in self._taken and not name.startswith(but)}


class Files(Mapping[str, Array]):
    """Tensors in safetensors files, which are mapped; each is read when it is asked for."""

    def __init__(self, paths: list[Path]) -> None:
        self._places: dict[str, tuple[Path, str]] = {}
        self._opened: dict[tuple[Path, str], Any] = {}
        for path in paths:
            try:
                names = self._file(path).keys()
            except (OSError, ValueError, SafetensorError) as error:
                raise unreadable(path, f"cannot be read, so the model needs a whole {path.name}") from error
            self._places |= {name: (path, stored) for name, stored in unwrapped(names, path).items()}

    def _file(self, path: Path, framework: str = "np") -> Any:
        opened = self._opened.get((path, framework))
        if opened is None:  # or closed meanwhile, by another thread that has done with it
            opened = self._opened[path, framework] = safe_open(path, framework=framework)
        return opened

    def close(self) -> None:
        """Give the files' memory back. What is asked for later opens them again."""
        self._opened.clear()

    def __getitem__(self, name: str) -> Array:
        path, stored = self._places[name]
        kind = str(self._file(path).get_slice(stored).get_dtype())
        tensor: Array = self._file(path, "np" if kind in NUMPYS else "pt").get_tensor(stored)  # torch has more types
        return tensor

    def mapped(self, name: str) -> Array:
        """A tensor where it lies in its file, to be read only; a copy of one of a type that numpy lacks."""
        path, stored = self._places[name]
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            entry = json.loads(file.read(size))[stored]
        kind = NUMPYS.get(entry["dtype"])
        if kind is None:
            return self[name]
        place = 8 + size + entry["data_offsets"][0]
        return np.asarray(np.memmap(path, np.dtype(kind).newbyteorder("<"), "r", place, tuple(entry["shape"])))

    def shape(self, name: str) -> tuple[int, ...]:
        """Of a tensor, without reading it."""
        path, stored = self._places[name]
        return tuple(self._file(path).get_slice(stored).get_shape())

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def _finite(array: NDArray[Any]) -> bool:
    if array.dtype == np.float16:  # which numpy would add up slowly
        return bool((array.view(np.uint16) & 0x7C00 != 0x7C00).all())
    with np.errstate(all="ignore"):
        return math.isfinite(float(array.sum())) or bool(np.isfinite(array).all())


def _shape(source: Mapping[str, Array], name: str) -> tuple[int, ...]:
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


def stored(folder: Path) -> Mapping[str, Array]:
    """The weights in a folder as transformers saves them.

    Raises
    ------
    ModelError
        There are none, or a file is damaged.
    """
    return Files(weight_files(folder))
