"""A server among others: it tells the ledger what it plays, and goes on with what another one has left."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any

from musicgen import MusicGen
from streamer.serve.keys import Keys
from streamer.serve.ledger import BEAT_SECONDS
from streamer.serve.neighbours import Neighbours, answers
from streamer.serve.run import Place, Server
from streamer.serve.session import Record
from streamer.serve.stage import MOVED, Stage
from streamer.threads import fleeting, lasting

DOORS = 8
"""Of all servers, that a page is told."""
_ASK_SECONDS = 3.0
_END_SECONDS = 20.0

Ask = Callable[..., "Future[Any]"]
"""A method of the ledger by its name, and arguments -> its answer, wherever the ledger is."""


class Member:
    """A stage and its server, of several that share a ledger.

    Parameters
    ----------
    model : musicgen.MusicGen
    places : int
        Sessions that may play here at a time.
    keys : Keys
    place : Place
        Where it serves. Its host is the one under which browsers and the other servers reach it.
    ask : callable
        See `Ask`.
    front : str
        Address of a front door that pages may ask, too; "": there is none.

    Attributes
    ----------
    stage : Stage
    address : str
        Of its pages, with the last slash.
    """

    def __init__(self, model: MusicGen, places: int, keys: Keys, place: Place, ask: Ask, front: str = "") -> None:
        self._id = secrets.token_hex(8)
        self._ask, self._front = ask, [front] if front else []
        self._kept: Future[Any] | None = None
        self._ended = threading.Event()
        self._neighbours = Neighbours(self._find, self._where, several=True)
        self.stage = Stage(model, places, keys, self._keep)
        self._server = Server(self.stage, place, self._neighbours)
        self.address = f"http://{place.host}:{self._server.port}/"
        self._serving = fleeting("server", self._server.serve)
        self._beating = lasting("beat", self._beat)

    def start(self) -> None:
        """Serve from now on."""
        self._serving.start()
        self._beating.start()

    @property
    def serves(self) -> bool:
        """Whether it still does."""
        return self._serving.is_alive()

    def end(self) -> None:
        """Its sessions are anybody's at once, from what was kept last; their pages look for them elsewhere."""
        self._ended.set()
        self._beating.join()  # a sign of life after the farewell would keep its sessions here
        with contextlib.suppress(Exception):  # the ledger may be gone, too
            self._ask("leave", self._id).result(_ASK_SECONDS)
        self._server.stop()
        self._serving.join(_END_SECONDS)

    def _beat(self) -> None:
        while not self._ended.is_set():
            places = self.stage.places
            taken = len(places.playing) + len(places.waiting)
            self._ask("beat", self._id, self.address, places.most, taken).add_done_callback(self._learn)
            self._ended.wait(BEAT_SECONDS)

    def _learn(self, told: Future[Any]) -> None:
        """Who else is there."""
        if told.cancelled() or told.exception() is not None:
            return  # there is no ledger any more: what is known stays
        living, seen = told.result()
        others = [address for address in living if address != self.address]
        self._neighbours.doors = [*self._front, *others[:DOORS]]
        self._neighbours.origins |= {address.rstrip("/") for address in seen}

    def _keep(self, records: Mapping[str, Record]) -> None:
        """Tell the ledger, and drop what another server has: from the engine's thread, which waits for nobody."""
        dropped: set[str] = set()
        if self._kept is not None:
            if not self._kept.done():
                return
            if self._kept.exception() is None:  # else there is no ledger any more: the music goes on
                dropped = self._drop(self._kept.result())
        # What was dropped is not told again: by now it may be this server's turn once more, and what is told once and
        # then no more counts as over.
        kept = {id: record for id, record in records.items() if id not in dropped}
        self._kept = self._ask("keep", self._id, kept)

    def _drop(self, ids: list[str]) -> set[str]:
        for id in ids:
            session = self.stage.get(id)
            if session is not None:
                self.stage.drop(session, MOVED)
        return set(ids)

    def _find(self, id: str) -> Record | str | None:
        def take() -> Record | str | None:
            found: Record | str | None = self._ask("take", self._id, id).result(_ASK_SECONDS)
            return found

        found = take()
        return take() if isinstance(found, str) and self._missed(found) else found

    def _where(self, id: str) -> str | None:
        def where() -> str | None:
            found: str | None = self._ask("where", id).result(_ASK_SECONDS)
            return found

        found = where()
        return where() if found is not None and self._missed(found) else found

    def _missed(self, address: str) -> bool:
        """Whether nobody is at another server's address; the ledger is told then."""
        if address == self.address or answers(address):
            return False
        self._ask("gone", address).result(_ASK_SECONDS)
        return True
