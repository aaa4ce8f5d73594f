"""A hosted plug-in in its own process, seen from the engine: it answers in time, or it is lost."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from typing import cast

import numpy as np

from streamer.chain import Plug, Setting
from streamer.errors import UserError
from streamer.sound.dynamics import Samples
from streamer.sound.hosted import wire
from streamer.sound.hosted.wire import Hello, Kind
from streamer.threads import fleeting

LOAD_SECONDS = 20.0
"""In which a plug-in has to be loaded."""
_LISTED = 24  # parameters in a sentence; `streamer fx` lists all
_BUFFER_BYTES = 2**18  # of the pair of sockets: a block goes in at once


class LostError(Exception):
    """The plug-in plays no more; the text says what it did, as the end of a sentence."""


class Remote:
    """A plug-in's process.

    Parameters
    ----------
    plug : Plug
    rate, frame : int
        Samples a second, and the most of a block.

    Attributes
    ----------
    plug : Plug
        With the settings it has now.
    hello : Hello
        What was loaded.
    latency : int
        Samples by which its sound is late.

    Raises
    ------
    UserError
        It could not be loaded: why, and what to do.
    """

    def __init__(self, plug: Plug, rate: int, frame: int) -> None:
        if os.name == "nt":
            raise UserError("hosted effects need Linux or macOS: leave them out here")
        self._line, theirs = socket.socketpair()
        self._line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
        command = [sys.executable, "-m", "streamer.sound.hosted.host"]
        with theirs:
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno()), str(rate), str(frame), plug.identity],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C is ours
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        self.plug = Plug(plug.kind, plug.name)
        try:
            self.hello = self._loaded()
            self.latency = self.hello["latency"]
            self.check(plug)
            self.set(plug)
        except LostError as lost:
            self.close()
            raise UserError(f"the plug-in {plug.identity} {lost} as it was set: choose another") from None
        except UserError:
            self.close()
            raise

    def check(self, plug: Plug) -> None:
        """Whether the plug-in has the parameters that are set.

        Raises
        ------
        UserError
            It has not.
        """
        known = self.hello["parameters"]
        for name, _ in plug.settings:
            if name not in known:
                listed = ", ".join(list(known)[:_LISTED]) + (" ..." if len(known) > _LISTED else "")
                has = f"choose one of {listed}" if known else "it has none"
                raise UserError(f"{self.hello['name']} has no parameter {name[:40]!r}: {has}")

    def set(self, plug: Plug) -> None:
        """Have its parameters as they stand there, from the next block on; what is no longer set stands as loaded."""
        before, after = dict(self.plug.settings), dict(plug.settings)
        normal = {name: Setting(self.hello["parameters"][name]["normal"]) for name in before.keys() - after.keys()}
        moved = {name: setting for name, setting in (normal | after).items() if before.get(name) != setting}
        self.plug = plug
        if moved:
            self._send(Kind.SET, json.dumps(moved).encode(), time.monotonic() + 1.0)

    def process(self, samples: Samples, deadline: float) -> Samples:
        """What it makes of a block, float32 (n, 2), by the deadline (monotonic seconds).

        Raises
        ------
        LostError
            Nothing that can be heard.
        """
        self._send(Kind.PLAY, samples.tobytes(), deadline)
        try:
            kind, body = wire.receive(self._line, deadline)
            self.latency, made = wire.read_played(body)
        except TimeoutError:
            raise LostError("did not answer in time") from None
        except EOFError:
            raise LostError(self._end()) from None
        if kind is not Kind.PLAYED or len(made) != len(samples):
            raise LostError("answered nonsense")
        if not np.isfinite(made).all():
            raise LostError("made sounds that are no numbers")
        return made

    def close(self) -> None:
        """End it."""
        self._line.close()
        self._process.kill()  # a plug-in that is asked to end may never do so
        fleeting("burying a plug-in", self._process.wait).start()

    def _send(self, kind: Kind, body: bytes, deadline: float) -> None:
        try:
            self._line.settimeout(max(deadline - time.monotonic(), 1e-4))
            wire.send(self._line, kind, body)
        except TimeoutError:
            raise LostError("did not answer in time") from None
        except OSError:
            raise LostError(self._end()) from None

    def _loaded(self) -> Hello:
        named = self.plug.identity
        try:
            kind, body = wire.receive(self._line, time.monotonic() + LOAD_SECONDS)
        except TimeoutError:
            raise UserError(f"the plug-in {named} did not load within {LOAD_SECONDS:g} s: choose another") from None
        except EOFError:
            raise UserError(f"the plug-in {named} {self._end()} while it was loaded: choose another") from None
        if kind is not Kind.HELLO:
            raise UserError(body.decode(errors="replace"))
        return cast(Hello, json.loads(body))

    def _end(self) -> str:
        """How its process ended."""
        try:
            code = self._process.wait(0.05)
        except subprocess.TimeoutExpired:
            return "fell silent"
        return f"crashed (signal {-code})" if code < 0 else "ended"
