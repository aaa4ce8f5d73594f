"""What the plug-in's tests share: the built plug-in, an engine, hosts."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np
import psutil
import pytest
from pythonosc.udp_client import SimpleUDPClient

from streamer.sound.dynamics import Samples
from streamer.surfaces.bridge import endpoint
from streamer.surfaces.bridge.install import BUILT
from tests.streamer.bridge.client import Client
from tests.streamer.bridge.conftest import engine

PATIENCE = 120.0  # seconds
HOST = Path(__file__).parent / "clap_host.cpp"
MAKE = Path(__file__).parents[2] / "plugin" / "make_plugin.py"


@pytest.fixture(scope="session")
def built() -> Path:
    """The folder of the built plug-in."""
    if not BUILT.is_dir():
        pytest.skip("the plug-in is not built: g++ and dpf-source were not there")
    return BUILT


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of an engine that is ready."""
    folder = tmp_path_factory.mktemp("home")
    with engine(folder):
        client = Client.of(folder)
        client.until(lambda: bool(client.welcome))
        client.close()
        yield folder


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """What a host needs to be told."""
    return {**os.environ, endpoint.HOME: str(home)}


Render = Callable[..., tuple[Samples, dict[str, float]]]


def plugin_maker() -> ModuleType:
    """plugin/make_plugin.py, which is no module of a package."""
    spec = importlib.util.spec_from_file_location("make_plugin", MAKE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


def build_host(folder: Path, *flags: str) -> Path:
    """Build the CLAP host into a folder."""
    dpf = Path(os.environ.get("DPF_PATH", "/usr/share/dpf")) / "distrho" / "src"
    if shutil.which("g++") is None or not (dpf / "clap").is_dir():
        pytest.skip("the CLAP host is not built: g++ and dpf-source are not there")
    program = folder / "clap_host"
    subprocess.run(["g++", "-std=c++17", *flags, "-isystem", str(dpf), str(HOST), "-o", program, "-ldl"], check=True)
    return program


@pytest.fixture(scope="session")
def host(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A CLAP host, built."""
    return build_host(tmp_path_factory.mktemp("host"))


@pytest.fixture
def render(host: Path, built: Path, environment: dict[str, str], tmp_path: Path) -> Render:
    """Render samples of the CLAP, as fast as they come; its parameters afterwards."""
    return renderer(host, built, environment, tmp_path)


def renderer(
    host: Path,
    built: Path,
    environment: dict[str, str],
    folder: Path,
    before: Sequence[str] = (),
    named: Callable[[Path], str] = str,
) -> Render:
    """As the fixture `render`, for a host and a plug-in that were built in another way, or that another program runs.

    Parameters
    ----------
    before
        Of the command: what runs the host.
    named
        How the host names a file.
    """

    def do(block: int, samples: int, *options: str, rate: int = 48000) -> tuple[Samples, dict[str, float]]:
        output = folder / "sound"
        plugin = next((built / "clap").iterdir())
        numbers = [str(rate), str(block), str(samples)]
        command = [*before, str(host), named(plugin), *numbers, named(output), *options]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr[-8000:]
        values = dict(line.rsplit("=", 1) for line in done.stdout.splitlines() if "=" in line)
        sound = np.frombuffer(output.read_bytes(), np.float32).reshape(-1, 2)
        return sound, {name: float(value) for name, value in values.items()}

    return do


@contextmanager
def told_by_osc(home: Path, **values: float | str) -> Iterator[None]:
    """Values of the first instance of the plug-in, said over OSC again and again meanwhile."""
    client = Client.of(home, session="observer", number=8)
    client.until(lambda: bool(client.welcome))
    osc = SimpleUDPClient("localhost", int(client.welcome["osc"]))
    over = threading.Event()

    def say() -> None:
        while not over.wait(0.1):
            for name, value in values.items():
                osc.send_message(f"/mg/{name}", value)

    thread = threading.Thread(target=say)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        client.close()


def kill_player(parent: psutil.Process) -> None:
    """Kill the process of an engine that plays, and leave the one that keeps the model."""
    for child in parent.children():
        child.kill()


def music(sound: Samples) -> Samples:
    """From the first sample that is not silent on: a busy machine may take a moment, and nothing is lost by it."""
    return sound[int(np.argmax(np.abs(sound).max(axis=1) > 0)) :]


def longest_silence(sound: Samples) -> int:
    """The longest run of zeros, samples."""
    sounding = np.flatnonzero(np.abs(sound).max(axis=1) > 0)
    return int(np.diff(sounding, prepend=-1, append=len(sound)).max()) - 1
