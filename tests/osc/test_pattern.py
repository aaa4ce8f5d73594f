"""One message for several addresses."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osc.packet import BUNDLE, build
from osc.pattern import Pattern, is_pattern
from osc.server import OscServer
from osc.values import BadValue
from tests.osc.desk import Client, Desk

Connect = Callable[[OscServer], Client]


@pytest.mark.parametrize(
    ("pattern", "matched", "others"),
    [
        ("/mg/*", ["/mg/volume", "/mg/"], ["/mg", "/mg/volume/norm", "/other/volume"]),
        ("/mg/*/norm", ["/mg/volume/norm"], ["/mg/norm", "/mg/a/b/norm"]),
        ("/mg/t*p*", ["/mg/topp", "/mg/temp"], ["/mg/tok", "/mg/stop"]),
        ("/mg/top?", ["/mg/topk", "/mg/topp"], ["/mg/top", "/mg/top/", "/mg/topkk"]),
        ("/mg/top[kp]", ["/mg/topk", "/mg/topp"], ["/mg/topx", "/mg/top"]),
        (
            "/mg/prompt/[1-3]/text",
            ["/mg/prompt/1/text", "/mg/prompt/3/text"],
            ["/mg/prompt/4/text", "/mg/prompt/-/text"],
        ),
        ("/mg/prompt/[!1-3]/text", ["/mg/prompt/4/text"], ["/mg/prompt/2/text", "/mg/prompt///text"]),
        ("/mg/[a-]", ["/mg/a", "/mg/-"], ["/mg/b"]),
        ("/mg/{volume,mute}", ["/mg/volume", "/mg/mute"], ["/mg/volumemute", "/mg/vol"]),
        ("/mg/{top,topk}{,x}", ["/mg/top", "/mg/topk", "/mg/topx"], ["/mg/topkk"]),
        ("/mg/volume", ["/mg/volume"], ["/mg/volumes", "/mg/Volume"]),
    ],
)
def test_a_pattern_stands_for_these_and_not_for_those(pattern: str, matched: list[str], others: list[str]) -> None:
    assert [address for address in matched + others if Pattern(pattern).matches(address)] == matched


@pytest.mark.parametrize("pattern", ["/mg/[a-z", "/mg/{volume,mute", "/mg/" + "*" * 300])
def test_a_pattern_that_is_none_is_refused(pattern: str) -> None:
    with pytest.raises(BadValue, match="is a pattern"):
        Pattern(pattern)


@given(st.text("*?[]{},!-/ab", max_size=40), st.text("/ab", max_size=20))
def test_any_text_is_a_pattern_or_a_reason(pattern: str, address: str) -> None:
    try:
        matches = Pattern(pattern).matches(address)
    except BadValue:
        return
    assert matches == (pattern == address) or is_pattern(pattern)


@given(st.text("/abc", max_size=20))
def test_an_address_matches_itself_and_its_stars(address: str) -> None:
    assert Pattern(address).matches(address)
    assert Pattern("/".join("*" for _ in address.split("/"))).matches(address)


def test_the_worst_pattern_takes_no_time() -> None:
    begun = time.monotonic()
    Pattern("*a" * 127 + "b").matches("a" * 200)
    assert time.monotonic() - begun < 5.0, "stars that are tried in turn would take years"


def test_one_message_turns_several_knobs(server: OscServer, desk: Desk, connect: Connect) -> None:
    client = connect(server)
    client.send("/mg/{volume,temperature}", 1.5)
    client.send("/mg/*/norm", 0.5)
    server.poll(1.0)
    assert desk.batches[0] == [("temperature", 1.5), ("volume", 1.5)]
    assert {name for name, _ in desk.batches[1]} == {"temperature", "topk", "volume", "lead", "mute"}
    assert client.messages() == []


def test_one_question_asks_for_several_values(server: OscServer, connect: Connect) -> None:
    client = connect(server)
    client.send("/mg/get/{volume,lead}")
    server.poll(1.0)
    assert {"/mg/volume", "/mg/lead"} <= set(client.said())


def test_a_pattern_for_nothing_is_answered(server: OscServer, connect: Connect) -> None:
    client = connect(server)
    client.send("/mg/x*", 1.0)
    client.send("/mg/[volume", 1.0)
    server.poll(1.0)
    reasons = [message.arguments[1] for message in client.messages()]
    assert reasons == ["matches no address here", "is a pattern with a [ that is not closed by a ]"]


def test_a_bundle_of_patterns_stays_bounded(server: OscServer, desk: Desk, connect: Connect) -> None:
    client = connect(server)
    message = build("/mg/*", 1)
    client.send_bytes(BUNDLE + b"\0" * 7 + b"\1" + (len(message).to_bytes(4, "big") + message) * 250)
    server.poll(1.0)
    assert sum(len(batch) for batch in desk.batches) <= 1024
    assert any("too many addresses" in message.arguments[1] for message in client.messages())
