"""The vital signs of the engine's process, in shared memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.process.memory import Memory

LOADING, STARTING, PLAYING = 0, 1, 2

_READS = 1000  # a writer that was killed in between must not hold up a reader for ever

# One writer for each field: the engine's process, or before its start the parent.
SIGNS = np.dtype(
    [
        *((name, "i8") for name in ("phase", "beat", "samples", "frontier", "turns")),
        *((name, "f8") for name in ("rtf", "longest", "bpm", "beats")),
    ]
)


class Status:
    """What the engine's process tells without being asked; owned by the process that creates it, as a `Ring` is.

    Attributes
    ----------
    now : structured array, shape ()
        phase; beat, a counter that never rests while the process is well; samples per channel made; frontier,
        the one of the engine's from which a prompt that comes now is heard; rtf, seconds of
        sound made in a second of work, over the last seconds; longest, seconds the slowest block took; bpm and
        beats, the tempo, and the beats that have passed at the frontier; turns, odd while frontier, bpm and beats are
        written, which belong together.
    """

    def __init__(self, name: str | None = None) -> None:
        memory = Memory(name, SIGNS.itemsize)
        self.now: NDArray[np.void] = np.frombuffer(memory.buf, SIGNS, 1).reshape(())
        self._memory = memory  # after its view, see Ring

    def __reduce__(self) -> tuple[type[Status], tuple[str]]:
        return Status, (self._memory.name,)

    def write_pulse(self, frontier: int, bpm: float, beats: float) -> None:
        """The frontier, and the beat there."""
        self.now["turns"] += 1
        self.now["frontier"], self.now["bpm"], self.now["beats"] = frontier, bpm, beats
        self.now["turns"] += 1

    def read_pulse(self) -> tuple[int, float, float]:
        """The frontier, beats a minute, and the beats that have passed there, as they were written together."""
        for _ in range(_READS):
            before = int(self.now["turns"])
            found = int(self.now["frontier"]), float(self.now["bpm"]), float(self.now["beats"])
            if before % 2 == 0 and int(self.now["turns"]) == before:
                break
        return found

    def clear(self) -> None:
        """As before the start."""
        self.now[()] = np.zeros((), SIGNS)

    def close(self) -> None:
        """Let go of the memory; the owner also removes it."""
        del self.now
        self._memory.close()
