"""Carries what is heard to one place, beside the music: whatever becomes of that place, the music goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.audio.playback import Playback
from streamer.audio.sinks.encoder import FAILURES
from streamer.audio.tap import Tap
from streamer.reporting import Say
from streamer.threads import lasting

EVERY = 0.1
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds between two tries to reach a place; they double."""


class Sink(Protocol):
    """A place that sound goes to. What goes wrong is one of `streamer.audio.sinks.encoder.FAILURES`."""

    @property
    def name(self) -> str:
        """For sentences and figures."""
        ...

    def open(self, rate: int, channels: int, title: str) -> None:
        """Begin, or begin again."""

    def write(self, sound: NDArray[np.float32]) -> None:
        """The next samples, float32 (samples, channels)."""

    def retitle(self, title: str) -> None:
        """Something else plays from here on."""

    def close(self) -> None:
        """Write the rest, and end."""

    def abandon(self) -> None:
        """Let go of what has failed."""


class Feed:
    """Takes what is heard from the callback and gives it to a sink, in a thread of its own.

    Parameters
    ----------
    playback
        What is heard.
    sink : Sink
    report
        Called with a sentence when the place is lost, and when it is back.

    Attributes
    ----------
    connected : bool
        Whether sound arrives there.
    samples : int
        That have arrived.
    losses : int
        Times that the place was lost.
    tap : Tap
        Between the callback and this.
    """

    def __init__(
        self,
        playback: Playback,
        sink: Sink,
        report: Say,
        *,
        pauses: tuple[float, float] = (FIRST_PAUSE, LONGEST_PAUSE),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.connected = False
        self.samples = self.losses = 0
        self.sink = sink
        self._playback = playback
        self._report = report
        self._pauses = pauses
        self._clock = clock
        self.tap = Tap(playback.rate, playback.ring.channels)
        self._title = self._told = ""
        self._again, self._pause, self._silent = 0.0, pauses[0], False
        self._lost = 0
        self._closing = threading.Event()
        self._thread = lasting(f"feed to {sink.name}", self._run, report)

    @property
    def lost(self) -> int:
        """Samples that never arrived: what was heard while the place was lost is not made up for."""
        return self._lost + self.tap.lost

    def title(self, title: str) -> None:
        """Something else plays: for listeners."""
        self._title = title

    def start(self) -> None:
        """Begin."""
        self._playback.copy_to(self.tap)
        self._thread.start()

    def close(self) -> None:
        """Send what has been heard, and end."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(EVERY):
            self.step()
        self._playback.leave(self.tap)
        if self.connected:
            self.step()
        if self.connected:
            self._try(self.sink.close)
            self.connected = False

    def step(self) -> None:
        """Carry on what has been heard since the last time."""
        self.tap.gates()
        sound = self.tap.sound()
        if not self.connected:
            self._lost += len(sound)
            if self._clock() < self._again or not self._try(self._open):
                return
            self._lost += len(self.tap.sound())  # heard while the place was looked for
        elif self._try(lambda: self._send(sound)):
            self.samples += len(sound)
        else:
            self._lost += len(sound)

    def _open(self) -> None:
        self._told = self._title
        self.sink.open(self._playback.rate, self._playback.ring.channels, self._title)
        self.connected, self._pause = True, self._pauses[0]
        if self._silent:
            self._silent = False
            self._report(f"{self.sink.name} takes the music again.")

    def _send(self, sound: NDArray[np.float32]) -> None:
        if self._title != self._told:
            self._told = self._title
            self.sink.retitle(self._title)
        self.sink.write(sound)

    def _try(self, do: Callable[[], None]) -> bool:
        try:
            do()
        except FAILURES as error:
            self.sink.abandon()
            self.losses += self.connected or not self._silent
            self.connected = False
            self._again = self._clock() + self._pause
            self._pause = min(2 * self._pause, self._pauses[1])
            if not self._silent:
                self._silent = True
                reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
                self._report(f"{self.sink.name} is lost ({reason}): the music goes on, and it is tried again.")
            return False
        return True
