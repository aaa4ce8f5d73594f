"""Where all instances play: one thread that makes what their hosts have asked for, in one batch of one model."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence

from streamer.engine.core import Core
from streamer.engine.model import Model
from streamer.engine.together import advance
from streamer.errors import UserError
from streamer.reporting import explained
from streamer.surfaces.bridge.session import Line, Session
from streamer.surfaces.bridge.wire import Broken, Kind, lines, packed
from streamer.threads import lasting

MOST = 8
"""Instances at a time."""
STATUS_SECONDS = 0.25
STATE_SECONDS = 1.0
_FADES = 0.98  # of what was measured, with each frame


class Pace:
    """How fast an instance's music is made.

    Attributes
    ----------
    rtf : float
        Seconds of music made in a second of work, over the last second or so; 0 before there is any.
    """

    def __init__(self) -> None:
        self.rtf = 0.0
        self._made = self._took = 0.0

    def note(self, made: float, took: float) -> None:
        """So many seconds of music came of a round that took so many seconds."""
        self._made, self._took = self._made * _FADES + made, self._took * _FADES + took
        self.rtf = self._made / max(self._took, 1e-9)


class Room:
    """All sessions of one model. `join` and `wake` are for any thread, `play` is for one.

    Parameters
    ----------
    model : musicgen.MusicGen
    name : str
        Of the model, as its user knows it.
    leave : callable
        Called with the line of a session that cannot go on, and why.
    standings : mapping
        Where each session of an engine that died had come to, by its name.
    keep : callable
        Called every second with where each session stands, by its name.
    """

    def __init__(
        self,
        model: Model,
        name: str,
        leave: Callable[[Line, str], None],
        standings: dict[str, bytes],
        keep: Callable[[dict[str, bytes]], None],
    ) -> None:
        self._model, self._name = model, name
        self._leave, self._standings, self._keep = leave, standings, keep
        self._sessions: dict[str, tuple[Session, Line, Pace]] = {}
        self._changed = threading.Event()
        self._lock = threading.Lock()
        self._slow: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._told = self._kept = 0.0

    # ---- for the connections

    @property
    def sessions(self) -> list[Session]:
        """Those that are open, in no order."""
        with self._lock:
            return [session for session, _, _ in self._sessions.values()]

    def join(self, name: str, line: Line, rate: int, channels: int, wish: int) -> Session:
        """A session for an instance; another of the same name is over then.

        Parameters
        ----------
        name : str
            Of the instance, the same through all its connections.
        wish : int
            The number that it had; 0 for none.

        Raises
        ------
        UserError
            There are too many.
        """
        with self._lock:
            old = self._sessions.pop(name, None)
            if old is not None:
                old[0].close()
            taken = {session.number for session, _, _ in self._sessions.values()}
            free = [number for number in range(1, MOST + 1) if number not in taken]
            if not free:
                raise UserError(f"{MOST} instances play already: remove one of them")
            number = wish if wish in free else free[0]
            standing = self._standings.pop(name, b"")
            session = Session(self._model, line, rate, channels, number, self._slow.put, self.wake, standing)
            self._sessions[name] = (session, line, Pace())
        return session

    def wake(self) -> None:
        """Something has come."""
        self._changed.set()

    # ---- for the engine's thread

    def start(self) -> None:
        """Prepare from now on what is slow."""
        lasting("preparing", self._prepare).start()

    def turn(self, timeout: float) -> None:
        """Make a frame of all that is owed; where nothing is, wait until something comes."""
        with self._lock:
            self._sessions = {name: entry for name, entry in self._sessions.items() if not entry[0].closed}
            entries = list(self._sessions.values())
        for session, line, _ in entries:
            self._guarded(session, line, session.begin_ready)
            self._guarded(session, line, session.take_in)
        owing = [entry for entry in entries if entry[0].core is not None and not entry[0].closed]
        if owing:
            self._make(owing)
        else:
            self._changed.wait(timeout)
            self._changed.clear()
        self._tell(entries)

    def _make(self, owing: list[tuple[Session, Line, Pace]]) -> None:
        begun = time.perf_counter()
        cores = {session: session.core for session, _, _ in owing}
        lacking = [core for session, core in cores.items() if core is not None and not core.ready and not session.holds]
        before = {id(core): core.frames_done for core in lacking}
        if lacking:
            self._advance(lacking, owing)
        took = time.perf_counter() - begun
        for session, line, pace in owing:
            core = cores[session]
            if core is not None and id(core) in before:
                seconds = self._model.hop / self._model.sample_rate
                pace.note((core.frames_done - before[id(core)]) * seconds, took)
            self._guarded(session, line, session.deliver)

    def _advance(self, lacking: Sequence[Core], owing: list[tuple[Session, Line, Pace]]) -> None:
        try:
            advance(lacking)
        except UserError as error:  # the music cannot go on with this model
            for _, line, _ in owing:
                self._leave(line, str(error))

    def _guarded(self, session: Session, line: Line, do: Callable[[], None]) -> None:
        """What one instance sends ends at most that instance."""
        if session.closed:
            return
        try:
            do()
        except Broken as error:
            session.close()
            self._leave(line, f"Not understood: {error}.")
        except Exception as error:
            session.close()
            self._leave(line, f"The engine stumbled ({explained(error)}).")

    def _prepare(self) -> None:
        while True:
            self._slow.get()()

    # ---- what is told

    def _tell(self, entries: Iterable[tuple[Session, Line, Pace]]) -> None:
        now = time.monotonic()
        if now - self._kept >= STATE_SECONDS:
            self._kept = now
            with self._lock:
                own = {name: session for name, (session, _, _) in self._sessions.items()}
            self._keep({name: state for name, session in own.items() if (state := session.state())})
        if now - self._told >= STATUS_SECONDS:
            self._told = now
            for session, line, pace in entries:
                if not session.closed:
                    sentence = self._sentence(pace.rtf)
                    line.send(packed(Kind.STATUS, lines({"rtf": f"{pace.rtf:.2f}", "sentence": sentence})))

    def _sentence(self, rtf: float) -> str:
        if not 0 < rtf < 1:
            return ""
        way_out = "close other programs or use fewer instances" if self._name == "nano" else "choose nano"
        return f"This machine makes {rtf:.1f} of real time with this model: {way_out}."
