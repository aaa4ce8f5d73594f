"""MIDI clock out: the beat that is heard as ticks, with start, stop and song position."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence

from streamer.control.pulse import Place
from streamer.reporting import Say
from streamer.surfaces.midi.pll import TICKS
from streamer.threads import lasting

TICK, START, CONTINUE, STOP, POSITION = 0xF8, 0xFA, 0xFB, 0xFC, 0xF2
STEP = 6
"""Ticks of a sixteenth, which song positions count."""
_POSITIONS = 16384
_IDLE = 0.1  # seconds between two looks while there is nothing to send
_EARLY = 1e-4  # seconds: a sleep may end a little early


class ClockOut:
    """Sends the clock.

    Parameters
    ----------
    place : callable
        Where the beat is at a moment (monotonic seconds); None while there is none.
    playing : callable
        Whether the sound is let through.
    send : callable
        Takes the bytes of one message.
    say
        Takes what goes wrong.
    """

    def __init__(
        self,
        place: Callable[[float], Place | None],
        playing: Callable[[], bool],
        send: Callable[[Sequence[int]], None],
        say: Say,
    ) -> None:
        self._place = place
        self._playing = playing
        self._send = send
        self._next: int | None = None  # the position of the next tick
        self._runs = False  # what the others were told
        self._wanted = threading.Event()
        self._closing = threading.Event()
        self._thread = lasting("MIDI clock", self._run, say)

    def start(self) -> None:
        """Begin, where it is switched on."""
        self._thread.start()

    def switch(self, on: bool) -> None:
        """Send, or send no more."""
        self._wanted.set() if on else self._wanted.clear()

    def close(self) -> None:
        """Send no more."""
        self._closing.set()
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._closing.is_set():
            if self._wanted.wait(1.0) and not self._closing.wait(self.step(time.monotonic())):
                continue
            self._stop()

    def step(self, now: float) -> float:
        """Send what is due; seconds until the next step."""
        place = self._place(now)
        if place is None:
            self._stop()
            return _IDLE
        due = math.ceil((place.beat - _EARLY * place.bpm / 60) * TICKS)
        if self._next is None or abs(due - self._next) > 1:  # the beat has jumped: begin where it is
            self._stop()
            self._next = due
        if self._runs and not self._playing():
            self._stop(forget=False)
        if due <= self._next and self._seconds(self._next, place) > _EARLY:
            return min(_IDLE, self._seconds(self._next, place))
        if self._playing() and not self._runs and self._next >= 0 and self._next % STEP == 0:
            self._begin(self._next // STEP)
        self._send([TICK])
        self._next += 1
        return max(0.0, min(_IDLE, self._seconds(self._next, place)))

    def _seconds(self, tick: int, place: Place) -> float:
        """From the place to a tick."""
        return (tick / TICKS - place.beat) * 60 / place.bpm

    def _begin(self, position: int) -> None:
        """Tell others to play from a sixteenth on; the tick that follows is its own."""
        self._runs = True
        if position == 0:
            self._send([START])
            return
        position %= _POSITIONS
        self._send([POSITION, position & 127, position >> 7])
        self._send([CONTINUE])

    def _stop(self, forget: bool = True) -> None:
        if self._runs:
            self._send([STOP])
        self._runs = False
        if forget:
            self._next = None
