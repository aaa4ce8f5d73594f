"""Make ``import torchaudio`` work where its compiled extension does not fit the installed torch.

The registries offer torchaudio built for one torch and one CUDA only. Beside another torch (a CPU build, a newer one)
its shared library cannot be loaded and the whole package fails to import, and transformers with it, which imports
torchaudio wherever it finds it. Nothing used here needs the compiled part.

torchaudio takes a while to import and most uses go without, so it is not tried beforehand: :func:`forgive` sees to it
that an import that comes, from whomever, is forgiven.
"""

from __future__ import annotations

import importlib.abc
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import NoReturn

_EXTENSION = "torchaudio._extension"


def forgive() -> None:
    """From now on torchaudio is imported without its compiled extension where that cannot be loaded."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder(importlib.abc.MetaPathFinder):
    """Finds torchaudio where Python would; what loads it then tries once more with the extension put aside."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != "torchaudio":
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module
            spec.loader.exec_module = partial(_execute, execute)  # type: ignore[method-assign]
        return spec


def _execute(execute: Callable[[ModuleType], None], module: ModuleType) -> None:
    try:
        execute(module)
    except OSError:  # what torch.ops.load_library raises for a library it cannot load
        _put_extension_aside()
        execute(module)


def _put_extension_aside() -> None:
    """Stand in for ``torchaudio._extension`` with what that module holds in a build without compiled parts."""
    extension = ModuleType(_EXTENSION)
    extension.__dict__.update(_IS_TORCHAUDIO_EXT_AVAILABLE=False, _IS_ALIGN_AVAILABLE=False, fail_if_no_align=_refuse)
    for name in [name for name in sys.modules if name.startswith("torchaudio.")]:
        del sys.modules[name]  # left behind by the failed attempt
    sys.modules[_EXTENSION] = extension


def _refuse(_function: object) -> Callable[..., NoReturn]:
    def unavailable(*_arguments: object, **_options: object) -> NoReturn:
        raise RuntimeError("forced alignment needs a torchaudio built for the installed torch")

    return unavailable
