"""The plug-in for Windows, built with MinGW: what hosts find in it, and the CLAP in our own host under wine.

The engine runs beside it on Linux: programs under wine share the system's loopback.
"""

from __future__ import annotations

import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from streamer.surfaces.bridge import endpoint
from tests.plugin.conftest import (
    HOST,
    PATIENCE,
    Render,
    kill_player,
    longest_silence,
    music,
    plugin_maker,
    renderer,
    told_by_osc,
)

CXX = "x86_64-w64-mingw32-g++-posix"
STAND_IN = Path(__file__).parent / "stand_in.cpp"
ENTRIES = {"vst3": "GetPluginFactory", "clap": "clap_entry", "lv2": "lv2_descriptor"}

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def windows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the plug-in, built for Windows."""
    if shutil.which(CXX) is None:
        pytest.skip(f"there is no compiler for Windows (apt-get install g++-mingw-w64-x86-64-posix): {CXX}")
    folder, maker = tmp_path_factory.mktemp("windows") / "built", plugin_maker()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXX", CXX)
        try:
            maker.build(folder)
        except maker.Missing as missing:
            pytest.skip(str(missing))
    return folder


def library(folder: Path, kind: str) -> Path:
    """The library of a format, in a folder as make_plugin.py leaves it."""
    [found] = (
        path for path in (folder / kind).rglob("*") if path.suffix in (".vst3", ".clap", ".dll") and path.is_file()
    )
    return found


@pytest.mark.parametrize("kind", ["vst3", "clap", "lv2"])
def test_a_library_has_its_hosts_entry_and_asks_for_nothing_of_the_compilers(windows: Path, kind: str) -> None:
    dump = CXX.replace("g++-posix", "objdump")
    done = subprocess.run([dump, "-p", str(library(windows, kind))], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert any(line.split()[-1:] == [ENTRIES[kind]] for line in lines)
    asked_for = {line.split()[-1].lower() for line in lines if "DLL Name:" in line}
    assert "kernel32.dll" in asked_for
    assert not [name for name in asked_for if any(one in name for one in ("stdc++", "libgcc", "pthread"))]


def test_the_formats_lie_where_hosts_look(windows: Path) -> None:
    files = {path.relative_to(windows).as_posix() for path in windows.rglob("*") if path.is_file()}
    assert "vst3/MusicGen Streamer.vst3/Contents/x86_64-win/MusicGen Streamer.vst3" in files
    assert "clap/MusicGen Streamer.clap" in files
    bundle = windows / "lv2/musicgen-streamer.lv2"
    manifest = (bundle / "manifest.ttl").read_text()
    assert "lv2:binary <musicgen_streamer.dll>" in manifest and "rdfs:seeAlso <musicgen_streamer.ttl>" in manifest
    assert (bundle / "musicgen_streamer.dll").is_file() and (bundle / "musicgen_streamer.ttl").is_file()


# ---- under wine


def named(path: Path) -> str:
    """A file of this system as programs under wine name it."""
    return "Z:" + str(path).replace("/", "\\")


@pytest.fixture(scope="module")
def wine(windows: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a user of wine, whose folder is new."""
    if platform.machine() != "x86_64" or shutil.which("wine") is None:
        pytest.skip("programs for Windows cannot be run here (on x86-64: apt-get install wine wine64)")
    own = {"WINEPREFIX": str(tmp_path_factory.mktemp("wine") / "prefix"), "WINEDEBUG": "-all"}
    environment = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", endpoint.HOME)} | own
    begun = subprocess.run(["wine", "wineboot", "-i"], env=environment, capture_output=True, timeout=PATIENCE)
    if begun.returncode:
        pytest.skip(f"wine does not begin here: {begun.stderr.decode(errors='replace')[-300:]}")
    yield environment
    subprocess.run(["wineserver", "-k"], env=environment, timeout=PATIENCE)


def compiled(source: Path, program: Path, *libraries: str) -> Path:
    """A program for Windows."""
    dpf = plugin_maker().dpf() / "distrho" / "src"
    command = [CXX, "-std=c++17", "-static", "-isystem", str(dpf), str(source), "-o", str(program), *libraries]
    subprocess.run(command, check=True)
    return program


@pytest.fixture(scope="module")
def windows_host(wine: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The CLAP host, built for Windows."""
    return compiled(HOST, tmp_path_factory.mktemp("host") / "clap_host.exe")


@pytest.fixture
def in_wine(windows_host: Path, windows: Path, wine: dict[str, str], home: Path, tmp_path: Path) -> Render:
    """As the fixture `render`, of the plug-in for Windows."""
    wine[endpoint.HOME] = named(home)
    return renderer(windows_host, windows, wine, tmp_path, ["wine"], named)


def test_a_bounce_is_the_same_every_time_and_the_same_as_on_linux(in_wine: Render, render: Render) -> None:
    told = music(render(512, 24_576, "-p", "Seed", "5")[0])
    assert np.abs(told).max() > 0.05 and longest_silence(told) < 50
    for block in (512, 512, 64):
        heard = music(in_wine(block, 24_576, "-p", "Seed", "5")[0])
        shorter = min(len(told), len(heard))
        assert shorter > 10_000 and np.array_equal(heard[:shorter], told[:shorter]), block


def test_a_project_goes_from_one_system_to_the_other(
    in_wine: Render, render: Render, home: Path, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    with told_by_osc(home, cfg=7.5, prompt="slow waltz"):
        in_wine(512, 4800, "-p", "Seed", "5", "-o", named(state), "-s", "3")
    assert b"slow waltz" in state.read_bytes()
    for values in (in_wine(512, 4800, "-i", named(state))[1], render(512, 4800, "-i", str(state))[1]):
        assert values["Guidance"] == 7.5 and values["Seed"] == 5


def test_an_engine_that_dies_leaves_a_moment_out(in_wine: Render, home: Path) -> None:
    parent = psutil.Process(int(endpoint.read(home / endpoint.RUNNING)["pid"]))
    before = parent.children()
    killing = threading.Timer(2.0, kill_player, [parent])
    killing.start()
    sound = music(in_wine(512, 10 * 48_000)[0])
    killing.join()
    assert parent.is_running() and parent.children() != before
    assert np.abs(sound[-48_000:]).max() > 0.05
    assert longest_silence(sound) < 48_000


def test_the_engine_is_found_in_the_users_folder(in_wine: Render, wine: dict[str, str], home: Path) -> None:
    del wine[endpoint.HOME]
    [local] = Path(wine["WINEPREFIX"]).glob("drive_c/users/*/AppData/Local")
    assert not in_wine(512, 4096)[0].any(), "nobody is there"
    (local / "musicgen-streamer").mkdir()
    shutil.copy(home / endpoint.RUNNING, local / "musicgen-streamer")
    assert np.abs(in_wine(512, 24_576)[0]).max() > 0.05


def test_a_port_that_nobody_listens_at_is_silence(in_wine: Render, wine: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / endpoint.RUNNING).write_text(json.dumps({"port": "1", "token": "none"}))
    wine[endpoint.HOME] = named(tmp_path)
    assert not in_wine(512, 4096)[0].any()


def test_an_engine_is_started_by_the_words_that_are_meant(
    in_wine: Render, wine: dict[str, str], tmp_path: Path
) -> None:
    folder = tmp_path / "Jürgen's \U0001f3b9 home"
    folder.mkdir()
    python = compiled(STAND_IN, folder / "the python.exe", "-lshell32")
    model = 'a "model" of \\'
    endpoint.write(folder / endpoint.INSTALLED, {"python": named(python), "model": model})
    wine[endpoint.HOME] = named(folder)
    own = {"PYTHONHOME": "nowhere", "PYTHONPATH": "nowhere", "KEPT": "yes"}
    wine.update(own)
    try:
        assert not in_wine(512, 4096)[0].any()
    finally:
        for name in own:
            del wine[name]
    words = [named(python), "-m", "streamer.surfaces.bridge", "--spawned", "--home", named(folder), "--model", model]
    told = (folder / "started").read_text(encoding="utf-8").splitlines()
    assert told == [*words, "PYTHONHOME=", "PYTHONPATH=", "PYTHONSAFEPATH=1", "KEPT=yes"]


def test_an_engine_that_is_started_is_heard(in_wine: Render, wine: dict[str, str], tmp_path: Path) -> None:
    script = tmp_path / "python"  # wine starts this system's programs too
    words = [sys.executable, "-m", "streamer.surfaces.bridge", "--spawned", "--home", str(tmp_path), "--osc-port", "0"]
    script.write_text(f"#!/bin/sh\nexec {shlex.join(words)} </dev/null >/dev/null 2>&1\n")
    script.chmod(0o700)
    endpoint.write(tmp_path / endpoint.INSTALLED, {"python": named(script), "model": "nano"})
    wine[endpoint.HOME] = named(tmp_path)
    assert np.abs(in_wine(512, 96_000)[0]).max() > 0.05
    engine = psutil.Process(int(endpoint.read(tmp_path / endpoint.RUNNING)["pid"]))
    engine.terminate()
    engine.wait(PATIENCE)
