"""Make `.venv` ready to play or to test: the standard library alone, for any system with Python >= 3.10.

Usage: python .ci/setup.py play|test|train [--torch-index URL]

`play` installs the package, and PortAudio where a Debian-like system lets us; `test` adds the test tools and the
real parts the tests talk to (JACK's dummy driver, liblo's tools, Pure Data); `train` adds what renders the music.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

EXTRAS = {"play": "", "test": "[test,training]", "train": "[training]"}
DEBIAN = {
    "play": ["libportaudio2"],
    "test": ["libportaudio2", "jackd2", "liblo-tools", "puredata-core", "fluidr3mono-gm-soundfont"],
    "train": ["fluidr3mono-gm-soundfont"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("purpose", choices=sorted(EXTRAS))
    parser.add_argument("--torch-index", default="", help="an extra package index, e.g. one of CPU-only torch wheels")
    options = parser.parse_args()
    if sys.version_info < (3, 10):  # noqa: UP036 (this very check is for older ones)
        sys.exit(f"Python 3.10 or newer is needed, this is {platform.python_version()}: make PYTHON=python3.12 ...")
    install_system_packages(options.purpose)
    stamp = VENV / f".ready-{options.purpose}"
    fingerprint = wanted(options.purpose)
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == fingerprint:
        return
    install_python_packages(options.purpose, options.torch_index)
    stamp.write_text(fingerprint)


def wanted(purpose: str) -> str:
    """What an installation depends on: when it changes, the next call installs again."""
    native = sorted((ROOT / "musicgen/backends/native").iterdir())
    files = [ROOT / "pyproject.toml", ROOT / "constraints.txt", ROOT / "setup.py", *native, Path(__file__)]
    return purpose + hashlib.sha256(b"".join(f.read_bytes() for f in files)).hexdigest()


def install_python_packages(purpose: str, torch_index: str) -> None:
    if not PYTHON.exists():
        print("Making .venv", flush=True)
        made = subprocess.run([sys.executable, "-m", "venv", str(VENV)])
        if made.returncode:
            shutil.rmtree(VENV, ignore_errors=True)
            sys.exit("Python could not make a virtual environment. On Debian and Ubuntu: apt-get install python3-venv")
    print("Installing Python packages (a few minutes the first time)", flush=True)
    index = ["--extra-index-url", torch_index] if torch_index else []
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, *index, "-c", "constraints.txt", "-e", f".{EXTRAS[purpose]}"])
    if purpose != "play":
        # Its declared dependency pyaudio needs PortAudio's headers and a compiler; rendering to arrays uses neither.
        run([*pip, "--no-deps", "tinysoundfont>=0.3.7"])


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
    print("Installing", " ".join(missing), flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = [*sudo, "apt-get", "install", "-y", "-q", "--no-install-recommends", *missing]
    for command in ([*sudo, "apt-get", "update", "-q"], install):
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        print(f"apt-get could not install them: {done.stderr.strip().splitlines()[-1:]}. What needs them will say so.")


def installed(package: str) -> bool:
    asked = subprocess.run(["dpkg-query", "-W", "-f=${Status}", package], capture_output=True, text=True)
    return asked.stdout.startswith("install ok installed")


def run(command: list[str]) -> None:
    if subprocess.run(command, cwd=ROOT).returncode:
        sys.exit(f"This command failed, its own words stand above: {' '.join(command)}")


if __name__ == "__main__":
    main()
