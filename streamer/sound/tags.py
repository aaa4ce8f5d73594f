"""What players and DAWs read in a FLAC file beside its sound: Vorbis comments (RFC 9639, 8.6)."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path

_COMMENT, _PADDING, _LAST = 4, 1, 0x80
_VENDOR = b"MusicGen Streamer"


def tag_flac(path: Path, tags: Mapping[str, str]) -> None:
    """Give a FLAC file its comments, in place of those that it has.

    Parameters
    ----------
    path : Path
        A FLAC file, written and closed.
    tags : mapping
        Of names in capitals, such as "BPM", to text.

    Raises
    ------
    ValueError
        It is no FLAC file.
    """
    data = path.read_bytes()
    if data[:4] != b"fLaC":
        raise ValueError(f"{path} is no FLAC file.")
    blocks, at, last = list[tuple[int, bytes]](), 4, False
    while not last:
        kind, size = data[at], int.from_bytes(data[at + 1 : at + 4], "big")
        last = bool(kind & _LAST)
        blocks.append((kind & ~_LAST, data[at + 4 : at + 4 + size]))
        at += 4 + size
    kept = [(kind, body) for kind, body in blocks if kind not in (_COMMENT, _PADDING)]
    kept.append((_COMMENT, _comments(tags)))
    head = b"".join(
        bytes([kind | (_LAST if number == len(kept) else 0)]) + len(body).to_bytes(3, "big") + body
        for number, (kind, body) in enumerate(kept, 1)
    )
    path.write_bytes(b"fLaC" + head + data[at:])


def _comments(tags: Mapping[str, str]) -> bytes:
    lines = [f"{name}={text}".encode() for name, text in tags.items()]
    held = b"".join(struct.pack("<I", len(line)) + line for line in lines)
    return struct.pack("<I", len(_VENDOR)) + _VENDOR + struct.pack("<I", len(lines)) + held
