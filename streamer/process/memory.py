"""Shared memory that is there to its last byte, and that no killed instrument leaves behind for long.

On Linux each piece is locked by whoever made it, for as long as that lives. What nobody holds any more is what a killed
process left: the next one that makes a piece removes it.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import secrets
import sys
import time
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path

import numpy as np

from streamer.errors import UserError
from streamer.process.priority import keep_in_memory

PREFIX = "streamer-"
_PLACE = Path("/dev/shm")
_YOUNG_SECONDS = 10.0
"""A piece so young may not be locked yet."""


class Memory:
    """A piece of memory that several processes see. Who makes it owns it, and removes it.

    Parameters
    ----------
    name
        Of one to attach to; without it a new one is made, all zeros.
    size
        Bytes.

    Raises
    ------
    UserError
        When there is no room for a new one.

    Attributes
    ----------
    name : str
        For others to attach by.
    buf : memoryview
        The bytes. Views into it have to go before `close`.
    """

    def __init__(self, name: str | None, size: int) -> None:
        self._lock: int | None = None
        self._owner = name is None
        if name is None:
            remove_the_dead()
            try:
                self._memory = SharedMemory(PREFIX + secrets.token_hex(8), create=True, size=size)
                self._hold(size)
            except OSError as error:
                self._let_go()
                raise UserError(
                    f"there is no shared memory for the sound ({error.strerror}): make room in {_PLACE}, "
                    f"{size / 1e6:.1f} MB are needed"
                ) from None
        else:
            self._memory = SharedMemory(name, size=size)
        self.name = self._memory.name
        assert self._memory.buf is not None  # until it is closed
        self.buf = self._memory.buf
        if self._owner:
            keep_in_memory(np.frombuffer(self.buf, np.uint8).ctypes.data, size)

    def close(self) -> None:
        """Let go of it; the owner also removes it."""
        del self.buf
        with contextlib.suppress(BufferError):  # a callback that still holds a view keeps its copy of the mapping
            self._memory.close()
        self._let_go()

    def _hold(self, size: int) -> None:
        """Have all of it now: a page that is not there when it is written to would kill the process that writes."""
        if sys.platform == "linux":
            import fcntl

            self._lock = os.open(_PLACE / self._memory.name, os.O_RDWR | os.O_CLOEXEC)
            fcntl.flock(self._lock, fcntl.LOCK_EX)
            os.posix_fallocate(self._lock, 0, size)

    def _let_go(self) -> None:
        if self._owner and hasattr(self, "_memory"):
            with contextlib.suppress(FileNotFoundError):  # somebody has tidied up
                self._memory.unlink()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


class Foreign:
    """A piece that another process owns, which is not this one's parent. It is only read.

    Parameters
    ----------
    name
        Of the piece.

    Raises
    ------
    OSError
        There is none.

    Attributes
    ----------
    buf : memoryview
        The bytes. Views into it have to go before `close`.
    """

    def __init__(self, name: str) -> None:
        if sys.platform == "linux":
            # Not as `SharedMemory`, whose resource tracker would remove the piece when this process ends.
            with (_PLACE / name).open("rb") as file:
                self._memory: mmap.mmap | SharedMemory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            self.buf = memoryview(self._memory)
        else:
            shared = SharedMemory(name)
            if sys.platform != "win32":
                resource_tracker.unregister(f"/{shared.name}", "shared_memory")
            assert shared.buf is not None
            self._memory, self.buf = shared, shared.buf

    def close(self) -> None:
        """Let go of it."""
        if isinstance(self._memory, mmap.mmap):
            self.buf.release()
        del self.buf
        self._memory.close()


def remove_the_dead(place: Path = _PLACE) -> None:
    """Remove the memory that instruments have left that were killed with all their processes."""
    if sys.platform != "linux":
        return  # elsewhere it has no list of its names
    import fcntl

    for path in place.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # another user's, in use, or gone by now
            held = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if time.time() - os.fstat(held).st_ctime > _YOUNG_SECONDS:
                    path.unlink()
            finally:
                os.close(held)
