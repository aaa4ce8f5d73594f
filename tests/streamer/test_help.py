"""Help and tables: whole words in a window of 80 columns, grouped options, forms for scripts."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

from musicgen.models.table import RELEASED
from streamer.audio import devices as audio
from streamer.audio.devices import Device
from streamer.bench import figures as measuring
from streamer.bench import peers
from streamer.bench.figures import Figures
from streamer.bench.peers import Ratio
from streamer.cli.main import COMMANDS
from streamer.control.table import DESK, HOSTED, PARAMETERS
from streamer.offline import evaluate as evaluating
from streamer.offline.evaluate import Figures as Heard
from streamer.offline.evaluate import Report
from tests.streamer.test_cli import Run, run  # noqa: F401  (a fixture)

NAMES = [command.__name__ for command in COMMANDS]
DEVICES = [
    Device(0, "A very long name of an interface (hw:1,0), analogue outputs 1 to 8, of a maker's", 192_000, 64, True),
    Device(12, "HDMI", 48_000, 2, False),
]
FIGURES = Figures("facebook/musicgen-stereo-melody-large", "native-int4", 16, 1234.5, 2345.6, 1234.0, 0.01, None, 3)
RATIO = Ratio("facebook/musicgen-stereo-melody-large", "native-int4", 16, "bfloat16", 1234.5, 2345.6, 12.3, 3)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch, run: Run) -> Run:  # noqa: F811
    """The command line in a window of 80 columns."""
    monkeypatch.setattr("tests.streamer.test_cli.COLUMNS", "80")
    return run


def check(text: str) -> None:
    """No line is wider than the window, and no word is cut."""
    assert text.strip()
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert "…" not in text


@pytest.mark.parametrize("name", ["", *NAMES])
def test_help_fits_into_80_columns(narrow: Run, name: str) -> None:
    code, out, _ = narrow(*name.split(), "--help")
    assert code == 0
    check(out)
    options = re.findall(r"^│ (?:\* +)?--([\w-]+)", out, re.MULTILINE)
    assert "help" in options  # so that the next line looks at something
    assert [option for option in options if not re.search(rf"--{option}[\s,]", out)] == []


def test_options_of_play_are_grouped(narrow: Run) -> None:
    _, out, _ = narrow("play", "--help")
    groups = dict(re.findall(r"╭─ (\w+) ─+╮\n(.*?)╰", out, re.DOTALL))
    assert groups.keys() == {"Options", "Music", "Sound", "OSC", "Page", "Model"}
    assert re.findall(r"--[\w-]+", groups.pop("Options")) == ["--help"]
    for group, option in (
        ("Music", "prompt"),
        ("Sound", "volume"),
        ("OSC", "osc-port"),
        ("Page", "web"),
        ("Model", "backend"),
    ):
        assert [name for name, body in groups.items() if f"--{option} " in body] == [group]


@pytest.mark.parametrize("name", [own.name for own in PARAMETERS if own.kind == "bool" and own.name not in HOSTED])
def test_what_is_on_or_off_has_an_option_for_each(narrow: Run, name: str) -> None:
    for command in ("play", "render") if name not in DESK else ("play",):  # a file keeps nobody in time
        _, out, _ = narrow(command, "--help")
        assert f"--{name} " in out
        assert f"--no-{name} " in out


def test_models_fit_into_80_columns(narrow: Run) -> None:
    code, out, _ = narrow("models")
    assert code == 0
    check(out)
    assert all(any(line.startswith(f"{card.name} ") for line in out.splitlines()) for card in RELEASED)


def test_devices_fit_into_80_columns(narrow: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audio, "devices", lambda kind="output": DEVICES)
    code, out, _ = narrow("devices")
    assert code == 0
    check(out)
    assert "192000 Hz" in out and "of a maker's" in out.replace("\n", "")


def test_bench_fits_into_80_columns(narrow: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "measure", lambda *arguments: [FIGURES])
    monkeypatch.setattr(peers, "against", lambda *arguments: [RATIO])
    code, out, _ = narrow("bench", "--model", "stereo-melody-large", "--against", "transformers")
    assert code == 0
    check(out)
    assert "2345.6 ms" in out and "native-int4" in out


def test_evaluation_fits_into_80_columns(narrow: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [Heard(f"a/folder/{'long' * 20}/take-{number}.wav", 123.4, 0.123, 0.456) for number in (1, 2)]
    report = Report(files, 0.123, 0.456, 0.789, (10, 20), "CLAP", [])
    monkeypatch.setattr(evaluating, "evaluate", lambda *arguments, **options: report)
    code, out, _ = narrow("evaluate", "x.wav", "--prompt", "folk")
    assert code == 0
    check(out)
    assert "take-2.wav" in out.replace("\n", "").replace(" ", "")


def test_models_and_devices_are_told_as_json(narrow: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = narrow("models", "--json")
    assert code == 0
    report = json.loads(out)
    assert [model["name"] for model in report["models"]] == ["nano", *(card.name for card in RELEASED)]
    assert report["models"][0]["licence"] == "MIT"
    assert report["models"][0]["here"] is True
    monkeypatch.setattr(audio, "devices", lambda kind="output": DEVICES if kind == "output" else [])
    code, out, _ = narrow("devices", "--json")
    assert code == 0
    report = json.loads(out)
    assert [device["rate"] for device in report["outputs"]] == [192_000, 48_000]
    assert report["inputs"] == []


def test_help_of_play_imports_nothing_slow() -> None:
    code = "import sys, streamer.cli.main as m; sys.argv[1:] = ['play', '--help']\ntry: m.main()\nexcept SystemExit: "
    code += "sys.exit(bool({'torch', 'transformers', 'musicgen', 'scipy'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)
