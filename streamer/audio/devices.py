"""Audio devices: which there are, and which is meant."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from streamer.errors import UserError

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
