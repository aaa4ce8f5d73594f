"""A datagram -> bundles of messages with their times, or a refusal; and the way back.

Six packets break the stock reader of python-osc 1.10 (an element of size -4 loops for ever, 1200 nested bundles
overflow the stack, ...), because its `OscPacket`, `OscBundle` and `OscMessage` trust the sizes they read and drop the
tags they do not know. So the structure (sizes, depth, tags, terminators) is read and checked here, and only then
python-osc's `osc_types` decode the numbers, which by then are known to be whole. Strings are decoded here, because
`osc_types.get_string` lets UnicodeDecodeError escape, and so are blobs, whose padding `get_blob` does not check, and
the tags S, c and I, which python-osc does not know. Messages are written by python-osc's builders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.parsing import osc_types

BUNDLE = b"#bundle\0"
HEADER_BYTES = 16
"""A bundle's own bytes: its name and its time tag."""
TEXT_BYTES = 1024
"""Longest string we send, in bytes of UTF-8: with its address it fits one datagram of 1400 bytes."""

# NUL, which ends a string, is left out; so are the characters that turn the direction of writing, and those without
# any width that make two texts look alike.
_CONTROL: dict[int, str | None] = dict.fromkeys((*range(1, 32), *range(127, 160), 8232, 8233), " ")
_CONTROL |= dict.fromkeys((0, 0x061C, 0x200B, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x2070), 0xFEFF))


class Refused(ValueError):
    """A datagram that is not whole, well-formed OSC within the limits; the text says what is wrong with it."""


@dataclass(frozen=True)
class Limits:
    """How much one datagram may ask of the reader.

    Attributes
    ----------
    size : int
        Bytes; the largest that UDP can carry is 65507, but no client of an instrument needs as much.
    depth : int
        Bundles in bundles, and arrays in arrays.
    messages : int
        Elements of all bundles together.
    arguments : int
        Arguments of one message.
    """

    size: int = 16384
    depth: int = 8
    messages: int = 256
    arguments: int = 256


@dataclass(frozen=True)
class Message:
    """An address and its arguments: int, float, bool, str, bytes, None, four ints for MIDI, a list for an array."""

    address: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Bundle:
    """Messages that take effect together.

    Attributes
    ----------
    time : float
        Seconds since 1970 (`time.time()`), or 0 for "at once".
    messages : tuple of Message
    """

    time: float
    messages: tuple[Message, ...]


DEFAULT_LIMITS = Limits()

# Tag -> (bytes, reader) of the arguments of a fixed size. The readers copy the rest of what they are given, so they get
# exactly the bytes of their argument: this keeps reading linear.
_FIXED: dict[str, tuple[int, Callable[[bytes, int], tuple[Any, int]]]] = {
    "i": (4, osc_types.get_int),
    "f": (4, osc_types.get_float),
    "r": (4, osc_types.get_rgba),
    "m": (4, osc_types.get_midi),
    "h": (8, osc_types.get_int64),
    "d": (8, osc_types.get_double),
    "t": (8, osc_types.get_uint64),
}
# I is the impulse ("bang") of OSC 1.1: like T it carries no bytes and means "do it".
_CONSTANT: dict[str, bool | None] = {"T": True, "F": False, "N": None, "I": True}


def parse(datagram: bytes, limits: Limits = DEFAULT_LIMITS) -> list[Bundle]:
    """Read a datagram wholly, or refuse it wholly.

    A message that stands alone is a bundle of one, at once. A bundle inside a bundle with the same time belongs to it,
    and is a bundle of its own otherwise.

    Parameters
    ----------
    datagram : bytes
    limits : Limits

    Returns
    -------
    list of Bundle
        In the order of the datagram; none is empty.

    Raises
    ------
    Refused
        And nothing else, for any bytes.
    """
    if not datagram:
        raise Refused("an empty datagram")
    if len(datagram) > limits.size:
        raise Refused(f"a datagram of {len(datagram)} bytes: at most {limits.size} are read")
    if len(datagram) % 4:
        raise Refused(f"a datagram of {len(datagram)} bytes: OSC comes in multiples of 4")
    found: list[tuple[float, Message]] = []
    _element(datagram, float(IMMEDIATELY), 0, limits, found)
    return _grouped(found)


def _grouped(found: Sequence[tuple[float, Message]]) -> list[Bundle]:
    """Messages with times -> one bundle for every time, in order of first appearance."""
    groups: dict[float, list[Message]] = {}
    for time, message in found:
        groups.setdefault(time, []).append(message)
    return [Bundle(time, tuple(messages)) for time, messages in groups.items()]


def _element(data: bytes, time: float, depth: int, limits: Limits, found: list[tuple[float, Message]]) -> None:
    """Append the messages of a bundle or a message, which is all of `data`, to `found`."""
    if data.startswith(BUNDLE):
        _bundle(data, depth + 1, limits, found)
    elif data.startswith(b"/"):
        found.append((time, _message(data, limits)))
        if len(found) > limits.messages:
            raise Refused(f"more than {limits.messages} messages in a datagram")
    else:
        raise Refused("neither an address beginning with / nor a #bundle")


def _bundle(data: bytes, depth: int, limits: Limits, found: list[tuple[float, Message]]) -> None:
    if depth > limits.depth:
        raise Refused(f"bundles nested deeper than {limits.depth}")
    if len(data) < HEADER_BYTES:
        raise Refused("a bundle cut off in its time tag")
    time, _ = osc_types.get_date(data[len(BUNDLE) : HEADER_BYTES], 0)
    index = HEADER_BYTES
    while index < len(data):
        # The length of data is a multiple of 4, so the four bytes of the size are there.
        size = int.from_bytes(data[index : index + 4], "big", signed=True)
        index += 4
        if size <= 0 or size % 4 or size > len(data) - index:
            raise Refused(f"a bundle element of size {size} where {len(data) - index} bytes are left")
        _element(data[index : index + size], time, depth, limits, found)
        index += size


def _message(data: bytes, limits: Limits) -> Message:
    address, index = _string(data, 0)
    if index == len(data):  # Old clients leave the type tags out where there are no arguments.
        return Message(address)
    tags, index = _string(data, index)
    if not tags.startswith(","):
        raise Refused(f"no type tags behind the address {address[:80]}")
    if len(tags) - 1 > limits.arguments:
        raise Refused(f"more than {limits.arguments} arguments for {address[:80]}")
    arguments, index = _arguments(tags[1:], data, index, limits.depth)
    if index != len(data):
        raise Refused(f"{len(data) - index} bytes left over behind the arguments of {address[:80]}")
    return Message(address, tuple(arguments))


def _arguments(tags: str, data: bytes, index: int, depth: int) -> tuple[list[Any], int]:
    """Read the arguments that `tags` announce from `index` on; arrays become lists."""
    stack: list[list[Any]] = [[]]
    for tag in tags:
        if tag == "[":
            stack.append([])
            if len(stack) > depth:
                raise Refused(f"arrays nested deeper than {depth}")
        elif tag == "]":
            closed = stack.pop()
            if not stack:
                raise Refused("a ] without its [ in the type tags")
            stack[-1].append(closed)
        else:
            value, index = _argument(tag, data, index)
            stack[-1].append(value)
    if len(stack) != 1:
        raise Refused("a [ without its ] in the type tags")
    return stack[0], index


def _argument(tag: str, data: bytes, index: int) -> tuple[Any, int]:
    if tag in _CONSTANT:
        return _CONSTANT[tag], index
    if tag in "sS":  # S is the symbol of SuperCollider and others.
        return _string(data, index)
    if tag == "b":
        return _blob(data, index)
    if tag == "c":
        return _character(data, index)
    if tag not in _FIXED:
        raise Refused(f"an unknown type tag {tag!r}")
    size, read = _FIXED[tag]
    return read(_take(data, index, size), 0)[0], index + size


def _take(data: bytes, index: int, size: int) -> bytes:
    """Exactly `size` bytes from `index` on."""
    if size > len(data) - index:
        raise Refused(f"an argument cut off: {size} bytes wanted, {len(data) - index} left")
    return data[index : index + size]


def _string(data: bytes, index: int) -> tuple[str, int]:
    """A string that ends in NUL and is padded to four bytes; what is not UTF-8 becomes U+FFFD."""
    end = data.find(b"\0", index)
    if end < 0:
        raise Refused("a string without an end")
    # data is a multiple of 4 long and index too, so the padding lies inside.
    return data[index:end].decode("utf-8", "replace"), (end // 4 + 1) * 4


def _blob(data: bytes, index: int) -> tuple[bytes, int]:
    size = int.from_bytes(_take(data, index, 4), "big", signed=True)
    if size < 0:
        raise Refused(f"a blob of size {size}")
    padded = size + -size % 4
    return _take(data, index + 4, padded)[:size], index + 4 + padded


def _character(data: bytes, index: int) -> tuple[str, int]:
    """A character is sent as a number of four bytes."""
    code = int.from_bytes(_take(data, index, 4), "big")
    try:
        return chr(code), index + 4
    except (ValueError, OverflowError):
        raise Refused(f"a character of code {code}") from None


def clean(text: str, size: int = TEXT_BYTES) -> str:
    """The text as it may be shown anywhere, cut at a character to `size` bytes of UTF-8.

    Control characters become spaces, since texts end up on terminals and in logs; those that turn the direction of
    writing, and lone surrogates, which no encoding carries, are left out or replaced.
    """
    encoded = text.translate(_CONTROL).encode("utf-8", "replace")
    return encoded[:size].decode("utf-8", "ignore")


def build(address: str, *arguments: float | int | bool | str) -> bytes:
    """One message as a datagram.

    A bool is sent as 0 or 1, since not every client reads T and F; a string goes through `clean`.

    Raises
    ------
    OverflowError
        For a finite float that float32 cannot hold.
    """
    builder = OscMessageBuilder(address)
    for argument in arguments:
        if isinstance(argument, str):
            builder.add_arg(clean(argument))
        else:
            builder.add_arg(int(argument) if isinstance(argument, bool) else argument)
    return builder.build().dgram


def pack(groups: Iterable[Sequence[bytes]], size: int) -> list[bytes]:
    """Put messages into datagrams of less than `size` bytes.

    Parameters
    ----------
    groups : iterable of sequences of bytes
        Built messages; a group is never split.
    size : int
        Bytes. A group that is longer for itself still gets a datagram.

    Returns
    -------
    list of bytes
        A message that is alone goes as it is, others as a bundle to be read at once.
    """
    datagrams: list[list[bytes]] = []
    used = size
    for group in groups:
        needed = sum(4 + len(message) for message in group)
        if used + needed >= size:
            datagrams.append([])
            used = HEADER_BYTES
        datagrams[-1].extend(group)
        used += needed
    return [_bundled(messages) for messages in datagrams]


def _bundled(messages: Sequence[bytes]) -> bytes:
    if len(messages) == 1:
        return messages[0]
    header: bytes = OscBundleBuilder(IMMEDIATELY).build().dgram
    return header + b"".join(len(message).to_bytes(4, "big") + message for message in messages)
