"""Sound files with something wrong in them: made from good ones, by hands that know how containers are built."""

from __future__ import annotations

import io
import random
import struct
from collections.abc import Iterator

import numpy as np
import soundfile

KINDS = (
    ("WAV", "PCM_16", 2),
    ("WAV", "FLOAT", 1),
    ("WAV", "IMA_ADPCM", 1),
    ("WAVEX", "PCM_24", 4),
    ("RF64", "PCM_16", 1),
    ("AIFF", "PCM_16", 2),
    ("W64", "DOUBLE", 1),
    ("CAF", "ALAC_16", 1),
    ("AU", "ULAW", 1),
    ("FLAC", "PCM_16", 2),
    ("OGG", "VORBIS", 1),
    ("OGG", "OPUS", 2),
    ("MP3", "MPEG_LAYER_III", 1),
)
"""Container, coding, channels."""
RATE = 8000
_ENDINGS = {"WAV": "wav", "WAVEX": "wav", "RF64": "wav", "AIFF": "aiff", "W64": "w64", "CAF": "caf", "AU": "au"}
_NASTY = (0, 1, 2, 3, 7, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_HEADER = 200  # bytes in which fields are set to what they must not be


def seeds() -> list[tuple[str, bytes]]:
    """A good file of each kind that this libsndfile writes: its ending, and what is in it."""
    made = []
    for container, coding, channels in KINDS:
        if not soundfile.check_format(container, coding):
            continue
        sound = np.random.default_rng(0).uniform(-0.5, 0.5, (RATE // 4, channels)).astype(np.float32)
        out = io.BytesIO()
        soundfile.write(out, sound, RATE, coding, format=container)
        made.append((_ENDINGS.get(container, container.lower()), out.getvalue()))
    return made


def mutants(seed: int, count: int) -> Iterator[tuple[str, bytes]]:
    """`count` files, each with an ending and one to three things wrong."""
    chance, good = random.Random(seed), seeds()
    for _ in range(count):
        ending, content = chance.choice(good)
        changed = bytearray(content)
        for _ in range(chance.randint(1, 3)):
            changed = chance.choice((_field, _field, _bytes, _cut, _chunks, _chunks, _spliced))(chance, changed)
        yield chance.choice((ending, ending, ending, "wav", "mp3", "raw")), bytes(changed)


def _field(chance: random.Random, content: bytearray) -> bytearray:
    """A number in the header is one that it must not be."""
    width = chance.choice(("B", "<H", ">H", "<I", ">I", "<Q", ">Q"))
    size = struct.calcsize(width)
    if len(content) >= size:
        at = chance.randrange(min(_HEADER, len(content) - size + 1))
        value = chance.choice((*_NASTY, 2**63 - 1, 2**64 - 1, chance.getrandbits(64))) % 2 ** (8 * size)
        struct.pack_into(width, content, at, value)
    return content


def _bytes(chance: random.Random, content: bytearray) -> bytearray:
    for _ in range(chance.randint(1, 8) if content else 0):
        content[chance.randrange(len(content))] = chance.randrange(256)
    return content


def _cut(chance: random.Random, content: bytearray) -> bytearray:
    return content[: chance.randrange(len(content) + 1)]


def _spliced(chance: random.Random, content: bytearray) -> bytearray:
    """A piece is there twice, or has gone."""
    first, last = sorted(chance.randrange(len(content) + 1) for _ in range(2))
    return content[:last] + content[first:] if chance.random() < 0.5 else content[:first] + content[last:]


def _chunks(chance: random.Random, content: bytearray) -> bytearray:
    """Of a RIFF or an AIFF file: chunks doubled, swapped, renamed, left out, with sizes that lie."""
    order = {b"RIFF": "<I", b"FORM": ">I"}.get(bytes(content[:4]))
    if order is None:
        return _field(chance, content)
    parts: list[bytearray] = []
    at = 12
    while at + 8 <= len(content) and len(parts) < 100:
        size = struct.unpack_from(order, content, at + 4)[0]
        parts.append(content[at : at + 8 + size + size % 2])
        at += 8 + size + size % 2
    for _ in range(chance.randint(1, 3) if parts else 0):
        at = chance.randrange(len(parts))
        how = chance.randrange(5)
        if how == 0:
            parts.insert(chance.randrange(len(parts)), parts[at][:])
        elif how == 1:
            parts.append(parts.pop(at))
        elif how == 2 and len(parts) > 1:
            parts.pop(at)
        elif how == 3:
            parts[at][:4] = chance.choice((b"fmt ", b"data", b"fact", b"LIST", b"COMM", b"SSND", b"JUNK", b"\0\0\0\0"))
        elif len(parts[at]) >= 8:
            struct.pack_into(order, parts[at], 4, chance.choice(_NASTY))
    return content[:12] + bytearray().join(parts)
