"""The audio callback's side: takes sound out of the ring, opens and closes its gate without a click, counts.

`Playback` is what happens in a callback, the same for every clock. `SoundDevicePlayer` has an audio device call it,
`NullPlayer` the system's monotonic clock, and `Output` changes from one to the other when a device goes and comes.
"""

from __future__ import annotations

import contextlib
import math
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.errors import UserError
from streamer.process.ring import Ring

Kind = Literal["output", "input"]

FADE_SECONDS = 0.010
RETRY_SECONDS = 2.0
SILENCE_DB = -120.0
_SUSPENDED_SECONDS = 1.0
_CLOSE_SECONDS = 1.0
_WAV_BYTES = 4_000_000_000


class Playback:
    """What an audio callback does, and all it does: copy, fade, count and measure.

    It takes no lock, writes no log, waits for nothing and makes no array. Other threads read its attributes and call
    `play`, `stop` and `panic`, each a single store.

    Parameters
    ----------
    ring
        The audio to play; this is its one reader.
    rate
        Frames per second.
    fade_seconds
        How long the gate takes to open or close (raised cosine), >= 0.005.

    Attributes
    ----------
    playing : bool
        What was asked for by `play` and `stop`; sound also needs a ring with something in it.
    frames : int
        Frames of sound played, silence not counted.
    underruns, device_xruns : int
        Times that sound was due and the ring ran dry; times that the device said it was fed too late.
    peak : float
        Level of the last block, 1.0 is full scale.
    """

    def __init__(self, ring: Ring, rate: int, fade_seconds: float = FADE_SECONDS) -> None:
        self.ring = ring
        self.rate = rate
        self.playing = True
        self.frames = 0
        self.underruns = 0
        self.device_xruns = 0
        self.peak = 0.0
        self._fade = math.ceil(fade_seconds * rate)
        # The gain at each point of the fade; column-shaped, to multiply (frames, channels).
        ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(self._fade + 1) / self._fade)
        self._ramp: NDArray[np.float32] = ramp.astype(np.float32)[:, None]
        self._at = 0  # where in the fade: 0 closed, self._fade open
        self._was_open = False
        self._drop = False

    @property
    def xruns(self) -> int:
        """Interruptions heard: ours and the device's."""
        return self.underruns + self.device_xruns

    @property
    def sounding(self) -> bool:
        """Whether the last block had sound in it."""
        return self._at > 0

    def play(self) -> None:
        """Open the gate; the music goes on where it stopped."""
        self.playing = True

    def stop(self) -> None:
        """Close the gate, and leave what is queued for the next `play`."""
        self.playing = False

    def panic(self) -> None:
        """Close the gate and throw away what is queued."""
        self._drop = True
        self.playing = False

    def fill(self, out: NDArray[np.float32]) -> None:
        """Fill `out`, float32 (frames, channels), with the next block: the callback.

        Of the sound in the ring one fade's length is always left there, so that when the ring runs dry there is still
        real sound to fade out with.
        """
        frames = len(out)
        needed = frames + self._fade
        if 2 * needed > self.ring.reserve:
            self.ring.reserve = 2 * needed
        if self._opens(needed):
            self._copy_open(out)
        else:
            self._copy_closing(out)
        self._measure(out)

    def _opens(self, needed: int) -> bool:
        wanted = self.playing and not self._drop
        if self._at == 0:  # silent: come back only with a queue that will last
            if self._drop:
                self.ring.drop()
                self._drop = False
            self.ring.skip()  # the rest of what a dead engine left does not lead over to its successor's music
            opens = wanted and self.ring.whole >= max(needed, self.ring.lead // 2)
        else:
            opens = wanted and self.ring.whole >= needed
            self.underruns += wanted and self._was_open and not opens
        self._was_open = opens
        return opens

    def _copy_open(self, out: NDArray[np.float32]) -> None:
        self.frames += self.ring.read_into(out)
        rising = min(len(out), self._fade - self._at)
        out[:rising] *= self._ramp[self._at + 1 : self._at + 1 + rising]
        self._at += rising

    def _copy_closing(self, out: NDArray[np.float32]) -> None:
        falling = min(len(out), self._at)
        self.frames += self.ring.read_into(out[:falling])
        out[:falling] *= self._ramp[self._at - falling : self._at][::-1]
        out[falling:] = 0.0
        self._at -= falling

    def _measure(self, out: NDArray[np.float32]) -> None:
        flat = out.reshape(-1)
        self.peak = float(max(flat.max(), -flat.min()))


def decibels(level: float) -> float:
    """A level (1.0 is full scale) in dB, not below -120."""
    return max(SILENCE_DB, 20 * math.log10(level)) if level > 0 else SILENCE_DB


class Player(Protocol):
    """A clock that calls `Playback.fill`."""

    @property
    def name(self) -> str:
        """Where the sound goes."""
        ...

    @property
    def latency(self) -> float:
        """Of the device alone, in seconds."""
        ...

    @property
    def error(self) -> str | None:
        """What ended the recording, if anything did."""
        ...

    def start(self) -> None:
        """Begin to call."""

    def running(self) -> bool:
        """Whether it still calls."""
        ...

    def close(self) -> None:
        """Call no more."""


class NullPlayer:
    """Plays to nobody, by the system's monotonic clock, and into a WAV file when given one.

    Parameters
    ----------
    playback
        What is called.
    wav
        16-bit file to write, replaced if it exists.
    block_seconds
        Length of a block.

    Raises
    ------
    UserError
        When the file's folder does not exist; from `start` when the file cannot be made. What goes wrong with it later
        (a full disk) ends in `error`, and the playing goes on without the file.
    """

    latency = 0.0

    def __init__(self, playback: Playback, wav: Path | None = None, block_seconds: float = 0.01) -> None:
        self.name = "no device" if wav is None else str(wav)
        self.error: str | None = None
        self._playback = playback
        self._wav = wav
        self._file: Any = None
        if wav is not None and not wav.parent.is_dir():
            raise UserError(f"There is no folder {wav.parent} to write {wav.name} into: make it first.")
        self._block = np.zeros((max(1, round(block_seconds * playback.rate)), playback.ring.channels), np.float32)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="null clock", daemon=True)

    def start(self) -> None:
        """Begin to pull blocks, and the file: nothing is left of an instrument that never played."""
        if self._wav is not None:
            self._file = _open_wav(self._wav, self._playback)
        self._thread.start()

    def running(self) -> bool:
        """Whether blocks are being pulled."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop, and finish the file."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._file is not None:
            self._end_file()

    def _run(self) -> None:
        period = len(self._block) / self._playback.rate
        due = time.monotonic()
        while not self._closing.wait(max(0.0, due - time.monotonic())):
            self._playback.fill(self._block)
            self._save()
            due += period
            if time.monotonic() - due > _SUSPENDED_SECONDS:  # the lid was shut: nobody is owed those hours
                due = time.monotonic()

    def _save(self) -> None:
        if self._file is None:
            return
        try:
            self._file.write(self._block)
            if self._file.tell() * self._block.shape[1] * 2 > _WAV_BYTES:
                raise OSError("a WAV file holds no more than 4 GB")
        except Exception as error:  # libsndfile's errors have no common type, and the clock has to go on
            self._end_file(error)

    def _end_file(self, problem: Exception | None = None) -> None:
        try:
            self._file.close()
        except Exception as error:
            problem = problem or error
        self._file = None
        if problem is not None:
            self.error = f"Could not write {self._wav} to its end ({problem}): is the disk full?"


def _open_wav(path: Path, playback: Playback) -> Any:
    import soundfile

    try:
        return soundfile.SoundFile(path, "w", playback.rate, playback.ring.channels, format="WAV", subtype="PCM_16")
    except (OSError, soundfile.SoundFileError) as error:
        raise UserError(f"Cannot write {path}: {error}") from None


@dataclass(frozen=True)
class Device:
    """An audio output, or input.

    Parameters
    ----------
    index : int
        PortAudio's number.
    name : str
        As the system calls it.
    rate : int
        Frames per second it runs at (JACK's cannot be changed).
    channels : int
        The most it has.
    default : bool
        Whether it is what is taken when nobody chooses.
    """

    index: int
    name: str
    rate: int
    channels: int
    default: bool


def portaudio() -> Any:
    """The module `sounddevice`.

    Raises
    ------
    UserError
        PortAudio is not installed; the sentence names the command that does.
    """
    try:
        import sounddevice
    except OSError:
        fixes = {"linux": "sudo apt install libportaudio2", "darwin": "brew install portaudio"}
        fix = fixes.get(sys.platform, "pip install --force-reinstall sounddevice")
        raise UserError(f"The PortAudio library is not installed: type `{fix}`.") from None
    return sounddevice


def devices(kind: Kind = "output") -> list[Device]:
    """All audio outputs, or inputs, there are; possibly none.

    Raises
    ------
    UserError
        When PortAudio is not installed; the sentence names the command that does.
    """
    sounddevice = portaudio()
    try:
        default = sounddevice.query_devices(kind=kind)["index"]
    except sounddevice.PortAudioError:  # PortAudio's first sound system may have none where its second does
        default = -1
    found = [
        Device(index, info["name"], round(info["default_samplerate"]), channels, index == default)
        for index, info in enumerate(sounddevice.query_devices())
        if (channels := info[f"max_{kind}_channels"]) > 0
    ]
    if found and not any(device.default for device in found):
        found[0] = replace(found[0], default=True)
    return found


def choose(found: Sequence[Device], choice: str | None = None, kind: Kind = "output") -> Device:
    """Of the devices the one with the number or the part of its name in `choice`; without a choice the default.

    Raises
    ------
    UserError
        When there is none, or none like that: what to do about it.
    """
    if not found:
        raise UserError(
            f"There is no audio {kind} device: plug one in, or start a sound server (PipeWire, JACK), and try again."
        )
    if choice is None:
        return next(device for device in found if device.default)
    exact = [device for device in found if choice in (str(device.index), device.name)]
    alike = exact or [device for device in found if choice.lower() in device.name.lower()]
    if not alike:
        known = ", ".join(f"{device.index} ({device.name})" for device in found)
        raise UserError(f"There is no {kind} device {choice!r}; choose one of {known}.")
    return alike[0]


class SoundDevicePlayer:
    """Plays on an audio device.

    Parameters
    ----------
    playback
        What the device's callback calls; its rate must be one the device takes, its channels no more than it has.
    device
        Where to play.

    Raises
    ------
    UserError
        When the device cannot be opened.

    Attributes
    ----------
    stuck : bool
        The device went in a way that PortAudio does not survive: nothing can be opened any more in this process.
    """

    error: str | None = None

    def __init__(self, playback: Playback, device: Device) -> None:
        self.stuck = False
        self._sounddevice = portaudio()
        self._playback = playback
        self._called = time.monotonic()
        self._dead = False
        self.name = device.name
        try:
            info = self._sounddevice.query_devices(device.index)
            self._stream = self._sounddevice.OutputStream(
                samplerate=playback.rate,
                device=device.index,
                channels=playback.ring.channels,
                dtype="float32",
                # Some drivers call 1 ms low, and some a second: neither is meant.
                latency=min(max(info["default_low_output_latency"], 0.010), 0.100),
                callback=self._callback,
            )
        except self._sounddevice.PortAudioError as error:
            raise UserError(f"Cannot open the output device {device.index} ({device.name}): {error}") from None
        # JACK reports nonsense: nothing that a person would play through has more than half a second.
        self.latency = min(max(float(self._stream.latency), 0.0), 0.5)

    def start(self) -> None:
        """Begin to play."""
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
        ending = threading.Thread(target=self._end, daemon=True)
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
        self._called = time.monotonic()
        self._playback.device_xruns += bool(status.output_underflow)
        self._playback.fill(out)


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

    error: str | None = None

    def __init__(self, playback: Playback, device: Device, report: Callable[[str], None]) -> None:
        self._playback = playback
        self._device = device
        self._report = report
        self._closing = threading.Event()
        self.player: Player = SoundDevicePlayer(playback, device)
        self._watcher = threading.Thread(target=self._watch, name="output watcher", daemon=True)

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
        while not self._closing.wait(0.25):
            if not self.player.running():
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
                self._take_up(self._same_device())
            except UserError:
                if not self.player.running():
                    self._fall_back()
            else:
                self._report(f"The output device {self._device.name} is back.")
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
        if device.rate != self._device.rate or device.channels < self._playback.ring.channels:
            raise UserError(f"{device.name} came back with another rate or with fewer channels.")
        return device
