"""Build the plug-in as VST3, CLAP and LV2: ``python plugin/make_plugin.py FOLDER``. The standard library alone.

It needs a C++ compiler and DPF, the DISTRHO Plugin Framework (Debian: dpf-source; elsewhere DPF_PATH names its folder).
Its window needs the headers of cairo and X11 besides, and pkg-config (PKG_CONFIG names another) that finds them.
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
from pathlib import Path

HERE = Path(__file__).resolve().parent
NAME = "MusicGen Streamer"
LV2 = "musicgen-streamer.lv2"
FLAGS = ["-std=gnu++17", "-O2", "-fPIC", "-fvisibility=hidden", "-pthread"]


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


def compiler() -> str:
    """A C++ compiler's name.

    Raises
    ------
    Missing
        There is none, or none of use.
    """
    if os.name == "nt":
        raise Missing("The DAW plug-in was not built: it has not been brought to Windows yet.")
    for name in (os.environ.get("CXX", ""), "c++", "g++", "clang++"):
        if name and shutil.which(name.split()[0]):
            return name
    raise Missing("The DAW plug-in was not built: there is no C++ compiler (Debian and Ubuntu: apt-get install g++).")


def build(folder: Path, *flags: str, kinds: Collection[str] = ("VST3", "CLAP", "LV2")) -> None:
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
    source, command = dpf() / "distrho", compiler().split()
    mac = platform.system() == "Darwin"
    inside = f"vst3/{NAME}.vst3/Contents/" + (f"MacOS/{NAME}" if mac else f"{platform.machine()}-linux/{NAME}.so")
    targets = {
        "VST3": inside,
        "CLAP": f"clap/{NAME}.clap",
        "LV2": f"lv2/{LV2}/musicgen_streamer.{'dylib' if mac else 'so'}",
    }
    with tempfile.TemporaryDirectory() as name:
        made = Path(name) / "made"
        shared = [*command, *FLAGS, *flags]
        window = build_window(Path(name), shared)

        def one(kind: str) -> None:
            output = made / targets[kind]
            output.parent.mkdir(parents=True, exist_ok=True)
            files = [str(HERE / "plugin.cpp"), str(source / "DistrhoPluginMain.cpp")]
            includes = ["-I", str(HERE), "-isystem", str(source)]
            strip = [] if flags else ["-s"]
            arguments = ["-shared", *strip, f"-DDISTRHO_PLUGIN_TARGET_{kind}", *includes, *files, *window]
            run([*shared, *arguments, "-o", str(output), "-ldl"])

        with ThreadPoolExecutor(2) as pool:
            list(pool.map(one, kinds))
        if "LV2" in kinds:
            describe(made / targets["LV2"])
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(made, folder)


def build_window(folder: Path, shared: list[str]) -> list[str]:
    """Build DPF's drawing; the arguments that give the plug-in a window, none where it cannot have one."""
    try:
        if platform.system() != "Linux":
            raise Missing("it has not been brought to this system yet")
        tool = os.environ.get("PKG_CONFIG", "pkg-config")
        found = subprocess.run([tool, "--cflags", "--libs", "cairo", "x11"], capture_output=True, text=True)
        if found.returncode:
            raise Missing("Debian and Ubuntu: apt-get install libcairo2-dev libx11-dev pkg-config")
    except (Missing, OSError) as error:
        print(f"The DAW plug-in is built without its window: {error}.", file=sys.stderr)
        return []
    drawing, words = dpf() / "dgl", found.stdout.split()
    cairo = ["-DDGL_CAIRO", "-DHAVE_CAIRO", "-DHAVE_DGL", "-DHAVE_X11", *words]
    includes = [drawing, drawing.parent / "distrho", drawing / "src/pugl-upstream/include"]
    arguments = [*cairo, "-w", "-DDONT_SET_USING_DGL_NAMESPACE", *(f"-I{path}" for path in includes)]

    def one(words: str) -> str:
        names = words.split()
        unit = folder / f"{names[0]}.cpp"
        unit.write_text("".join(f'#include "{drawing}/src/{name}.cpp"\n' for name in names), encoding="utf-8")
        run([*shared, *arguments, "-c", str(unit), "-o", str(unit.with_suffix(".o"))])
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


def describe(library: Path) -> None:
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
