"""OSC datagrams with something wrong in them: made from well-formed ones, by hands that know the format."""

from __future__ import annotations

import random
import struct
import time
from collections.abc import Iterator

from osc.packet import BUNDLE, build

_ADDRESSES = ("/mg/prompt", "/mg/prompt/negative", "/mg/temperature", "/mg/topk/norm", "/mg/*", "/mg/{volume,mute}")
_TAGS = "ifsbhtdScrmTFNI[]xZ"
_BYTES = (0, 1, 0x2C, 0x2F, 0x7F, 0x80, 0xFC, 0xFF)


def seeds() -> list[bytes]:
    """Well-formed messages of all kinds."""
    return [
        build("/mg/prompt", "lo-fi", "jazz", 90),
        build("/mg/prompt/negative", "x" * 300),
        build("/mg/temperature", 1.25),
        build("/mg/topk/norm", 0.5),
        build("/mg/mute", 1),
        build("/mg/play"),
        build("/mg/get/*"),
        build("/mg/*/norm", 0.5),
        build("/mg/dump"),
        build("/mg/subscribe", "/mg/volume", 10),
        build("/mg/unsubscribe"),
        build("/mg/confirm", "9000.abcdefghi"),
        b"/mg/prompt\0\0,[sS]bcIt\0\0\0" + b"a\0\0\0b\0\0\0" + b"\0\0\0\5hello\0\0\0" + b"\0\0\0x" + b"\0" * 8,
    ]


def mutants(seed: int, count: int) -> Iterator[bytes]:
    """`count` datagrams: messages and bundles of them, most with something wrong, some noise."""
    chance = random.Random(seed)
    messages = seeds()
    for _ in range(count):
        kind = chance.random()
        if kind < 0.1:
            yield chance.randbytes(chance.choice((0, 3, 8, 16, 20, 64, 400)))
        elif kind < 0.4:
            yield _bundle(chance, messages, depth=chance.choice((1, 1, 2, 9)))
        else:
            yield _message(chance, messages)


def _message(chance: random.Random, messages: list[bytes]) -> bytes:
    kind = chance.randrange(5)
    if kind == 0:
        return chance.choice(messages)
    if kind == 1:  # an address and tags at random over whatever bytes
        tags = "".join(chance.choices(_TAGS, k=chance.randrange(12)))
        return _padded(chance.choice(_ADDRESSES)) + _padded("," + tags) + chance.randbytes(4 * chance.randrange(12))
    packet = bytearray(chance.choice(messages))
    if kind == 2:  # a few bytes changed
        for _ in range(chance.randrange(1, 4)):
            packet[chance.randrange(len(packet))] = chance.choice((*_BYTES, chance.randrange(256)))
    elif kind == 3:  # cut, or four bytes at a time left out or doubled
        cut = 4 * chance.randrange(len(packet) // 4 + 1)
        packet = chance.choice((packet[: cut + chance.randrange(4)], packet[:cut] + packet[cut + 4 :], packet * 2))
    else:  # a number that is none
        packet[-4:] = chance.choice((b"\x7f\xc0\0\0", b"\xff\x80\0\0", b"\x7f\x7f\xff\xff", b"\0\0\0\1"))
    return bytes(packet)


def _bundle(chance: random.Random, messages: list[bytes], depth: int) -> bytes:
    now = int(time.time()) + 2_208_988_800
    seconds, fraction = chance.choice(((0, 1), (now, 0), (now + 2, 0), (now + 90, 0), (2**32 - 1, 2**32 - 1)))
    elements = [_message(chance, messages) for _ in range(chance.randrange(5))]
    if depth > 1:
        elements.append(_bundle(chance, messages, depth - 1))
    sizes = [len(element) for element in elements]
    if sizes and chance.random() < 0.3:  # a size that lies
        sizes[chance.randrange(len(sizes))] = chance.choice((-4, 0, 1, 4, 2**31 - 1, -(2**31)))
    parts = (struct.pack(">i", size) + element for size, element in zip(sizes, elements, strict=True))
    return BUNDLE + struct.pack(">II", seconds, fraction) + b"".join(parts)


def _padded(text: str) -> bytes:
    encoded = text.encode()
    return encoded + bytes(4 - len(encoded) % 4)
