"""The CLAP and its host under sanitizers: no byte outside its buffer, none that leaks, no data race."""

from __future__ import annotations

import platform
import shutil
import subprocess
import threading
from pathlib import Path

import numpy as np
import psutil
import pytest

from streamer.surfaces.bridge import endpoint
from tests.plugin.conftest import Render, build_host, kill_player, longest_silence, music, plugin_maker, renderer
from tests.plugin.screen import BACKGROUND, FIELD, dial, found, pad, screen

OTHERS = """
leak:libfontconfig
leak:libcairo
"""
"""Whose memory is not ours: both keep what they have found until the process ends."""

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(platform.system() != "Linux", reason="the sanitizers are tried on Linux"),
]


@pytest.fixture(scope="module", params=["address,undefined", "thread"])
def checked(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The host and the folder of the plug-in, both built with sanitizers."""
    folder = tmp_path_factory.mktemp("checked")
    flags = ("-O1", "-g1", f"-fsanitize={request.param}", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")
    host = build_host(folder, *flags)
    plugin_maker().build(folder / "built", *flags, kinds=["CLAP"])
    return host, folder / "built"


@pytest.fixture
def render(checked: tuple[Path, Path], environment: dict[str, str], tmp_path: Path) -> Render:
    """As its namesake elsewhere: it fails if a sanitizer has anything to say."""
    suppressions = tmp_path / "others"
    suppressions.write_text(OTHERS)
    environment.pop("DISPLAY", None)
    environment["ASAN_OPTIONS"] = "alloc_dealloc_mismatch=0"  # DPF's queue for a CLAP grows by realloc, ends by delete
    environment["TSAN_OPTIONS"] = "detect_deadlocks=0"  # cairo takes two locks in either order, in its one thread
    environment["LSAN_OPTIONS"] = f"suppressions={suppressions}:print_suppressions=0"
    return renderer(*checked, environment, tmp_path)


def test_no_sanitizer_complains_of_a_run_and_of_a_project_saved_and_loaded(render: Render, tmp_path: Path) -> None:
    state = tmp_path / "state"
    automated = ("-p", "Seed", "5", "-p", "Guidance", "4", "-p", "Transport", "2", "-t", "128", "-c", "12000")
    sound, _ = render(512, 48_000, *automated, "-o", str(state), "-r", "44100")
    assert np.abs(sound).max() > 0.05
    _, again = render(64, 24_000, "-i", str(state))
    assert again["Seed"] == 5 and again["Guidance"] == pytest.approx(4.0, abs=0.01)


def test_no_sanitizer_complains_when_the_engine_is_killed(render: Render, home: Path) -> None:
    parent = psutil.Process(int(endpoint.read(home / endpoint.RUNNING)["pid"]))
    killing = threading.Timer(1.0, kill_player, [parent])
    killing.start()
    sound = music(render(512, 10 * 48_000)[0])
    killing.join()
    assert np.abs(sound[-48_000:]).max() > 0.05
    assert longest_silence(sound) < 48_000


def test_no_sanitizer_complains_when_there_is_no_engine(
    render: Render, environment: dict[str, str], tmp_path: Path
) -> None:
    environment[endpoint.HOME] = str(tmp_path / "nobody")
    assert not render(512, 4096)[0].any()


def test_no_sanitizer_complains_where_no_window_can_be_shown(render: Render, environment: dict[str, str]) -> None:
    environment["DISPLAY"] = ":4096"
    assert np.abs(render(512, 24_000, "-w", "1")[0]).max() > 0.05


def test_no_sanitizer_complains_of_the_window(
    render: Render, environment: dict[str, str], home: Path, tmp_path: Path
) -> None:
    missing = [name for name in ("Xvfb", "xdotool", "pkg-config") if shutil.which(name) is None]
    if missing or subprocess.run(["pkg-config", "--exists", "cairo", "x11"]).returncode:
        pytest.skip("no window can be tried here (apt-get install xvfb xdotool libcairo2-dev libx11-dev pkg-config)")
    state = tmp_path / "state"
    with screen() as display:
        environment["DISPLAY"] = display

        def play() -> None:
            window = found(display)
            window.press(pad(2))
            window.press(FIELD)
            window.type("slow waltz")
            window.drag(dial(1), 60)
            assert window.colour_at((5, 5)) == BACKGROUND

        failed: list[BaseException] = []

        def hand() -> None:
            try:
                play()
            except BaseException as error:
                failed.append(error)

        thread = threading.Thread(target=hand)
        thread.start()
        _, values = render(512, 24_000, "-w", "20", "-o", str(state))
        thread.join()
    assert not failed, failed
    assert b"slow waltz" in state.read_bytes()
    assert values["Prompt slot"] == 2 and values["Guidance"] > 4
