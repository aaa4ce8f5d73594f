"""A metronome: short tones on the beats of the music that is heard, to the sample."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streamer.control.tempo import BEATS_PER_BAR
from streamer.reporting import Say
from streamer.threads import lasting

LOOK_SECONDS = 0.01
SECONDS = 0.03
LEVEL = 0.25
FIRST_HZ, OTHER_HZ = 1600.0, 1000.0
_KEPT = 128  # more than the frames that are on their way with the longest lead: in a glide each has its own tempo
_STRAY = 2.0  # samples by which what was known may be off before it is another count

Count = tuple[int, float, float]
"""A sample of the ring, beats a minute there, and the beats that have passed."""


class Click:
    """Sounds on each beat, higher on the first of a bar.

    Where the beat lies is asked by a thread of its own, ahead of the sound; the audio callback takes what is known.

    Parameters
    ----------
    rate : int
        Samples a second of the ring.
    count : callable
        Where the beats of the newest sound lie; 0 beats a minute while there are none.
    say
        Takes what goes wrong.
    """

    def __init__(self, rate: int, count: Callable[[], Count], say: Say) -> None:
        self._rate = rate
        self._count = count
        self._tones = _tone(rate, FIRST_HZ), _tone(rate, OTHER_HZ)
        self._counts: tuple[Count, ...] = ()  # by their samples; replaced, never changed
        self._sounding = self._tones[0]
        self._at = len(self._sounding)  # where in that tone the next block goes on
        self._closing = threading.Event()
        self._thread = lasting("click", self._run, say)

    def start(self) -> None:
        """Begin to look where the beats are."""
        self._thread.start()

    def close(self) -> None:
        """Look no more."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        """Take in where the newest beats are, if that does not follow from what is known."""
        sample, bpm, beats = self._count()
        if bpm <= 0:
            return
        known = self._counts
        if known:
            at, tempo, passed = known[-1]
            off = (beats - passed) * 60 / bpm * self._rate - (sample - at)
            if tempo == bpm and abs(off) < _STRAY:
                return
        before = tuple(count for count in known if count[0] < sample)
        self._counts = (*before[1 - _KEPT :], (sample, bpm, beats))

    def fill(self, out: NDArray[np.float32], first: int, count: int) -> None:
        """Add to a block, (samples,), the tones of the beats among its first samples: the callback.

        Parameters
        ----------
        first : int
            The sample of the ring that the block begins with.
        count : int
            Samples of the ring in it; the rest is silence, into which a tone that has begun still rings.
        """
        self._ring_on(out)
        done = first
        while done < first + count:
            at, bpm, beats, until = self._known(done, first + count)
            if not bpm:
                return
            beat, due = self._next(done, at, bpm, beats)
            if due < until:
                self._sounding, self._at = self._tones[beat % BEATS_PER_BAR != 0], 0
                self._ring_on(out[due - first :])
            done = min(due + 1, until)

    def _next(self, sample: int, at: int, bpm: float, beats: float) -> tuple[int, int]:
        """The first beat whose nearest sample is this one or later, and that sample."""
        apart = 60 / bpm * self._rate
        beat = math.floor(beats + (sample - at) / apart)
        while True:
            due = at + math.floor((beat - beats) * apart + 0.5)
            if due >= sample:
                return beat, due
            beat += 1

    def _known(self, sample: int, end: int) -> tuple[int, float, float, int]:
        """The count that holds at a sample, and until where it does, or up to an end; no tempo while none is known."""
        counts, until = self._counts, end
        for count in reversed(counts):
            if count[0] <= sample:
                return (*count, until)
            until = min(until, count[0])
        return (*counts[0], until) if counts else (0, 0.0, 0.0, end)

    def _ring_on(self, out: NDArray[np.float32]) -> None:
        length = min(len(out), len(self._sounding) - self._at)
        out[:length] += self._sounding[self._at : self._at + length]
        self._at += length


def _tone(rate: int, pitch: float) -> NDArray[np.float32]:
    """A tone that dies away within `SECONDS`, and begins at once: its first sample is the beat."""
    time = np.arange(round(SECONDS * rate)) / rate
    tone = LEVEL * np.cos(2 * np.pi * pitch * time) * np.exp(-time / SECONDS * 4) * (1 - time / SECONDS)
    return tone.astype(np.float32)
