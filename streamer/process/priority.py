"""How much of the processor this process asks for beside others."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

_STEPS = 10


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
