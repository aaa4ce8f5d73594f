"""A plug-in without a host: speaks the bridge's protocol, waiting for what it wants to hear."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from streamer.sound.dynamics import Samples
from streamer.surfaces.bridge import endpoint, wire
from streamer.surfaces.bridge.wire import Kind

PATIENCE = 60.0  # seconds: a machine may be busy


class Client:
    """One instance. Whatever comes is kept: `values`, `errors`, `welcome`, and the audio of the present epoch."""

    def __init__(self, port: int, token: str, rate: int = 48000, session: str = "a", number: int = 0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        self.reader = wire.Reader(2**30)
        self.values: dict[str, float | str] = {}
        self.errors: list[str] = []
        self.status: dict[str, str] = {}
        self.welcome: dict[str, str] = {}
        self.epoch = 0
        self.blocks: list[Samples] = []
        fields = {"version": wire.VERSION, "token": token, "rate": rate, "channels": 2, "session": session}
        self.send(wire.packed(Kind.HELLO, wire.lines({**fields, "number": number})))

    @classmethod
    def of(cls, folder: Path, rate: int = 48000, session: str = "a", number: int = 0) -> Client:
        """One that finds its engine, as the plug-in does, as soon as there is one."""
        until = time.monotonic() + PATIENCE
        while True:
            fields = endpoint.read(folder / endpoint.RUNNING)
            try:
                return cls(int(fields["port"]), fields["token"], rate, session, number)
            except (KeyError, OSError):
                assert time.monotonic() < until, f"there is no engine in {folder}: {fields}"
                time.sleep(0.02)

    def send(self, *messages: bytes) -> None:
        self.socket.sendall(b"".join(messages))

    def begin(self, goes_on: bool = False) -> None:
        self.epoch += 1
        self.blocks = []
        self.send(wire.begin(self.epoch, goes_on))

    def read(self, samples: int) -> Samples:
        """Grant so many samples, and wait for them."""
        self.send(wire.credit(samples))
        return self.take(samples)

    def take(self, samples: int) -> Samples:
        self.until(lambda: sum(len(block) for block in self.blocks) >= samples)
        sound = np.concatenate(self.blocks) if self.blocks else np.zeros((0, 2), np.float32)
        assert len(sound) == samples, "more came than was granted"
        self.blocks = []
        return sound

    def until(self, done: Callable[[], bool]) -> None:
        """Hear what comes until something is so."""
        end = time.monotonic() + PATIENCE
        while not done():
            assert time.monotonic() < end, f"it did not come; told: {self.errors}, {self.status}"
            data = self.socket.recv(2**16)
            assert data, f"the engine ended the connection: {self.errors}"
            self.hear(data)

    def hear(self, data: bytes) -> None:
        self.reader.put(data)
        for kind, body in self.reader.messages():
            match kind:
                case Kind.AUDIO:
                    epoch, samples = wire.read_audio(body)
                    if epoch == self.epoch:
                        self.blocks.append(samples)
                case Kind.WELCOME:
                    self.welcome = wire.read_lines(body)
                case Kind.STATUS:
                    self.status = wire.read_lines(body)
                case Kind.VALUE:
                    name, value = wire.read_number(body)
                    self.values[name] = value
                case Kind.WORDS:
                    name, words = wire.read_text(body)
                    self.values[name] = words
                case Kind.ERROR:
                    self.errors.append(body.decode())
                case _:
                    raise AssertionError(f"an engine sends no {kind.name}")

    def read_some(self) -> None:
        """Hear what is there."""
        self.hear(self.socket.recv(2**20))

    def ended(self) -> bool:
        """Wait for the end of the connection; True once it has come."""
        try:
            while data := self.socket.recv(2**16):
                self.hear(data)
        except ConnectionResetError:
            pass
        return True

    def close(self) -> None:
        self.socket.close()
