"""The knobs of hosted plug-ins: what a message to one makes of the text that names the plug-in."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osc.command import Asker
from osc.hosts import Client
from osc.tree import Tree
from osc.values import BadValue, Value
from streamer.chain import Plug, chain_text
from streamer.control.change import Change, Wall
from streamer.control.controls import Controls
from streamer.control.table import ACTIONS, PARAMETERS
from streamer.surfaces.knobs import Knobs

VERB = "lv2:urn:verb"


class Desk:
    """Controls with knobs, and what goes to the engine."""

    def __init__(self) -> None:
        self.controls = Controls(fx1=f"{VERB}; wet=0.5")
        self.asked: list[Change] = []
        self.controls.follow(self.asked.append)
        self._tree = Tree("/mg", PARAMETERS, ACTIONS, self.controls, Knobs(self.controls).table())

    def send(self, path: str, *arguments: Value, at: float | None = None) -> None:
        assert self._tree.has_command(path)
        self._tree.command(path, arguments, Asker(Client(("127.0.0.1", 1), True), at))()

    def text(self) -> str:
        return str(self.controls.get("fx1"))


def test_a_knob_is_an_address_or_a_name_and_takes_a_number_or_a_place_on_a_fader() -> None:
    desk = Desk()
    desk.send("fx/1/param/size", 12)
    desk.send("fx/1/param", "decay", 0.25)
    desk.send("fx/1/param/wet/norm", 0.3)
    assert desk.text() == f"{VERB}; wet=30%; size=12; decay=0.25"


def test_what_is_no_knob_is_refused_in_a_sentence() -> None:
    desk = Desk()
    for path, arguments, sentence in (
        ("fx/2/param/wet", (0.5,), "finds no plug-in there: load one first with fx/2/load"),
        ("fx/1/param/we=t", (0.5,), "can be none"),
        ("fx/1/param/wet", (), "takes name, value"),
        ("fx/1/param/wet", ("much",), "number"),
    ):
        with pytest.raises(BadValue, match=sentence):
            desk.send(path, *arguments)
    assert desk.text() == f"{VERB}; wet=0.5"
    with pytest.raises(BadValue, match="cannot remember more parameters"):
        for number in range(500):
            desk.send(f"fx/1/param/parameter{number}", number)


def test_what_has_a_time_holds_what_was_asked_for_in_between() -> None:
    desk, now = Desk(), time.time()
    desk.send("fx/1/param/size", 1, at=now + 50)
    desk.send("fx/1/param/wet", 0.1, at=now + 90)
    desk.send("fx/1/param/decay", 2, at=now + 50)
    desk.send("fx/1/param/wet", 0.7)
    assert desk.text() == f"{VERB}; wet=0.7"
    last = {change.at: change.values["fx1"] for change in desk.asked}
    assert last == {
        None: f"{VERB}; wet=0.7",
        Wall(now + 50): f"{VERB}; wet=0.7; size=1; decay=2",
        Wall(now + 90): f"{VERB}; wet=0.1; size=1; decay=2",
    }


@given(st.text(max_size=60) | st.from_regex(r"(lv2|VST3): ?\w+(; ?\w+ ?= ?-?[0-9]{1,4}%?)*", fullmatch=True))
def test_every_text_is_a_plug_in_as_it_is_kept_or_refused(text: str) -> None:
    try:
        kept = chain_text(text)
    except BadValue as error:
        assert "takes lv2:URI or vst3:NAME" in str(error) or "name=number" in str(error)
    else:
        plug = Plug.of(kept)
        assert chain_text(kept) == kept
        assert plug is None or plug.text == kept
