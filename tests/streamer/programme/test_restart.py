"""A programme survives the death of whoever plays it: what comes next goes on where the clock is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

pytest.importorskip("av", reason="install the extra background")

from streamer.surfaces.programme.plan import Plan
from streamer.surfaces.programme.reading import open_page, read_programme

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no signal that cannot be caught here"),
]
PROGRAMME = """\
zone: UTC
takeover: 0 s
outputs: [{{files: {folder}, format: flac}}]
entries:
"""
ENTRY = "  - {{prompt: piano {number}, for: 4 s, weight: {weight}}}\n"


def until(condition: Callable[[], object], seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)


class Playing:
    """`streamer background` in a process of its own, and what it says."""

    def __init__(self, page: Path, state: Path, out: Path) -> None:
        self._out = out
        command = [sys.executable, "-u", "-m", "streamer.cli.main", "background", str(page), "--state", str(state)]
        self.process = subprocess.Popen(
            [*command, "--osc-port", "0", "--threads", "1"], stdout=out.open("w"), stderr=subprocess.STDOUT
        )

    def titles(self) -> list[str]:
        """What played, in order."""
        lines = self._out.read_text().splitlines()
        return [line.partition(" ")[2] for line in lines if line[2:3] == ":" and line[5:6] == ":"]

    def whole(self) -> list[psutil.Process]:
        """It and all processes that it has."""
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]


def test_after_a_kill_the_programme_goes_on_where_the_clock_is(tmp_path: Path) -> None:
    """The same draws, told by the word that the state folder keeps; nobody of before is left."""
    page, state, folder = tmp_path / "day.yaml", tmp_path / "state", tmp_path / "hours"
    entries = "".join(ENTRY.format(number=number, weight=number) for number in range(1, 7))
    page.write_text(PROGRAMME.format(folder=folder) + entries, encoding="utf-8")
    first = Playing(page, state, tmp_path / "first.txt")
    until(lambda: len(first.titles()) >= 2)
    before = first.whole()
    os.kill(first.process.pid, signal.SIGKILL)
    first.process.wait()
    until(lambda: not any(process.is_running() and process.status() != "zombie" for process in before))
    salt = (state / "salt").read_text().strip()
    again = Playing(page, state, tmp_path / "second.txt")
    try:
        began = time.time()
        until(lambda: len(again.titles()) >= 3)
    finally:
        again.process.send_signal(signal.SIGINT)
        again.process.wait(60)
    assert (state / "salt").read_text().strip() == salt
    plan = Plan(read_programme(open_page(page)), salt)
    due = [plan.at(began + second).title for second in range(round(time.time() - began) + 4)]
    turns = [title for title, before in zip(due, ["", *due], strict=False) if title != before]
    played = again.titles()
    assert any(turns[start : start + len(played)] == played for start in range(len(turns))), (turns, played)
    assert len(list(folder.iterdir())) >= 1
