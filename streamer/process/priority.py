"""How much of the processor our threads ask for beside others, and memory that is never swapped out.

What a system does not grant is left as it is, without a word; `streamer doctor` tells what it grants. On Linux it is
taken where the user may, and where not a desktop's RealtimeKit is asked, beside the music.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from streamer.process import rtkit
from streamer.threads import fleeting

REAL_TIME = 10
"""Of the audio thread's real-time schedule: above everything ordinary, below audio servers, which take 70 or more."""
FIRST = -11
"""The engine's nice level. Not real time: a model too slow for this machine would take a whole core from its owner."""
_RESET_ON_FORK = getattr(os, "SCHED_RESET_ON_FORK", 0)  # of what RealtimeKit gives
_STEPS = 10
_USER_INTERACTIVE = 0x21  # macOS: QOS_CLASS_USER_INTERACTIVE
_CLASS = "Pro Audio"  # Windows: of its multimedia class scheduler


def hurry_callback() -> str:
    """The calling thread fills a device's blocks: it goes before all that is not real time itself. What was granted.

    Only Linux has to be asked: elsewhere, and under JACK, such threads come with all that there is.
    """
    if sys.platform != "linux":
        return ""
    if _is_real_time(0):
        return "real-time, as it came"
    if _real_time():
        return f"SCHED_RR {REAL_TIME}"
    thread = threading.get_native_id()
    fleeting("asking for the callback", lambda: _ask_for_callback(thread)).start()
    return _nice_first()


def kit_for_callback() -> str:
    """What RealtimeKit grants the calling thread as one that fills blocks; this waits for its answer."""
    return _ask_for_callback(threading.get_native_id())


def kit_for_engine() -> str:
    """What RealtimeKit grants the calling thread as one that makes the music; this waits for its answer."""
    return f"nice {FIRST} by rtkit" if rtkit.high_priority([threading.get_native_id()], FIRST) else ""


def _ask_for_callback(thread: int) -> str:
    if _bounded() and rtkit.real_time(thread, REAL_TIME):
        return f"SCHED_RR {REAL_TIME} by rtkit"
    return f"nice {FIRST} by rtkit" if rtkit.high_priority([thread], FIRST) else ""


def _real_time() -> bool:
    """Whether the calling thread is real time now, by a right of its user."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(REAL_TIME))
        return True
    return False


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


def hurry_session() -> str:
    """For a process that leads a session of its own, as an engine that a plug-in has begun: what was granted.

    Linux weighs sessions against each other first (autogroup), as long as nobody else sorts its processes into groups,
    and only then the threads in each: a nice level alone would say nothing to a compiler in the next terminal. The
    session of a terminal is its user's, and stays as it is.
    """
    if sys.platform != "linux" or os.getsid(0) != os.getpid():
        return ""
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(FIRST))
        return f"nice {FIRST} for the session"
    return ""


def hurry_process() -> str:
    """For whoever starts an instrument, before anything else: on Linux all that this process begins goes before others.

    The interpreter is one for all threads: one that waits for the processor and holds it would hold up the callback.
    """
    if sys.platform != "linux":
        return ""
    if not _may_be_real_time():
        _promise()
    return _nice_first()


def hurry_threads() -> None:
    """The threads that this process has by now go before others, where a system grants it to each of them alone."""
    if sys.platform != "linux" or _nice_first():  # then they all have it from whoever began them
        return
    threads = sorted(int(task.name) for task in Path("/proc/self/task").iterdir())
    fleeting("asking for all threads", lambda: _ask_for(threads)).start()


def _ask_for(threads: list[int]) -> None:
    rtkit.high_priority([thread for thread in threads if not _is_real_time(thread)], FIRST)


def _is_real_time(thread: int) -> bool:
    with contextlib.suppress(OSError):  # it has ended
        return os.sched_getscheduler(thread) & ~_RESET_ON_FORK in (os.SCHED_FIFO, os.SCHED_RR)
    return True


def _may_be_real_time() -> bool:
    found: list[bool] = []
    trial = fleeting("a trial", lambda: found.append(_real_time()))  # with it ends what it is granted
    trial.start()
    trial.join()
    return found == [True]


def _promise() -> None:
    """Let no real-time thread compute for long without a pause: what RealtimeKit wants to see before it makes one.

    Linux would end a process that breaks this. Early on it sends a signal, at which such threads become ordinary.
    """
    import resource

    longest = rtkit.LONGEST_MICROSECONDS
    with contextlib.suppress(OSError, ValueError):  # ValueError: not the main thread, or a limit that cannot be raised
        signal.signal(signal.SIGXCPU, _slow_down)
        resource.setrlimit(resource.RLIMIT_RTTIME, (longest // 10, longest))


def _bounded() -> bool:
    """Whether this process has promised that, and hears the signal."""
    import resource

    most = resource.getrlimit(resource.RLIMIT_RTTIME)[1]
    return 0 <= most <= rtkit.LONGEST_MICROSECONDS and signal.getsignal(signal.SIGXCPU) is _slow_down


def _slow_down(number: int, frame: object) -> None:
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            os.sched_setscheduler(int(task.name), os.SCHED_OTHER | _RESET_ON_FORK, os.sched_param(0))


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
            return _lock_on_windows(address, size)
        return bool(ctypes.CDLL(None).mlock(ctypes.c_void_p(address), ctypes.c_size_t(size)) == 0)
    return False


def _lock_on_windows(address: int, size: int) -> bool:
    """It locks no more than a process keeps at the least, at first 200 kB: so that is raised by as much."""
    kernel: Any = ctypes.WinDLL("kernel32")  # type: ignore[attr-defined,unused-ignore]
    kernel.GetCurrentProcess.restype = ctypes.c_void_p
    process = ctypes.c_void_p(kernel.GetCurrentProcess())
    least, most = ctypes.c_size_t(0), ctypes.c_size_t(0)
    if kernel.GetProcessWorkingSetSize(process, ctypes.byref(least), ctypes.byref(most)):
        kernel.SetProcessWorkingSetSize(
            process, ctypes.c_size_t(least.value + size), ctypes.c_size_t(most.value + size)
        )
    return bool(kernel.VirtualLock(ctypes.c_void_p(address), ctypes.c_size_t(size)))


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
