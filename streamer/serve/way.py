"""From pages and API clients to one session, and back: what they ask for by path, and what has changed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any

from osc.command import Asker
from osc.hosts import Client
from osc.tree import Tree
from osc.values import BadValue, Value
from streamer.control.snapshots import Snapshots
from streamer.control.table import ACTIONS, PARAMETERS
from streamer.serve.keys import LONGEST_PROMPT, Account, Key, TooMuch
from streamer.serve.session import SHARED, Session
from streamer.serve.stage import Stage
from streamer.surfaces.commands import FADE, FADE_BEATS, GO_BACK, RAMP, RAMP_BEATS, UNDO, WEIGHTS, Commands

OWN = tuple(own for own in PARAMETERS if own.name not in SHARED)
"""The parameters that each session has for itself."""
_COMMANDS = (RAMP, RAMP_BEATS, WEIGHTS, FADE, FADE_BEATS, UNDO, GO_BACK)
PATHS = {own.path for own in OWN} | {action.name for action in ACTIONS} | {own.path for own in _COMMANDS}
"""What a page of a session may use."""
A_SECOND = 60.0
"""Messages of all pages of a session, over ten seconds."""
STRANGER = Client(("192.0.2.1", 0))  # an address for documentation, so nobody of this machine
_WAITING = 100  # events that wait for a slow listener; then its oldest are dropped


class Events:
    """What happens, for one who follows: a bounded queue."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, Any]] = deque(maxlen=_WAITING)
        self._fresh = asyncio.Event()

    def put(self, kind: str, what: Any) -> None:
        """Something has happened."""
        self._waiting.append((kind, what))
        self._fresh.set()

    async def next(self, patience: float) -> tuple[str, Any] | None:
        """The next, once there is one; None where none comes for so many seconds."""
        while not self._waiting:
            self._fresh.clear()
            try:
                await asyncio.wait_for(self._fresh.wait(), patience)
            except asyncio.TimeoutError:
                return None
        return self._waiting.popleft()


class SessionWay:
    """A page's `streamer.surfaces.page.app.Way`, to a session; to be made and used on the loop's thread.

    Attributes
    ----------
    followers : set of Events
        They come and go by themselves.
    """

    def __init__(self, stage: Stage, session: Session) -> None:
        self.hear: Callable[[str, list[Any]], None] = lambda path, values: None
        self.followers: set[Events] = set()
        self._stage, self._session = stage, session
        self._paths = {own.name: own.path for own in OWN}
        account = stage.keys.accounts.get(session.owner)
        self._longest = account.key.prompt if account is not None else LONGEST_PROMPT
        self._flow = Account(Key("this page", "", requests=A_SECOND))
        commands = Commands(session.controls, Snapshots(), lambda: self._bpm)
        table = [entry for entry in commands.table() if entry[0] in _COMMANDS]
        self._tree = Tree("", OWN, ACTIONS, session.controls, table)
        self.state: dict[str, list[Any]] = {
            self._paths[name]: [value] for name, value in session.controls.values().items() if name in self._paths
        }
        loop = asyncio.get_running_loop()
        session.hear = lambda kind, what: _soon(loop, self._note, kind, what)
        self._note("place", stage.place(session))

    @property
    def _bpm(self) -> float:
        return self._session.figures()["tempo"] or 120.0

    def send(self, path: str, *values: Value) -> None:
        """Do what a page asks for; a sentence to all where that cannot be."""
        try:
            self._flow.request()
            if any(isinstance(value, str) and len(value) > self._longest for value in values):
                raise BadValue(f"takes {self._longest} characters at most: say it in fewer")
            if self._tree.has_command(path):
                self._tree.command(path, values, Asker(STRANGER))()
            elif (change := self._tree.change(path, values)) is not None:
                self._session.controls.apply([(change.name, change.value)])
        except (BadValue, TooMuch) as error:
            self._note("word", f"{path} {str(error).removeprefix(path + ' ')}")

    def show(self, doors: list[str]) -> None:
        """Tell pages how it goes, and at which addresses they may ask for the session once this server is gone."""
        self._tell("doors", doors)
        for name, value in self._session.figures().items():
            self._tell(f"status/{name}", [value])
        load = self._stage.load
        self._tell("status/rtf", [1.0 / max(load, 0.01)])

    def _tell(self, path: str, values: list[Any]) -> None:
        if self.state.get(path) != values:
            self.state[path] = values
            self.hear(path, values)

    def _note(self, kind: str, what: Any) -> None:
        match kind:
            case "values":
                told = {name: value for name, value in what.items() if name in self._paths}
                for name, value in told.items():
                    self.state[self._paths[name]] = [value]
                    self.hear(self._paths[name], [value])
                what = told
            case "word":
                self.hear("error", ["", what])
            case "place" | "closed":
                kind, what = "state", self._stage.sentence(self._session)
                waits = self._stage.place(self._session) != 0
                self._tell("place", [what if waits else ""])
        if what:
            for follower in self.followers:
                follower.put(kind, what)


def _soon(loop: asyncio.AbstractEventLoop, do: Callable[[str, Any], None], kind: str, what: Any) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(do, kind, what)
