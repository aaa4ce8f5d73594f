"""`streamer devices`: the audio outputs and inputs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.table import Table

from streamer.cli.console import columns, console, plain, tell_machine
from streamer.cli.options import Json

if TYPE_CHECKING:
    from streamer.audio.devices import Device


def devices(as_json: Json = False) -> None:
    """List the audio outputs, and the inputs that `--melody input:DEVICE` can follow."""
    from streamer.audio.devices import choose
    from streamer.audio.devices import devices as found

    outputs, inputs = found(), found("input")
    if as_json:
        tell_machine({"outputs": [asdict(device) for device in outputs], "inputs": [asdict(one) for one in inputs]})
        return
    choose(outputs)  # where there are none it says what to do
    console.print(_table("Output", outputs))
    if inputs:
        console.print()
        console.print(_table("Input", inputs))


def _table(kind: str, devices: list[Device]) -> Table:
    table = columns(kind, "Number", "Rate", "Channels", "")
    for device in devices:
        default = "default" if device.default else ""
        table.add_row(plain(device.name), str(device.index), f"{device.rate} Hz", str(device.channels), default)
    return table
