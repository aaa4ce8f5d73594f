"""RealtimeKit: what a user without rights asks a desktop for, on the test's own bus with a stand-in for the kit."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from streamer.process import priority, rtkit
from tests.streamer.test_priority import in_a_thread, refuse
from tests.streamer.test_supervisor import until

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("dbus-daemon") is None, reason="needs Linux and a D-Bus daemon"
)
NAME = "org.freedesktop.RealtimeKit1"


class Kit:
    """Answers as RealtimeKit does, and notes what it was asked; nobody's priority changes."""

    def __init__(self, address: str) -> None:
        from jeepney.bus_messages import message_bus
        from jeepney.io.blocking import open_dbus_connection

        self.asked: list[tuple[str, tuple[int, int]]] = []
        self.refuses: set[str] = set()
        self._bus = open_dbus_connection(bus=address)
        self._bus.send_and_get_reply(message_bus.RequestName(NAME))
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        from jeepney import HeaderFields, new_error, new_method_return

        with contextlib.suppress(Exception):  # the bus has ended
            while True:
                question: Any = self._bus.receive()
                method = question.header.fields.get(HeaderFields.member, "")
                if not method.startswith("MakeThread"):
                    continue
                self.asked.append((method, question.body))
                denied = method in self.refuses
                denial = "org.freedesktop.DBus.Error.AccessDenied"
                self._bus.send(new_error(question, denial) if denied else new_method_return(question))


@pytest.fixture
def kit(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kit]:
    command = ["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as daemon:
        assert daemon.stdout is not None
        address = daemon.stdout.readline().strip()
        monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", address)
        yield Kit(address)
        daemon.terminate()


@pytest.fixture
def no_rights(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the system itself refuses, and a promise that stays this test's."""
    import resource

    monkeypatch.setattr("os.sched_setscheduler", refuse)
    monkeypatch.setattr("os.setpriority", refuse)
    monkeypatch.setattr("os.getpriority", lambda *arguments: 0)
    limits = [(resource.RLIM_INFINITY, resource.RLIM_INFINITY)]
    monkeypatch.setattr(resource, "setrlimit", lambda kind, wanted: limits.append(wanted))
    monkeypatch.setattr(resource, "getrlimit", lambda kind: limits[-1])


@pytest.fixture
def promised(no_rights: None) -> Iterator[None]:
    before = signal.getsignal(signal.SIGXCPU)
    assert priority.hurry_process() == ""
    yield
    signal.signal(signal.SIGXCPU, before)


def test_a_callback_without_rights_becomes_real_time_and_waits_for_nothing(kit: Kit, promised: None) -> None:
    number: list[int] = []

    def callback() -> str:
        number.append(threading.get_native_id())
        return priority.hurry_callback()

    assert in_a_thread(callback) == ""
    until(lambda: bool(kit.asked))
    assert kit.asked == [("MakeThreadRealtime", (number[0], priority.REAL_TIME))]


def test_where_it_grants_no_real_time_it_is_asked_for_less(kit: Kit, promised: None) -> None:
    kit.refuses.add("MakeThreadRealtime")
    assert in_a_thread(priority.kit_for_callback) == "nice -11 by rtkit"
    assert [method for method, _ in kit.asked] == ["MakeThreadRealtime", "MakeThreadHighPriority"]
    kit.refuses.add("MakeThreadHighPriority")
    assert in_a_thread(priority.kit_for_callback) == in_a_thread(priority.kit_for_engine) == ""


def test_a_process_that_has_promised_nothing_is_not_made_real_time(kit: Kit, no_rights: None) -> None:
    """Linux would end it without a word, were its callback ever stuck."""
    assert in_a_thread(priority.kit_for_callback) == "nice -11 by rtkit"
    assert [method for method, _ in kit.asked] == ["MakeThreadHighPriority"]


def test_every_thread_is_asked_for_by_itself_since_none_inherits(kit: Kit, no_rights: None) -> None:
    over = threading.Event()
    others = [threading.Thread(target=over.wait) for _ in range(3)]
    for other in others:
        other.start()
    try:
        priority.hurry_threads()
        wanted = {other.native_id for other in others} | {os.getpid()}
        until(lambda: wanted <= {body[0] for _, body in kit.asked})
        assert {(method, body[1]) for method, body in kit.asked} == {("MakeThreadHighPriority", priority.FIRST)}
    finally:
        over.set()


def test_a_desktop_without_it_grants_nothing_at_once(
    monkeypatch: pytest.MonkeyPatch, no_rights: None, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/bus")
    assert not rtkit.real_time(1, 10)
    assert rtkit.high_priority([1, 2], -11) == 0
    assert in_a_thread(priority.hurry_callback) == in_a_thread(priority.kit_for_engine) == ""
    assert capfd.readouterr() == ("", "")


def test_a_callback_that_computes_without_end_becomes_ordinary(monkeypatch: pytest.MonkeyPatch, promised: None) -> None:
    levels: dict[int, tuple[int, int]] = {}
    monkeypatch.setattr(
        "os.sched_setscheduler", lambda thread, policy, given: levels.update({thread: (policy, given.sched_priority)})
    )
    signal.raise_signal(signal.SIGXCPU)
    assert levels[os.getpid()] == (os.SCHED_OTHER | os.SCHED_RESET_ON_FORK, 0)
