"""Where all sessions play: one thread makes what they lack, in one batch; one lets them be heard, by the clock."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Mapping

from osc.values import Value
from streamer.engine.model import Model
from streamer.engine.together import advance
from streamer.errors import UserError
from streamer.process.priority import hurry_callback, hurry_engine
from streamer.reporting import explained
from streamer.serve.keys import Account, Keys
from streamer.serve.places import Places
from streamer.serve.session import BLOCK, RATE, Record, Session, block, fresh
from streamer.threads import lasting

MOST = 64
"""Sessions that are open at a time, awake or asleep."""
FORGOTTEN_SECONDS = 3600.0
"""After which a session that nobody hears is over."""
KEEP_SECONDS = 0.5
"""Between two times that it is noted where the music stands."""
LOOK_SECONDS = 2.0
"""Over which the load is measured."""
BUSY, CALM = 0.97, 0.80
"""Share of the time that goes into music: above the one it is too much, below the other there is room."""
HOT_LOOKS = 15
"""Measurements in a row that find it too much, before a place is taken away: until then all have the same share."""
CALM_SECONDS = 30.0
"""Of calm, before there is a place more again."""
MOVED = "It goes on at another server."
"""Why a session is over here that is not over."""
_WAIT_SECONDS = 0.002


class Stage:
    """All sessions of one model.

    Parameters
    ----------
    model : musicgen.MusicGen
    places : int
        Sessions that may play at a time: what was measured here.
    keys : Keys
        Whose sessions these are.
    keep : callable, optional
        Called twice a second with what another stage goes on from, by id, on the engine's thread.

    Attributes
    ----------
    places : Places
    load : float
        Share of the time that went into music lately.
    overloads : int
        Times that a place had to be taken away, since the machine was too slow.
    """

    def __init__(
        self, model: Model, places: int, keys: Keys, keep: Callable[[Mapping[str, Record]], None] | None = None
    ) -> None:
        self.places = Places(places)
        self.load = 0.0
        self.overloads = 0
        self.keys = keys
        self._model, self._keep = model, keep
        self._most = places
        self._sessions: dict[str, Session] = {}
        self._told: dict[str, int | None] = {}
        self._lock = threading.Lock()
        self._slow: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._changed = threading.Event()
        self._closing = threading.Event()
        self._busy, self._looked, self._kept, self._calm = 0.0, time.monotonic(), 0.0, time.monotonic()
        self._hot = 0
        self._gone: list[tuple[float, Session]] = []
        self._threads = [
            lasting("engine", self._run),
            lasting("clock", self._let_be_heard),
            lasting("preparing", self._prepare),
        ]

    # ---- for any thread

    def start(self) -> None:
        """Play from now on."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Play no more; sessions are noted once more for whoever keeps them."""
        self._closing.set()
        self._slow.put(lambda: None)
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._keep_all()
        for session in self.sessions:
            session.release()
        for _, session in self._gone:
            session.release()
        self._sessions, self._gone = {}, []

    @property
    def sessions(self) -> list[Session]:
        """Those that are open, the oldest first."""
        with self._lock:
            return list(self._sessions.values())

    def get(self, id: str) -> Session | None:
        """The session of that id."""
        with self._lock:
            return self._sessions.get(id)

    def open(self, account: Account, values: Mapping[str, Value]) -> Session:
        """A new session; whether it plays at once its place tells.

        Raises
        ------
        UserError
            There are too many, here or of this owner.
        """
        name = account.key.name
        with self._lock:
            own = sum(session.owner == name for session in self._sessions.values())
        if own >= account.key.sessions:
            raise UserError(f"{name} has {own} sessions open: close one of them first.")
        if account.spent:
            raise UserError(account.spent_sentence)
        return self.adopt(fresh(name, values))

    def adopt(self, record: Record) -> Session:
        """A session that goes on from what another stage has kept; one that is here already stays as it is.

        Raises
        ------
        UserError
            There are too many.
        """
        with self._lock:
            if record.id in self._sessions:
                return self._sessions[record.id]
            if len(self._sessions) >= MOST:
                raise UserError(f"{MOST} sessions are open here, and no more fit: try again later.")
            session = Session(self._model, record, self._slow.put, self._changed.set)
            self._sessions[record.id] = session
            self.places.ask(session.id, session.owner)
        self._changed.set()
        return session

    def drop(self, session: Session, why: str) -> None:
        """End a session."""
        with self._lock:
            if self._sessions.pop(session.id, None) is not None:
                self.places.leave(session.id)
                self._gone.append((time.monotonic(), session))
                session.close(why)
        self._changed.set()

    def place(self, session: Session) -> int | None:
        """0 while it plays, else where in the queue it is, from 1 on; None while it sleeps."""
        with self._lock:
            return self.places.place(session.id)

    def sentence(self, session: Session) -> str:
        """How it stands, in words."""
        place = self.place(session)
        if session.closed:
            return session.closed
        if place is None:
            account = self.keys.accounts.get(session.owner)
            return account.spent_sentence if account is not None and account.spent else "It sleeps until it is heard."
        if place == 0:
            return "It plays."
        most = self.places.most
        here = f"This machine makes {most} stream{'' if most == 1 else 's'} in real time, and all are taken"
        return f"{here}: this one is number {place} in the queue, and begins by itself."

    # ---- the engine's thread

    def _run(self) -> None:
        hurry_engine()
        while not self._closing.is_set():
            self.turn()

    def turn(self) -> None:
        """Make a frame for each session that lacks one; where none does, wait a moment."""
        playing = self._seat()
        for session in playing:
            self._guarded(session, session.begin if session.core is None else session.deliver)
        lacking = [session for session in playing if session.lacks and not session.closed]
        if lacking:
            begun = time.perf_counter()
            self._advance(lacking)
            for session in lacking:
                self._guarded(session, session.deliver)
            self._busy += time.perf_counter() - begun
        else:
            self._changed.wait(_WAIT_SECONDS)
            self._changed.clear()
        now = time.monotonic()
        if now - self._kept >= KEEP_SECONDS:
            self._kept = now
            self._keep_all()
        if now - self._looked >= LOOK_SECONDS:
            self._look(now)

    def _seat(self) -> list[Session]:
        """Who plays now: whoever nobody hears any more sleeps, whoever is heard again asks for a place."""
        for session in self.sessions:
            account = self.keys.accounts.get(session.owner)
            wanted = session.wanted and not (account is not None and account.spent)
            with self._lock:
                known = self.places.place(session.id)
                if wanted and known is None and not session.closed:
                    self.places.ask(session.id, session.owner)
                elif not wanted and known is not None:
                    self.places.leave(session.id)
            if session.idle > FORGOTTEN_SECONDS:
                self.drop(session, "Nobody has heard this session for an hour: it is over.")
        playing = []
        for session in self.sessions:
            place = self.place(session)
            if place == 0:
                playing.append(session)
            elif session.core is not None:
                self._guarded(session, session.sleep)
            if self._told.get(session.id, -1) != place:
                self._told[session.id] = place
                session.hear("place", place)
        return playing

    def _advance(self, lacking: list[Session]) -> None:
        try:
            advance([session.core for session in lacking if session.core is not None])
        except Exception:  # one of them: each for itself, until it is known which
            for session in lacking:
                core = session.core
                if core is not None and core.ready < BLOCK:
                    self._guarded(session, lambda core=core: advance([core]))  # type: ignore[misc]

    def _guarded(self, session: Session, do: Callable[[], None]) -> None:
        """What goes wrong in one session ends at most that session."""
        try:
            do()
        except UserError as error:
            self.drop(session, str(error))
        except Exception as error:
            self.drop(session, f"The engine stumbled over this session, and it is over ({explained(error)}).")

    def prepare_waiting(self) -> None:
        """Do what is slow and waits, on whichever thread."""
        while not self._slow.empty():
            self._slow.get()()

    def _prepare(self) -> None:
        while not self._closing.is_set():
            self._slow.get()()

    def _keep_all(self) -> None:
        if self._keep is None:
            return
        sessions = self.sessions
        for session in sessions:
            session.note()
        self._keep({session.id: session.record() for session in sessions})

    def _look(self, now: float) -> None:
        """Measure the load. A machine that has become too slow has fewer places, until it is calm again."""
        spent = now - self._looked
        self.load, self._busy, self._looked = self._busy / spent, 0.0, now
        with self._lock:
            playing = len(self.places.playing)
            self._hot = self._hot + 1 if self.load > BUSY else 0
            if self._hot >= HOT_LOOKS and playing > 1:
                self.places.most, self._calm, self._hot = playing - 1, now, 0
                self.overloads += 1
            elif self.load * (playing + 1) / max(1, playing) > CALM or self.places.most >= self._most:
                self._calm = now
            elif now - self._calm > CALM_SECONDS:
                self.places.most, self._calm = self.places.most + 1, now
        self._told = {id: place for id, place in self._told.items() if id in self._sessions}

    # ---- the clock's thread

    def _let_be_heard(self) -> None:
        hurry_callback()
        period, out = BLOCK / RATE, block()
        due = time.monotonic()
        while not self._closing.wait(max(0.0, due - time.monotonic())):
            for session in self.sessions:
                if session.core is not None:
                    session.playback.fill(out)
                    account = self.keys.accounts.get(session.owner)
                    if account is not None and session.playback.sounding:
                        account.played(period)
            self._let_go()
            due += period
            if time.monotonic() - due > 1.0:  # the machine slept: nobody is owed those hours
                due = time.monotonic()

    def _let_go(self) -> None:
        """Of sessions that are over, once nobody can be in the middle of them."""
        with self._lock:
            old = [entry for entry in self._gone if time.monotonic() - entry[0] > 5.0]
            self._gone = [entry for entry in self._gone if entry not in old]
        for _, session in old:
            session.release()
