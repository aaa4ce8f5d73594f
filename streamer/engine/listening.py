"""A live input to follow: an audio device heard for its last seconds, and what there is to follow in them.

It works beside the music and never in its way: PortAudio's callback copies into a `Window`, a thread of the `Listener`
makes a melody of it every few seconds, and whoever plays takes the newest when it suits.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.audio.player import Device, choose, devices, portaudio
from streamer.errors import UserError
from streamer.sound.dynamics import Samples

if TYPE_CHECKING:
    from musicgen import Melody

PERIOD = 4.0
"""Seconds after which a melody is made anew of what was heard: how far the music follows behind."""
SILENCE = 10 ** (-50 / 20)
"""Root of the mean square below which a whole window is noise, and no melody."""
_LOOK_SECONDS = 0.25
_RETRY_SECONDS = 2.0
_CLOSE_SECONDS = 1.0

log = logging.getLogger(__name__)


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


class SoundDeviceInput:
    """An audio device that is listened to.

    Parameters
    ----------
    device
        Which; of its channels the first two.
    seconds
        See `Window`.

    Raises
    ------
    UserError
        It cannot be opened.
    """

    def __init__(self, device: Device, seconds: float) -> None:
        self.name = device.name
        self.window = Window(device.rate, seconds)
        self._called = time.monotonic()
        sounddevice = self._sounddevice = portaudio()
        try:
            self._stream = sounddevice.InputStream(
                samplerate=device.rate,
                device=device.index,
                channels=min(device.channels, 2),
                dtype="float32",
                latency="high",  # a melody is in no hurry: few calls take the least from the music
                callback=self._callback,
            )
            self._stream.start()
        except sounddevice.PortAudioError as error:
            raise UserError(f"Cannot listen to the input device {device.index} ({device.name}): {error}") from None

    def running(self) -> bool:
        """Whether the device still calls: one that was unplugged says so, or just stops calling."""
        with contextlib.suppress(self._sounddevice.PortAudioError):
            return bool(self._stream.active) and time.monotonic() - self._called < _RETRY_SECONDS
        return False

    def close(self) -> bool:
        """Let go of the device; whether that worked: PortAudio waits for ever for a JACK server that has died."""
        ending = threading.Thread(target=self._end, daemon=True)
        ending.start()
        ending.join(_CLOSE_SECONDS)
        if ending.is_alive():
            self._sounddevice._initialized = 0  # its exit handler would wait as long
        return not ending.is_alive()

    def _end(self) -> None:
        for end in (self._stream.abort, self._stream.close):
            with contextlib.suppress(self._sounddevice.PortAudioError):
                end()

    def _callback(self, block: NDArray[np.float32], frames: int, when: object, status: Any) -> None:
        self._called = time.monotonic()
        self.window.hear(block)


def open_input(choice: str, seconds: float, again: bool = False) -> SoundDeviceInput:
    """Listen to a device.

    Parameters
    ----------
    choice
        Its number, its name or a part of that; "" for the system's own choice.
    seconds
        See `Window`.
    again
        Whether it may have come back: look at the hardware anew, which PortAudio does only when it starts.

    Raises
    ------
    UserError
        There is none, or it cannot be opened.
    """
    if again:
        sounddevice = portaudio()
        sounddevice._terminate()
        sounddevice._initialize()
    return SoundDeviceInput(choose(devices("input"), choice or None, "input"), seconds)


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
    ) -> None:
        self.heard: Heard | None = None
        self._open = open_device
        self._listen = listen
        self._period = period
        self._troubled = False  # and it was told
        self._closing = threading.Event()
        self._input = open_device(False)
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)
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
                log.warning("The input %s cannot be followed now: %s.", self._input.name, error)
            self._troubled = True
            return
        self._troubled = False
        if self.heard is None or not _alike(melody, self.heard.melody):
            self.heard = Heard(melody, len(sound) / window.rate)

    def _wait_for_device(self) -> bool:
        """Say that the device has gone, and wait until it is back; whether it is worth going on."""
        name = self._input.name
        if not self._input.close():
            log.warning("The input device %s has gone: start streamer again to be heard.", name)
            return False
        log.warning("The input device %s has gone: the music goes on, looking for it every 2 s.", name)
        while not self._closing.wait(_RETRY_SECONDS):
            with contextlib.suppress(UserError):
                self._input = self._open(True)
                log.warning("The input device %s is back.", name)
                return True
        return False


def _alike(one: Melody | None, other: Melody | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.chroma.shape == other.chroma.shape and bool((one.chroma == other.chroma).all())
