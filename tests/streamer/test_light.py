"""nano plays and renders without torch, transformers and scipy, whose imports take seconds and much memory."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile

from musicgen.backends import obstacle

HEAVY = {"torch", "torchaudio", "transformers", "scipy", "pyloudnorm"}
PATIENCE = 300  # seconds, on a machine that has much else to do
# Python runs it in every process that inherits the environment, however that ends
LISTING = """
import os, sys

class Listing:
    def __init__(self):
        self.file = open(os.path.join(os.environ["IMPORTS"], str(os.getpid())), "a", buffering=1)

    def find_spec(self, name, path=None, target=None):
        self.file.write(name + "\\n")

sys.meta_path.insert(0, Listing())
"""

needs_native = pytest.mark.skipif(bool(obstacle("native")), reason="the native backend was not built")


class Listed:
    """The command line, and what each of its processes imports."""

    def __init__(self, folder: Path) -> None:
        (folder / "sitecustomize.py").write_text(LISTING)
        self._imports = folder / "imports"
        self._imports.mkdir()
        self.environment = os.environ | {"PYTHONPATH": str(folder), "IMPORTS": str(self._imports)}

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "streamer.cli.start", *map(str, arguments)]

    def processes(self, module: str) -> dict[int, set[str]]:
        """Those that have imported a module: number -> modules."""
        found = {int(path.name): set(path.read_text().split()) for path in self._imports.iterdir()}
        return {number: modules for number, modules in found.items() if module in modules}

    def heavy(self) -> set[str]:
        everything = set().union(*self.processes("streamer").values())
        return HEAVY & {name.partition(".")[0] for name in everything}


@pytest.fixture
def listed(tmp_path: Path) -> Listed:
    return Listed(tmp_path)


@pytest.fixture
def passage(tmp_path: Path) -> Path:
    """A second of a tone at another rate than nano's."""
    path = tmp_path / "passage.wav"
    soundfile.write(path, 0.3 * np.sin(np.arange(44100) / 20), 44100)
    return path


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["render", "{}.wav", "--seconds", 0.1], marks=needs_native),
        pytest.param(["render", "{}.wav", "--seconds", 1.2, "--continue-from", "passage.wav"], marks=needs_native),
        ["play", "--help"],
        ["--help"],
        ["devices"],
        ["models", "--json"],
    ],
    ids=lambda arguments: " ".join(map(str, arguments[:2])),
)
def test_a_command_that_needs_no_torch_imports_none(
    tmp_path: Path, passage: Path, listed: Listed, arguments: list[object]
) -> None:
    line = listed.command(*(str(word).format(tmp_path / "music") for word in arguments))
    ended = subprocess.run(
        line, cwd=passage.parent, env=listed.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert ended.returncode == 0 or arguments == ["devices"], ended.stderr[-2000:]  # a machine may have none
    assert len(listed.processes("streamer.cli.main")) == 1
    assert not listed.heavy()


@needs_native
def test_none_of_the_processes_that_play_has_torch(tmp_path: Path, passage: Path, listed: Listed) -> None:
    """The instrument, the engine that goes on from a sound, its spare: neither among their imports nor in memory."""
    beginning = ("--continue-from", passage)
    line = listed.command("play", "--wav-out", tmp_path / "music.wav", "--osc-port", 0, *beginning)
    with subprocess.Popen(line, env=listed.environment, stdout=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + PATIENCE
            mapped: dict[int, set[str]] = {}
            while sum("_native" in own for own in mapped.values()) < 2:
                assert time.monotonic() < end
                time.sleep(0.2)
                mapped = libraries(process.pid)
        finally:
            process.terminate()
    assert process.pid in listed.processes("streamer.instrument")
    assert not listed.heavy()
    assert not [own for own in mapped.values() if {"libtorch", "libtorch_cpu"} & own]


def libraries(number: int) -> dict[int, set[str]]:
    """What lies in the memory of a process and all that came of it: number -> names of files."""
    mapped = {}
    for one in (psutil.Process(number), *psutil.Process(number).children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            mapped[one.pid] = {Path(own.path).name.partition(".")[0] for own in one.memory_maps()}
    return mapped
