"""Whatever a name, a prompt or an error holds, nothing of it reaches the terminal or a log as a command."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from rich.live import Live
from rich.panel import Panel
from rich.text import Text

import musicgen.models.table
import streamer.audio.devices
import streamer.cli.models
from osc.packet import clean
from streamer.audio.devices import Device
from streamer.cli import console as cli
from streamer.cli import main, play
from streamer.control.controls import Controls
from streamer.control.journal import NAME, Header, Journal, read_journal
from streamer.instrument import Status
from streamer.reporting import LONGEST, Unfailing, Voice, explained, harmless, traced
from tests.streamer.terminal import HOSTILE, obeyed, texts
from tests.streamer.test_cli import Run, run  # noqa: F401  (run is a fixture)

NAMED = HOSTILE.replace("/", "").replace("\0", "")
"""As a file may be called."""


@given(texts)
def test_harmless_text_holds_nothing_that_a_terminal_obeys(text: str) -> None:
    shown = harmless(text)
    assert not obeyed(shown) and shown == harmless(shown) == clean(shown)
    shown.encode("utf-8")


@given(texts)
def test_harmless_text_is_no_longer_than_asked_and_keeps_both_its_ends(text: str) -> None:
    long = f"begin {text * 200} end"
    shown = harmless(long)
    assert shown.startswith("begin") and shown.endswith("end")
    assert len(harmless(long, 40)) <= 40 + 6 * 40
    assert len(long) <= LONGEST or "…" in shown


def test_what_has_no_text_is_harmless_too() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise ValueError(HOSTILE)

    assert harmless(Broken()) == "something of the kind Broken"
    assert not obeyed(explained(Broken()))


@given(texts)
def test_a_stream_that_is_no_terminal_lets_only_lines_through(text: str) -> None:
    held = io.StringIO()
    Unfailing(held).write(text)
    assert not obeyed(held.getvalue(), lines=True)


@given(texts)
@settings(max_examples=30)
def test_a_console_draws_hostile_text_as_text_in_every_shape(text: str) -> None:
    held = io.StringIO()
    drawn = type(cli.console)(file=held, force_terminal=True, color_system=None, width=60, emoji=False)
    table = cli.columns("Name", "Number")
    table.add_row(cli.plain(text), text.replace("[", "("))
    with Live(table, console=drawn, auto_refresh=False):
        drawn.print(cli.plain(text))
        drawn.print(Panel(Text(text)))
        drawn.print(Text(text))
    for ours in ("\x1b[?25l", "\x1b[?25h", "\x1b[2K", "\x1b[1A", "\r"):
        held = io.StringIO(held.getvalue().replace(ours, ""))
    assert not obeyed(held.getvalue(), lines=True)


@given(texts)
@settings(max_examples=30)
def test_a_voice_and_an_error_and_a_traceback_say_it_harmlessly(text: str) -> None:
    said = list[str]()
    voice = Voice(said.append)
    voice(text)
    voice.close()
    try:
        raise RuntimeError(text)
    except RuntimeError as error:
        said += [explained(error), *traced(error)]
    assert not any(map(obeyed, said))


@given(texts)
def test_a_status_line_shows_a_hostile_prompt_as_text(text: str) -> None:
    line = play.status_line(Status(text, text, 1.0, 80.0, 100.0, 0, 0, 0, text, -6.0, 1.0, True, 120.0, 0.0))
    assert not obeyed(line.plain)


@given(texts)
@settings(max_examples=30)
def test_values_and_the_journal_hold_it_escaped(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    prompt = Controls(prompt=text).get("prompt")
    assert not obeyed(str(prompt))
    folder, journal = tmp_path_factory.mktemp("take"), Journal()
    journal.begin(0, {"prompt": prompt}, first=True)
    journal.open(folder / NAME, Header(text, "", text, 1, 32_000, 2, {"path": text}, {}))
    journal.collapsed(0, text)
    journal.close(5)
    assert not obeyed((folder / NAME).read_text(encoding="utf-8"), lines=True)
    assert read_journal(folder / NAME).header.arguments == {"path": text}


# ---- the commands


LINES: dict[str, tuple[str, ...]] = {
    "a command": (HOSTILE,),
    "an option": ("play", f"--{HOSTILE}"),
    "a value": ("play", "--cfg", HOSTILE),
    "a word too many": ("models", HOSTILE),
    "a file": ("render", f"none/{NAMED}.wav"),
    "an ending": ("render", f"x.{NAMED}"),
    "a model": ("render", "x.wav", "--model", NAMED),
    "a folder to convert": ("convert", NAMED, "saved"),
    "a melody": ("render", "x.wav", "--melody", NAMED),
    "a beginning": ("render", "x.wav", "--continue-from", f"{NAMED}.wav"),
    "a key": ("render", "x.wav", "--key", HOSTILE),
    "a recording": ("replay", NAMED, "x.wav"),
    "what is judged": ("evaluate", NAMED, "--melody", NAMED),
    "a device": ("play", "--device", HOSTILE),
    "a prefix": ("play", "--wav-out", "x.wav", "--osc-port", "0", "--osc-prefix", HOSTILE),
    "a network": ("play", "--wav-out", "x.wav", "--osc-allow", HOSTILE),
    "media": ("play", "--wav-out", "x.wav", "--media", NAMED),
}


@pytest.mark.skipif(sys.platform == "win32", reason="no such names there")
@pytest.mark.parametrize("what", LINES)
@pytest.mark.parametrize("colours", [False, True])
def test_every_refusal_names_it_harmlessly(
    run: Run,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    colours: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    if colours:
        monkeypatch.setenv("FORCE_COLOR", "1")
    code, out, err = run(*LINES[what])
    assert code == 2
    assert not obeyed(_without_drawing(out), lines=True)
    assert not obeyed(_without_drawing(err), lines=True)
    assert "owned" in err or what in ("a value", "a file", "a device"), "it is named"


def _without_drawing(text: str) -> str:
    """Without colours, and the cursor that a status hides."""
    return re.sub("\x1b\\[([0-9;]*m|\\?25[lh])", "", text)


@pytest.mark.parametrize("developing", [False, True])
def test_a_bug_of_ours_tells_it_harmlessly(
    run: Run,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    developing: bool,
) -> None:
    def broken() -> None:
        raise RuntimeError(HOSTILE)

    monkeypatch.setattr(main, "app", broken)
    monkeypatch.setattr(main, "developing", lambda: developing)
    code, _, err = run()
    assert code == main.OURS
    assert ("Traceback" in err) == developing
    assert not obeyed(err, lines=True)


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_model_cards_and_device_names_are_listed_harmlessly(
    run: Run,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    option: tuple[str, ...],
) -> None:
    card = dataclasses.replace(musicgen.models.table.nano(), name=HOSTILE, licence=HOSTILE)
    monkeypatch.setattr(musicgen.models.table, "nano", lambda: card)
    monkeypatch.setattr(streamer.cli.models, "_downloaded", lambda name: False)
    device = Device(0, HOSTILE, 48_000, 2, True)
    monkeypatch.setattr(streamer.audio.devices, "devices", lambda kind="output": [device])
    for command in ("models", "devices"):
        code, out, err = run(command, *option)
        assert code == 0, err
        assert not obeyed(out, lines=True)
        assert "owned" in out
        if option:
            json.loads(out)
