"""The plug-in built with the address sanitiser, in a host that is: what it touches is its own."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import psutil
import pytest

from streamer.surfaces.bridge import endpoint
from tests.plugin.conftest import PATIENCE, build_host, kill_player

PLUGIN = Path(__file__).parents[2] / "plugin"
FLAGS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-O1", "-g1")


@pytest.mark.heavy
def test_the_address_sanitiser_has_nothing_to_say(tmp_path: Path, home: Path, environment: dict[str, str]) -> None:
    host = build_host(tmp_path, *FLAGS)
    dpf = Path(os.environ.get("DPF_PATH", "/usr/share/dpf")) / "distrho"
    plugin = tmp_path / "plugin.clap"
    sources = [str(PLUGIN / "plugin.cpp"), str(dpf / "DistrhoPluginMain.cpp")]
    build = ["g++", "-std=gnu++17", *FLAGS, "-fPIC", "-shared", "-DDISTRHO_PLUGIN_TARGET_CLAP", "-pthread"]
    subprocess.run([*build, "-I", str(PLUGIN), "-isystem", str(dpf), *sources, "-o", str(plugin), "-ldl"], check=True)

    def run(*options: str) -> None:
        command = [str(host), str(plugin), "48000", "512", "96000", str(tmp_path / "sound"), *options]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=2 * PATIENCE)
        assert done.returncode == 0, done.stderr

    state = str(tmp_path / "state")
    run("-p", "Follow host tempo", "1", "-p", "Transport", "2", "-t", "128", "-c", "9600", "-o", state)
    run("-i", state, "-r", "44100")
    parent = psutil.Process(int(endpoint.read(home / endpoint.RUNNING)["pid"]))
    killing = threading.Timer(1.0, kill_player, [parent])
    killing.start()
    run("-i", state)
    killing.join()
