"""The TouchOSC layout: checked by py2tosc, and its messages played to the instrument as a finger would send them."""

from functools import partial
from types import ModuleType

import py2tosc
import pytest
from pythonosc.udp_client import SimpleUDPClient

from osc.tree import Tree
from streamer.control.table import ACTIONS, PARAMETERS, SLOTS, STATUS
from streamer.control.tempo import QUANTA
from streamer.surfaces.commands import COMMANDS, DELETE
from tests.examples.conftest import EXAMPLES, Instrument, load_script, until

LAYOUT = EXAMPLES / "touchosc" / "musicgen-streamer.tosc"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script(LAYOUT.with_name("make_layout.py"))


@pytest.fixture(scope="module")
def layout() -> py2tosc.Document:
    return py2tosc.load(LAYOUT)


def messages(layout: py2tosc.Document) -> list[tuple[py2tosc.Control, py2tosc.OscMessage, str]]:
    """Every control with an OSC message, and the address, all of whose parts are fixed text."""
    found = [(control, message) for control in layout.walk() for message in control.messages]
    return [
        (control, message, "".join(part.value for part in message.path))
        for control, message in found
        if isinstance(message, py2tosc.OscMessage)
    ]


def test_the_layout_has_no_fault_that_py2tosc_knows(layout: py2tosc.Document) -> None:
    assert layout.validate() == []


def test_the_layout_is_the_one_its_script_writes(script: ModuleType, layout: py2tosc.Document) -> None:
    # Compared as XML: the compressed bytes depend on the zlib that wrote them.
    assert py2tosc.dumps(layout) == py2tosc.dumps(script.layout()), "run examples/touchosc/make_layout.py"


def test_every_control_sends_something_the_instrument_does(layout: py2tosc.Document, instrument: Instrument) -> None:
    client = SimpleUDPClient("127.0.0.1", instrument.server.port)
    sending = [entry for entry in messages(layout) if entry[1].send]
    for control, message, address in sending:
        at_the_end = 1.0 if control.control_type in (py2tosc.ControlType.FADER, py2tosc.ControlType.BUTTON) else 0.0
        before = len(instrument.history) + len(instrument.asked)
        client.send_message(address, [sent(argument, at_the_end) for argument in message.arguments])
        until(partial(instrument.is_past, before), f"{address} arriving")
    assert instrument.server.counts.errors == 0
    for action in ("play", "stop", "reset", "panic"):
        assert instrument.heard(action) == [True]
    faders = [entry for entry in sending if entry[0].control_type == py2tosc.ControlType.FADER]
    assert {path_of(entry) for entry in faders} >= {"temperature/norm", "volume/norm", "prompt/8/weight/norm"}
    assert {path for path, _ in instrument.asked} == {command.path for command in COMMANDS} - {DELETE.path}
    assert ("record", ("0",)) in instrument.asked
    assert all(instrument.heard(text) for text in SLOTS)
    assert set(instrument.heard("quantise")) == set(QUANTA)
    assert {0.0, 122.0} <= set(instrument.heard("tempo")) and {"", "D minor"} <= set(instrument.heard("key"))


def sent(argument: py2tosc.Partial, value: float) -> float | str:
    """What TouchOSC sends for an argument of a message, of a control with that value."""
    if argument.type != py2tosc.PartialType.CONSTANT:
        return value
    return float(argument.value) if argument.conversion == py2tosc.Conversion.FLOAT else argument.value


def path_of(entry: tuple[py2tosc.Control, py2tosc.OscMessage, str]) -> str:
    return entry[2].removeprefix("/mg/")


def test_every_label_listens_to_an_address_that_the_instrument_sends(
    layout: py2tosc.Document, instrument: Instrument
) -> None:
    tree = Tree("/mg", PARAMETERS, ACTIONS, instrument.controls)
    sent = {
        address for name, value in instrument.controls.values().items() for address, _ in tree.feedback(name, value)
    }
    status = {f"/mg/status/{name}" for name in STATUS}
    listening = {address for _, message, address in messages(layout) if message.receive}
    assert listening <= sent | status
    assert {"/mg/prompt", "/mg/prompt/8/text", "/mg/status/level", "/mg/status/beat", "/mg/key"} <= listening
