"""Memory that a process has done with."""

import ctypes
import sys


def give_back() -> None:
    """Hand what is free back to the system: glibc would keep what loading a model needed for a moment."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
        if trim is not None:
            trim(0)
