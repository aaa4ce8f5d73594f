"""The engine's process: one model for every instance of the plug-in, until the last of them has gone.

On Linux the process that has loaded the model only keeps it, and forks the one that plays. When that dies, the next is
there in milliseconds, with the same port, the same token, and where the music stood.
"""

from __future__ import annotations

import contextlib
import gc
import os
import secrets
import signal
import socket
import sys
import time
from multiprocessing import Pipe
from multiprocessing.connection import Connection as Pipeline
from pathlib import Path

from osc.server import OscServer
from osc.sockets import LOCALHOST, BindError
from osc.tree import Tree
from streamer.engine.loading import load
from streamer.engine.model import Model
from streamer.errors import UserError
from streamer.process import nursery
from streamer.process.priority import hurry_engine, hurry_session
from streamer.surfaces.bridge import endpoint, wire
from streamer.surfaces.bridge.osc import Store, actions, parameters, way
from streamer.surfaces.bridge.room import MOST, Room
from streamer.surfaces.bridge.server import Connection, Server
from streamer.surfaces.bridge.session import Session
from streamer.surfaces.osc import PORT, PREFIX
from streamer.threads import lasting

LOOPBACK = "127.0.0.1"
IDLE_SECONDS = 60.0
HUNG_SECONDS = 10.0
"""Without a sign of life, the process that plays is replaced."""
_DONE, _LOST = 0, 3
"""How the process that plays ends: nobody needs it any more; its parent has gone."""
_ENDING_SECONDS = 0.5
_THREADS = {"nano": 1}
"""Of a step. nano is small enough for one, and a process without other threads can fork its successor."""
_FEWEST_SECONDS = 2.0
_MOST_DEATHS = 5
"""So many in a row that lived for less than so many seconds are a fault that another try does not mend."""


def serve(model: str, folder: Path, idle: float = IDLE_SECONDS, osc_port: int = PORT) -> None:
    """Play for plug-ins until none has been there for so many seconds.

    Parameters
    ----------
    model : str
        See `streamer.engine.loading.load`.
    folder : Path
        See `streamer.surfaces.bridge.endpoint`.
    osc_port : int
        Where OSC is served; another free one where it is taken.

    Raises
    ------
    UserError
        Another engine runs, the model cannot be loaded, or it does not live.
    """
    before = nursery.threads()
    hurry_session()
    with endpoint.only_one(folder):
        token = secrets.token_hex(32)
        with socket.create_server((LOOPBACK, 0), backlog=64) as listener:
            port = listener.getsockname()[1]
            endpoint.write(folder / endpoint.RUNNING, {"port": str(port), "token": token, "pid": str(os.getpid())})
            try:
                loaded = load(model, threads=_THREADS.get(model))
                if _may_fork(before):
                    _keep_one_alive(loaded, model, listener, token, idle, osc_port)
                else:
                    _play(loaded, model, listener, token, idle, osc_port, {}, None)
            finally:
                endpoint.take_away(folder / endpoint.RUNNING)


def _may_fork(before: int) -> bool:
    """Whether the model is loaded without threads; those that have just ended count for a moment longer."""
    until = time.monotonic() + _ENDING_SECONDS
    while not nursery.may_fork(before):
        if time.monotonic() > until:
            return False
        time.sleep(0.005)
    return True


def _keep_one_alive(model: Model, name: str, listener: socket.socket, token: str, idle: float, osc_port: int) -> None:
    standings: dict[str, bytes] = {}
    deaths = 0
    gc.collect()
    gc.freeze()  # what the collector does not touch stays one memory
    while deaths < _MOST_DEATHS:
        ours, theirs = Pipe(duplex=False)
        begun = time.monotonic()
        pid = os.fork()
        if pid == 0:
            ours.close()
            code = 1
            try:
                _play(model, name, listener, token, idle, osc_port, standings, theirs)
                code = _DONE
            except BrokenPipeError:
                code = _LOST
            finally:
                os._exit(code)  # past all that its parent has to do
        theirs.close()
        _watch(ours, standings, pid)
        ours.close()
        if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == _DONE:
            return
        deaths = deaths + 1 if time.monotonic() - begun < _FEWEST_SECONDS else 0
    raise UserError("The engine ends as soon as it begins: run `streamer doctor`.")


def _watch(signs: Pipeline, standings: dict[str, bytes], pid: int) -> None:
    """Note where all music stands, until the process that plays has ended or hangs."""
    with contextlib.suppress(EOFError, OSError):
        while signs.poll(HUNG_SECONDS):
            latest = signs.recv()
            standings.clear()
            standings.update(latest)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _play(
    model: Model,
    name: str,
    listener: socket.socket,
    token: str,
    idle: float,
    osc_port: int,
    standings: dict[str, bytes],
    signs: Pipeline | None,
) -> None:
    """Serve until nobody has been there for so many seconds."""
    sys.setswitchinterval(0.001)
    hurry_engine()
    store = Store()
    osc = _osc(store, osc_port)

    def keep(stand: dict[str, bytes]) -> None:
        if signs is not None:
            signs.send(stand)

    def join(connection: Connection, fields: dict[str, str]) -> Session:
        rate, channels, wish = (_whole(fields, field) for field in ("rate", "channels", "number"))
        if not wire.RATES[0] <= rate <= wire.RATES[1] or channels not in (1, 2):
            raise UserError(f"{rate} Hz on {channels} channels is out of reach: choose a common rate, and stereo.")
        session = room.join(fields.get("session", "")[:64], connection, rate, channels, wish)
        store.put(session.number, session.controls)
        return session

    def greet(session: Session) -> dict[str, object]:
        prefix = f"{PREFIX}/{way(session.number)}".rstrip("/")
        return {"number": session.number, "prefix": prefix, "osc": osc.port if osc else 0, "model": name}

    def leave(line: object, sentence: str) -> None:
        assert isinstance(line, Connection)
        line.refuse(sentence)

    room = Room(model, name, leave, dict(standings), keep)
    server = Server(listener, token, join, greet, room.wake)
    room.start()
    if osc is not None:
        osc.start()
    lasting("bridge", server.run).start()
    last = time.monotonic()
    there: list[Session] = []
    while time.monotonic() - last < idle:
        room.turn(timeout=min(idle, 0.2))
        now = room.sessions
        for session in there:
            if session not in now:
                store.take(session.number, session.controls)
        there = now
        if now:
            last = time.monotonic()


def _osc(store: Store, port: int) -> OscServer | None:
    tree = Tree(PREFIX, parameters(MOST), actions(MOST), store)
    for wanted in (port, 0):  # a streamer that plays on a device may have it
        with contextlib.suppress(BindError):
            return OscServer(tree, LOCALHOST, wanted)
    return None


def _whole(fields: dict[str, str], name: str) -> int:
    try:
        return int(fields.get(name, "0"))
    except ValueError:
        raise UserError(f"The plug-in's {name} is no number: run `streamer plugin install` and load it anew.") from None
