"""The engine's process: takes changes, is replaced when it dies or hangs, and never outlives its parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.control.controls import Controls
from streamer.errors import UserError
from streamer.process.ring import Ring
from streamer.process.worker import Refusal, Worker, backoff
from tests.streamer import counter

RATE = 8000
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait for something that is sure to come; the bound only keeps a broken build from hanging."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


class Bench:
    """A worker that counts, its ring, its controls, and what it reported."""

    def __init__(self, problem: str = "") -> None:
        self.ring = Ring(RATE, 2)
        self.ring.lead = RATE // 5
        self.controls = Controls(seed=1)
        self.reports: list[str] = []
        self.refusals: list[Refusal] = []
        self.worker = Worker(
            counter.job(RATE, problem=problem),
            self.ring,
            self.controls.values,
            self.reports.append,
            self.refusals.append,
        )
        self.controls.listen(lambda changed, _: self.worker.send(list(changed.items())))

    def hear(self) -> tuple[int, int]:
        """Of the newest sample in the ring: its number and the seed it was made with."""
        out = np.zeros((RATE, 2), np.float32)
        until(lambda: self.ring.fill)
        got = self.ring.read_into(out)
        return int(out[got - 1, 0]), int(out[got - 1, 1])

    def told(self) -> bool:
        """Whether news have come; reads what is in the ring meanwhile, for a worker without room makes nothing."""
        if self.ring.fill:
            self.hear()
        return bool(self.reports or self.refusals)

    def close(self) -> None:
        self.worker.close()
        self.ring.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    made.worker.start()
    yield made
    made.close()


def test_changes_are_heard_and_all_processes_end_with_the_worker() -> None:
    bench = Bench()
    bench.worker.start()
    assert bench.worker.facts["model"] == "counter"
    assert bench.hear()[1] == 1
    bench.controls.set(seed=7)
    until(lambda: bench.hear()[1] == 7)
    assert bench.worker.rtf > 0
    until(lambda: len(_engines()) == 2)  # the standby
    bench.close()
    assert not _engines()


def _engines() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "spawn_main" in " ".join(child.cmdline())]


@posix
def test_after_kill_9_the_music_comes_back_with_the_last_controls(bench: Bench) -> None:
    bench.controls.set(seed=42)
    until(lambda: bench.hear()[1] == 42)
    first = bench.worker.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: bench.worker.restarts == 1 and bench.worker.alive)
    bench.ring.drop()
    number, seed = bench.hear()
    assert seed == 42
    assert bench.worker.pid != first
    assert "exit code -9" in bench.reports[0]
    bench.controls.set(seed=43)
    until(lambda: bench.hear()[1] == 43)
    assert bench.hear()[0] > number


@posix
def test_a_worker_that_stands_still_is_replaced(bench: Bench) -> None:
    bench.hear()
    assert bench.worker.pid is not None
    os.kill(bench.worker.pid, signal.SIGSTOP)
    until(lambda: bench.hear() and bench.worker.restarts == 1 and bench.worker.alive)
    assert "has not moved" in bench.reports[0]


def test_a_crash_is_told_with_its_cause_and_place(bench: Bench) -> None:
    bench.controls.set(prompt="crash")
    until(bench.told)
    bench.controls.set(prompt="play on")
    until(lambda: bench.worker.alive and bench.hear())
    assert "RuntimeError: crashed as asked" in bench.reports[0]
    assert "counter.py, line" in bench.reports[0]


def test_music_that_cannot_go_on_ends_with_one_sentence_and_no_restart(bench: Bench) -> None:
    bench.controls.set(prompt="end")
    until(lambda: bench.told() and bench.worker.ended)
    time.sleep(0.3)
    assert bench.worker.ended == "it ends here, as asked"
    assert bench.reports == ["it ends here, as asked"]
    assert bench.worker.restarts == 0


def test_a_change_that_cannot_be_prepared_is_refused_alone_and_the_music_goes_on(bench: Bench) -> None:
    before = bench.hear()[0]
    bench.controls.set(prompt="rain")
    bench.controls.set(prompt="unspeakable", seed=9)
    until(bench.told)
    (refusal,) = bench.refusals
    assert (refusal.name, refusal.value, refusal.stands) == ("prompt", "unspeakable", "rain")
    assert "no such word" in refusal.sentence
    until(lambda: bench.hear()[1] == 9)
    assert bench.hear()[0] > before
    assert bench.worker.restarts == 0


def test_a_melody_that_takes_long_holds_up_nothing_else(bench: Bench) -> None:
    bench.controls.set(melody=counter.ENDLESS)
    bench.controls.set(melody="never looked at", seed=9)
    until(lambda: bench.hear()[1] == 9)
    assert not bench.refusals


def test_what_the_engine_logs_is_reported(bench: Bench) -> None:
    bench.controls.set(prompt="warn")
    until(bench.told)
    assert bench.reports == ["as asked: a warning"]


@posix
def test_ctrl_c_is_not_the_workers_business(bench: Bench) -> None:
    assert bench.worker.pid is not None
    os.kill(bench.worker.pid, signal.SIGINT)
    before = bench.hear()[0]
    until(lambda: bench.hear()[0] > before + RATE)
    assert bench.worker.restarts == 0


def test_what_cannot_start_says_why() -> None:
    bench = Bench(problem="no model here")
    with pytest.raises(UserError, match="no model here"):
        bench.worker.start()
    bench.close()
    assert not _engines()


@posix
def test_no_worker_outlives_a_killed_parent(tmp_path: Path) -> None:
    code = """
import sys, time
sys.path.insert(0, sys.argv[1])
from streamer.process.ring import Ring
from streamer.process.worker import Worker
from tests.streamer import counter
if __name__ == "__main__":
    ring = Ring(8000, 2)
    worker = Worker(counter.job(8000), ring, dict, print, print)
    worker.start()
    while worker._standby is None:
        time.sleep(0.01)
    print(worker.pid, worker._standby.process.pid, flush=True)
    time.sleep(1000)
"""
    (tmp_path / "parent.py").write_text(code)
    root = Path(__file__).parents[2]
    command = [sys.executable, str(tmp_path / "parent.py"), str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        parent.kill()
    until(lambda: not any(_lives(pid) for pid in pids))


def _lives(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def test_a_standby_has_imported_what_turned_out_to_be_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAMER_MARK", str(tmp_path / "imported"))
    bench = Bench()
    try:
        bench.worker.start()
        until((tmp_path / "imported").exists)
        assert bench.worker.restarts == 0
    finally:
        bench.close()


def test_nanos_first_sound_waits_for_no_slow_import() -> None:
    """Each of these takes longer than loading nano."""
    code = """
import sys
from streamer.process.worker import _build, music
engine, _ = _build(music("nano", 48_000, 2), {})
engine.read(960)
print(*{"transformers", "torchaudio", "scipy", "huggingface_hub", "onnxruntime", "torch._dynamo"} & sys.modules.keys())
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (0, "\n"), result.stderr


def test_a_script_that_plays_is_not_run_again_by_its_engine(tmp_path: Path) -> None:
    """Though it has no `if __name__ == "__main__"`, as multiprocessing asks for."""
    script = tmp_path / "play.py"
    script.write_text(
        """
from streamer.control.controls import Controls
from streamer.process.ring import Ring
from streamer.process.worker import Worker
from tests.streamer import counter
print("once")
ring = Ring(8000, 2)
ring.lead = 1600
worker = Worker(counter.job(8000), ring, Controls().values, print, print)
worker.start()
print(worker.facts["model"])
worker.close()
ring.close()
"""
    )
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    result = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=False)
    assert result.stdout.split() == ["once", "counter"], result.stderr


@given(st.integers(0, 1000))
def test_workers_that_die_young_are_restarted_ever_more_slowly(deaths: int) -> None:
    assert backoff(1) == 0
    assert backoff(deaths) <= backoff(deaths + 1) <= 30
