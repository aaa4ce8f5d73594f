"""The TouchOSC layout: checked by py2tosc, and its messages played to the instrument as a finger would send them."""

from types import ModuleType

import py2tosc
import pytest
from pythonosc.udp_client import SimpleUDPClient

from osc.tree import Tree
from streamer.control.table import ACTIONS, PARAMETERS, STATUS
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
    assert len(sending) == 15  # seven faders, four prompts, four actions
    for control, message, address in sending:
        (argument,) = message.arguments
        at_the_end = 1.0 if control.control_type in (py2tosc.ControlType.FADER, py2tosc.ControlType.BUTTON) else 0.0
        client.send_message(address, argument.value if argument.type == py2tosc.PartialType.CONSTANT else at_the_end)
    until(lambda: len(instrument.history) >= len(sending), "all messages arriving")
    assert instrument.server.counts.errors == 0
    for action in ("play", "stop", "reset", "panic"):
        assert instrument.heard(action) == [True]
    assert len(instrument.heard("prompt")) == 4
    assert instrument.controls.get("temperature") == 2.0
    assert instrument.controls.get("volume") == 12.0


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
    assert {"/mg/prompt", "/mg/status/level"} <= listening
