"""A programme survives the death of whoever plays it: what comes next goes on where the clock is."""

from __future__ import annotations

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

pytestmark = pytest.mark.heavy
PROGRAMME = """\
zone: UTC
takeover: 0 s
outputs: [{{files: {folder}, format: flac}}]
entries:
"""
ENTRY = "  - {{prompt: piano {number}, for: 20 s, weight: {weight}}}\n"


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

    def titles(self) -> list[tuple[int, str]]:
        """What played, in order, and at which second of the day."""
        lines = [line.split(" ", 1) for line in self._out.read_text().splitlines() if line[2:3] == line[5:6] == ":"]
        days = [[int(part) for part in stamp.split(":")] for stamp, _ in lines]
        return [(3600 * h + 60 * m + s, title) for (h, m, s), (_, title) in zip(days, lines, strict=True)]

    def whole(self) -> list[psutil.Process]:
        """It and all processes that it has."""
        own = psutil.Process(self.process.pid)
        return [own, *own.children(recursive=True)]


def gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_after_a_kill_the_programme_goes_on_where_the_clock_is(tmp_path: Path) -> None:
    """The same draws, told by the word that the state folder keeps; nobody of before is left."""
    page, state, folder = tmp_path / "day.yaml", tmp_path / "state", tmp_path / "hours"
    entries = "".join(ENTRY.format(number=number, weight=number) for number in range(1, 7))
    page.write_text(PROGRAMME.format(folder=folder) + entries, encoding="utf-8")
    first = Playing(page, state, tmp_path / "first.txt")
    try:
        until(first.titles)
        before = first.whole()
    finally:
        first.process.kill()  # SIGKILL: nothing is tidied up
        first.process.wait()
    until(lambda: all(gone(process) for process in before))
    salt = (state / "salt").read_text().strip()
    began = time.time()
    again = Playing(page, state, tmp_path / "second.txt")
    try:
        until(lambda: len(again.titles()) >= 2)
    finally:
        again.process.send_signal(signal.SIGINT)
        again.process.wait(120)
    assert (state / "salt").read_text().strip() == salt
    plan = Plan(read_programme(open_page(page)), salt)
    own = time.localtime(began)
    for second, title in again.titles():
        moment = began + (second - 3600 * own.tm_hour - 60 * own.tm_min - own.tm_sec) % 86_400
        assert title in {plan.at(moment + late).title for late in range(-6, 3)}  # said a little early, or late
    assert any(folder.iterdir())
