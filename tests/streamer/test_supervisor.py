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

from streamer.control.change import Change, Wall
from streamer.control.controls import Controls
from streamer.errors import UserError
from streamer.process.events import Applied, Event, Failed, Refused, Report
from streamer.process.playhead import Playhead
from streamer.process.ring import Ring
from streamer.process.supervisor import Supervisor, backoff
from tests.streamer import counter

RATE = 8000
pytestmark = pytest.mark.realtime
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait for something that is sure to come; the bound only keeps a broken build from hanging."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.005)


class Bench:
    """A supervised counter, its ring, its controls, and what it told."""

    def __init__(
        self,
        problem: str = "",
        loads: bool = False,
        spare: bool = True,
        broken: str = "",
        threaded: bool = False,
        stuck: bool = False,
    ) -> None:
        self.ring = Ring(RATE, 2)
        self.ring.lead = RATE // 5
        self.playhead = Playhead()
        self.controls = Controls(seed=1)
        self.told: list[Event] = []
        job = counter.job(
            RATE, loads=loads, problem=problem, spare=spare, broken=broken, threaded=threaded, stuck=stuck
        )
        self.worker = Supervisor(
            job,
            self.ring,
            self.playhead,
            self.controls.chosen,
            self.told.append,
        )
        self.controls.follow(self.worker.send)

    @property
    def reports(self) -> list[str]:
        return [event.sentence for event in self.told if isinstance(event, Report | Failed)]

    @property
    def refusals(self) -> list[Refused]:
        return [event for event in self.told if isinstance(event, Refused)]

    @property
    def applied(self) -> list[Applied]:
        return [event for event in self.told if isinstance(event, Applied)]

    def hear(self) -> tuple[int, int]:
        """Of the newest sample in the ring: its number and the seed it was made with."""
        out = np.zeros((RATE, 2), np.float32)
        until(lambda: self.ring.fill)
        got = self.ring.read_into(out)
        return int(out[got - 1, 0]), int(out[got - 1, 1])

    def has_news(self) -> bool:
        """Whether news have come; reads what is in the ring meanwhile, for a worker without room makes nothing."""
        if self.ring.fill:
            self.hear()
        return bool(self.reports or self.refusals)

    def close(self) -> None:
        self.worker.close()
        self.ring.close()
        self.playhead.close()


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
    return [child for child in psutil.Process().children() if "spawn_main" in _command(child)]


def _command(child: psutil.Process) -> str:
    """What it runs; nothing, where it has ended: another test's, that nobody has waited for yet."""
    try:
        return " ".join(child.cmdline())
    except psutil.Error:
        return ""


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
    assert "is held up" in bench.reports[0] or "has not moved" in bench.reports[0]


def test_a_crash_is_told_with_its_cause_and_place(bench: Bench) -> None:
    bench.controls.set(prompt="crash")
    until(bench.has_news)
    bench.controls.set(prompt="play on")
    until(lambda: bench.worker.alive and bench.hear())
    assert "RuntimeError: crashed as asked" in bench.reports[0]
    assert "counter.py, line" in bench.reports[0]


def test_music_that_cannot_go_on_ends_with_one_sentence_and_no_restart(bench: Bench) -> None:
    bench.controls.set(prompt="end")
    until(lambda: bench.has_news() and bench.worker.ended)
    time.sleep(0.3)
    assert bench.worker.ended == "it ends here, as asked"
    assert bench.reports == ["it ends here, as asked"]
    assert bench.worker.restarts == 0


def test_a_change_that_cannot_be_prepared_is_refused_whole_and_the_music_goes_on(bench: Bench) -> None:
    before = bench.hear()[0]
    me = object()
    bench.controls.set(prompt="rain")
    until(lambda: bench.hear() and bench.applied)
    bench.controls.apply([("prompt", "unspeakable"), ("seed", 9)], me)
    bench.controls.set(topk=7)
    until(lambda: bench.refusals)
    (refused,) = bench.refusals
    assert (refused.name, refused.values, refused.origin) == ("prompt", {"prompt": "unspeakable", "seed": 9}, me)
    assert refused.stands == {"prompt": "rain", "seed": 1}
    assert "no such word" in refused.sentence
    until(lambda: bench.hear() and any("topk" in applied.values for applied in bench.applied))
    assert bench.hear()[1] == 1
    assert bench.hear()[0] > before
    assert bench.worker.restarts == 0


def test_a_batch_waits_for_its_slow_part_and_takes_effect_at_one_moment(bench: Bench) -> None:
    bench.controls.set(prompt="slow rain", seed=9)
    bench.controls.set(topk=7)
    until(lambda: bench.hear()[1] == 9 and len(bench.applied) == 2)
    values = [dict(applied.values) for applied in bench.applied]
    assert values == [{"topk": 7}, {"prompt": "slow rain", "seed": 9}]


def test_what_was_asked_for_since_is_not_undone_by_a_batch_that_was_slow(bench: Bench) -> None:
    bench.controls.set(prompt="slow rain", seed=9)
    bench.controls.set(seed=10)
    until(lambda: bench.hear() and any("prompt" in applied.values for applied in bench.applied))
    assert [dict(applied.values) for applied in bench.applied] == [{"seed": 10}, {"prompt": "slow rain"}]


def test_a_reset_waits_for_the_prompt_before_it(bench: Bench) -> None:
    bench.controls.set(prompt="slow rain")
    bench.controls.act("reset")
    until(lambda: bench.hear() and any("reset" in applied.values for applied in bench.applied))
    assert [name for applied in bench.applied for name in applied.values] == ["prompt", "reset"]


def test_a_flood_of_prompts_delays_no_fader_and_prompts_nobody_wants_are_not_encoded(bench: Bench) -> None:
    for number in range(2000):
        bench.controls.set(prompt=f"slow {number}")
    sent = time.monotonic()
    bench.controls.set(seed=9)
    until(lambda: bench.hear()[1] == 9)
    assert time.monotonic() - sent < 1.0
    until(lambda: bench.hear() and any(applied.values.get("prompt") == "slow 1999" for applied in bench.applied))
    bench.controls.set(prompt="how many?")
    until(lambda: bench.refusals)
    assert int(bench.refusals[0].sentence.split()[1]) < 20


def test_a_change_with_a_time_acts_on_the_sample_that_is_heard_then(bench: Bench) -> None:
    """The test is the callback: it says when it takes what. Nobody hears the samples in between."""
    out = np.zeros((400, 2), np.float32)
    start = time.monotonic()
    heard: dict[int, float] = {}
    bench.controls.apply([("seed", 9)], at=time.time() + 1.0)
    due = start + 1.0
    while 9 not in heard:
        now = time.monotonic()
        assert now < start + 20
        bench.playhead.move(bench.ring.taken, now, 0.03)
        got = bench.ring.read_into(out)
        for seed in set(out[:got, 1].astype(int)):
            heard.setdefault(seed, now + 0.03 + int(np.argmax(out[:got, 1] == seed)) / RATE)
        time.sleep(max(0.0, now + got / RATE - time.monotonic()))
    assert abs(heard[9] - due) < 0.06
    (applied,) = bench.applied
    assert applied.late == 0


def test_a_change_whose_time_is_over_acts_at_once_and_says_how_late_it_is(bench: Bench) -> None:
    me = object()
    bench.playhead.move(bench.ring.taken, time.monotonic(), 0.0)
    bench.controls.apply([("seed", 9), ("topk", 5)], me, at=time.time() - 2.0)
    until(lambda: bench.hear()[1] == 9)
    until(lambda: bench.applied)
    (applied,) = bench.applied
    assert (applied.values, applied.origin) == ({"seed": 9, "topk": 5}, me)
    assert 2.0 <= applied.late < 10


def test_only_so_many_changes_wait_for_their_time(bench: Bench) -> None:
    for number in range(1024):
        bench.worker.send(Change({"seed": number}, Wall(time.time() + 1e6)))
    with pytest.raises(ValueError, match="1024 changes wait"):
        bench.worker.send(Change({"seed": 5}, Wall(time.time() + 1e6)))
    sent = time.monotonic()
    bench.worker.send(Change({"seed": 5}))
    until(lambda: bench.hear()[1] == 5)
    assert time.monotonic() - sent < 0.5  # it overtakes them


def test_a_melody_that_takes_long_holds_up_nothing_else(bench: Bench) -> None:
    bench.controls.set(melody=counter.ENDLESS)
    bench.controls.set(melody="never looked at", seed=9)
    until(lambda: bench.hear()[1] == 9)
    assert not bench.refusals


def test_what_the_engine_has_to_say_is_reported(bench: Bench) -> None:
    bench.controls.set(prompt="warn")
    until(bench.has_news)
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
from streamer.process.playhead import Playhead
from streamer.process.ring import Ring
from streamer.process.supervisor import Supervisor
from tests.streamer import counter
if __name__ == "__main__":
    ring = Ring(8000, 2)
    worker = Supervisor(counter.job(8000), ring, Playhead(), dict, lambda event: None)
    worker.start()
    while len(worker.pids) < 2:
        time.sleep(0.01)
    print(*worker.pids, flush=True)
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
from streamer.process.child import build, load
from streamer.process.job import music
job = music("nano", 48_000, 2)
engine, _ = build(job, {}, print, load(job))
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
from streamer.process.playhead import Playhead
from streamer.process.ring import Ring
from streamer.process.supervisor import Supervisor
from tests.streamer import counter
print("once")
ring, playhead = Ring(8000, 2), Playhead()
ring.lead = 1600
worker = Supervisor(counter.job(8000), ring, playhead, Controls().chosen, lambda event: None)
worker.start()
print(worker.facts["model"])
worker.close()
ring.close()
playhead.close()
"""
    )
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    result = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True, check=False)
    assert result.stdout.split() == ["once", "counter"], result.stderr


@given(st.integers(0, 1000))
def test_workers_that_die_young_are_restarted_ever_more_slowly(deaths: int) -> None:
    assert backoff(1) == 0
    assert backoff(deaths) <= backoff(deaths + 1) <= 30
