"""The examples of background music are programmes that can be played, and a service that systemd takes."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
import soundfile
from typer.testing import CliRunner

pytest.importorskip("astral", reason="install the extra background")
pytest.importorskip("av", reason="install the extra background")

from examples.background.game import LEVELS, ask, steps
from examples.background.game import main as play_game
from streamer.cli.background import chunk_frames
from streamer.cli.main import app
from streamer.surfaces.programme.outputs import read_outputs
from streamer.surfaces.programme.plan import Plan
from streamer.surfaces.programme.reading import open_page, read_programme
from tests.examples.conftest import Instrument, until
from tests.streamer.sinks.test_icecast import ICECAST, PASSWORD, Server

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples/background"
MORNING = 1_800_000_000.0  # 8:00 UTC on a Friday


@pytest.mark.parametrize("name", ["cafe.yaml", "station.yaml"])
def test_an_example_is_a_programme(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ICECAST_PASSWORD", "x")
    page = open_page(FOLDER / name)
    plan, outputs = Plan(read_programme(page)), read_outputs(page)
    titles = {plan.at(MORNING + 600 * number).title.partition(":")[0] for number in range(7 * 144)}
    assert {entry.name for entry in plan.programme.entries} <= titles
    assert outputs.encoded == (name == "station.yaml")


def test_the_page_about_it_shows_a_programme(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ICECAST_PASSWORD", "x")
    text = (ROOT / "docs/background.md").read_text(encoding="utf-8")
    shown = tmp_path / "day.yaml"
    shown.write_text(text.partition("```yaml\n")[2].partition("```")[0], encoding="utf-8")
    page = open_page(shown)
    assert len(read_programme(page).entries) == 3 and len(read_outputs(page).icecast) == 1


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd here")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    unit = tmp_path / "streamer.service"
    text = (FOLDER / "streamer.service").read_text(encoding="utf-8")
    unit.write_text(text.replace("/opt/streamer/bin/streamer", shutil.which("true") or "/bin/true"), encoding="utf-8")
    checked = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60)
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize(("lead", "frames"), [(20, 1), (199, 1), (250, 2), (1000, 5), (2000, 5)])
def test_the_more_is_queued_ahead_the_more_frames_are_made_at_once(lead: float, frames: int) -> None:
    assert chunk_frames(lead) == frames


def test_the_image_runs_what_the_unit_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its command reads a programme where it is mounted, and keeps its state in the volume, as a user of its own."""
    text = (FOLDER / "Containerfile").read_text(encoding="utf-8").replace("\\\n", "")
    last = text.rpartition("\nFROM ")[2]
    said = dict(line.split(" ", 1) for line in last.splitlines()[1:] if not line.startswith("RUN"))
    command = [*json.loads(said["ENTRYPOINT"]), *json.loads(said["CMD"])]
    unit = (FOLDER / "streamer.service").read_text(encoding="utf-8")
    assert f"ExecStart={' '.join(command[:-2])}\n" in unit
    assert command[-2:] == ["--metrics-host", "0.0.0.0"]  # nobody outside would reach the usual one
    home = said["VOLUME"]
    assert f"--home-dir {home} " in last and said["WORKDIR"] == home and f"STATE_DIRECTORY={home} " in said["ENV"]
    assert said["USER"] in last.partition("useradd ")[2].splitlines()[0].split()
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    there = [str(FOLDER / "cafe.yaml") if part == "/etc/streamer/day.yaml" else part for part in command[1:]]
    told = CliRunner().invoke(app, [*there, "--check"])
    assert told.exit_code == 0 and "Afternoon" in told.output and (tmp_path / "salt").exists()


class Client:
    """Takes what a game sends."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, object]] = []

    def send_message(self, address: str, value: object) -> None:
        self.sent.append((address, value))


def test_a_game_goes_up_at_the_bar_and_down_slowly() -> None:
    assert steps(["calm", "20", "fight", "30"]) == [("calm", 20.0), ("fight", 30.0)]
    with pytest.raises(SystemExit, match="Name intensities"):
        steps(["loud", "3"])
    client = Client()
    ask(client, "fight", "calm")  # type: ignore[arg-type]
    ask(client, "calm", "fight")  # type: ignore[arg-type]
    assert client.sent[0] == ("/mg/quantise", "bar") and client.sent[4] == ("/mg/quantise", "off")
    assert client.sent[1] == ("/mg/prompt/fade", [LEVELS["fight"][0], 1.0])
    assert client.sent[5] == ("/mg/prompt/fade", [LEVELS["calm"][0], 8.0])


def test_a_game_is_followed_through_its_intensities(instrument: Instrument) -> None:
    """The script itself, against the instrument's own OSC server."""
    play_game(["calm", "0.2", "fight", "0.2", "calm", "0.2"], port=instrument.server.port)
    until(lambda: len(instrument.heard("prompt")) + len(instrument.asked) >= 9, "the game")
    faded = [arguments[0] for path, arguments in instrument.asked if path == "prompt/fade"]
    assert faded == [LEVELS[level][0] for level in ("calm", "fight", "calm")]
    assert instrument.heard("quantise") == ["off", "bar", "off"]
    ramps = [arguments for path, arguments in instrument.asked if path == "ramp"]
    assert [values[:2] for values in ramps][2:4] == [("temperature", pytest.approx(1.1)), ("volume", 0.0)]


def play(page: Path, folder: Path, heard: Callable[[], object]) -> None:
    """Play a programme with nano, by the command, until something was heard; then Ctrl-C."""
    command = [sys.executable, "-m", "streamer.cli.main", "background", str(page), "--threads", "1", "--osc-port", "0"]
    told = folder / "told.txt"
    with told.open("w") as out:
        process = subprocess.Popen([*command, "--state", str(folder)], stdout=out, stderr=subprocess.STDOUT)
    try:
        until(heard, "the music", told.read_text, 240)
        process.send_signal(signal.SIGINT)
        assert process.wait(120) == 0, told.read_text()
    finally:
        process.kill()


@pytest.mark.heavy
def test_the_cafe_plays(tmp_path: Path) -> None:
    """At whatever time it is: by night it has nothing to play, so its morning goes round the clock here."""
    page, folder = tmp_path / "cafe.yaml", tmp_path / "hours"
    text = (FOLDER / "cafe.yaml").read_text(encoding="utf-8").replace("silence: 10 s", "silence: 0 s")
    text = text.replace("    from: 7:00\n    until: 11:30\n", "")
    page.write_text(f"outputs: [{{files: {folder}, format: flac}}]\n{text}", encoding="utf-8")
    play(page, tmp_path, lambda: sum(file.stat().st_size for file in folder.glob("*.flac")) > 300_000)
    sound, rate = soundfile.read(min(folder.iterdir()))
    assert len(sound) > rate and abs(sound).max() > 0.01


@pytest.mark.heavy
@pytest.mark.skipif(ICECAST is None, reason="install icecast2 (apt)")
def test_the_station_is_heard_at_both_mounts_in_the_page_and_in_the_archive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ICECAST_PASSWORD", PASSWORD)
    with tempfile.TemporaryDirectory() as folder:  # Icecast does not run as root, and pytest's folders are the user's
        server = Server(Path(folder))
        text = (
            (FOLDER / "station.yaml").read_text(encoding="utf-8").replace("localhost:8000", f"127.0.0.1:{server.port}")
        )
        text = text.replace("hls: live", f"hls: {tmp_path}/live").replace(
            "files: archive", f"files: {tmp_path}/archive"
        )
        page = tmp_path / "station.yaml"
        page.write_text(text, encoding="utf-8")

        def heard() -> bool:
            mounts = [b"", b""]
            with suppress(OSError):
                for number, path in enumerate(("/station.mp3", "/station.opus")):
                    with urllib.request.urlopen(server.address(path), timeout=60) as stream:
                        mounts[number] = stream.read(8000)
            there = (tmp_path / "live/live.m3u8").exists() and any((tmp_path / "archive").glob("*.opus"))
            return there and all(len(got) == 8000 for got in mounts)

        try:
            play(page, tmp_path, heard)
        finally:
            server.kill()
