"""What memory is free, and what a process has done with."""

import ctypes
import os
import sys
from pathlib import Path


def free_memory() -> int | None:
    """Bytes that programs can still have; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        pass
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:  # macOS: all there is, not what is free
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of glibc's mallopt
_LARGE = 2**21


def keep_little() -> None:
    """From now on large pieces go back as they are freed: glibc learns to keep up to 64 MB of them for each thread."""
    if sys.platform == "linux":
        option = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries have none
        if option is not None:
            option(_MMAP_THRESHOLD, _LARGE)
            option(_TRIM_THRESHOLD, 2 * _LARGE)


def give_back() -> None:
    """Hand what is free back to the system: glibc would keep what loading a model needed for a moment."""
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # other C libraries have none
        if trim is not None:
            trim(0)
