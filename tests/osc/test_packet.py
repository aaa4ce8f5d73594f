"""The reader of datagrams: whole packets are read as python-osc wrote them, anything else is refused."""

from __future__ import annotations

import struct
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder

from osc.packet import BUNDLE, Limits, Message, Refused, build, clean, pack, parse

BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}  # what turns the direction of writing

NOW = BUNDLE + struct.pack(">Q", 1)


def only(datagram: bytes) -> Message:
    (bundle,) = parse(datagram)
    (message,) = bundle.messages
    return message


def element(content: bytes) -> bytes:
    return struct.pack(">i", len(content)) + content


# ---- the six packets that break the stock server of python-osc 1.10


def test_a_bundle_element_of_size_minus_4_is_refused() -> None:
    with pytest.raises(Refused, match="size -4"):
        parse(NOW + struct.pack(">i", -4))


def test_a_bundle_4_s_ahead_is_read_with_its_time() -> None:
    seconds = 1_700_000_004
    datagram = BUNDLE + struct.pack(">II", seconds + 2_208_988_800, 1 << 31) + element(build("/mg/play"))
    (bundle,) = parse(datagram)
    assert bundle.time == pytest.approx(seconds + 0.5, abs=1e-6)
    assert bundle.messages == (Message("/mg/play"),)


def test_1200_nested_bundles_are_refused() -> None:
    datagram = NOW
    for _ in range(1200):
        datagram = NOW + element(datagram)
    with pytest.raises(Refused):
        parse(datagram)
    with pytest.raises(Refused, match="deeper than 8"):
        parse(datagram, Limits(size=65536))


def test_a_string_that_is_not_utf8_is_read_with_replacement_characters() -> None:
    assert only(b"/mg/prompt\0\0,s\0\0caf\xe9\0\0\0\0") == Message("/mg/prompt", ("caf\ufffd",))


def test_a_truncated_float_is_refused() -> None:
    with pytest.raises(Refused, match="multiples of 4"):
        parse(b"/mg/cfg\0,f\0\0\x3f\x00")
    with pytest.raises(Refused, match="cut off"):
        parse(b"/mg/cfg\0,f\0\0")


def test_the_tags_S_c_and_I_are_read_and_nothing_behind_them_is_misread() -> None:
    datagram = b"/a\0\0,ScIi\0\0\0jazz\0\0\0\0" + struct.pack(">ii", ord("x"), 7)
    assert only(datagram).arguments == ("jazz", "x", True, 7)


# ---- what else is refused, and what is not


@pytest.mark.parametrize(
    ("datagram", "reason"),
    [
        (b"", "empty"),
        (b"/abc", "without an end"),
        (b"abcd", "neither an address"),
        (b"/a\0\0ifs\0", "no type tags"),
        (b"/a\0\0,z\0\0", "unknown type tag 'z'"),
        (b"/a\0\0,[i\0\0\0\0\1", "without its ]"),
        (b"/a\0\0,i]\0\0\0\0\1", "without its \\["),
        (b"/a\0\0," + b"[" * 9 + b"]" * 9 + b"\0", "arrays nested deeper"),
        (b"/a\0\0,b\0\0\xff\xff\xff\xfc", "blob of size -4"),
        (b"/a\0\0,b\0\0\x7f\xff\xff\xff", "cut off"),
        (b"/a\0\0,c\0\0\xff\xff\xff\xff", "character"),
        (b"/a\0\0,i\0\0\0\0\0\1\0\0\0\2", "4 bytes left over"),
        (BUNDLE + b"\0\0\0\0", "time tag"),
        (NOW + struct.pack(">i", 0), "size 0"),
        (NOW + struct.pack(">i", 6) + b"/a\0\0\0\0\0\0", "size 6"),
        (NOW + struct.pack(">i", 2**31 - 4) + b"/a\0\0", "size 2147483644"),
        (NOW + element(b"/a\0\0") * 257, "more than 256 messages"),
        (b"/a\0\0," + b"T" * 257 + b"\0\0", "more than 256 arguments"),
        (b"/a\0\0" * 5000, "at most 16384"),
    ],
)
def test_what_is_not_whole_or_too_much_is_refused_with_its_reason(datagram: bytes, reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        parse(datagram)


def test_a_message_without_type_tags_has_no_arguments() -> None:
    assert only(b"/mg/play\0\0\0\0") == Message("/mg/play")


def test_an_empty_bundle_asks_for_nothing() -> None:
    assert parse(NOW) == []


def test_nested_bundles_of_one_time_act_together_and_others_at_their_own() -> None:
    later = BUNDLE + struct.pack(">II", 3_000_000_000, 0)
    datagram = NOW + element(build("/a")) + element(later + element(build("/b"))) + element(NOW + element(build("/c")))
    assert [[m.address for m in bundle.messages] for bundle in parse(datagram)] == [["/a", "/c"], ["/b"]]


# ---- for any message and any bytes

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40)
scalars = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.floats(width=32, allow_nan=False),
    texts,
    st.binary(min_size=1, max_size=20),
    st.booleans(),
    st.none(),
    st.tuples(*[st.integers(0, 255)] * 4),
)
arguments = st.lists(st.recursive(scalars, lambda inner: st.lists(inner, max_size=4), max_leaves=8), max_size=10)
addresses = texts.map(lambda text: "/" + text)


def built(address: str, values: list[Any]) -> Any:
    builder = OscMessageBuilder(address)
    for value in values:
        builder.add_arg(value)
    return builder.build()


@given(addresses, arguments)
def test_a_message_is_read_as_python_osc_built_it(address: str, values: list[Any]) -> None:
    assert only(built(address, values).dgram) == Message(address, tuple(values))


@given(st.lists(st.tuples(addresses, arguments), min_size=1, max_size=5), st.integers(1, 8))
def test_a_bundle_in_bundles_is_read_as_python_osc_built_it(said: list[tuple[str, list[Any]]], depth: int) -> None:
    builder = OscBundleBuilder(IMMEDIATELY)
    for address, values in said:
        builder.add_content(built(address, values))
    bundle = builder.build()
    for _ in range(depth - 1):
        outer = OscBundleBuilder(IMMEDIATELY)
        outer.add_content(bundle)
        bundle = outer.build()
    (found,) = parse(bundle.dgram)
    assert found.messages == tuple(Message(address, tuple(values)) for address, values in said)


fragments = st.sampled_from(
    [BUNDLE, NOW, b"/mg\0", b"/a\0\0", b",ifs", b",[b]\0\0\0\0", b"\0\0\0\0", b"\0\0\0\x08", b"\xff\xff\xff\xfc"]
)
mangled = st.lists(st.one_of(fragments, st.binary(max_size=8)), max_size=40).map(b"".join)


@given(st.one_of(st.binary(max_size=200), mangled, mangled.map(lambda data: NOW + element(data))))
def test_any_bytes_are_read_within_the_limits_or_refused(datagram: bytes) -> None:
    limits = Limits(messages=4, arguments=4)
    try:
        bundles = parse(datagram, limits)
    except Refused as refusal:
        assert str(refusal)
    else:
        messages = [message for bundle in bundles for message in bundle.messages]
        assert len(messages) <= 4
        assert all(message.address.startswith("/") and len(message.arguments) <= 4 for message in messages)


# ---- the way out


def test_a_bool_goes_out_as_a_number_and_a_hostile_text_as_what_osc_can_carry() -> None:
    assert only(build("/mg/mute", True)).arguments == (1,)
    assert only(build("/mg/prompt", "a\0b\udcffc")).arguments == ("ab?c",)


@given(texts, st.integers(0, 30))
def test_a_cut_text_is_a_beginning_of_the_whole(text: str, size: int) -> None:
    cut, whole = clean(text, size), clean(text, 2**20)
    assert whole.startswith(cut)
    assert len(cut.encode()) <= size < len(cut.encode()) + 4 or cut == whole


@given(st.text())
def test_a_clean_text_holds_nothing_that_a_terminal_obeys(text: str) -> None:
    cleaned = clean(text)
    assert not any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in cleaned)
    assert not any(unicodedata.bidirectional(character) in BIDI for character in cleaned)
    assert clean(cleaned) == cleaned


def test_a_clean_text_keeps_its_words() -> None:
    assert clean("\x1b]0;owned\x07deep\thouse\u202e\x00 – Jörg 🎹") == " ]0;owned deep house – Jörg 🎹"


@given(st.lists(st.lists(texts, min_size=1, max_size=3), max_size=12))
def test_packed_messages_keep_their_order_and_their_groups_and_fit(groups: list[list[str]]) -> None:
    messages = [[build("/m", text) for text in group] for group in groups]
    datagrams = pack(messages, 600)
    assert all(len(datagram) < 600 for datagram in datagrams)
    unpacked = [[m.arguments[0] for bundle in parse(datagram) for m in bundle.messages] for datagram in datagrams]
    assert [text for datagram in unpacked for text in datagram] == [clean(text) for group in groups for text in group]
    ends = {sum(len(datagram) for datagram in unpacked[: i + 1]) for i in range(len(unpacked))}
    assert ends <= {sum(len(group) for group in groups[: i + 1]) for i in range(len(groups))}
