"""Plays on an audio device by PortAudio, in this process."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.audio.devices import Device, calls, let_go, portaudio
from streamer.audio.playback import Playback
from streamer.audio.rerate import Rerate
from streamer.errors import UserError
from streamer.process.priority import hurry_callback


class SoundDevicePlayer:
    """Plays on an audio device.

    Parameters
    ----------
    playback
        What the device's callback calls; its channels must be no more than the device has.
    device
        Where to play; where its rate is another than the playback's, the sound is resampled.

    Raises
    ------
    UserError
        When the device cannot be opened.

    Attributes
    ----------
    rate : int
        The device's, samples a second.
    stuck : bool
        After `close`: the device went in a way that PortAudio does not survive, see `let_go`.
    """

    cut_short = False

    def __init__(self, playback: Playback, device: Device) -> None:
        self.stuck = False
        self._sounddevice = portaudio()
        self._playback = playback
        self._called = time.monotonic()
        self._dead = False
        self._hurries = False
        self.name, self.rate = device.name, device.rate
        rerate = None if device.rate == playback.rate else Rerate(playback, device.rate)
        self._source: Playback | Rerate = rerate or playback
        try:
            info = self._sounddevice.query_devices(device.index)
            self._stream = self._sounddevice.OutputStream(
                samplerate=device.rate,
                device=device.index,
                channels=playback.channels,
                dtype="float32",
                # Some drivers call 1 ms low, and some a second: neither is meant.
                latency=min(max(info["default_low_output_latency"], 0.010), 0.100),
                callback=self._callback,
            )
        except self._sounddevice.PortAudioError as error:
            raise UserError(f"Cannot open the output device {device.index} ({device.name}): {error}") from None
        # JACK reports nonsense: nothing that a person would play through has more than half a second.
        self.latency = min(max(float(self._stream.latency), 0.0), 0.5) + (rerate.latency if rerate else 0.0)

    def start(self) -> None:
        """Begin to play."""
        self._playback.latency = self.latency
        self._called = time.monotonic()
        try:
            self._stream.start()
        except self._sounddevice.PortAudioError as error:
            self.close()
            raise UserError(f"Cannot start the output device {self.name}: {error}") from None

    def running(self) -> bool:
        """Whether the device still calls."""
        return calls(self._stream, self._called)

    def close(self) -> None:
        """Stop and let go of the device."""
        runs = self.running()
        self._dead = True
        self.stuck = not let_go(self._stream, runs)

    def _callback(self, out: NDArray[np.float32], frames: int, when: object, status: Any) -> None:
        if self._dead:  # another clock may be reading the ring by now
            out.fill(0.0)
            return
        if not self._hurries:  # its thread is PortAudio's: nobody else can ask for it
            self._hurries = True
            hurry_callback()
        self._called = time.monotonic()
        self._playback.device_xruns += bool(status.output_underflow)
        self._source.fill(out)
