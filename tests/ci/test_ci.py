"""The project's own tools: what sets up, what makes a bare machine, what judges how it plays there."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pythonosc.osc_message_builder import OscMessageBuilder

ROOT = Path(__file__).parents[2]


def tool(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """One of the scripts in .ci as a module; they import one another by name."""
    monkeypatch.syspath_prepend(str(ROOT / ".ci"))
    spec = importlib.util.spec_from_file_location(f"ci_{name}", ROOT / ".ci" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)  # dataclasses look themselves up
    spec.loader.exec_module(module)
    return module


def message(address: str, value: float) -> bytes:
    builder = OscMessageBuilder(address)
    builder.add_arg(value)
    return bytes(builder.build().dgram)


def test_only_xruns_beyond_the_first_second_count(monkeypatch: pytest.MonkeyPatch) -> None:
    hear = tool("hear", monkeypatch)
    heard, clock = hear.Heard(), iter([0.0, 10.0, 10.0, 10.9, 12.0, 13.0])
    monkeypatch.setattr(hear.time, "monotonic", lambda: next(clock))
    heard.take(message("/mg/status/xruns", 7))  # before it computes anything: of no interest
    heard.take(message("/mg/status/rtf", 2.5))
    for xruns in (0, 2, 2, 5):
        heard.take(message("/mg/status/xruns", xruns))
    assert heard.factors == [2.5]
    assert heard.late_xruns() == 3


def test_a_command_that_plays_nothing_is_a_failure() -> None:
    judged = subprocess.run([sys.executable, ROOT / ".ci/hear.py", "true"], capture_output=True, text=True)
    assert judged.returncode == 1
    assert "0 reports" in judged.stderr


def test_a_bare_machine_sees_the_folders_that_pips_settings_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = tool("fresh", monkeypatch)
    for folder in ("wheels", "index/simple", "more"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "ca.pem").touch()
    settings = [
        f"[global]\nfind-links = {tmp_path}/wheels\nextra-index-url = https://example.org/simple",
        f"file://{tmp_path}/index/simple {tmp_path}/nowhere",
        str(tmp_path / "ca.pem"),
    ]
    assert fresh.local_paths(settings) == [tmp_path / "ca.pem", tmp_path / "index", tmp_path / "wheels"]


def test_a_step_is_one_line_and_one_that_fails_shows_the_end_of_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    setup = tool("setup", monkeypatch)
    monkeypatch.setattr(setup, "LOG", tmp_path / "setup.log")
    chatter = [sys.executable, "-c", "for line in range(100): print('chatter', line)"]
    setup.must("Talking", chatter)
    assert capsys.readouterr().out.count("\n") == 1
    with pytest.raises(SystemExit) as end:
        setup.must("Breaking", [sys.executable, "-c", "raise ValueError('out of tea')"])
    assert capsys.readouterr().out == "Breaking ... failed\n"
    assert "ValueError: out of tea" in str(end.value)
    assert "chatter 99" in str(end.value) and "chatter 50" not in str(end.value)


@pytest.mark.parametrize(("options", "status"), [((), 0), (("--nothing-to-install",), 1)])
def test_a_skip_for_what_could_be_installed_fails_where_asked_to(
    tmp_path: Path, options: tuple[str, ...], status: int
) -> None:
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "def test_plays() -> None: pass\n"
        "def test_missing() -> None: pytest.skip('jackd is not installed')\n"
        "def test_elsewhere() -> None: pytest.skip('needs another system')\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "--rootdir", str(tmp_path)]
    done = subprocess.run([*command, str(tmp_path), *options], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == status, done.stdout + done.stderr
    assert ("1 failed, 1 passed, 1 skipped" if status else "1 passed, 2 skipped") in done.stdout


def test_the_workflows_say_nothing_that_github_does_not_know() -> None:
    workflows = sorted((ROOT / ".github/workflows").glob("*.yml"))
    assert workflows
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows"]
    done = subprocess.run([*command, *map(str, workflows)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("answers", "passes"), [((True,), True), ((False, False, True), True), ((False,) * 3, False)])
def test_playing_is_bad_when_it_was_bad_three_times(
    answers: tuple[bool, ...], passes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    hear = tool("hear", monkeypatch)
    left = list(answers)
    monkeypatch.setattr(hear, "judge", lambda command: left.pop(0))
    monkeypatch.setattr(sys, "argv", ["hear.py", "true"])
    if passes:
        hear.main()
    else:
        with pytest.raises(SystemExit) as end:
            hear.main()
        assert end.value.code == 1
    assert left == []
