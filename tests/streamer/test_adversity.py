"""Processes and what the system gives them: killed whole, suspended, without files, homes, memory or a folder."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from typing import Any

import psutil
import pytest

from osc.access import NO_RULES
from osc.desk import Desk
from streamer.control.change import Beat, Change, Wall
from streamer.control.timeline import Timeline
from streamer.errors import UserError
from streamer.process import memory, supervisor
from streamer.process.memory import Memory, remove_the_dead
from streamer.process.tickets import Tickets
from tests.osc import desk as mixing
from tests.streamer.test_instrument import bundle, until
from tests.streamer.test_supervisor import Bench

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux: signals, /dev/shm and /proc")


class Player:
    """The instrument of `tests.streamer.player`, or another module, in a session of its own."""

    def __init__(
        self, shell: str = "", cwd: Path = ROOT, module: str = "tests.streamer.player", **environment: str | None
    ) -> None:
        changed = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        self.process = subprocess.Popen(
            ["sh", "-c", f"{shell} exec {sys.executable} -m {module}"],
            cwd=cwd,
            env={name: value for name, value in changed.items() if value is not None},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def begun(self) -> bool:
        """Wait for the music; whether it came."""
        assert self.process.stdout is not None
        return bool(self.process.stdout.readline())

    def status(self) -> dict[str, Any]:
        """How it goes."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("?\n")
        self.process.stdin.flush()
        found: dict[str, Any] = json.loads(self.process.stdout.readline())
        return found

    def plays_on(self) -> bool:
        """Wait for more music."""
        before = self.status()["seconds"]
        until(lambda: self.status()["seconds"] > before + 0.2, 60)
        return True

    def signal(self, number: int) -> None:
        """To all of its processes."""
        os.killpg(self.process.pid, number)

    def end(self) -> str:
        """Have it end; what it said on stderr."""
        return self.process.communicate(timeout=60)[1]


@contextlib.contextmanager
def playing(*arguments: Any, **named: Any) -> Iterator[Player]:
    player = Player(*arguments, **named)
    try:
        yield player
    finally:
        with contextlib.suppress(ProcessLookupError):
            player.signal(signal.SIGKILL)
        with contextlib.suppress(ValueError):  # it has ended in peace
            player.process.communicate()


NEEDS: dict[str, dict[str, Any]] = {
    "64 open files": {"shell": "ulimit -n 64;"},
    "no home": {"HOME": None},
    "a home and a TMPDIR that nobody can write to": {"HOME": "/proc", "XDG_CONFIG_HOME": None, "TMPDIR": "/proc"},
    "LANG=C": {"LANG": "C", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "a folder that has gone": {"shell": "mkdir gone; cd gone; rmdir ../gone;"},
    "no stderr": {"shell": "exec 2>&-;"},
}


def test_it_plays_with_little_from_the_system(tmp_path: Path) -> None:
    with contextlib.ExitStack() as all_of_them:
        players = {name: all_of_them.enter_context(playing(cwd=tmp_path, **need)) for name, need in NEEDS.items()}
        for name, player in players.items():
            assert player.begun(), f"{name}: {player.end()}"
            assert player.plays_on()
            said = player.end()
            assert (said, player.process.returncode) == ("", 0), name


def test_a_session_that_is_suspended_and_goes_on_replaces_no_engine() -> None:
    with playing() as player:
        assert player.begun() and player.plays_on()
        player.signal(signal.SIGSTOP)
        time.sleep(3.0)
        player.signal(signal.SIGCONT)
        assert player.plays_on()
        time.sleep(1.0)
        assert player.status()["restarts"] == 0
        assert player.end() == ""


def _pieces(process: int) -> set[Path]:
    """The shared memory of one instrument: others may play here as well."""
    return {Path(found.path) for found in psutil.Process(process).memory_maps() if memory.PREFIX in found.path}


def test_what_a_killed_session_leaves_in_memory_is_removed_by_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Memory(None, 100)
    with playing() as player:
        assert player.begun()
        left = _pieces(player.process.pid)
    monkeypatch.setattr(memory, "_YOUNG_SECONDS", -1.0)
    remove_the_dead()
    assert left and not any(path.exists() for path in left)
    kept = Path("/dev/shm", mine.name)
    assert kept.exists(), "whose owner lives"
    mine.close()
    assert not kept.exists()


def test_memory_that_is_cut_off_under_it_ends_an_instrument_once_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Linux kills who reads what is no more. Only programs of the same user may cut these files."""
    with playing() as player:
        assert player.begun()
        family = psutil.Process(player.process.pid).children(recursive=True)
        own = _pieces(player.process.pid)
        assert own and {path.stat().st_mode & 0o777 for path in own} == {0o600}
        for path in own:
            os.truncate(path, 0)
        until(lambda: player.process.poll() is not None, 60)
        assert player.process.returncode == -signal.SIGBUS
        psutil.wait_procs(family, timeout=60)
        assert not [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    monkeypatch.setattr(memory, "_YOUNG_SECONDS", -1.0)
    remove_the_dead()
    assert not [path for path in own if path.exists()]


def test_no_room_for_shared_memory_is_a_sentence_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    removed = list[str]()
    monkeypatch.setattr(os, "posix_fallocate", full)
    monkeypatch.setattr(SharedMemory, "unlink", lambda own: removed.append(own.name))
    with pytest.raises(
        UserError, match=r"no shared memory .*\(No space left on device\): make room in /dev/shm, 4.0 MB"
    ):
        Memory(None, 4_000_000)
    (name,) = removed
    Path("/dev/shm", name).unlink()


def test_engines_that_lose_their_memory_over_and_over_end_with_a_sentence() -> None:
    bench = Bench()
    try:
        bench.worker.start()
        for deaths in range(supervisor.MEMORY_LOSSES):
            until(partial(_restarted, bench, deaths), 60)
            assert bench.worker.pid is not None
            os.kill(bench.worker.pid, signal.SIGBUS)
        until(lambda: bench.worker.ended, 60)
        assert bench.worker.ended == "3 engines have lost their shared memory: make room in /dev/shm, and play again."
        assert bench.worker.restarts == supervisor.MEMORY_LOSSES - 1
    finally:
        bench.close()


def _restarted(bench: Bench, times: int) -> bool:
    return bench.worker.restarts == times and bench.worker.alive


def test_a_model_whose_loading_hangs_is_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "LOADING_SECONDS", 2.0)
    bench = Bench(loads=True, stuck=True)
    try:
        with pytest.raises(UserError, match="has loaded nothing for 2 s"):
            bench.worker.start()
    finally:
        bench.close()


# ---- a clock that jumps


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_change_that_waits_for_its_time_is_not_moved_when_the_clock_is_set(jump: float) -> None:
    wall, clock = [1_700_000_000.0], [50.0]
    line = Timeline(8000, lambda: None, wall=lambda: wall[0], clock=lambda: clock[0])
    moment = line.moment(Wall(wall[0] + 2.0))
    wall[0] += jump
    assert moment == pytest.approx(52.0)


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_what_a_successor_has_to_hear_again_keeps_its_moment_when_the_clock_is_set(jump: float) -> None:
    wall, clock = [1_700_000_000.0], [50.0]
    tickets = Tickets(lambda: wall[0], lambda: clock[0])
    tickets.issue(Change({"seed": 1}, Wall(wall[0] + 3.0), "me"))
    tickets.issue(Change({"seed": 2}, Beat(4.0), "me"))
    wall[0] += jump + 1.0
    clock[0] += 1.0
    for _ in range(2):
        timed, beat = tickets.again()
        assert isinstance(timed.at, Wall) and timed.at.seconds == pytest.approx(wall[0] + 2.0)
        assert beat.at == Beat(4.0)


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_question_that_waits_is_answered_in_its_time_when_the_clock_is_set(jump: float) -> None:
    wall, clock, sent = [1_700_000_000.0], mixing.Clock(), list[bytes]()

    def send(target: object, datagram: bytes) -> bool:
        sent.append(datagram)
        return True

    desk = Desk(mixing.tree(mixing.Desk()), send, lambda: None, NO_RULES, clock=clock, wall=lambda: wall[0])
    desk.receive(bundle(wall[0] + 2.0, ("/mg/ping", None)), ("127.0.0.1", 9000))
    desk.turn()
    wall[0] += jump
    clock.now += 1.9
    desk.turn()
    assert not sent
    clock.now += 0.2
    desk.turn()
    assert len(sent) == 1


# ---- the same with nano, as it is played


def nano(folder: Path, seconds: float) -> str:
    """The module that plays it, and its arguments."""
    return f"streamer.cli.main play --osc-port 0 --seconds {seconds} --wav-out {folder}/heard.wav"


@pytest.mark.heavy
@pytest.mark.parametrize("name", NEEDS)
def test_nano_plays_with_little_from_the_system(tmp_path: Path, name: str) -> None:
    with playing(cwd=tmp_path, module=nano(tmp_path, 1.5), **NEEDS[name]) as player:
        out, err = player.process.communicate(timeout=120)
    assert (player.process.returncode, err) == (0, "")
    assert "Played" in out and "restarted" not in out


@pytest.mark.heavy
def test_nano_goes_on_after_a_suspended_session_and_a_folder_that_went(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    with playing(cwd=tmp_path, module=nano(tmp_path, 12.0), shell="cd home;") as player:
        heard = tmp_path / "heard.wav"
        until(lambda: heard.exists() and heard.stat().st_size > 100_000, 120)
        player.signal(signal.SIGSTOP)
        time.sleep(5.0)
        player.signal(signal.SIGCONT)
        (tmp_path / "home").rmdir()
        time.sleep(2.0)
        children = psutil.Process(player.process.pid).children(recursive=True)
        for child in children:  # the engine, its spare and their nursery: another one has to be started
            with contextlib.suppress(psutil.NoSuchProcess):
                if "spawn_main" in " ".join(child.cmdline()):
                    child.kill()
        out, err = player.process.communicate(timeout=120)
    assert player.process.returncode == 0
    assert "engine restarted" in out, (out, err)
    assert all(line.endswith("Starting it again.") for line in err.splitlines())
