"""Audio devices: which there are, and which is meant."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from streamer.errors import UserError
from streamer.threads import fleeting

SILENT_SECONDS = 2.0
"""A device that has not called for so long has gone."""
_CLOSE_SECONDS = 1.0

Kind = Literal["output", "input"]


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


def look_at_hardware() -> None:
    """Have PortAudio see what came and went: it looks only when it starts. Nothing may be open."""
    sounddevice = portaudio()
    sounddevice._terminate()
    sounddevice._initialize()


def calls(stream: Any, called: float) -> bool:
    """Whether a stream's device still calls, and last did at `called`: an unplugged one says so, or just stops."""
    with contextlib.suppress(portaudio().PortAudioError):
        return bool(stream.active) and time.monotonic() - called < SILENT_SECONDS
    return False


def let_go(stream: Any, runs: bool) -> bool:
    """Close a stream, of which its callback knows whether it runs; whether more can be opened in this process.

    What a JACK server that has died leaves behind is not touched: PortAudio would wait for it for minutes, and end the
    whole program when another server comes.
    """
    sounddevice = portaudio()
    if runs or not _is_of_jack(stream):
        ending = fleeting("closing a device", lambda: _end(stream))
        ending.start()
        ending.join(_CLOSE_SECONDS)
        if not ending.is_alive():
            return True
    sounddevice._initialized = 0  # its exit handler would wait as long
    return False


def _is_of_jack(stream: Any) -> bool:
    sounddevice = portaudio()
    return "JACK" in sounddevice.query_hostapis(sounddevice.query_devices(stream.device)["hostapi"])["name"]


def _end(stream: Any) -> None:
    for end in (stream.abort, stream.close):
        with contextlib.suppress(portaudio().PortAudioError):
            end()


def look_again(name: str, channels: int) -> Device:
    """An output that went and may be back, with at least so many channels.

    Raises
    ------
    UserError
        It is not.
    """
    look_at_hardware()
    device = choose(devices(), name)
    if device.channels < channels:
        raise UserError(f"{device.name} came back with fewer channels.")
    return device


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
