"""What samplers and DAWs read in a WAV file beside its sound: where it loops, its tempo and its bars.

`smpl` and `cue `, with names in `LIST adtl`, are chunks of Microsoft's Multimedia Data Standards Update (1994). `acid`
is Sonic Foundry's, as other programs came to read it.
"""

from __future__ import annotations

import struct
from pathlib import Path

_ENDLESS = 0
_STRETCHES = 0x04


def mark_loop(path: Path, *, rate: int, samples: int, bpm: float, beats: int, unit: int, bars: int) -> None:
    """Add the chunks to a WAV file that loops as a whole.

    Parameters
    ----------
    path : Path
        A RIFF WAVE file below 4 GB, written and closed.
    rate, samples : int
        Of its sound: samples a second, and samples a channel.
    bpm : float
        Quarter notes a minute.
    beats, unit : int
        The metre: 6 and 8 for 6/8.
    bars : int
        In the file.
    """
    period = round(1e9 / rate)
    loop = struct.pack("<6I", 0, 0, 0, samples - 1, 0, _ENDLESS)
    sampler = struct.pack("<9I", 0, 0, period, 60, 0, 0, 0, 1, 0) + loop
    acid = struct.pack("<IHHfIHHf", _STRETCHES, 60, 0x8000, 0.0, bars * beats, unit, beats, bpm)
    starts = [round(number * samples / bars) for number in range(bars)]
    cue = struct.pack("<I", bars) + b"".join(
        struct.pack("<II4sIII", number, start, b"data", 0, 0, start) for number, start in enumerate(starts, 1)
    )
    names = b"adtl" + b"".join(
        _chunk(b"labl", struct.pack("<I", number) + f"Bar {number}".encode() + b"\0") for number in range(1, bars + 1)
    )
    added = _chunk(b"smpl", sampler) + _chunk(b"acid", acid) + _chunk(b"cue ", cue) + _chunk(b"LIST", names)
    with path.open("r+b") as file:
        file.seek(0, 2)
        file.write(bytes(file.tell() % 2) + added)
        size = file.tell()
        file.seek(4)
        file.write(struct.pack("<I", size - 8))


def _chunk(name: bytes, body: bytes) -> bytes:
    return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)
