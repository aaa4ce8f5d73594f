"""What the plug-in and the engine say to each other: messages of a kind, a size and a body over one TCP connection.

Each message is a byte (its kind), the size of its body (4 bytes, little-endian) and the body. `docs/daw.md` tells the
order of things; `plugin/wire.hpp` is the same in C++.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from osc.packet import TEXT_BYTES, clean

VERSION = 2
HEAD = struct.Struct("<BI")
LARGEST = 64 * 1024
"""Bytes that a client's message may hold."""
HELLO_LARGEST = 1024
"""Bytes of the first message, from whom nobody knows yet."""
CREDIT_SECONDS = 10.0
"""Sound that may be owed to a client at a time."""
RATES = (8_000, 192_000)

_NUMBER = struct.Struct("<d")
_COUNT = struct.Struct("<I")
_BEGIN = struct.Struct("<IB")
_HOST = struct.Struct("<dd")


class Kind(IntEnum):
    """What a message is."""

    HELLO = 1  # lines of name=value: version, token, rate, channels, session, number
    SET = 2  # a float64, then the name of a number, a switch or an action
    TEXT = 3  # a name, a zero byte, a text
    CREDIT = 4  # uint32: so many samples more may be sent
    BEGIN = 5  # uint32: the epoch of what follows; uint8: 1 to go on where an engine that died stood
    OFFLINE = 6  # uint8: whether the host renders, so that a slow change is waited for
    HOST = 7  # float64 beats a minute, 0 while nobody counts; float64 beats passed at the next sample that is owed

    WELCOME = 65  # lines of name=value: number, prefix, osc, model, licence
    AUDIO = 66  # uint32: the epoch; then float32 samples, interleaved
    VALUE = 67  # as SET
    WORDS = 68  # as TEXT
    STATUS = 69  # lines of name=value: rtf, sentence
    ERROR = 70  # a sentence


class Broken(ValueError):
    """What came is no message of this protocol: the connection ends, and its text is the last word."""


def packed(kind: Kind, body: bytes = b"") -> bytes:
    """A whole message."""
    return HEAD.pack(kind, len(body)) + body


def lines(fields: Mapping[str, object]) -> bytes:
    """The body of a message that is lines of name=value; whatever would break a line is taken out of a value."""
    return "".join(f"{name}={clean(str(value))}\n" for name, value in fields.items()).encode()


def number(kind: Kind, name: str, value: float) -> bytes:
    """A whole SET or VALUE."""
    return packed(kind, _NUMBER.pack(value) + name.encode())


def text(kind: Kind, name: str, value: str) -> bytes:
    """A whole TEXT or WORDS."""
    return packed(kind, name.encode() + b"\0" + value.encode(errors="replace"))


def credit(samples: int) -> bytes:
    """A whole CREDIT."""
    return packed(Kind.CREDIT, _COUNT.pack(samples))


def begin(epoch: int, goes_on: bool = False) -> bytes:
    """A whole BEGIN."""
    return packed(Kind.BEGIN, _BEGIN.pack(epoch, goes_on))


def host(bpm: float, beat: float) -> bytes:
    """A whole HOST."""
    return packed(Kind.HOST, _HOST.pack(bpm, beat))


def audio(epoch: int, samples: NDArray[np.float32]) -> bytes:
    """A whole AUDIO of samples (n, channels)."""
    return packed(Kind.AUDIO, _COUNT.pack(epoch) + np.ascontiguousarray(samples, "<f4").tobytes())


def read_lines(body: bytes) -> dict[str, str]:
    """The fields of a body made of lines.

    Raises
    ------
    Broken
        It is none.
    """
    fields: dict[str, str] = {}
    for line in _decoded(body).splitlines():
        name, equals, value = line.partition("=")
        if not equals:
            raise Broken("a line has no = in it")
        fields[name] = value
    return fields


def read_number(body: bytes) -> tuple[str, float]:
    """Name and value of a SET or VALUE.

    Raises
    ------
    Broken
        It is none.
    """
    if len(body) <= _NUMBER.size:
        raise Broken("a number has no name")
    return _decoded(body[_NUMBER.size :]), float(_NUMBER.unpack_from(body)[0])


def read_text(body: bytes) -> tuple[str, str]:
    """Name and text of a TEXT or WORDS.

    Raises
    ------
    Broken
        It is none, or longer than a text may be.
    """
    name, zero, value = body.partition(b"\0")
    if not zero or not name:
        raise Broken("a text has no name")
    if len(value) > TEXT_BYTES:
        raise Broken(f"a text has more than {TEXT_BYTES} bytes")
    return _decoded(name), _decoded(value)


def read_count(body: bytes) -> int:
    """The number of a CREDIT.

    Raises
    ------
    Broken
        It is none.
    """
    return int(_unpacked(_COUNT, body)[0])


def read_begin(body: bytes) -> tuple[int, bool]:
    """The epoch of a BEGIN, and whether the music goes on.

    Raises
    ------
    Broken
        It is none.
    """
    epoch, goes_on = _unpacked(_BEGIN, body)
    return int(epoch), bool(goes_on)


def read_flag(body: bytes) -> bool:
    """The switch of an OFFLINE.

    Raises
    ------
    Broken
        It is none.
    """
    return bool(_unpacked(struct.Struct("<B"), body)[0])


def read_host(body: bytes) -> tuple[float, float]:
    """Beats a minute, and beats passed, of a HOST.

    Raises
    ------
    Broken
        It is none.
    """
    bpm, beat = _unpacked(_HOST, body)
    if not (0 <= bpm < 10_000 and abs(beat) < 1e9):
        raise Broken("a host counts no such beats")
    return float(bpm), float(beat)


def read_audio(body: bytes, channels: int = 2) -> tuple[int, NDArray[np.float32]]:
    """The epoch and the samples (n, channels) of an AUDIO.

    Raises
    ------
    Broken
        It is none.
    """
    if len(body) < _COUNT.size or (len(body) - _COUNT.size) % (4 * channels):
        raise Broken("audio ends within a sample")
    samples = np.frombuffer(body[_COUNT.size :], "<f4").astype(np.float32).reshape(-1, channels)
    return int(_COUNT.unpack_from(body)[0]), samples


class Reader:
    """Takes bytes as they come and gives whole messages.

    Parameters
    ----------
    largest : int
        Bytes that the body of the next message may have; may be changed between messages.
    """

    def __init__(self, largest: int = LARGEST) -> None:
        self.largest = largest
        self._bytes = bytearray()

    def put(self, data: bytes) -> None:
        """Take in what has come."""
        self._bytes += data

    def messages(self) -> Iterator[tuple[Kind, bytes]]:
        """All that are whole by now.

        Raises
        ------
        Broken
            What comes is none of a known kind, or too large.
        """
        while len(self._bytes) >= HEAD.size:
            kind, size = HEAD.unpack_from(self._bytes)
            if kind not in _KINDS:
                raise Broken(f"there is no kind of message numbered {kind}")
            if size > self.largest:
                raise Broken(f"a message of {size} bytes is too large")
            if len(self._bytes) < HEAD.size + size:
                return
            body = bytes(self._bytes[HEAD.size : HEAD.size + size])
            del self._bytes[: HEAD.size + size]
            yield Kind(kind), body


def _decoded(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise Broken("a text is no UTF-8") from None


def _unpacked(layout: struct.Struct, body: bytes) -> tuple[float, ...]:
    if len(body) != layout.size:
        raise Broken(f"a message has {len(body)} bytes where {layout.size} belong")
    return layout.unpack(body)


_KINDS = frozenset(int(kind) for kind in Kind)
