"""The process of one hosted plug-in: ``python -m streamer.sound.hosted.host SOCKET RATE FRAME PLUG``.

It loads the plug-in, says so, and sends back what the plug-in makes of the samples that come, until its parent is gone.
Whatever the plug-in does to this process, it does to nobody else.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from typing import Protocol

import numpy as np

from osc.values import BadValue
from streamer.chain import Plug
from streamer.errors import UserError
from streamer.reporting import explained
from streamer.sound.dynamics import Samples
from streamer.sound.hosted import wire
from streamer.sound.hosted.denormals import flush_denormals
from streamer.sound.hosted.wire import Hello, Kind, Range
from streamer.threads import fleeting

_WATCH_SECONDS = 1.0


class Effect(Protocol):
    """A plug-in that is loaded.

    Attributes
    ----------
    name : str
    parameters : dict
        By the names that `set` takes.
    latency : int
        Samples by which its sound is late now.
    """

    name: str
    parameters: dict[str, Range]

    @property
    def latency(self) -> int: ...

    def set(self, name: str, number: float, norm: bool) -> None:
        """Move a parameter, from the next block on."""
        ...

    def process(self, samples: Samples) -> Samples:
        """What it makes of a block of at most a frame, (n, 2)."""
        ...


def open_effect(plug: Plug, rate: int, frame: int) -> Effect:
    """Load a plug-in.

    Raises
    ------
    UserError
        It is not there, or cannot be hosted: why, and what to do.
    """
    if plug.kind == "lv2":
        from streamer.sound.hosted.lv2 import Lv2

        return Lv2(plug.name, rate, frame)
    from streamer.sound.hosted.vst3 import Vst3

    return Vst3(plug.name, rate, frame)


def main() -> None:
    number, rate, frame, text = sys.argv[1:]
    parent = os.getppid()
    line = socket.socket(fileno=int(number))
    _say_nothing()
    fleeting("watching", lambda: _end_with(parent)).start()
    flush_denormals()
    try:
        plug = Plug.of(text)
        assert plug is not None
        effect = open_effect(plug, int(rate), int(frame))
        # What it allocates it allocates now, and what crashes it crashes now.
        effect.process(np.zeros((int(frame), 2), np.float32))
    except (UserError, BadValue) as error:
        wire.send(line, Kind.REFUSED, str(error).encode())
        return
    except Exception as error:
        wire.send(line, Kind.REFUSED, f"the plug-in {text[:80]} could not be loaded ({explained(error)})".encode())
        return
    try:
        _serve(line, effect)
    except (EOFError, OSError):  # the parent has gone
        os._exit(0)  # a plug-in's own end may never come


def _serve(line: socket.socket, effect: Effect) -> None:
    hello = Hello(name=effect.name, parameters=effect.parameters, latency=effect.latency)
    wire.send(line, Kind.HELLO, json.dumps(hello).encode())
    while True:
        kind, body = wire.receive(line)
        if kind is Kind.SET:
            for name, (number, norm) in json.loads(body).items():
                effect.set(name, number, norm)
        else:
            made = effect.process(wire.read_samples(body))
            wire.send(line, Kind.PLAYED, wire.played(effect.latency, made))


def _say_nothing() -> None:
    """Plug-ins print what they like: to nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)


def _end_with(parent: int) -> None:
    """A plug-in that hangs must not outlive those that it plays for."""
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os._exit(0)


if __name__ == "__main__":
    main()
