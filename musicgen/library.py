"""Where the native library lies: C++ kernels that several rooms call, each with signatures of its own."""

from __future__ import annotations

import importlib.machinery
from pathlib import Path


def library_path() -> Path | None:
    """Where the built library is, the newest where there are several; None where it was not built."""
    folder = Path(__file__).parent / "backends"
    paths = [folder / f"_native{suffix}" for suffix in importlib.machinery.EXTENSION_SUFFIXES]
    return max((path for path in paths if path.exists()), key=lambda path: path.stat().st_mtime, default=None)
