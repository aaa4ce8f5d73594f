"""Plays on an audio device, and without it when it vanishes."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from streamer.audio.devices import Device, choose, devices, portaudio
from streamer.audio.null import NullPlayer
from streamer.audio.playback import Playback, Player
from streamer.audio.rerate import Rerate
from streamer.errors import UserError
from streamer.process.priority import hurry_callback
from streamer.threads import fleeting, lasting

RETRY_SECONDS = 2.0
_CLOSE_SECONDS = 1.0
_LOOK_SECONDS = 0.25


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
    stuck : bool
        The device went in a way that PortAudio does not survive: nothing can be opened any more in this process.
    """

    cut_short = False

    def __init__(self, playback: Playback, device: Device) -> None:
        self.stuck = False
        self._sounddevice = portaudio()
        self._playback = playback
        self._called = time.monotonic()
        self._dead = False
        self._hurries = False
        self.name = device.name
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
        """Whether the device still calls: one that was unplugged says so, or just stops calling."""
        with contextlib.suppress(self._sounddevice.PortAudioError):
            return bool(self._stream.active) and time.monotonic() - self._called < RETRY_SECONDS
        return False

    def close(self) -> None:
        """Stop and let go of the device."""
        self._dead = True
        ending = fleeting("closing a device", self._end)
        ending.start()
        ending.join(_CLOSE_SECONDS)
        if ending.is_alive():
            # PortAudio waits for ever for a JACK server that has died. So would its exit handler.
            self.stuck = True
            self._sounddevice._initialized = 0

    def _end(self) -> None:
        with contextlib.suppress(self._sounddevice.PortAudioError):
            self._stream.abort()
        with contextlib.suppress(self._sounddevice.PortAudioError):
            self._stream.close()

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


class Output:
    """Plays on a device, keeps time without it when it vanishes, and takes it up again when it is back.

    Parameters
    ----------
    playback
        What is played.
    device
        The device to play on.
    report
        Called with a sentence when the device goes and comes.

    Attributes
    ----------
    player : Player
        The clock at work.

    Raises
    ------
    UserError
        When the device cannot be opened.
    """

    cut_short = False

    def __init__(self, playback: Playback, device: Device, report: Callable[[str], None]) -> None:
        self._playback = playback
        self._device = device
        self._report = report
        self._closing = threading.Event()
        self.player: Player = SoundDevicePlayer(playback, device)
        self._watcher = lasting("output watcher", self._watch, report)

    @property
    def name(self) -> str:
        """Where the sound goes now."""
        return self.player.name

    @property
    def latency(self) -> float:
        """Of what plays now, in seconds."""
        return self.player.latency

    def start(self) -> None:
        """Begin to play."""
        self.player.start()
        self._watcher.start()

    def running(self) -> bool:
        """Whether something keeps time."""
        return self.player.running()

    def close(self) -> None:
        """Play no more."""
        self._closing.set()
        if self._watcher.is_alive():
            self._watcher.join()
        self.player.close()

    def _watch(self) -> None:
        looked = time.monotonic()
        while not self._closing.wait(_LOOK_SECONDS):
            # Where this process was held up itself, the device may not have come to its call yet.
            held_up = time.monotonic() - looked > RETRY_SECONDS
            looked = time.monotonic()
            if not held_up and not self.player.running():
                stuck = self._fall_back()
                fix = "start streamer again to hear it" if stuck else "looking for it every 2 s"
                self._report(f"The output device {self._device.name} has gone: playing on in silence, {fix}.")
                if stuck:
                    return
                self._wait_for_device()

    def _fall_back(self) -> bool:
        """Go on without the device; whether PortAudio is lost with it."""
        lost = self.player
        lost.close()
        self.player = NullPlayer(self._playback)
        self.player.start()
        return isinstance(lost, SoundDevicePlayer) and lost.stuck

    def _wait_for_device(self) -> None:
        while not self._closing.wait(RETRY_SECONDS):
            try:
                device = self._same_device()
                self._take_up(device)
            except UserError:
                if not self.player.running():
                    self._fall_back()
            else:
                rate = "" if device.rate == self._playback.rate else f", at {device.rate} Hz: the sound is resampled"
                self._report(f"The output device {self._device.name} is back{rate}.")
                return

    def _take_up(self, device: Device) -> None:
        player = SoundDevicePlayer(self._playback, device)  # may fail: the null clock goes on until it did not
        self.player.close()
        self.player = player
        player.start()

    def _same_device(self) -> Device:
        sounddevice = portaudio()
        # PortAudio looks at the hardware only when it starts.
        sounddevice._terminate()
        sounddevice._initialize()
        device = choose(devices(), self._device.name)
        if device.channels < self._playback.channels:
            raise UserError(f"{device.name} came back with fewer channels.")
        return device
