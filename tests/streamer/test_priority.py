"""What the music asks of the system, beside others: used when granted, and nobody hears of it when not."""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.audio.null import NullPlayer
from streamer.audio.playback import Playback
from streamer.process import priority
from streamer.process.ring import Ring
from tests.streamer.test_supervisor import Bench, until

linux = pytest.mark.skipif(sys.platform != "linux", reason="as Linux grants it")


def in_a_thread(call: Callable[[], Any]) -> Any:
    """What a call returns in a thread of its own, whose priority ends with it."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    thread.join()
    return results[0]


def refuse(*arguments: object) -> None:
    raise PermissionError(1, "Operation not permitted")


def may_be_nice() -> bool:
    import resource

    return os.geteuid() == 0 or resource.getrlimit(resource.RLIMIT_NICE)[0] >= 20 - priority.FIRST


@linux
def test_an_engine_goes_before_others_and_so_do_the_threads_it_begins() -> None:
    def levels() -> tuple[str, int, int]:
        said = priority.hurry_engine()
        return said, os.getpriority(os.PRIO_PROCESS, 0), in_a_thread(lambda: os.getpriority(os.PRIO_PROCESS, 0))

    if not may_be_nice():
        pytest.skip("nothing is granted here")
    assert in_a_thread(levels) == ("nice -11", -11, -11)
    assert os.getpriority(os.PRIO_PROCESS, 0) != -11


@linux
@pytest.mark.skipif(not Path("/proc/self/autogroup").exists(), reason="this system weighs no sessions")
def test_an_engine_that_leads_a_session_has_the_session_go_before_others() -> None:
    code = """
from streamer.process import priority
print(priority.hurry_session())
print(open("/proc/self/autogroup").read())
"""
    leads, follows = (
        subprocess.run([sys.executable, "-c", code], start_new_session=own, capture_output=True, text=True, timeout=60)
        for own in (True, False)
    )
    assert follows.stdout.startswith("\n"), "a terminal's session is its user's"
    if not may_be_nice():
        pytest.skip("nothing is granted here")
    said, weighed = leads.stdout.split("\n")[:2]
    assert said == "nice -11 for the session" and weighed.endswith(" nice -11")


@linux
def test_a_callback_is_real_time_and_one_that_is_already_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr("os.sched_setscheduler", lambda pid, how, given: asked.append((how, given.sched_priority)))
    assert in_a_thread(priority.hurry_callback) == "SCHED_RR 10"
    assert asked == [(os.SCHED_RR, 10)]
    monkeypatch.setattr("os.sched_getscheduler", lambda pid: os.SCHED_FIFO)
    assert in_a_thread(priority.hurry_callback) == "real-time, as it came"
    assert len(asked) == 1


@linux
def test_what_is_refused_is_left_without_a_word(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("os.sched_setscheduler", refuse)
    monkeypatch.setattr("os.setpriority", refuse)
    monkeypatch.setattr("os.getpriority", lambda *arguments: 0)
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/bus")
    for ask in (priority.hurry_callback, priority.hurry_engine, priority.hurry_process):
        assert in_a_thread(ask) == ""
    assert capfd.readouterr() == ("", "")


# The other systems, as far as their calls can be seen from here: nobody has tried them there


class Called:
    """A function of a system's library."""

    def __init__(self, result: int) -> None:
        self.result = result
        self.calls: list[tuple[Any, ...]] = []

    def __call__(self, *arguments: Any) -> int:
        self.calls.append(arguments)
        return self.result


@pytest.mark.parametrize(("result", "said"), [(0, "QoS user-interactive"), (1, "")])
def test_macos_is_asked_for_the_class_of_what_people_wait_for(
    monkeypatch: pytest.MonkeyPatch, result: int, said: str
) -> None:
    function = Called(result)
    library = type("Library", (), {"pthread_set_qos_class_self_np": function})
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    monkeypatch.setattr("sys.platform", "darwin")
    assert priority.hurry_engine() == said
    assert function.calls == [(0x21, 0)]
    assert priority.hurry_callback() == priority.hurry_process() == ""


@pytest.mark.parametrize(("result", "said"), [(0xBEEF, "MMCSS Pro Audio"), (0, "")])
def test_windows_is_asked_for_its_class_of_audio(monkeypatch: pytest.MonkeyPatch, result: int, said: str) -> None:
    function = Called(result)
    libraries = {"avrt": type("Library", (), {"AvSetMmThreadCharacteristicsW": function})}
    monkeypatch.setattr(ctypes, "WinDLL", libraries.__getitem__, raising=False)
    monkeypatch.setattr("sys.platform", "win32")
    assert priority.hurry_engine() == said
    ((name, task),) = function.calls
    assert isinstance(name, ctypes.c_wchar_p) and name.value == "Pro Audio" and task is not None
    assert priority.hurry_callback() == priority.hurry_process() == ""


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_a_system_too_old_for_that_grants_nothing(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    def missing(name: str) -> Any:
        raise OSError(f"there is no {name}")

    monkeypatch.setattr(ctypes, "CDLL", missing)
    monkeypatch.setattr(ctypes, "WinDLL", missing, raising=False)
    monkeypatch.setattr("sys.platform", platform)
    assert priority.hurry_engine() == ""
    assert not priority.keep_in_memory(0, 1)


# Memory


def locked() -> int:
    """kB of this process that are never swapped out."""
    (found,) = re.findall(r"VmLck:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found)


@linux
def test_a_ring_stays_in_memory_while_it_is_open() -> None:
    before = locked()
    ring = Ring(48_000, 2)
    grown = locked() - before
    ring.close()
    assert grown >= 375 or not priority.keep_in_memory(np.zeros(4096, np.uint8).ctypes.data, 4096)
    assert locked() == before


def test_windows_locks_pages_and_keeps_as_many_more(monkeypatch: pytest.MonkeyPatch) -> None:
    function, kept = Called(1), Called(1)

    def tell(process: Any, least: Any, most: Any) -> int:
        least._obj.value, most._obj.value = 1000, 2000
        return 1

    kernel = {
        "VirtualLock": function,
        "GetCurrentProcess": Called(7),
        "GetProcessWorkingSetSize": staticmethod(tell),
        "SetProcessWorkingSetSize": kept,
    }
    libraries = {"kernel32": type("Library", (), kernel)}
    monkeypatch.setattr(ctypes, "WinDLL", libraries.__getitem__, raising=False)
    monkeypatch.setattr("sys.platform", "win32")
    assert priority.keep_in_memory(4096, 100)
    ((address, size),) = function.calls
    assert (address.value, size.value) == (4096, 100)
    ((process, least, most),) = kept.calls
    assert (process.value, least.value, most.value) == (7, 1100, 2100)


# Where it is asked for


@pytest.fixture
def ring() -> Iterator[Ring]:
    made = Ring(8000, 2)
    yield made
    made.close()


@linux
def test_the_clock_without_a_device_asks(ring: Ring) -> None:
    if in_a_thread(priority.hurry_callback) == "":
        pytest.skip("nothing is granted here")
    player = NullPlayer(Playback(ring, 8000))
    player.start()
    (clock,) = [thread for thread in threading.enumerate() if thread.name == "null clock"]
    try:
        until(
            lambda: (
                os.sched_getscheduler(clock.native_id or 0) == os.SCHED_RR
                or os.getpriority(os.PRIO_PROCESS, clock.native_id or 0) == priority.FIRST
            )
        )
    finally:
        player.close()


@linux
@pytest.mark.realtime
def test_the_engine_asks_and_its_spare_does_not() -> None:
    if not may_be_nice():
        pytest.skip("nothing is granted here")
    bench = Bench(loads=True)
    try:
        bench.worker.start()
        until(lambda: bench.hear() and bench.worker.spare)
        engine, *others = bench.worker.pids
        assert os.getpriority(os.PRIO_PROCESS, engine) == priority.FIRST
        assert all(os.getpriority(os.PRIO_PROCESS, pid) > priority.FIRST for pid in others)
    finally:
        bench.close()
