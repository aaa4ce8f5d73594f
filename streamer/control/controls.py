"""The one owner of the values: whatever steers the instrument enters here, is clamped here and is told on from here."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from osc.hosts import Client
from osc.values import Value
from streamer.control.change import Change, Moment, Wall
from streamer.control.media import MIDI, find
from streamer.control.moves import CONTINUE, Passage
from streamer.control.table import PARAMETERS, TABLE, accept, known
from streamer.reporting import explained, mention

Listener = Callable[[dict[str, Value], object], None]
Follower = Callable[[Change], None]


class _News(NamedTuple):
    change: Change | None  # for followers
    stands: dict[str, Value] | None  # for listeners
    origin: object


class Controls:
    """The values of all parameters; any thread may read and change them.

    There are two ways to hear of a change. A *follower* plays it: it is told at once, also of what is to take effect
    later. A *listener* shows it: it is told once the values stand. A change without a moment stands at once, and so
    does one that is late already; one with a moment to come stands when the follower that took it over says so, by
    `settle`.

    Both hear of everything in its order, one at a time, outside the lock: they may read and even change the controls.
    When several threads change values at once, one of them does the telling for all.

    Parameters
    ----------
    **initial : float, int, bool or str
        Values by name, clamped to their range; the rest stands at the table's default until `adopt`.

    Attributes
    ----------
    media : Path or None
        The folder whose files clients on other machines may name; None for no files at all.

    Raises
    ------
    BadValue
        For a name that is not in the table or a value it cannot take.
    """

    def __init__(self, **initial: Value) -> None:
        self.media: Path | None = None
        self._values: dict[str, Value] = {parameter.name: parameter.default for parameter in PARAMETERS}
        self._chosen: dict[str, None] = {}
        self._lock = threading.Lock()
        self._followers: list[Follower] = []
        self._listeners: list[Listener] = []
        self._news: deque[_News] = deque()
        self._telling = False
        self._stand(accept(initial.items()))

    def get(self, name: str) -> Value:
        """The value as it is now.

        Raises
        ------
        BadValue
            For a name that is not in the table.
        """
        known(name)
        with self._lock:
            return self._values[name]

    def values(self) -> dict[str, Value]:
        """All values at one moment, in the table's order."""
        with self._lock:
            return dict(self._values)

    def chosen(self) -> dict[str, Value]:
        """Those of the values that somebody chose: a model's own defaults stand for the rest."""
        with self._lock:
            return {name: self._values[name] for name in self._chosen}

    def set(self, **values: Value) -> dict[str, Value]:
        """Set values by name at one moment; returns them as clamped."""
        return self.apply(list(values.items()))

    def act(self, name: str) -> None:
        """Ask for an action: ``controls.act("reset")``."""
        self.apply([(name, None)])

    def apply(
        self, batch: Sequence[tuple[str, Value | None]], origin: object = None, at: float | None = None
    ) -> dict[str, Value]:
        """Set all of the batch at one moment, or nothing of it.

        Parameters
        ----------
        batch : sequence of (name, value)
            An action's value does not matter. Of several values for one name the last one counts.
        origin : object
            Handed on, so that whoever made a change can tell it from those of others.
        at : float, optional
            When it is to be heard, seconds since 1970; at the next frame boundary unless given.

        Returns
        -------
        dict
            The values as clamped, in the batch's order, and True for every action.

        Raises
        ------
        BadValue
            For a name that is not in the table or a value it cannot take, and for a file that the origin, a client on
            another machine, may not name; nothing has changed then.
        """
        return dict(self.ask(batch, origin, None if at is None else Wall(at)).values)

    def ask(
        self,
        batch: Iterable[tuple[str, Value | None]],
        origin: object = None,
        at: Moment | None = None,
        over: float = 0.0,
    ) -> Change:
        """As `apply`, at any moment and over so many seconds; returns the change that goes to the followers."""
        change = Change(self._permitted(accept(batch), origin), at, origin, over)
        if change.values:
            with self._lock:
                late = isinstance(at, Wall) and at.seconds <= time.time()  # nothing to wait for
                stands = dict(change.values) if (at is None or late) and not over else None
                self._stand(stands or {})
                self._news.append(_News(change, stands, origin))
            self._tell()
        return change

    def check(self, batch: Iterable[tuple[str, Value | None]], origin: object = None) -> None:
        """Whether a batch may be asked for.

        Raises
        ------
        BadValue
            No, see `apply`.
        """
        self._permitted(accept(batch), origin)

    def _permitted(self, values: dict[str, Value], origin: object) -> dict[str, Value]:
        """The values, with files that a client on another machine names looked for where it may name them.

        Raises
        ------
        BadValue
            When there is no such file there.
        """
        if not isinstance(origin, Client) or origin.trusted:
            return values
        return {name: self._offered(name, value, origin) for name, value in values.items()}

    def _offered(self, name: str, value: Value, origin: Client) -> Value:
        if name == CONTINUE:
            passage = Passage.of(str(value))
            return replace(passage, path=find(passage.path, self.media)).text
        if name in TABLE and TABLE[name].kind == "path" and value != MIDI:
            return find(str(value), self.media, inputs=origin.keeps)
        return value

    def settle(self, values: Mapping[str, Value], origin: object = None) -> None:
        """What was asked for with a moment stands now: said by the follower that has taken it over."""
        with self._lock:
            self._stand(values)
            self._news.append(_News(None, dict(values), origin))
        self._tell()

    def retract(self, refused: Mapping[str, Value], stands: Mapping[str, Value]) -> None:
        """What was asked for cannot be had: show again what stands, where nothing else was asked for meanwhile."""
        with self._lock:
            back = {n: stands[n] for n, value in refused.items() if n in stands and self._values.get(n) == value}
            back = {name: value for name, value in back.items() if value != self._values[name]}
            self._stand(back)
            if back:
                self._news.append(_News(None, back, None))
        self._tell()

    def adopt(self, **defaults: Value) -> dict[str, Value]:
        """Set those of the values that nobody has chosen yet: a model's own defaults, once it is known.

        Returns the values that were adopted. Followers, who brought them, are not told.
        """
        accepted = accept(defaults.items())
        with self._lock:
            fresh = {name: value for name, value in accepted.items() if name not in self._chosen}
            self._values.update(fresh)
            if fresh:
                self._news.append(_News(None, fresh, None))
        self._tell()
        return dict(fresh)

    def follow(self, follower: Follower) -> None:
        """Have ``follower(change)`` called for every change as soon as it is asked for, from whichever thread."""
        with self._lock:
            self._followers.append(follower)

    def listen(self, listener: Listener) -> None:
        """Have ``listener(changed, origin)`` called when values stand, from whichever thread."""
        with self._lock:
            self._listeners.append(listener)

    def _stand(self, values: Mapping[str, Value]) -> None:
        own = {name: value for name, value in values.items() if name in TABLE}
        self._values.update(own)
        self._chosen.update(dict.fromkeys(own))

    def _tell(self) -> None:
        with self._lock:
            if self._telling:
                return
            self._telling = True
        while (found := self._next_news()) is not None:
            news, followers, listeners = found
            if news.change is not None:
                for follower in followers:
                    _call(follower, news.change)
            if news.stands is not None:
                for listener in listeners:
                    _call(listener, dict(news.stands), news.origin)

    def _next_news(self) -> tuple[_News, tuple[Follower, ...], tuple[Listener, ...]] | None:
        with self._lock:
            if not self._news:
                self._telling = False
                return None
            return self._news.popleft(), tuple(self._followers), tuple(self._listeners)


def _call(told: Callable[..., None], *news: object) -> None:
    """One that is deaf must not silence the others, nor the thread that turned the knob."""
    try:
        told(*news)
    except Exception as error:
        mention(f"Whoever was told of {news[0]} failed, and all others go on ({explained(error)}).")
