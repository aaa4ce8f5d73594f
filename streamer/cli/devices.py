"""`streamer devices`: the audio outputs and inputs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from streamer.cli.console import console

if TYPE_CHECKING:
    from streamer.audio.player import Device


def devices() -> None:
    """List the audio outputs, and the inputs that `--melody input:DEVICE` can follow."""
    from streamer.audio.player import choose
    from streamer.audio.player import devices as found

    outputs = found()
    choose(outputs)  # where there are none it says what to do
    console.print(_device_table("Output", outputs))
    if inputs := found("input"):
        console.print()
        console.print(_device_table("Input", inputs))


def _device_table(kind: str, devices: list[Device]) -> Table:
    table = Table("Number", kind, "Rate", "Channels", "", box=None)
    for device in devices:
        default = "default" if device.default else ""
        table.add_row(str(device.index), escape(device.name), f"{device.rate} Hz", str(device.channels), default)
    return table
