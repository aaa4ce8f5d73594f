"""`streamer doctor`: what works here, what mends the rest, and an exit code that says whether anything plays."""

from __future__ import annotations

import json
import re
import socket
import sys
from pathlib import Path

import pytest
import soundfile

import musicgen.backends
from streamer import doctor
from streamer.audio import devices as audio
from streamer.doctor import EXTRAS, Finding
from streamer.errors import UserError
from tests.streamer.test_cli import Run, run  # noqa: F401  (a fixture)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the whole three seconds of music."""
    monkeypatch.setattr(doctor, "SECONDS", 0.1)


def examine(port: int = 7770) -> dict[str, Finding]:
    return {finding.name: finding for finding in doctor.examine(port)}


def test_everything_is_looked_at_and_told_in_80_columns(
    run: Run,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tests.streamer.test_cli.COLUMNS", "80")
    code, out, err = run("doctor")
    assert code == 0, err
    names = ("nano", "backend", "PortAudio", "outputs", "inputs", "JACK", ".mp3 files", ".opus files", "real-time")
    for name in (*names, "UDP 7770", *(f"extra {extra}" for extra in EXTRAS)):
        assert [line for line in out.splitlines() if line[8:].startswith(f"{name} ")], name
    assert "x real time on" in out
    assert max(map(len, out.splitlines())) <= 80 and "…" not in out


def test_every_extra_of_a_player_is_looked_at() -> None:
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
    extras = project.partition("[project.optional-dependencies]")[2].partition("[project.scripts]")[0]
    assert EXTRAS.keys() == {*re.findall(r"(?m)^(\w+) = \[", extras)} - {"test", "daw", "browser", "training"}


def test_scripts_are_told_as_json(run: Run) -> None:  # noqa: F811
    code, out, _ = run("doctor", "--json")
    report = json.loads(out)
    assert code == 0 and report["plays"] is True
    assert {finding["state"] for finding in report["findings"]} <= {"works", "slow", "missing", "broken"}
    assert all(finding["sentence"] for finding in report["findings"])


def test_where_nothing_can_play_the_exit_code_says_so(
    run: Run,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def gone(*arguments: object) -> None:
        raise UserError("the nano model is missing")

    monkeypatch.setattr("streamer.engine.loading.load", gone)
    code, out, _ = run("doctor")
    assert code == 1
    assert "broken" in out and "the nano model is missing" in out
    assert json.loads(run("doctor", "--json")[1])["plays"] is False


def test_a_slow_machine_is_told_so_and_how_it_can_play_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SAFE", 1e9)
    finding = examine()["nano"]
    assert finding.state == "slow"
    assert finding.remedy.startswith("streamer ")


def test_what_is_missing_comes_with_the_command_that_mends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_portaudio() -> None:
        raise UserError("The PortAudio library is not installed: type `sudo apt install libportaudio2`.")

    monkeypatch.setattr(audio, "portaudio", no_portaudio)
    monkeypatch.setattr(soundfile, "check_format", lambda container, subtype: subtype != "MPEG_LAYER_III")
    monkeypatch.setattr(musicgen.backends, "obstacle", lambda name: "Not built." if name == "native" else "")
    monkeypatch.setattr(doctor, "find_spec", lambda name: None)
    found = examine()
    assert found["PortAudio"].state == "broken" and "libportaudio2" in found["PortAudio"].sentence
    assert found["outputs"].remedy == "streamer play --wav-out music.wav"
    assert found[".mp3 files"].remedy == "pip install --upgrade soundfile"
    assert found[".opus files"].state == "works"
    assert found["extra demucs"].remedy == "pip install 'musicgen-streamer[demucs]'"
    if sys.platform == "linux":
        assert "apt install g++" in found["backend"].remedy


@pytest.mark.skipif(sys.platform != "linux", reason="permissions of Linux")
def test_real_time_scheduling_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.sched_setscheduler", refuse)
    monkeypatch.setattr("os.setpriority", refuse)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/bus")
    finding = examine()["real-time"]
    assert finding.state == "missing"
    assert "not permitted" in finding.sentence and "rtprio" in finding.remedy
    monkeypatch.setattr("os.sched_setscheduler", lambda *arguments: None)
    monkeypatch.setattr("os.setpriority", lambda *arguments: None)
    finding = examine()["real-time"]
    assert finding.state == "works"
    assert "audio thread: SCHED_RR 10, engine: nice" in finding.sentence


def test_a_port_that_is_taken_is_found() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        finding = examine(port)[f"UDP {port}"]
    assert finding.state == "broken"
    assert finding.remedy == f"streamer play --osc-port {port + 1}"
    assert examine(port)[f"UDP {port}"].state == "works"


def test_a_check_that_fails_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(doctor, "_jack", fail)
    assert examine()["JACK"] == Finding("JACK", "broken", "RuntimeError: out of order")
