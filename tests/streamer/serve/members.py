"""Servers that share a ledger, each in a process of its own, without Ray."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.managers import BaseManager
from typing import Any

from streamer.serve.ledger import Ledger

LOADING = 120.0  # seconds
_SPAWN = multiprocessing.get_context("spawn")


class Shared:
    """A ledger for many threads."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger, self._lock = ledger, threading.Lock()

    def call(self, what: str, *arguments: Any) -> Any:
        with self._lock:
            return getattr(self._ledger, what)(*arguments)


class Books(BaseManager):
    """Where the ledger is reached."""


def books() -> Any:
    """A ledger in this process, for as long as that is there: its address, for `Process`."""
    shared = Shared(Ledger())
    Books.register("ledger", callable=lambda: shared)
    server = Books(address=("127.0.0.1", 0), authkey=b"test").get_server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.address


class Process:
    """A server of so many places; it is there once this is made."""

    def __init__(self, ledger: Any, places: int = 2) -> None:
        here, there = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(ledger, places, there), daemon=True)
        self._process.start()
        assert here.poll(LOADING)
        self.address: str = here.recv()

    def kill(self) -> None:
        self._process.kill()
        self._process.join()

    def hang(self) -> None:
        """It stops wherever it is: it closes no connection and answers nobody."""
        self._signal(signal.SIGSTOP)

    def drain(self) -> None:
        """It is asked to end."""
        self._signal(signal.SIGTERM)

    def _signal(self, number: int) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, number)


def _serve(ledger: Any, places: int, told: Connection) -> None:
    from musicgen import MusicGen
    from streamer.serve.keys import for_anybody
    from streamer.serve.member import Member
    from streamer.serve.run import Place

    Books.register("ledger")
    manager = Books(address=ledger, authkey=b"test")
    manager.connect()
    shared = manager.ledger()  # type: ignore[attr-defined]
    order = ThreadPoolExecutor(1)
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: ending.set())
    model = MusicGen.load("nano", threads=1)
    member = Member(model, places, for_anybody(), Place(), lambda *what: order.submit(shared.call, *what))
    member.start()
    told.send(member.address)
    ending.wait()
    member.end()
