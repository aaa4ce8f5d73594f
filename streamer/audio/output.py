"""Plays on an audio device, and without it when it vanishes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from streamer.audio.apart import ApartPlayer
from streamer.audio.devices import SILENT_SECONDS, Device, look_again
from streamer.audio.direct import SoundDevicePlayer
from streamer.audio.null import NullPlayer
from streamer.audio.playback import Playback, Player
from streamer.errors import UserError
from streamer.threads import lasting

RETRY_SECONDS = 2.0
_LOOK_SECONDS = 0.25


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
        self._lost = False  # PortAudio opens nothing any more in this process
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
            held_up = time.monotonic() - looked > SILENT_SECONDS
            looked = time.monotonic()
            if not held_up and not self.player.running():
                self._fall_back()
                self._report(
                    f"The output device {self._device.name} has gone: playing on in silence, looking for it every 2 s."
                )
                self._wait_for_device()

    def _fall_back(self) -> None:
        lost = self.player
        lost.close()
        self._lost |= isinstance(lost, SoundDevicePlayer) and lost.stuck
        self.player = NullPlayer(self._playback)
        self.player.start()

    def _wait_for_device(self) -> None:
        while not self._closing.wait(RETRY_SECONDS):
            try:
                player = self._open_again()  # may fail: the null clock goes on until it did not
                self._change_to(player)
            except UserError:
                if not self.player.running():
                    self._fall_back()
            else:
                self._report(f"The output device {self._device.name} is back{_how(player, self._playback.rate)}.")
                return

    def _open_again(self) -> SoundDevicePlayer | ApartPlayer:
        if self._lost:
            return ApartPlayer(self._playback, self._device.name, self._closing)
        return SoundDevicePlayer(self._playback, look_again(self._device.name, self._playback.channels))

    def _change_to(self, player: Player) -> None:
        self.player.close()
        self.player = player
        player.start()


def _how(player: SoundDevicePlayer | ApartPlayer, rate: int) -> str:
    """In what the music is not as it was before."""
    resampled = "" if player.rate == rate else f", at {player.rate} Hz: the sound is resampled"
    if isinstance(player, SoundDevicePlayer):
        return resampled
    later = f"it sounds {1000 * player.added:.0f} ms later until streamer is started again"
    return f"{resampled}; {later}"
