"""An engine for plug-ins, in a process of its own, that all tests of a module share."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamer.surfaces.bridge import endpoint


@contextlib.contextmanager
def engine(folder: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """One that serves from a folder, on a free OSC port, for as long as the test likes."""
    command = [sys.executable, "-m", "streamer.surfaces.bridge", "--home", str(folder), "--osc-port", "0", *options]
    process = subprocess.Popen(command)
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an engine that runs."""
    folder = tmp_path_factory.mktemp("bridge")
    with engine(folder):
        yield folder


@pytest.fixture
def address(home: Path) -> Callable[[], tuple[int, str]]:
    """Port and token of the engine, once it has written them."""

    def found() -> tuple[int, str]:
        fields = endpoint.read(home / endpoint.RUNNING)
        return int(fields["port"]), fields["token"]

    return found
