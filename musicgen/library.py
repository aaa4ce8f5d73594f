"""The native library: C++ kernels that several rooms call, each with signatures of its own for its functions."""

from __future__ import annotations

import ctypes
import functools
import importlib.machinery
from pathlib import Path

from musicgen.errors import ModelError

NEWEST = "native_score"
"""The function that came last: a library without it was built by an older version of this package."""
ANOTHER_VERSION = (
    "The native library is of another version than this package: build it again with "
    "`python setup.py build_ext --inplace`, or install the package again."
)


def library_path() -> Path | None:
    """Where the built library is, the newest where there are several; None where it was not built."""
    folder = Path(__file__).parent / "backends"
    paths = [folder / f"_native{suffix}" for suffix in importlib.machinery.EXTENSION_SUFFIXES]
    return max((path for path in paths if path.exists()), key=lambda path: path.stat().st_mtime, default=None)


def load_library() -> ctypes.CDLL:
    """The library, loaded once.

    Raises
    ------
    ModelError
        It was not built, or by an older version.
    """
    path = library_path()
    if path is None:
        raise ModelError(
            "The native backend was not built: install a C++ compiler (GCC or Clang) and install this package again."
        )
    loaded = _loaded(path)
    if not hasattr(loaded, NEWEST):
        raise ModelError(ANOTHER_VERSION)
    return loaded


@functools.cache
def _loaded(path: Path) -> ctypes.CDLL:
    return ctypes.CDLL(str(path))
