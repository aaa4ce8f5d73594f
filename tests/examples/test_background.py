"""The examples of background music are programmes that can be played, and a service that systemd takes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("astral", reason="install the extra background")

from examples.background.game import LEVELS, ask, steps
from streamer.surfaces.programme.outputs import read_outputs
from streamer.surfaces.programme.plan import Plan
from streamer.surfaces.programme.reading import open_page, read_programme

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
