"""Zig, a C++ compiler in a Python package: builds the native backend where there is no other, and for old systems."""

from __future__ import annotations

import os
import platform
import shlex
import sys
from pathlib import Path

PACKAGE = "ziglang>=0.13"
OLDEST_GLIBC = "2.17"
"""What the library may run on: manylinux2014, that is CentOS 7, Debian 8 and all that came later."""


def suits_this_system() -> bool:
    """Whether Zig is tried here: on Linux with the GNU C library, on processors that it has packages for."""
    gnu = platform.libc_ver()[0] == "glibc"
    return sys.platform == "linux" and gnu and platform.machine() in ("x86_64", "aarch64")


def environment(packages: Path) -> dict[str, str]:
    """What makes setuptools compile with the Zig that pip put into the folder ``packages``."""
    # A named target means any processor of that kind; the library chooses its kernels when it is loaded.
    target = f"-target {platform.machine()}-linux-gnu.{OLDEST_GLIBC}"
    zig = shlex.quote(str(packages / "ziglang" / "zig"))
    link = f"{zig} c++ {target} -shared -s"
    return {
        **os.environ,
        "CC": f"{zig} cc {target}",
        "CXX": f"{zig} c++ {target}",
        "LDSHARED": link,
        "LDCXXSHARED": link,
        "ZIG_GLOBAL_CACHE_DIR": str(packages / "cache"),
        "ZIG_LOCAL_CACHE_DIR": str(packages / "cache"),
    }
