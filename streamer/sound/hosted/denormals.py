"""Numbers too small to be heard as zeros: a reverb that dies away would take ten times its time over them."""

from __future__ import annotations

import ctypes
import ctypes.util
import platform
import sys

_FENV_BYTES = 64  # more than any C library's fenv_t has
_PLACES = {"x86_64": (28, 0x8040), "aarch64": (0, 1 << 24)}
"""By machine: where in Linux's fenv_t the processor's control word lies, and its bits for zeros in and out."""


def flush_denormals() -> None:
    """Have the calling thread's floating-point unit do so, where we know how."""
    place = _PLACES.get(platform.machine())
    library = ctypes.util.find_library("m")
    if place is None or library is None or not sys.platform.startswith("linux"):
        return
    offset, bits = place
    maths = ctypes.CDLL(library)
    held = ctypes.create_string_buffer(_FENV_BYTES)
    if maths.fegetenv(held) == 0:
        word = ctypes.c_uint32.from_buffer(held, offset)
        word.value |= bits
        maths.fesetenv(held)
