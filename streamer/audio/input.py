"""Audio devices that are listened to."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.audio.devices import Device, calls, choose, devices, let_go, look_at_hardware, portaudio
from streamer.engine.listening import Window
from streamer.errors import UserError


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
        """Whether the device still calls."""
        return calls(self._stream, self._called)

    def close(self) -> bool:
        """Let go of the device; whether devices can be opened again, see `let_go`."""
        return let_go(self._stream, self.running())

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
        look_at_hardware()
    return SoundDeviceInput(choose(devices("input"), choice or None, "input"), seconds)
