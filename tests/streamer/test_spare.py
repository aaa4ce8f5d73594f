"""A spare has its model before it is needed, and goes on where the engine stood that was killed or held up."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from musicgen import MusicGen
from musicgen.backends import choose
from musicgen.score import FIELDS
from osc.values import Value
from streamer.audio.recorder import SOUND
from streamer.control.journal import NAME, read_journal
from streamer.engine.core import Core
from streamer.engine.model import Trace
from streamer.engine.standing import Standing
from streamer.instrument import Instrument
from streamer.offline.replay import replay
from streamer.process.events import Ready
from streamer.process.handover import LARGEST, Handover
from streamer.process.job import load_model, music
from tests.streamer.test_supervisor import RATE, Bench, until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere nothing is forked")


# What is handed over


@pytest.fixture
def handover() -> Iterator[Handover]:
    made = Handover()
    yield made
    made.close()


def test_the_last_state_that_is_whole_is_read(handover: Handover) -> None:
    assert handover.read() == b""
    for state in (b"one", b"second", b"3"):
        handover.write(state)
        assert handover.read() == state
    handover.write(b"")
    handover.write(b"x" * (LARGEST + 1))
    assert handover.read() == b"3"


def _write_for_ever(handover: Handover) -> None:
    number = 0
    while True:
        number += 1
        handover.write(str(number).encode() * 30_000)


@pytest.mark.realtime
def test_a_writer_that_is_killed_at_any_moment_leaves_a_whole_state(handover: Handover) -> None:
    for turn in range(6):
        writer = multiprocessing.get_context("spawn").Process(target=_write_for_ever, args=(handover,))
        before = handover.read()
        writer.start()
        until(lambda before=before: handover.read() not in (before, b""))  # type: ignore[misc]
        time.sleep(0.003 * turn)
        writer.kill()
        writer.join()
        state = handover.read()
        assert state == state[: len(state) // 30_000] * 30_000 != b""


@given(st.binary(max_size=200))
def test_what_is_no_state_is_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError):
        Standing.from_bytes(data)


def test_a_state_of_before_chords_were_told_in_words_is_gone_on_from(tiny_model: MusicGen) -> None:
    """Journals keep states."""
    core = Core(tiny_model, {"seed": 4}, channels=1, level=False)
    core.read(960 * 30)
    head, _, rest = core.state().partition(b"\n")
    facts = json.loads(head)
    assert facts["told"] == []
    beat = facts["beat"] + facts["ago"] * core.tempo.bpm / 3000
    old = {name: facts[name] for name in ("seed", "frames", "begins")} | {"beat": beat, "chords": 0.0}
    standing = Standing.from_bytes(json.dumps(old).encode() + b"\n" + rest)
    other = Core(tiny_model, {"seed": 4}, channels=1, level=False, goes_on=standing)
    assert other.tempo.beat_at(other.frames_done) == pytest.approx(core.tempo.beat_at(core.frames_done))
    for found, expected in zip(_traces(other, 5), _traces(core, 5), strict=True):
        np.testing.assert_array_equal(found.frames, expected.frames)


# Takeover


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench(loads=True)
    made.worker.start()
    yield made
    made.close()


def _kill(bench: Bench, how: signal.Signals = signal.SIGKILL) -> None:
    restarts = bench.worker.restarts
    assert bench.worker.pid is not None
    os.kill(bench.worker.pid, how)
    until(lambda: bench.ring.fill < bench.ring.lead or bench.hear())
    until(lambda: bench.hear() and bench.worker.restarts == restarts + 1 and bench.worker.alive)


@pytest.mark.realtime
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_the_spare_counts_on_from_the_last_second(bench: Bench, how: signal.Signals) -> None:
    bench.controls.set(seed=42)
    until(lambda: bench.hear()[0] > 2 * RATE and bench.worker.spare)
    number, _ = bench.hear()
    _kill(bench, how)
    (ready,) = [event for event in bench.told if isinstance(event, Ready)][1:]
    assert number - RATE < int(ready.state) < number + RATE
    until(lambda: bench.hear()[1] == 42)
    assert bench.hear()[0] > int(ready.state)


@pytest.mark.realtime
def test_kills_in_quick_succession_are_answered_at_once(bench: Bench) -> None:
    until(lambda: bench.hear()[0] > RATE)
    for _ in range(5):
        _kill(bench)
    assert len(bench.reports) == 5
    assert not [report for report in bench.reports if "again in" in report]


@pytest.mark.realtime
@linux
def test_spares_are_forked_from_one_that_has_loaded_the_model(bench: Bench) -> None:
    until(lambda: bench.hear() and bench.worker.spare)
    engine, spare, nursery = bench.worker.pids
    assert [psutil.Process(pid).ppid() for pid in (engine, spare, nursery)] == [nursery, nursery, os.getpid()]
    _kill(bench)
    until(lambda: bench.hear() and bench.worker.spare)
    assert bench.worker.pids[0] == spare
    assert bench.worker.pids[2] == nursery
    os.kill(nursery, signal.SIGKILL)
    for _ in range(2):  # the spare, and one that is loaded anew
        until(lambda: bench.hear() and bench.worker.spare)
        _kill(bench)
    assert nursery not in bench.worker.pids


@pytest.mark.realtime
@linux
def test_whatever_is_held_up_is_noticed_and_replaced(bench: Bench) -> None:
    until(lambda: bench.hear() and bench.worker.spare)
    engine, *idle = bench.worker.pids
    for pid in idle:
        os.kill(pid, signal.SIGSTOP)
    until(lambda: bench.hear() and bench.worker.spare and not set(idle) & set(bench.worker.pids))
    assert bench.worker.pids[0] == engine
    _kill(bench, signal.SIGSTOP)
    assert bench.reports == ["The engine's process is held up. Starting it again."]


@pytest.mark.realtime
@linux
def test_what_is_killed_leaves_no_zombies(bench: Bench) -> None:
    until(lambda: bench.hear())
    for _ in range(3):
        _kill(bench)
    nursery = psutil.Process(bench.worker.pids[-1])
    assert not [child for child in nursery.children() if child.status() == psutil.STATUS_ZOMBIE]


@pytest.mark.realtime
@linux
def test_a_process_with_threads_of_its_own_is_never_forked() -> None:
    bench = Bench(loads=True, threaded=True)
    try:
        bench.worker.start()
        until(lambda: bench.hear() and bench.worker.spare)
        assert len(bench.worker.pids) == 2
        _kill(bench)
    finally:
        bench.close()


@pytest.mark.realtime
def test_a_state_of_no_use_is_answered_by_beginning_anew(bench: Bench) -> None:
    bench.controls.set(prompt="unspoken")
    until(lambda: bench.hear()[0] > 2 * RATE and bench.worker.spare)
    _kill(bench)
    assert [report for report in bench.reports if "it begins anew" in report]
    assert [event.state for event in bench.told if isinstance(event, Ready)] == [b"", b""]


@pytest.mark.realtime
def test_a_spare_that_is_killed_is_replaced(bench: Bench) -> None:
    until(lambda: bench.hear() and bench.worker.spare)
    first = bench.worker.pids[1]
    os.kill(first, signal.SIGKILL)
    until(lambda: bench.hear() and bench.worker.spare and bench.worker.pids[1] != first)
    assert bench.worker.restarts == 0


@pytest.mark.realtime
@pytest.mark.parametrize("why", ["no room", "broken"])
def test_without_a_second_model_that_is_said_once_and_the_music_comes_back(tmp_path: Path, why: str) -> None:
    mark = tmp_path / "mark"
    refused = {"spare": False} if why == "no room" else {"broken": str(mark)}
    bench = Bench(loads=True, threaded=True, **refused)
    try:
        bench.worker.start()
        until(lambda: bench.hear() and bench.reports)
        until(lambda: bench.hear() and len(bench.worker.pids) == 2)
        assert [report for report in bench.reports if "after a crash the music waits" in report] == bench.reports
        mark.unlink(missing_ok=True)
        _kill(bench)
    finally:
        bench.close()


@pytest.mark.realtime
def test_a_killed_parent_leaves_no_process_and_no_memory(tmp_path: Path) -> None:
    memory = Path("/dev/shm")
    if not memory.is_dir():
        pytest.skip("this system does not list its shared memory")
    code = """
import sys, time
sys.path.insert(0, sys.argv[1])
from streamer.process.playhead import Playhead
from streamer.process.ring import Ring
from streamer.process.supervisor import Supervisor
from tests.streamer import counter
if __name__ == "__main__":
    ring = Ring(8000, 2)
    worker = Supervisor(counter.job(8000, loads=True), ring, Playhead(), dict, lambda event: None)
    worker.start()
    while not worker.spare:
        time.sleep(0.01)
    print(*worker.pids, flush=True)
    time.sleep(1000)
"""
    (tmp_path / "parent.py").write_text(code)
    before = set(memory.iterdir())
    command = [sys.executable, str(tmp_path / "parent.py"), str(Path(__file__).parents[2])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(word) for word in parent.stdout.readline().split()]
        held = {path for pid in pids for path in _mapped(pid)} - before
        assert len(pids) >= 2  # and a nursery, where there is one
        assert len(held) == 4  # ring, playhead, status, handover
        parent.kill()
    until(lambda: not any(map(psutil.pid_exists, pids)) and not any(path.exists() for path in held), 5)


def _mapped(pid: int) -> set[Path]:
    return {
        Path(found.path) for found in psutil.Process(pid).memory_maps() if found.path.startswith("/dev/shm/streamer-")
    }


# nano


@pytest.mark.realtime
def test_nano_plays_the_same_music_on(tmp_path: Path) -> None:
    """The prompt names a tempo, so every frame is told its beat."""
    values: dict[str, Value] = {"prompt": "dark techno, 127 bpm", "seed": 5}
    instrument = Instrument(music("nano", 48_000, 2), values, port=0)
    try:
        instrument.start()
        instrument.record(tmp_path / "take")
        until(lambda: instrument.worker.spare and instrument.playback.samples > 3 * 48_000, 60)
        played = instrument.playback.samples
        assert instrument.worker.pid is not None
        os.kill(instrument.worker.pid, signal.SIGKILL)
        until(lambda: instrument.worker.restarts == 1 and instrument.worker.alive)
        time.sleep(0.5)
    finally:
        instrument.close()
    _, second = read_journal(tmp_path / "take" / NAME).lives
    standing = Standing.from_bytes(second.state)
    assert abs(standing.stream.frames_done - played / 960) < 50 + 25  # frames: a second, and what was queued
    model = load_model("nano", "auto", 0, "card").model
    unkilled = Core(model, values, channels=1, level=False)
    _traces(unkilled, standing.stream.frames_done)
    spare = Core(model, values, channels=1, level=False, goes_on=standing)
    for found, expected in zip(_traces(spare, 50), _traces(unkilled, 50), strict=True):
        np.testing.assert_array_equal(found.frames, expected.frames)
        np.testing.assert_array_equal(found.fields, expected.fields)
        assert found.fields[0, FIELDS.index("bpm")] == 127
    replay(model, tmp_path / "take", tmp_path / "again.wav", report=pytest.fail)
    files = (tmp_path / "take" / SOUND, tmp_path / "again.wav")
    heard, again = (soundfile.read(path, dtype="int32")[0] for path in files)
    np.testing.assert_array_equal(again, heard)


def _traces(core: Core, frames: int) -> list[Trace]:
    """Of so many frames, one by one."""
    traces = []
    for _ in range(frames):
        core.due()
        core.play(1)
        traces.append(core.stream.trace)
    return traces


def test_a_successor_computes_with_the_backend_that_the_first_one_chose() -> None:
    """Which "auto" is may depend on a measurement; the music's tokens must not change with it half-way."""
    job = music("nano", 48_000, 1)
    settled = job.settled(load_model(**job.arguments).facts)  # type: ignore[arg-type]
    assert settled.arguments == {**job.arguments, "backend": choose()[0]}
    assert job.settled({}) == job
