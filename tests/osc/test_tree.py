"""Parameters, and the addresses they give rise to."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osc.command import Action
from osc.parameter import Parameter
from osc.tree import Change, Tree
from osc.values import BadValue, UnknownAddress
from tests.osc.desk import ACTIONS, PARAMETERS, Desk, tree

TABLE = {parameter.name: parameter for parameter in PARAMETERS}


@pytest.mark.parametrize(
    ("path", "arguments", "name", "value"),
    [
        ("topk", [40], "topk", 40),
        ("topk", [40.0], "topk", 40),  # Pure Data has no ints
        ("topk", [40.6], "topk", 41),
        ("topk", ["40"], "topk", 40),
        ("topk", [True], "topk", 1),
        ("topk", [2**40], "topk", 2048),
        ("temperature", [1], "temperature", 1.0),
        ("temperature", [-3.0], "temperature", 0.05),
        ("mute", [True], "mute", True),
        ("mute", [0.0], "mute", False),
        ("mute", [1.0], "mute", True),
        ("volume/norm", [0.0], "volume", -60.0),
        ("volume/norm", [0.5], "volume", -24.0),
        ("volume/norm", [1], "volume", 12.0),
        ("lead/norm", [0.5], "lead", 200.0),
        ("topk/norm", [0.5], "topk", 1024),
        ("mute/norm", [0.7], "mute", True),
        ("prompt", ["lo-fi jazz"], "prompt", "lo-fi jazz"),
        ("prompt", ["lo-fi", "jazz", 120.0, "bpm"], "prompt", "lo-fi jazz 120 bpm"),
        ("prompt", ["swing", 0.699999988079071], "prompt", "swing 0.7"),
        ("prompt", [303, "acid"], "prompt", "303 acid"),
        ("prompt", [""], "prompt", ""),
        ("prompt", ["deep\x1b[2Jhouse\n"], "prompt", "deep [2Jhouse "),
        ("prompt/negative", ["vocals"], "negative", "vocals"),
    ],
)
def test_a_message_becomes_the_value_that_was_meant(path: str, arguments: list[Any], name: str, value: Any) -> None:
    change = tree(Desk()).change(path, arguments)
    assert change is not None
    assert (change.name, change.value) == (name, pytest.approx(value) if isinstance(value, float) else value)
    assert type(change.value) is type(value)


@pytest.mark.parametrize(
    "argument", [math.nan, math.inf, -math.inf, "nan", "loud", "", b"1", None, [1.0], (1, 2, 3, 4)]
)
def test_what_is_no_finite_number_is_refused_with_a_reason(argument: Any) -> None:
    buttons = ("play",) if argument not in ("", None) else ()
    for path in ("temperature", "topk", "mute", "volume/norm", *buttons):
        with pytest.raises(BadValue, match="takes"):
            tree(Desk()).change(path, [argument])


@pytest.mark.parametrize("argument", [math.nan, b"jazz", None, True, ["lo-fi", "jazz"]])
def test_what_is_no_text_is_refused_as_a_prompt(argument: Any) -> None:
    with pytest.raises(BadValue, match="takes text"):
        tree(Desk()).change("prompt", [argument])


@pytest.mark.parametrize("arguments", [[], [1.0, 2.0]])
def test_a_number_takes_exactly_one_argument(arguments: list[Any]) -> None:
    for path in ("temperature", "temperature/norm"):
        with pytest.raises(BadValue, match=f"not {len(arguments)} arguments"):
            tree(Desk()).change(path, arguments)


def test_only_a_value_that_differs_from_what_was_sent_is_told_back() -> None:
    def adjusted(path: str, argument: Any) -> bool:
        change = tree(Desk()).change(path, [argument])
        assert change is not None
        return change.adjusted

    assert not adjusted("topk", 40.0)
    assert adjusted("topk", 40.6)
    assert adjusted("temperature", 9.0)
    assert adjusted("volume/norm", 1.5)
    assert not adjusted("topk/norm", 0.3)
    assert not adjusted("prompt", "x" * 1024)
    assert adjusted("prompt", "x" * 1025)


@pytest.mark.parametrize("arguments", [[], [1], [1.0], [True], [-1.0], ["bang"], [""], [None], [[]]])
def test_a_pressed_button_fires_an_action(arguments: list[Any]) -> None:
    assert tree(Desk()).change("play", arguments) == Change("play", None)


def test_an_address_without_arguments_is_no_empty_prompt() -> None:
    with pytest.raises(BadValue, match='takes a text: send "" for none'):
        tree(Desk()).change("prompt", [])


@pytest.mark.parametrize("path", ["volume/z", "mute/z", "prompt/z"])
def test_a_finger_that_touches_a_fader_does_not_move_it(path: str) -> None:
    assert tree(Desk()).change(path, [1.0]) is None


@pytest.mark.parametrize("path", ["nothing/z", "z", "play/z"])
def test_a_touch_of_nothing_is_no_address(path: str) -> None:
    with pytest.raises(UnknownAddress):
        tree(Desk()).change(path, [1.0])


@pytest.mark.parametrize("argument", [0, 0.0, False])
def test_a_released_button_does_nothing(argument: Any) -> None:
    assert tree(Desk()).change("play", [argument]) is None


@pytest.mark.parametrize("path", ["temprature", "temperature/str", "prompt/norm", "", "/", "temperature/norm/norm"])
def test_nothing_is_set_at_other_addresses(path: str) -> None:
    with pytest.raises(UnknownAddress):
        tree(Desk()).change(path, [1.0])


def test_the_nearest_address_is_found() -> None:
    assert tree(Desk()).nearest("/mg/temprature") == "/mg/temperature"
    assert tree(Desk()).nearest("/volume") == "/mg/volume"
    assert tree(Desk()).nearest("/mg/pign", ["ping"]) == "/mg/ping"
    assert tree(Desk()).nearest("/live/song/set/tempo") is None


def test_a_number_is_told_in_three_ways_and_a_text_in_one() -> None:
    assert tree(Desk()).feedback("volume", -24.0) == [
        ("/mg/volume", -24.0),
        ("/mg/volume/norm", 0.5),
        ("/mg/volume/str", "-24 dB"),
    ]
    assert tree(Desk()).feedback("mute", True)[2] == ("/mg/mute/str", "on")
    assert tree(Desk()).feedback("negative", "hiss") == [("/mg/prompt/negative", "hiss")]


@pytest.mark.parametrize("name", ["temperature", "volume", "lead"])
@given(norm=st.floats(0, 1))
def test_a_fader_stays_where_it_was_put(name: str, norm: float) -> None:
    assert TABLE[name].to_norm(TABLE[name].from_norm(norm)) == pytest.approx(norm, abs=1e-9)


@given(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(2**63), 2**63)))
def test_a_clamped_number_is_in_its_range_and_stays_there(value: float) -> None:
    for parameter in (TABLE["temperature"], TABLE["topk"], TABLE["lead"]):
        clamped = parameter.clamp(value)
        assert parameter.low <= float(clamped) <= parameter.high
        assert parameter.clamp(clamped) == clamped
        assert 0 <= parameter.to_norm(clamped) <= 1


@given(st.text(max_size=2000))
def test_any_text_becomes_one_that_a_datagram_can_carry(value: str) -> None:
    clamped = TABLE["prompt"].clamp(value)
    assert isinstance(clamped, str)
    assert len(clamped.encode()) <= 1024
    assert "\0" not in clamped


@pytest.mark.parametrize(
    "row",
    [
        {"low": 1.0, "high": 1.0, "default": 1.0},
        {"low": 0.0, "high": 1.0, "default": 2.0},
        {"low": 0.0, "high": 1.0, "default": 0.5, "curve": "log"},
    ],
)
def test_a_row_that_contradicts_itself_is_an_error(row: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="gain"):
        Parameter("gain", "float", **row)


@pytest.mark.parametrize("prefix", ["mg", "/mg/", "/", "/m g", "/mg*"])
def test_a_prefix_is_an_address(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        Tree(prefix, PARAMETERS, ACTIONS, Desk())


def test_without_a_prefix_addresses_begin_with_the_name() -> None:
    bare = Tree("", PARAMETERS, ACTIONS, Desk())
    assert bare.path("/volume") == "volume"
    assert bare.feedback("negative", "")[0][0] == "/prompt/negative"


def test_two_entries_cannot_share_an_address() -> None:
    with pytest.raises(ValueError, match="share"):
        Tree("/mg", PARAMETERS, [Action("volume")], Desk())
