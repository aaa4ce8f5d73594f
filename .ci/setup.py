"""Make `.venv` ready to play or to test: the standard library alone, for any system with Python >= 3.10.

Usage: python .ci/setup.py play|test|test-all|train [--torch-index URL]

`play` installs the package, and PortAudio where a Debian-like system lets us; `test` adds the test tools, a compiler
and the light real parts that the tests talk to (JACK's dummy driver, liblo's tools, Pure Data, Opus); `test-all` adds
the heavy ones (Chromium, SuperCollider, Icecast, FFmpeg, a plug-in host, an ARM emulator, wine, Ray); `train` adds what
renders the music.

Every step is one line on the terminal. What pip and apt-get say goes into a log, whose end is shown when a step fails.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import zig

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
LOG = ROOT / "build" / "setup.log"
TAIL = 15  # lines of the log that are shown when a step fails

EXTRAS = {"play": "", "test": "[test,training]", "test-all": "[test,training,browser,daw,ray]", "train": "[training]"}
TESTS = ["test", "test-all"]
SERVES = {"play": list(EXTRAS), "test": TESTS, "test-all": ["test-all"], "train": ["train", *TESTS]}
"""Which installations have what a purpose needs."""
SOUNDFONT = "fluidr3mono-gm-soundfont"
LIGHT = ["libportaudio2", "g++", "dbus-daemon", "iproute2", "jackd2", "liblo-tools", "opus-tools", "puredata-core"]
LIGHT += [SOUNDFONT, "dpf-source", "lv2-dev", "sordi"]  # the last three build and check the DAW plug-in
LIGHT += ["liblilv-0-0"]  # hosts LV2 effects
HEAVY = ["chromium", "icecast2", "ffmpeg", "supercollider-language", "g++-aarch64-linux-gnu", "qemu-user"]
HEAVY += ["zam-plugins", "dragonfly-reverb"]  # effects to host
HEAVY += ["jalv", "ardour", "libcairo2-dev", "libx11-dev", "pkg-config"]  # hosts, and the plug-in's window
HEAVY += ["xvfb", "xdotool"]  # a screen that nobody sees, and a hand on it
HEAVY += ["g++-mingw-w64-x86-64-posix", "wine", "wine64"]  # build and run the plug-in for Windows
DEBIAN = {"play": ["libportaudio2"], "test": LIGHT, "test-all": LIGHT + HEAVY, "train": [SOUNDFONT]}

PIP = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("purpose", choices=list(EXTRAS))
    parser.add_argument("--torch-index", default="", help="an extra package index, e.g. one of CPU-only torch wheels")
    options = parser.parse_args()
    if sys.version_info < (3, 10):  # noqa: UP036 (this very check is for older ones)
        sys.exit(f"Python 3.10 or newer is needed, this is {platform.python_version()}: make PYTHON=python3.12 ...")
    LOG.parent.mkdir(exist_ok=True)
    LOG.write_bytes(b"")
    install_system_packages(options.purpose)
    if PYTHON.exists() and any(stands(purpose) for purpose in SERVES[options.purpose]):
        return
    make_environment()
    install_python_packages(options.purpose, options.torch_index)
    stamp(options.purpose).write_text(wanted())


def stamp(purpose: str) -> Path:
    """Where an installation notes what it was made from."""
    return VENV / f".ready-{purpose}"


def stands(purpose: str) -> bool:
    """Whether this installation was made, and from what is here now."""
    return stamp(purpose).exists() and stamp(purpose).read_text() == wanted()


def wanted() -> str:
    """What an installation depends on: when it changes, the next call installs again."""
    native = sorted((ROOT / "musicgen/backends/native").iterdir())
    plugin = sorted(path for path in (ROOT / "plugin").iterdir() if path.is_file())
    files = [ROOT / "pyproject.toml", ROOT / "constraints.txt", ROOT / "setup.py", *native, *plugin, Path(__file__)]
    # A compiler that came after the installation is put to use.
    compiler = "" if library_built() or not compiler_found() else "compiler"
    return compiler + hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()


def make_environment() -> None:
    if PYTHON.exists():
        return
    if not step("Making .venv", [sys.executable, "-m", "venv", str(VENV)]):
        shutil.rmtree(VENV, ignore_errors=True)
        sys.exit("Python could not make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv")


def install_python_packages(purpose: str, torch_index: str) -> None:
    index = ["--extra-index-url", torch_index] if torch_index else []
    for library in built_libraries():  # of older sources, perhaps: one that cannot be built anew must not stay
        library.unlink()
    ours = [*PIP, *index, "-c", "constraints.txt", "-e"]
    must("Installing Python packages (minutes, the first time)", [*ours, f".{EXTRAS[purpose]}"])
    if purpose != "play":
        # Its declared dependency pyaudio needs PortAudio's headers and a compiler; rendering to arrays uses neither.
        must("Installing tinysoundfont", [*PIP, "--no-deps", "tinysoundfont>=0.3.7"])
    if not library_built() and not build_with_zig():
        must("Installing ONNX Runtime, the next fastest", [*ours, ".[onnx]"])


def build_with_zig() -> bool:
    """The native backend without a compiler on this machine: Zig's is fetched, used and removed."""
    if not zig.suits_this_system():
        return False
    packages = ROOT / "build" / "zig"
    fetch = [*PIP, "--target", str(packages), zig.PACKAGE]
    build = [*PIP, "--no-deps", "-e", "."]
    step("No C++ compiler found: building the native backend with Zig", fetch, build, env=zig.environment(packages))
    shutil.rmtree(packages, ignore_errors=True)
    return library_built()


def compiler_found() -> bool:
    return any(shutil.which(name) for name in ("c++", "g++", "clang++"))


def built_libraries() -> list[Path]:
    return [*(ROOT / "musicgen/backends").glob("_native*.so"), *(ROOT / "musicgen/backends").glob("_native*.pyd")]


def library_built() -> bool:
    return bool(built_libraries())


def install_system_packages(purpose: str) -> None:
    """PortAudio and the tests' real parts: installed where apt-get may be used, else named with the command to type."""
    if platform.system() == "Darwin" or os.name == "nt":
        return  # sounddevice's wheels carry PortAudio there
    if shutil.which("dpkg-query") is None:
        if purpose == "play":
            print("Sound needs PortAudio: install it with your package manager (portaudio), if it is not there yet.")
        return
    missing = [name for name in DEBIAN[purpose] if not installed(name)]
    if not missing:
        return
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]
    if sudo and (shutil.which("sudo") is None or subprocess.run([*sudo, "true"], capture_output=True).returncode):
        print(f"Some parts need you: type   sudo apt-get install {' '.join(missing)}   and run this again.", flush=True)
        return
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    update = [*sudo, "apt-get", "update", "-q"]
    install = [*sudo, "apt-get", "install", "-y", "-q", "--no-install-recommends", *missing]
    if not step(f"Installing {' '.join(missing)}", update, install, env=environment):
        print(f"{tail()}\napt-get could not install them. What needs them will say so.", flush=True)


def installed(package: str) -> bool:
    asked = subprocess.run(["dpkg-query", "-W", "-f=${Status}", package], capture_output=True, text=True)
    return asked.stdout.startswith("install ok installed")


def must(what: str, command: Sequence[str]) -> None:
    """A step without which nothing works."""
    if not step(what, command):
        sys.exit(f"{tail()}\nThat failed; the whole story is in {LOG}. The command was: {' '.join(command)}")


def step(what: str, *commands: Sequence[str], env: Mapping[str, str] | None = None) -> bool:
    """Run commands up to the first that fails, told in one line; their own words go into the log."""
    print(f"{what} ...", end="", flush=True)
    start = time.monotonic()
    with LOG.open("ab") as log:
        done = all(
            subprocess.run(command, cwd=ROOT, env=env, stdout=log, stderr=log, stdin=subprocess.DEVNULL).returncode == 0
            for command in commands
        )
    print(f" {time.monotonic() - start:.0f} s" if done else " failed", flush=True)
    return done


def tail() -> str:
    return "\n".join(LOG.read_text(errors="replace").splitlines()[-TAIL:])


if __name__ == "__main__":
    main()
