"""How much of the processor our threads ask for beside others, and memory that is never swapped out.

What a system does not grant is left as it is, without a word; `streamer doctor` tells what it grants.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

REAL_TIME = 10
"""Of the audio thread's real-time schedule: above everything ordinary, below audio servers, which take 70 or more."""
FIRST = -11
"""The engine's nice level. Not real time: a model too slow for this machine would take a whole core from its owner."""
_STEPS = 10
_USER_INTERACTIVE = 0x21  # macOS: QOS_CLASS_USER_INTERACTIVE
_CLASS = "Pro Audio"  # Windows: of its multimedia class scheduler


def hurry_callback() -> str:
    """The calling thread fills a device's blocks: it goes before all that is not real time itself. What was granted.

    Only Linux has to be asked: elsewhere, and under JACK, such threads come with all that there is.
    """
    if sys.platform != "linux":
        return ""
    if os.sched_getscheduler(0) in (os.SCHED_FIFO, os.SCHED_RR):
        return "real-time, as it came"
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(REAL_TIME))
        return f"SCHED_RR {REAL_TIME}"
    return _nice_first()


def hurry_engine() -> str:
    """The calling thread makes the music: it goes before others; on Linux so do those it begins. What was granted."""
    if sys.platform == "linux":
        return _nice_first()
    with contextlib.suppress(OSError, AttributeError):  # an older system lacks the library, or the function
        if sys.platform == "darwin":
            return _quality_of_service()
        if sys.platform == "win32":
            return _multimedia_class()
    return ""


def hurry_process() -> str:
    """For whoever starts an instrument, before anything else: on Linux all that this process begins goes before others.

    The interpreter is one for all threads: one that waits for the processor and holds it would hold up the callback.
    """
    return _nice_first() if sys.platform == "linux" else ""


def stand_back() -> None:
    """For a process that an instrument begins and that does not make its sound: on Linux it goes as others do."""
    if sys.platform == "linux" and os.getpriority(os.PRIO_PROCESS, 0) < 0:
        _set(0)


def _nice_first() -> str:
    with contextlib.suppress(OSError):
        if os.getpriority(os.PRIO_PROCESS, 0) > FIRST:  # 0 is the calling thread: Linux knows no others
            os.setpriority(os.PRIO_PROCESS, 0, FIRST)
        return f"nice {os.getpriority(os.PRIO_PROCESS, 0)}"
    return ""


def _quality_of_service() -> str:
    refused = ctypes.CDLL(None).pthread_set_qos_class_self_np(_USER_INTERACTIVE, 0)
    return "" if refused else "QoS user-interactive"


def _multimedia_class() -> str:
    task = ctypes.c_ulong(0)
    windows: Any = ctypes.WinDLL  # type: ignore[attr-defined,unused-ignore]
    begin = windows("avrt").AvSetMmThreadCharacteristicsW
    begin.restype = ctypes.c_void_p  # a handle
    return f"MMCSS {_CLASS}" if begin(ctypes.c_wchar_p(_CLASS), ctypes.byref(task)) else ""


def keep_in_memory(address: int, size: int) -> bool:
    """Whether so many bytes from there on are never swapped out from now on, until their memory is let go of."""
    with contextlib.suppress(OSError, AttributeError):
        if sys.platform == "win32":
            kernel: Any = ctypes.WinDLL("kernel32")
            return bool(kernel.VirtualLock(ctypes.c_void_p(address), ctypes.c_size_t(size)))
        return bool(ctypes.CDLL(None).mlock(ctypes.c_void_p(address), ctypes.c_size_t(size)) == 0)
    return False


@contextlib.contextmanager
def lower_priority() -> Iterator[None]:
    """All threads, and those begun in here, give way to other processes until the end; only where that can be undone.

    To ask for more again is a privilege: without it, or elsewhere than on Linux, all stays as it is.
    """
    if not (sys.platform == "linux" and _may_rise()):
        yield
        return
    before = os.getpriority(os.PRIO_PROCESS, 0)
    _set(before + _STEPS)
    try:
        yield
    finally:
        _set(before)


def _may_rise() -> bool:
    import resource

    limit = resource.getrlimit(resource.RLIMIT_NICE)[0]
    enough = limit == resource.RLIM_INFINITY or limit >= 20 - os.getpriority(os.PRIO_PROCESS, 0)
    return os.geteuid() == 0 or enough


def _set(nice: int) -> None:
    """For every thread: Linux knows priorities of threads alone."""
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # it has ended
            os.setpriority(os.PRIO_PROCESS, int(task.name), nice)
