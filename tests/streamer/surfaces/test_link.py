"""Ableton Link: two peers in a network of their own, that has nothing but a loopback interface with multicast."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from streamer.surfaces.link import Link
from tests.streamer.alone import UP, alone, inside, needs

ROOT = Path(__file__).parents[3]
MULTICAST = f"{UP} && ip link set lo multicast on && ip route add 224.0.0.0/4 dev lo"
"""What a network needs before Link finds anybody in it."""
OLDER = 1.0
"""Seconds: of two sessions that meet, Link keeps the one that is older by half a second, else either."""

pytestmark = [
    pytest.mark.realtime,
    pytest.mark.skipif(find_spec("link") is None, reason="install linkpython-extern"),
    *needs(MULTICAST),
]


class Peer:
    """`tests.streamer.surfaces.peer`, whose lines come and go through the process that holds the network."""

    def __init__(self, hall: Hall, bpm: float) -> None:
        self._process = subprocess.Popen(
            inside(hall.pid, sys.executable, "-m", "tests.streamer.surfaces.peer", str(bpm)),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._hear()

    def _hear(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())

    def ask(self, line: str = "") -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._hear()

    def end(self) -> None:
        self._process.communicate(timeout=30)


class Hall:
    """A network that lives as long as its process, so many seconds at most."""

    def __init__(self, seconds: float = 600) -> None:
        self._process = subprocess.Popen(alone("sleep", str(seconds), first=MULTICAST))
        self.pid = self._process.pid
        until(lambda: _has_multicast(self.pid))

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def _has_multicast(pid: int) -> bool:
    shown = subprocess.run(inside(pid, "ip", "route", "show", "224.0.0.0/4"), capture_output=True, text=True)
    return "lo" in shown.stdout


def until(condition: Callable[[], object], seconds: float = 60) -> None:
    """Wait for something that is sure to come; the bound only keeps a broken build from hanging."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def hall() -> Iterator[Hall]:
    made = Hall()
    yield made
    made.close()


def apart(first: Peer, second: Peer) -> float:
    """Seconds between the beats of two, modulo a bar of four: Link shares phases, not counts."""
    one, other = first.ask(), second.ask()
    (bpm, beat), (_, others) = one["place"], other["place"]
    off = (others - beat - (other["now"] - one["now"]) * bpm / 60 + 2) % 4 - 2
    return float(abs(off) * 60 / bpm)


def test_two_peers_share_beat_tempo_and_transport_and_one_goes_on_alone(hall: Hall) -> None:
    first = Peer(hall, 120.0)
    second = Peer(hall, 99.0)
    until(lambda: first.ask()["peers"] == second.ask()["peers"] == 1)
    until(lambda: abs(first.ask()["place"][0] - second.ask()["place"][0]) < 0.01)
    until(lambda: apart(first, second) < 0.005)
    first.ask("tempo 133.5")
    until(lambda: abs(second.ask()["place"][0] - 133.5) < 0.01)
    second.ask("tempo 87.25")
    until(lambda: abs(first.ask()["place"][0] - 87.25) < 0.01)
    first.ask("play")
    until(lambda: second.ask()["playing"] is True)
    second.ask("stop")
    until(lambda: first.ask()["playing"] is False)
    second.ask("leave")
    until(lambda: first.ask()["peers"] == 0)
    assert first.ask()["place"][0] == pytest.approx(87.25, abs=0.01)
    assert first.ask()["playing"] is None
    second.end()
    time.sleep(OLDER)  # one that is alone again has begun a session of its own
    third = Peer(hall, 140.0)  # who comes takes the tempo that is there
    until(lambda: first.ask()["peers"] == 1)
    until(lambda: abs(third.ask()["place"][0] - 87.25) < 0.01)
    until(lambda: apart(first, third) < 0.005)
    third.end()
    first.end()


def test_without_the_library_it_is_a_sentence_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "link", None)
    said: list[str] = []
    link = Link(said.append)
    for _ in range(3):
        assert link.place(time.monotonic()) is None
        link.offer(bpm=100.0)
    assert link.playing() is None
    assert len(said) == 1
    assert "linkpython-extern" in said[0]
    link.leave()
