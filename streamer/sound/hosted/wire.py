"""What the engine and a hosted plug-in's process say to each other: a kind, a size, a body, over a pair of sockets."""

from __future__ import annotations

import socket
import struct
import time
from enum import Enum
from typing import TypedDict

import numpy as np

from streamer.sound.dynamics import Samples

_HEAD = struct.Struct("<cI")
_LATENCY = struct.Struct("<I")
_MOST = 2**24  # bytes of a body


class Kind(Enum):
    """Of a message.

    To the plug-in: SET moves its parameters, PLAY brings samples. From it: HELLO tells what was loaded, REFUSED why
    nothing could be, PLAYED brings samples back, with the plug-in's latency before them.
    """

    SET = b"S"
    PLAY = b"P"
    HELLO = b"H"
    REFUSED = b"R"
    PLAYED = b"A"


class Range(TypedDict):
    """A plug-in's parameter, in its own unit."""

    low: float
    high: float
    normal: float
    unit: str


class Hello(TypedDict):
    """What was loaded: its name, its parameters by name, the samples by which its sound is late."""

    name: str
    parameters: dict[str, Range]
    latency: int


def send(line: socket.socket, kind: Kind, body: bytes) -> None:
    """Send a message."""
    line.sendall(_HEAD.pack(kind.value, len(body)) + body)


def receive(line: socket.socket, deadline: float | None = None) -> tuple[Kind, bytes]:
    """The next message, which has to be whole by the deadline (monotonic seconds), if there is one.

    Raises
    ------
    TimeoutError
        It was not.
    EOFError
        The other side has gone, or makes no sense.
    """
    kind, size = _HEAD.unpack(_exactly(line, _HEAD.size, deadline))
    if size > _MOST:
        raise EOFError
    try:
        return Kind(kind), _exactly(line, size, deadline)
    except ValueError:
        raise EOFError from None


def played(latency: int, samples: Samples) -> bytes:
    """The body of `Kind.PLAYED`."""
    return _LATENCY.pack(latency) + samples.tobytes()


def read_played(body: bytes) -> tuple[int, Samples]:
    """Latency and samples, (n, 2), out of it.

    Raises
    ------
    EOFError
        There are none.
    """
    if len(body) < _LATENCY.size or (len(body) - _LATENCY.size) % 8:
        raise EOFError
    return _LATENCY.unpack_from(body)[0], read_samples(body[_LATENCY.size :])


def read_samples(body: bytes) -> Samples:
    """Samples, float32 (n, 2), out of the body of `Kind.PLAY`."""
    return np.frombuffer(body, np.float32).reshape(-1, 2)


def _exactly(line: socket.socket, size: int, deadline: float | None) -> bytes:
    found = bytearray(size)
    view = memoryview(found)
    done = 0
    while done < size:
        if deadline is not None:
            line.settimeout(max(deadline - time.monotonic(), 1e-4))
        try:
            count = line.recv_into(view[done:])
        except ConnectionError:
            raise EOFError from None
        if not count:
            raise EOFError
        done += count
    return bytes(found)
