"""RealtimeKit: on Linux a service of the desktop that gives threads priority whose user has no right to take it.

It is asked over the system's D-Bus, and each question waits for its answer: never on a thread that plays.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

LONGEST_MICROSECONDS = 200_000
"""That a process may let its real-time threads compute without a pause: it has to promise that before it asks."""
ANSWER_SECONDS = 5.0
_NAME = "org.freedesktop.RealtimeKit1"
_PATH = "/org/freedesktop/RealtimeKit1"

Wish = tuple[str, str, tuple[int, int]]
"""A method, the signature of what it takes, and that: a thread and its level."""


def real_time(thread: int, level: int) -> bool:
    """Whether a thread of this process, by its system's number, is real time at a level from now on."""
    return _granted([("MakeThreadRealtime", "tu", (thread, level))]) == 1


def high_priority(threads: Sequence[int], nice: int) -> int:
    """How many of some threads of this process have a nice level from now on. What they begin does not inherit it."""
    return _granted([("MakeThreadHighPriority", "ti", (thread, nice)) for thread in threads])


def _granted(wishes: Sequence[Wish]) -> int:
    """How many are granted: none without a bus, without the service, or where it refuses."""
    from jeepney import DBusAddress, MessageType, new_method_call
    from jeepney.io.blocking import open_dbus_connection

    kit = DBusAddress(_PATH, bus_name=_NAME, interface=_NAME)
    granted = 0
    with contextlib.suppress(Exception), open_dbus_connection(bus="SYSTEM") as bus:  # its errors have no common type
        for method, signature, body in wishes:
            question = new_method_call(kit, method, signature, body)
            answer = bus.send_and_get_reply(question, timeout=ANSWER_SECONDS)
            granted += answer.header.message_type == MessageType.method_return
    return granted
