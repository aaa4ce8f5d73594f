"""Build the plug-in as VST3, CLAP and LV2: ``python plugin/make_plugin.py FOLDER``. The standard library alone.

It needs a C++ compiler and DPF, the DISTRHO Plugin Framework (Debian: dpf-source; elsewhere DPF_PATH names its folder).
Its window needs the headers of cairo and X11 besides, and pkg-config (PKG_CONFIG names another) that finds them.

CXX names another compiler, and with it what is built for: x86_64-w64-mingw32-g++-posix builds for Windows anywhere.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAME = "MusicGen Streamer"
LV2 = "musicgen-streamer.lv2"
FLAGS = ["-std=gnu++17", "-O2", "-fvisibility=hidden", "-pthread"]
WINDOWS = ["-static", *(f"-l{name}" for name in ("ws2_32", "winmm", "avrt", "ole32", "shell32", "uuid"))]
"""What is linked there: nothing of the compiler's that a user's machine would lack, and parts of the system."""
COMPILERS = ("c++", "g++", "clang++")
KINDS = ("VST3", "CLAP", "LV2")

DRAWING = [
    "SubWidget Application ApplicationPrivateData SubWidgetPrivateData TopLevelWidget TopLevelWidgetPrivateData Widget "
    "WidgetPrivateData Window WindowPrivateData",
    "Color Cairo EventHandlers ImageBase",
    "Geometry",
    "pugl",
]
"""What of DPF's drawing the window is made of; what is compiled together is quick to compile."""


class Missing(Exception):
    """What is not there to build with, in one sentence."""


def dpf() -> Path:
    """DPF's folder.

    Raises
    ------
    Missing
        There is none.
    """
    folder = Path(os.environ.get("DPF_PATH", "/usr/share/dpf"))
    if not (folder / "distrho" / "DistrhoPluginMain.cpp").exists():
        raise Missing(
            f"The DAW plug-in was not built: DPF is not in {folder} (Debian and Ubuntu: apt-get install dpf-source; "
            "elsewhere set DPF_PATH)."
        )
    return folder


@dataclass(frozen=True)
class Target:
    """A compiler, and the system and the processor that it builds for."""

    command: list[str]
    system: str
    machine: str

    @property
    def compile(self) -> list[str]:
        """The beginning of all its commands."""
        return [*self.command, *FLAGS, *([] if self.system == "windows" else ["-fPIC"])]

    def path(self, kind: str) -> str:
        """Where a format's library belongs, below the folder of all."""
        machine = {"aarch64": "arm64", "i386": "x86"}.get(self.machine, self.machine)
        inside, ending = {
            "linux": (f"{self.machine}-linux/{NAME}.so", "so"),
            "darwin": (f"MacOS/{NAME}", "dylib"),
            "windows": (f"{machine}-win/{NAME}.vst3", "dll"),
        }[self.system]
        places = {"VST3": f"vst3/{NAME}.vst3/Contents/{inside}", "CLAP": f"clap/{NAME}.clap"}
        return places.get(kind, f"lv2/{LV2}/musicgen_streamer.{ending}")


def compiler(named: str = "") -> Target:
    """The C++ compiler that is named, or the first one found.

    Raises
    ------
    Missing
        There is none, or none of use.
    """
    for name in [named] if named else COMPILERS:
        if shutil.which(name.split()[0]) and (found := target(name.split())):
            return found
    if named:
        raise Missing(f"The DAW plug-in was not built: CXX names {named}, which is not there or of no use here.")
    how = "Debian and Ubuntu: apt-get install g++" if os.name == "posix" else "MSYS2 and llvm-mingw have one"
    raise Missing(f"The DAW plug-in was not built: there is no C++ compiler ({how}).")


def target(command: list[str]) -> Target | None:
    """What a compiler builds for, as it tells every program; None where it does not, or imitates Microsoft's."""
    asked = [*command, "-dM", "-E", "-x", "c++", "-"]
    names = subprocess.run(asked, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout.split()
    if not names or ("_WIN32" in names and "__MINGW32__" not in names):
        return None
    machine = next((one for one in ("x86_64", "aarch64", "i386") if f"__{one}__" in names), platform.machine())
    return Target(command, "windows" if "_WIN32" in names else "darwin" if "__APPLE__" in names else "linux", machine)


def build(folder: Path, *flags: str, kinds: Collection[str] = KINDS) -> None:
    """Build formats into a folder; what was there is replaced once all are whole.

    Parameters
    ----------
    flags
        Of the compiler, besides ours. With any, the names stay in the files, for whoever looks into them.

    Raises
    ------
    Missing
        There is nothing to build with, or the compiler fails.
    """
    dpf()
    found = compiler(os.environ.get("CXX", "").strip())
    with tempfile.TemporaryDirectory() as name:
        made = Path(name) / "made"
        window = build_window(Path(name), found, flags)
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda kind: build_library(made, kind, found, flags, window), kinds))
        if "LV2" in kinds:
            describe(made / found.path("LV2"), found)
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(made, folder)


def build_library(made: Path, kind: str, found: Target, flags: Collection[str], window: Collection[str]) -> Path:
    """Build one format into its place; that place."""
    output, source = made / found.path(kind), dpf() / "distrho"
    output.parent.mkdir(parents=True, exist_ok=True)
    system = HERE / f"system_{'windows' if found.system == 'windows' else 'posix'}.cpp"
    files = [str(HERE / "plugin.cpp"), str(system), str(source / "DistrhoPluginMain.cpp")]
    includes = ["-I", str(HERE), "-isystem", str(source)]
    strip = [] if flags else ["-s"]
    arguments = ["-shared", *strip, f"-DDISTRHO_PLUGIN_TARGET_{kind}", *includes, *files, *window]
    linked = WINDOWS if found.system == "windows" else ["-ldl"]
    run([*found.compile, *flags, *arguments, "-o", str(output), *linked])
    return output


def build_window(folder: Path, found: Target, flags: Collection[str]) -> list[str]:
    """Build DPF's drawing; the arguments that give the plug-in a window, none where it cannot have one."""
    try:
        if found.system != "linux":
            raise Missing("it has not been brought to this system yet")
        tool = os.environ.get("PKG_CONFIG", "pkg-config")
        asked = subprocess.run([tool, "--cflags", "--libs", "cairo", "x11"], capture_output=True, text=True)
        if asked.returncode:
            raise Missing("Debian and Ubuntu: apt-get install libcairo2-dev libx11-dev pkg-config")
    except (Missing, OSError) as error:
        print(f"The DAW plug-in is built without its window: {error}.", file=sys.stderr)
        return []
    drawing, words = dpf() / "dgl", asked.stdout.split()
    cairo = ["-DDGL_CAIRO", "-DHAVE_CAIRO", "-DHAVE_DGL", "-DHAVE_X11", *words]
    includes = [drawing, drawing.parent / "distrho", drawing / "src/pugl-upstream/include"]
    arguments = [*cairo, "-w", "-DDONT_SET_USING_DGL_NAMESPACE", *(f"-I{path}" for path in includes)]

    def one(words: str) -> str:
        names = words.split()
        unit = folder / f"{names[0]}.cpp"
        unit.write_text("".join(f'#include "{drawing}/src/{name}.cpp"\n' for name in names), encoding="utf-8")
        run([*found.compile, *flags, *arguments, "-c", str(unit), "-o", str(unit.with_suffix(".o"))])
        return str(unit.with_suffix(".o"))

    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(one, DRAWING))
    files = [HERE / "ui.cpp", dpf() / "distrho" / "DistrhoUIMain.cpp"]
    return ["-DDISTRHO_PLUGIN_HAS_UI=1", "-isystem", str(drawing), *map(str, files), *objects, *cairo]


def run(command: list[str]) -> str:
    """What a command says.

    Raises
    ------
    Missing
        It fails.
    """
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Missing(f"The DAW plug-in was not built: {done.stderr[-600:]}")
    return done.stdout


def describe(library: Path, found: Target) -> None:
    """Have an LV2 library, or its twin for this system, write the Turtle files beside the library."""
    if found.system == {"nt": "windows"}.get(os.name, platform.system().lower()):
        return write_turtle(library)
    with tempfile.TemporaryDirectory() as name:
        twin = build_library(Path(name), "LV2", compiler(), [], [])
        write_turtle(twin)
        for path in twin.parent.glob("*.ttl"):
            text = path.read_text(encoding="utf-8").replace(f"<{twin.name}>", f"<{library.name}>")
            (library.parent / path.name).write_text(text, encoding="utf-8", newline="\n")


def write_turtle(library: Path) -> None:
    """Have an LV2 library write its Turtle files beside itself, in a process of its own."""
    code = "import ctypes, sys; ctypes.CDLL(sys.argv[1]).lv2_generate_ttl(sys.argv[2].encode())"
    command = [sys.executable, "-c", code, str(library), library.stem]
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    subprocess.run(command, cwd=library.parent, check=True, capture_output=True, env=environment)
    for path in library.parent.glob("*.ttl"):  # properties of another maker's, which no specification here knows
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(one for one in lines if not one.lstrip().startswith("mod:")), encoding="utf-8")


def build_if_possible(folder: Path) -> None:
    """As `build`; where it cannot be, one sentence says why."""
    try:
        build(folder)
    except (Missing, OSError, subprocess.SubprocessError, AttributeError) as error:
        print(error, file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, usage="%(prog)s FOLDER [FLAGS OF THE COMPILER ...]")
    parser.add_argument("folder", type=Path)
    asked, flags = parser.parse_known_args()
    try:
        build(asked.folder, *flags)
    except Missing as missing:
        sys.exit(str(missing))
