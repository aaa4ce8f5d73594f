"""`streamer fx`: the plug-ins that can be hosted as effects, and their parameters."""

from __future__ import annotations

from typing import Annotated

import typer

from osc.values import BadValue
from streamer.chain import Plug
from streamer.cli.console import columns, console, plain, tell_machine
from streamer.cli.options import Json
from streamer.errors import UserError
from streamer.reporting import complain

_RATE, _FRAME = 32_000, 640  # nano's


def fx(
    plug: Annotated[
        str, typer.Argument(metavar="[PLUGIN]", help="lv2:URI or vst3:NAME: its parameters.", show_default=False)
    ] = "",
    as_json: Json = False,
) -> None:
    """List the plug-ins that --fx and /mg/fx/N/load can take, or the parameters of one."""
    if plug:
        _show(plug, as_json)
    else:
        _list(as_json)


def _list(as_json: bool) -> None:
    from streamer.sound.hosted import vst3

    found = [(f"lv2:{uri}", name) for uri, name in _lv2()]
    found += [(f"vst3:{path.stem}", path.stem) for path in vst3.installed()]
    if as_json:
        tell_machine([{"plugin": plug, "name": name} for plug, name in found])
        return
    if not found:
        raise UserError("there are no LV2 or VST3 effects here: on Debian and Ubuntu try `apt-get install zam-plugins`")
    table = columns("Plug-in", "Name")
    for row in found:
        table.add_row(*map(plain, row))
    console.print(table)


def _lv2() -> list[tuple[str, str]]:
    from streamer.sound.hosted.lilv import World

    try:
        return sorted(World().effects(), key=lambda own: own[1].casefold())
    except UserError as error:
        complain(f"{error}.")
        return []


def _show(text: str, as_json: bool) -> None:
    from streamer.sound.hosted.remote import Remote

    try:
        plug = Plug.of(text)
    except BadValue as error:
        raise UserError(f"a plug-in {error}") from None
    assert plug is not None
    remote = Remote(plug, _RATE, _FRAME)
    remote.close()
    hello = remote.hello
    if as_json:
        tell_machine(dict(hello))
        return
    console.print(plain(f"{hello['name']}, {hello['latency']} samples late at {_RATE} Hz"))
    table = columns("Parameter", "From", "To", "As loaded", "")
    for name, span in hello["parameters"].items():
        numbers = (f"{span[end]:.5g}" for end in ("low", "high", "normal"))
        table.add_row(plain(name), *numbers, plain(span["unit"]))
    console.print(table)
