"""The Max patch: Max itself runs on neither Linux nor a server, so it is checked against Max's reference data."""

import json
import re
import shlex
import subprocess
import sys
from types import ModuleType
from typing import Any

import pytest
from pythonosc.udp_client import SimpleUDPClient

from osc.tree import Tree
from streamer.control.controls import Controls
from streamer.control.table import ACTIONS, PARAMETERS, SLOTS, STATUS, TABLE
from streamer.surfaces.commands import COMMANDS
from tests.examples.conftest import EXAMPLES, Instrument, load_script, until

PATCH = EXAMPLES / "max" / "musicgen-streamer.maxpat"


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return load_script(PATCH.with_name("make_patch.py"))


@pytest.fixture(scope="module")
def boxes() -> list[dict[str, Any]]:
    return [entry["box"] for entry in json.loads(PATCH.read_text())["patcher"]["boxes"]]


def test_the_patch_has_no_fault_that_max_knows() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "py2max", "validate", str(PATCH)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "clean" in done.stdout, done.stdout


def test_the_patch_is_the_one_its_script_writes(script: ModuleType) -> None:
    written = json.loads(script.patch().to_json())
    assert json.loads(PATCH.read_text()) == written, "run examples/max/make_patch.py"


def test_the_dials_have_the_ranges_of_the_parameters(boxes: list[dict[str, Any]]) -> None:
    dials = {box["varname"]: box for box in boxes if box["maxclass"] == "live.dial"}
    assert set(dials) == {"temperature", "topk", "cfg", "volume", "tempo"}
    for parameter in PARAMETERS:
        if parameter.name in dials:
            valueof = dials[parameter.name]["saved_attribute_attributes"]["valueof"]
            assert (valueof["parameter_mmin"], valueof["parameter_mmax"]) == (parameter.low, parameter.high)


def test_every_address_the_patch_prepends_is_a_parameter(boxes: list[dict[str, Any]]) -> None:
    tree = Tree("/mg", PARAMETERS, ACTIONS, Controls())
    texts = [str(box.get("text", "")) for box in boxes]
    sent = {text.removeprefix("prepend ") for text in texts if text.startswith("prepend /")}
    assert [address for address in sent if tree.parameter(address.removeprefix("/mg/")) is None] == []
    assert {f"/mg/{TABLE[weight].path}" for weight in SLOTS.values()} <= sent
    assert {"/mg/prompt", "/mg/prompt/8/text", "/mg/temperature", "/mg/tempo", "/mg/key", "/mg/quantise"} <= sent


def test_every_message_does_something_when_it_is_clicked(boxes: list[dict[str, Any]], instrument: Instrument) -> None:
    client = SimpleUDPClient("127.0.0.1", instrument.server.port)
    clicked = [shlex.split(str(box["text"])) for box in boxes if box["maxclass"] == "message"]
    for address, *atoms in clicked:
        client.send_message(address, [float(atom) if re.fullmatch(r"-?[\d.]+", atom) else atom for atom in atoms])
    until(lambda: len(instrument.asked) > len(COMMANDS), "all commands arriving")
    assert {address.removeprefix("/mg/") for address, *_ in clicked} >= {action.name for action in ACTIONS}
    assert instrument.asked[:-1] == [(command.path, command.sample) for command in COMMANDS]
    assert instrument.asked[-1] == ("record", ("0",))
    assert instrument.server.counts.errors == 0


def test_every_address_the_patch_shows_is_one_the_instrument_sends(boxes: list[dict[str, Any]]) -> None:
    routes = [str(box["text"]) for box in boxes if str(box.get("text", "")).startswith("route /")]
    shown = {address for text in routes for address in text.split()[1:]}
    values = {f"/mg/{parameter.path}" for parameter in PARAMETERS}
    assert shown <= values | {f"/mg/status/{name}" for name in STATUS} | {"/mg/error"}
    assert {"/mg/prompt", "/mg/temperature", "/mg/status/level", "/mg/status/rtf", "/mg/error"} <= shown
