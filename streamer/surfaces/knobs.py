"""The knobs of hosted plug-ins over OSC: ``fx/1/param/NAME`` as a change of the text that names the plug-in."""

from __future__ import annotations

import time
from collections.abc import Sequence

from osc.command import Argument, Asker, Command, Deed, Handler
from osc.values import BadValue, Value
from streamer.chain import LENGTH, Plug, Setting
from streamer.control.change import Wall
from streamer.control.controls import Controls
from streamer.control.table import FX

PARAM = tuple(
    Command(
        f"fx/{number}/param",
        f"Moves a parameter of the plug-in in slot {number}, in its own unit; NAME/norm takes 0 to 1.",
        (Argument("name", "text"), Argument("value", "float")),
        ("wet", 0.5),
        below=True,
    )
    for number in range(1, LENGTH + 1)
)
"""A command for each slot of the chain."""

_NORM = "/norm"


class Knobs:
    """Turns them, through the controls, on the thread that serves OSC.

    A slot's text is one value, and what has a time sets it then: so what was asked for in between, for that time or an
    earlier one, is part of it.

    Parameters
    ----------
    controls
        What is steered.
    """

    def __init__(self, controls: Controls) -> None:
        self._controls = controls
        self._waiting: dict[str, list[tuple[float, str, Setting]]] = {name: [] for name in FX}

    def table(self) -> list[tuple[Command, Handler]]:
        """The commands, and what does them."""

        def of(name: str) -> Handler:
            return lambda arguments, asker: self._turn(name, arguments, asker)

        return [(command, of(name)) for command, name in zip(PARAM, FX, strict=True)]

    def _turn(self, name: str, arguments: Sequence[Value], asker: Asker) -> Deed:
        knob, number = str(arguments[0]), float(arguments[1])
        norm = knob.endswith(_NORM)
        setting = Setting(min(max(number, 0.0), 1.0) if norm else number, norm)
        knob = knob.removesuffix(_NORM)
        if not knob or set(knob) & set(";="):
            raise BadValue(f"takes the name of a parameter, and {knob[:40]!r} can be none: see `streamer fx`")
        plug = Plug.of(str(self._controls.get(name)))
        if plug is None:
            raise BadValue(f"finds no plug-in there: load one first with {name[:2]}/{name[2:]}/load")
        plug.setting(knob, setting)

        def deed() -> Sequence[tuple[str, tuple[Value, ...]]]:
            self._ask(name, knob, setting, asker)
            return ()

        return deed

    def _ask(self, name: str, knob: str, setting: Setting, asker: Asker) -> None:
        plug = Plug.of(str(self._controls.get(name)))
        if plug is None:  # it has been taken out since
            return
        now = time.time()
        moment = max(now, asker.at or 0.0)
        waiting = [own for own in self._waiting[name] if own[0] > now]
        waiting = sorted([*waiting, (moment, knob, setting)], key=lambda own: own[0])
        texts: dict[float, str] = {}
        for when, other, later in waiting:
            plug = plug.setting(other, later)
            if when >= moment:
                texts[when] = plug.text
        self._waiting[name] = waiting
        for when, text in texts.items():
            self._controls.ask([(name, text)], asker.origin, None if when <= now else Wall(when))
