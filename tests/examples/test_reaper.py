"""The REAPER pattern file, and the ReaScript beside it: what REAPER would send by them does what it says."""

import sys
from types import ModuleType
from typing import Any

import pytest
from pythonosc.udp_client import SimpleUDPClient

from streamer.surfaces.commands import COMMANDS
from tests.examples.conftest import EXAMPLES, Instrument, load_script, until

PATTERNS = EXAMPLES / "reaper" / "musicgen-streamer.ReaperOSC"
SCRIPT = EXAMPLES / "reaper" / "musicgen-streamer.py"


def patterns() -> dict[str, str]:
    """REAPER's actions and the pattern each is given: a type letter, then the address."""
    lines = [line.split() for line in PATTERNS.read_text().splitlines() if line and not line.startswith("#")]
    assert all(len(line) == 2 for line in lines)
    return {line[0]: line[1] for line in lines}


def test_transport_and_markers_reach_the_instrument(instrument: Instrument) -> None:
    pattern = {action: (text[0], text[1:]) for action, text in patterns().items()}
    client = SimpleUDPClient("127.0.0.1", instrument.server.port)
    assert pattern["PLAY"][0] == pattern["STOP"][0] == "t" and pattern["LAST_MARKER_NAME"][0] == "s"
    # A state is told with 1 when it begins and with 0 when it ends.
    client.send_message(pattern["STOP"][1], 0.0)
    client.send_message(pattern["PLAY"][1], 1.0)
    client.send_message(pattern["LAST_MARKER_NAME"][1], "deep house, 122 bpm")
    client.send_message(pattern["PLAY"][1], 0.0)
    client.send_message(pattern["STOP"][1], 1.0)
    until(lambda: instrument.heard("stop"), "stop arriving")
    assert instrument.heard("play") == [True]
    assert instrument.heard("prompt") == ["deep house, 122 bpm"]
    assert instrument.heard("stop") == [True]
    assert instrument.server.counts.errors == 0


def test_a_projects_tempo_and_regions_reach_the_instrument(instrument: Instrument) -> None:
    pattern = {action: (text[0], text[1:]) for action, text in patterns().items()}
    client = SimpleUDPClient("127.0.0.1", instrument.server.port)
    assert pattern["TEMPO"][0] == "f" and pattern["LAST_REGION_NAME"][0] == "s"
    client.send_message(pattern["TEMPO"][1], 122.5)
    client.send_message("/mg/snapshot/save", "second verse")
    client.send_message("/mg/tempo", 90.0)
    client.send_message(pattern["LAST_REGION_NAME"][1], "second verse")
    until(lambda: instrument.heard("tempo") == [122.5, 90.0, 122.5], "the region's snapshot being taken back")
    assert instrument.server.counts.errors == 0


class Reaper:
    """What REAPER gives to a script: a dialog, in which somebody types, a box with a sentence, and texts it keeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, port: int) -> None:
        self.typed: str | None = None
        self.offered, self.told = list[str](), list[str]()
        self._kept: dict[tuple[str, str], str] = {}
        self._source = SCRIPT.read_text().replace("7770", str(port))
        api: Any = ModuleType("reaper_python")
        api.RPR_GetUserInputs = self._dialog
        api.RPR_ShowMessageBox = lambda text, title, kind: self.told.append(text)
        api.RPR_GetExtState = lambda section, key: self._kept.get((section, key), "")
        api.RPR_SetExtState = lambda section, key, value, persist: self._kept.update({(section, key): value})
        monkeypatch.setitem(sys.modules, "reaper_python", api)

    def _dialog(self, title: str, count: int, captions: str, values: str, size: int) -> tuple[Any, ...]:
        assert count == 1 and size > len(values) and "separator=" in captions
        self.offered.append(values)
        return self.typed is not None, title, count, captions, self.typed or values, size

    def run(self, typed: str | None, line: str = "") -> None:
        """The action, once; typed: None for a dialog that is cancelled. line: of a copy that asks for nothing."""
        self.typed = typed
        exec(self._source.replace('LINE = ""', f"LINE = {line!r}"), {})


@pytest.fixture
def reaper(monkeypatch: pytest.MonkeyPatch, instrument: Instrument) -> Reaper:
    return Reaper(monkeypatch, instrument.server.port)


def test_the_script_sends_what_a_pattern_file_cannot(reaper: Reaper, instrument: Instrument) -> None:
    lines: dict[str, tuple[str, tuple[Any, ...]]] = {
        "ramp volume -20 8": ("ramp", ("volume", -20.0, 8.0)),
        "ramp temperature 1.25": ("ramp", ("temperature", 1.25)),
        "prompt/weights 1 0.5 0.25": ("prompt/weights", (1.0, 0.5, 0.25)),
        'prompt/fade "deep house, räin" 2': ("prompt/fade", ("deep house, räin", 2.0)),
        "snapshot/save second verse": ("snapshot/save", ("second verse",)),
        "record take 1": ("record", ("take 1",)),
        "record 0": ("record", ("0",)),
        "continue 'my intro.wav' 2 10": ("continue", ("my intro.wav", 2.0, 10.0)),
        "rewind 8": ("rewind", (8.0,)),
        "undo": ("undo", ()),
    }
    for number, (line, asked) in enumerate(lines.items(), 1):
        reaper.run(line)
        until(lambda number=number: len(instrument.asked) == number, line)  # type: ignore[misc]
        assert instrument.asked[-1] == asked
    reaper.run(None)
    assert reaper.offered[1:] == list(lines), "the last line is offered again"
    reaper.run(None, line="rewind 3")
    until(lambda: len(instrument.asked) > len(lines), "the line of a copy")
    assert instrument.asked[-1] == ("rewind", (3.0,)) and len(reaper.offered) == len(lines) + 1
    assert reaper.told == []


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("dance", "There is no command dance"),
        ("ramp volume", "ramp takes name, target, [seconds]"),
        ("undo twice", "undo takes nothing"),
        ("rewind far", "rewind takes a number, and far is none."),
        ('prompt/fade "rain', "prompt/fade has a quote that does not end."),
    ],
)
def test_the_script_says_what_is_wrong_with_a_line(
    reaper: Reaper, instrument: Instrument, line: str, sentence: str
) -> None:
    reaper.run(line)
    assert len(reaper.told) == 1 and reaper.told[0].startswith(sentence)
    assert instrument.server.counts.received == 0


def test_the_script_has_the_commands_of_the_table() -> None:
    maker = load_script(SCRIPT.with_name("make_script.py"))
    assert SCRIPT.read_text(encoding="utf-8") == maker.script(), "run examples/reaper/make_script.py"
    named = [command for command in COMMANDS if f'"{command.path}": (' in maker.script()]
    assert set(COMMANDS) - set(named) == set(maker.ANSWERED)
