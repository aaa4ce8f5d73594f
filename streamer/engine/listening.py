"""A live input to follow: an audio device heard for its last seconds, and what there is to follow in them.

It works beside the music and never in its way: PortAudio's callback copies into a `Window`, a thread of the `Listener`
makes a melody of it every few seconds, and whoever plays takes the newest when it suits.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.errors import UserError
from streamer.sound.dynamics import Samples
from streamer.threads import lasting

if TYPE_CHECKING:
    from musicgen import Melody

PERIOD = 4.0
"""Seconds after which a melody is made anew of what was heard: how far the music follows behind."""
SILENCE = 10 ** (-50 / 20)
"""Root of the mean square below which a whole window is noise, and no melody."""
_LOOK_SECONDS = 0.25
_RETRY_SECONDS = 2.0
_CLOSE_SECONDS = 1.0


class Window:
    """The last seconds of a sound, mixed to mono; one thread writes, others read.

    Parameters
    ----------
    rate
        Samples a second.
    seconds
        How many of them are kept.

    Attributes
    ----------
    heard : int
        Samples since the start.
    """

    def __init__(self, rate: int, seconds: float) -> None:
        self.rate = rate
        self.heard = 0
        self._kept = round(seconds * rate)
        # a second more than is read, so that a reader's part is not written to while it copies
        self._ring = np.zeros(self._kept + rate, np.float32)

    def hear(self, block: NDArray[np.float32]) -> None:
        """The next samples, (samples, channels): the callback. It neither locks nor waits."""
        block = block[-len(self._ring) :]
        start = self.heard % len(self._ring)
        first = min(len(block), len(self._ring) - start)
        np.mean(block[:first], axis=1, out=self._ring[start : start + first])
        if first < len(block):
            np.mean(block[first:], axis=1, out=self._ring[: len(block) - first])
        self.heard += len(block)

    def last(self) -> Samples:
        """A copy of the last seconds, or of what there is so far, (samples,)."""
        end = self.heard
        sound: Samples = self._ring[np.arange(max(0, end - self._kept), end) % len(self._ring)]
        return sound


class Input(Protocol):
    """Something that fills a window."""

    @property
    def name(self) -> str:
        """Of the device."""
        ...

    @property
    def window(self) -> Window:
        """What it fills."""
        ...

    def running(self) -> bool:
        """Whether it still does."""
        ...

    def close(self) -> bool:
        """Let go of the device; whether that worked, so that devices can be opened again."""
        ...


@dataclass(frozen=True, eq=False)
class Heard:
    """What there is to follow in the last seconds.

    Attributes
    ----------
    melody
        None where they are silent.
    seconds
        Their length.
    """

    melody: Melody | None
    seconds: float


class Listener:
    """Keeps what there is to follow in an input's last seconds.

    A device that goes is reported, waited for and taken up again; until then what was heard last stands.

    Parameters
    ----------
    open_device
        Opens the device; told whether again.
    listen
        Sound (samples,) and rate to a melody.
    period
        Seconds between two of them.
    report
        Called, from its own thread, when the device goes and comes and when it cannot be followed.

    Attributes
    ----------
    heard : Heard or None
        The newest; it is replaced only by what is another melody. None before the first.

    Raises
    ------
    UserError
        The device cannot be opened.
    """

    def __init__(
        self,
        open_device: Callable[[bool], Input],
        listen: Callable[[NDArray[np.float32], int], Melody],
        period: float = PERIOD,
        report: Callable[[str], None] = lambda sentence: None,
    ) -> None:
        self.heard: Heard | None = None
        self._open = open_device
        self._listen = listen
        self._period = period
        self._report = report
        self._troubled = False  # and it was told
        self._closing = threading.Event()
        self._input = open_device(False)
        self._thread = lasting("listener", self._run, report)
        self._thread.start()

    @property
    def open(self) -> bool:
        """Whether it has not been closed."""
        return not self._closing.is_set()

    def close(self) -> None:
        """Listen no more. Returns at once: the thread lets go of the device."""
        self._closing.set()

    def _run(self) -> None:
        due = time.monotonic() + self._period
        while not self._closing.wait(min(_LOOK_SECONDS, self._period)):
            if not self._input.running() and not self._wait_for_device():
                return
            if time.monotonic() >= due:
                self._hear()
                due = time.monotonic() + self._period
        self._input.close()

    def _hear(self) -> None:
        window = self._input.window
        sound = window.last()
        if not len(sound):
            return
        silent = np.sqrt(np.mean(np.square(sound))) <= SILENCE
        try:
            melody = None if silent else self._listen(sound, window.rate)
        except ValueError as error:  # a broken driver's samples that are no numbers
            if not self._troubled:
                self._report(f"The input {self._input.name} cannot be followed now: {error}.")
            self._troubled = True
            return
        self._troubled = False
        if self.heard is None or not _alike(melody, self.heard.melody):
            self.heard = Heard(melody, len(sound) / window.rate)

    def _wait_for_device(self) -> bool:
        """Say that the device has gone, and wait until it is back; whether it is worth going on."""
        name = self._input.name
        if not self._input.close():
            self._report(f"The input device {name} has gone: start streamer again to be heard.")
            return False
        self._report(f"The input device {name} has gone: the music goes on, looking for it every 2 s.")
        while not self._closing.wait(_RETRY_SECONDS):
            with contextlib.suppress(UserError):
                self._input = self._open(True)
                self._report(f"The input device {name} is back.")
                return True
        return False


def _alike(one: Melody | None, other: Melody | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.chroma.shape == other.chroma.shape and bool((one.chroma == other.chroma).all())
