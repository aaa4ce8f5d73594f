"""The plug-in in a host of the tests' own: the same music every time, and a project that keeps what was changed."""

from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from streamer.control.table import DESK, HOSTED, PARAMETERS
from streamer.surfaces.bridge import endpoint, wire
from streamer.surfaces.bridge.header import header
from streamer.surfaces.bridge.install import install, remove, status
from streamer.surfaces.bridge.wire import Kind
from tests.plugin.conftest import PATIENCE, Render, kill_player, longest_silence, music, plugin_maker, told_by_osc
from tests.streamer.bridge.client import Client

HEADER = Path(__file__).parents[2] / "plugin" / "parameters.hpp"


def test_the_parameters_are_the_tables() -> None:
    assert HEADER.read_text() == header(), "run `make docs`"


@pytest.mark.parametrize(
    ("names", "place"),
    [
        ("__linux__ __x86_64__", "x86_64-linux/MusicGen Streamer.so"),
        ("__linux__ __aarch64__", "aarch64-linux/MusicGen Streamer.so"),
        ("__APPLE__ __aarch64__", "MacOS/MusicGen Streamer"),
        ("_WIN32 __MINGW32__ __x86_64__", "x86_64-win/MusicGen Streamer.vst3"),
        ("_WIN32 __MINGW32__ __aarch64__", "arm64-win/MusicGen Streamer.vst3"),
        ("_WIN32 _MSC_VER __x86_64__", None),
    ],
)
def test_the_compiler_decides_what_is_built_for(names: str, place: str | None) -> None:
    compiler = [sys.executable, "-c", f"[print('#define', name, 1) for name in {names.split()}]"]
    found = plugin_maker().target(compiler)
    assert (found and found.path("VST3")) == (place and f"vst3/MusicGen Streamer.vst3/Contents/{place}")


def test_a_compiler_that_is_named_and_not_there_is_not_replaced_by_another() -> None:
    maker = plugin_maker()
    with pytest.raises(maker.Missing, match="CXX names x86-nobody-g"):
        maker.compiler("x86-nobody-g++")
    assert maker.target([sys.executable, "-c", "raise SystemExit(1)"]) is None


def test_the_host_has_every_parameter_of_the_table_but_the_desks(render: Render) -> None:
    _, values = render(512, 512)
    shown = [one for one in PARAMETERS if one.name not in DESK | HOSTED]
    assert len(values) == sum(one.kind not in ("text", "path") for one in shown) + 4
    assert not {name.lower() for name in values} & DESK
    assert values["Guidance"] == pytest.approx(3.2) and values["Prompt slot"] == 0


def test_a_bounce_has_no_gap_and_is_the_same_at_any_block_size(render: Render) -> None:
    first = music(render(512, 24_576, "-p", "Seed", "5")[0])
    assert np.abs(first).max() > 0.05
    assert longest_silence(first) < 50
    for block in (64, 333, 512, 2048):
        again = music(render(block, 24_576, "-p", "Seed", "5")[0])
        assert len(again) > 10_000
        shorter = min(len(first), len(again))
        assert np.array_equal(again[:shorter], first[:shorter]), block


@pytest.mark.parametrize("rate", [44100, 96000])
def test_other_rates_have_no_gap(render: Render, rate: int) -> None:
    sound = music(render(512, rate // 2, rate=rate)[0])
    assert np.abs(sound).max() > 0.05 and longest_silence(sound) < 50


def test_another_seed_is_other_music(render: Render) -> None:
    one, other = (music(render(512, 12_288, "-p", "Seed", seed)[0])[:8000] for seed in ("5", "6"))
    assert len(one) == len(other) and not np.array_equal(one, other)


def test_a_host_that_is_followed_gives_the_beat_from_the_first_sample_on(render: Render, home: Path) -> None:
    client = Client.of(home, session="oracle")
    client.send(wire.packed(Kind.OFFLINE, b"\1"), wire.number(Kind.SET, "seed", 5.0))
    client.send(wire.number(Kind.SET, "tempo", 131.0), wire.text(Kind.TEXT, "sync", "host"))
    client.begin()
    client.send(wire.host(131.25, 2.5))
    told = client.read(24_576)
    follow = ("-p", "Seed", "5", "-p", "Follow host tempo", "1", "-f", "2.5")
    for block in (512, 64):
        heard = render(block, 24_576, *follow, "-t", "131.25")[0]
        assert np.array_equal(heard, told[: len(heard)]), block
    slower = render(512, 24_576, *follow, "-t", "90")[0]
    assert not np.array_equal(slower, told)


@pytest.mark.parametrize("follow", ["0", "1"])
def test_every_pass_of_a_song_is_the_same_and_silent_while_the_host_stands(render: Render, follow: str) -> None:
    cycle = 12_288
    options = ("-p", "Transport", "2", "-p", "Follow host tempo", follow, "-t", "128", "-f", "16", "-c", str(cycle))
    sound, _ = render(512, 5 * cycle, *options)
    first, pause, second, again, third = sound.reshape(5, cycle, 2)
    assert np.abs(first).max() > 0.05
    assert not pause.any() and not again.any()
    assert np.array_equal(first, second) and np.array_equal(first, third)


def test_played_with_the_host_the_music_waits_where_it_was(render: Render) -> None:
    cycle = 12_288
    options = ("-p", "Seed", "5", "-t", "120")
    whole = render(512, 2 * cycle, *options)[0]
    sound, _ = render(512, 3 * cycle, *options, "-p", "Transport", "1", "-c", str(cycle))
    first, pause, second = sound.reshape(3, cycle, 2)
    assert not pause.any()
    assert np.array_equal(np.concatenate([first, second]), whole)


def test_what_osc_changes_is_saved_and_played_again(render: Render, home: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    with told_by_osc(home, cfg=7.5, prompt="slow waltz"):
        _, values = render(512, 4800, "-o", str(state), "-s", "3")
    assert values["Guidance"] == 7.5
    assert b"slow waltz" in state.read_bytes()
    _, again = render(512, 4800, "-i", str(state))
    assert again["Guidance"] == 7.5


def test_another_rate_is_the_same_music_without_another_model(render: Render, home: Path) -> None:
    before = endpoint.read(home / endpoint.RUNNING)["pid"]
    sound, _ = render(512, 19_200, "-p", "Seed", "5", "-r", "44100")
    alone, _ = render(512, 19_200, "-p", "Seed", "5", rate=44_100)
    first, second, alone = (music(part) for part in (sound[:19_456], sound[19_456:], alone))
    assert np.abs(first).max() > 0.05 and longest_silence(first) < 50
    shorter = min(len(second), len(alone))
    assert shorter > 10_000 and np.array_equal(second[:shorter], alone[:shorter])
    assert endpoint.read(home / endpoint.RUNNING)["pid"] == before


@pytest.mark.skipif(not psutil.LINUX, reason="only Linux forks engines")
def test_an_engine_that_dies_during_a_bounce_leaves_a_moment_out(render: Render, home: Path) -> None:
    parent = psutil.Process(int(endpoint.read(home / endpoint.RUNNING)["pid"]))
    before = parent.children()
    killing = threading.Timer(1.0, kill_player, [parent])
    killing.start()
    sound = music(render(512, 10 * 48_000)[0])
    killing.join()
    assert parent.is_running() and parent.children() != before
    assert np.abs(sound[-48_000:]).max() > 0.05
    assert longest_silence(sound) < 48_000


def test_no_engine_is_silence_and_no_wait(render: Render, environment: dict[str, str], tmp_path: Path) -> None:
    environment[endpoint.HOME] = str(tmp_path / "nobody")
    begun = time.monotonic()
    sound, _ = render(512, 4096)
    assert not sound.any()
    assert time.monotonic() - begun < 60


@pytest.mark.realtime
def test_the_plug_in_starts_an_engine_that_ends_by_itself(
    render: Render, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(endpoint.HOME, str(tmp_path))
    monkeypatch.setattr("streamer.surfaces.bridge.install.targets", lambda: {"clap": tmp_path / "clap"})
    assert len(list(install("nano"))) == 2
    environment[endpoint.HOME] = str(tmp_path)
    if sys.version_info >= (3, 11):  # what lies where the host works is not imported
        (tmp_path / "numpy.py").write_text("raise SystemExit('not this one')\n")
        monkeypatch.chdir(tmp_path)
    sound, _ = render(512, 48_000)
    assert np.abs(sound).max() > 0.05
    engine = psutil.Process(int(endpoint.read(tmp_path / endpoint.RUNNING)["pid"]))
    assert any("runs" in line for line in status())
    engine.terminate()
    engine.wait(PATIENCE)
    assert len(list(remove())) == 2 and not list((tmp_path / "clap").iterdir())


def test_the_lv2_is_valid(built: Path) -> None:
    if shutil.which("lv2_validate") is None or shutil.which("sord_validate") is None:
        pytest.skip("lv2_validate is not there (lv2-dev and sordi)")
    [bundle] = (built / "lv2").iterdir()
    files = sorted(str(path) for path in bundle.glob("*.ttl"))
    assert len(files) == 2
    done = subprocess.run(["lv2_validate", *files], capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0 and "Found 0 errors" in done.stdout + done.stderr, done.stdout + done.stderr
