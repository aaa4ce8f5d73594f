"""A small mixing desk to serve: a table, a store in memory, a clock set by hand, and a client's socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence

from osc.command import Action
from osc.packet import Message, build, parse
from osc.parameter import Parameter
from osc.server import OscServer
from osc.tree import Tree
from osc.values import Value

PARAMETERS = (
    Parameter("prompt", "text", default="", doc="What to play."),
    Parameter("negative", "text", default="", path="prompt/negative", doc="What not to play."),
    Parameter("temperature", "float", 0.05, 2.0, default=1.0),
    Parameter("topk", "int", 0, 2048, default=250),
    Parameter("volume", "float", -60.0, 12.0, default=0.0, unit="dB"),
    Parameter("lead", "float", 20.0, 2000.0, default=200.0, unit="ms", curve="log"),
    Parameter("mute", "bool", default=False),
    Parameter("tune", "path", default="", doc="A file to follow."),
)
ACTIONS = (Action("play"), Action("reset"))


class Desk:
    """A store that remembers every batch it was given."""

    def __init__(self) -> None:
        self.values: dict[str, Value] = {parameter.name: parameter.default for parameter in PARAMETERS}
        self.batches: list[list[tuple[str, Value | None]]] = []
        self.moments: list[float | None] = []
        self._listeners: list[Callable[[dict[str, Value], object], None]] = []
        self._lock = threading.Lock()

    def get(self, name: str) -> Value:
        return self.values[name]

    def apply(
        self, batch: Sequence[tuple[str, Value | None]], origin: object = None, at: float | None = None
    ) -> dict[str, Value]:
        with self._lock:
            self.moments = [*self.moments[-9:], at]
            asked = {name: value for name, value in batch if value is not None}
            changed: dict[str, Value] = {name: value for name, value in asked.items() if self.values[name] != value}
            self.values.update(changed)
            changed |= {name: True for name, value in batch if value is None}
            self.batches = [*self.batches[-9:], list(batch)]
        for listener in self._listeners:
            listener(changed, origin)
        return asked

    def listen(self, listener: Callable[[dict[str, Value], object], None]) -> None:
        self._listeners.append(listener)


def tree(desk: Desk) -> Tree:
    """The desk's addresses under /mg."""
    return Tree("/mg", PARAMETERS, ACTIONS, desk)


class Clock:
    """Time that stands still until it is moved; the same for waiting and for the time of day."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class Client:
    """A UDP socket of somebody who plays."""

    def __init__(self, server: OscServer) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.server = ("127.0.0.1", server.port)

    @property
    def port(self) -> int:
        return int(self.socket.getsockname()[1])

    def send(self, address: str, *arguments: float | int | bool | str) -> None:
        self.socket.sendto(build(address, *arguments), self.server)

    def send_bytes(self, datagram: bytes) -> None:
        self.socket.sendto(datagram, self.server)

    def datagrams(self, timeout: float = 0.0) -> list[bytes]:
        """All that has arrived; waits up to `timeout` seconds for the first."""
        found = []
        self.socket.settimeout(timeout)
        try:
            while True:
                found.append(self.socket.recv(65536))
                self.socket.settimeout(0.0)
        except (BlockingIOError, TimeoutError):
            return found

    def messages(self, timeout: float = 0.0) -> list[Message]:
        """The messages of all that has arrived, in order."""
        return [
            message for datagram in self.datagrams(timeout) for bundle in parse(datagram) for message in bundle.messages
        ]

    def said(self, timeout: float = 0.0) -> dict[str, object]:
        """Address -> last argument, of all that has arrived."""
        return {m.address: m.arguments[-1] if m.arguments else None for m in self.messages(timeout)}

    def close(self) -> None:
        self.socket.close()
