"""What other threads have for the clients, until the desk's own thread gives it out."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from osc.subscribers import Group
from osc.values import Value


@dataclass
class Waiting:
    """What was handed in since the last time.

    Attributes
    ----------
    changed : dict
        Parameter -> its value, and whose change it was.
    published : dict
        Path below the prefix -> its messages.
    reported : deque
        Address, what is wrong with it, and whose change it was.
    answers : deque
        Whose change it was, and the answer.
    """

    changed: dict[str, tuple[Value, object]] = field(default_factory=dict)
    published: dict[str, Group] = field(default_factory=dict)
    reported: deque[tuple[str, str, object]] = field(default_factory=lambda: deque(maxlen=64))
    answers: deque[tuple[object, Group]] = field(default_factory=lambda: deque(maxlen=256))


class Notices:
    """Takes notices from any thread, and gives them all at once to one.

    Parameters
    ----------
    wake : callable
        Called after each: there is something to take.
    """

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._waiting = Waiting()

    def changed(self, values: dict[str, Value], origin: object) -> None:
        """Parameters have new values."""
        with self._lock:
            for name, value in values.items():
                self._waiting.changed[name] = (value, origin)
        self._wake()

    def published(self, path: str, group: Group) -> None:
        """There is something new at a path below the prefix."""
        with self._lock:
            self._waiting.published[path] = group
        self._wake()

    def reported(self, address: str, reason: str, origin: object) -> None:
        """Something went wrong with an address."""
        with self._lock:
            self._waiting.reported.append((address, reason, origin))
        self._wake()

    def answered(self, origin: object, group: Group) -> None:
        """There is an answer to a client's change."""
        with self._lock:
            self._waiting.answers.append((origin, group))
        self._wake()

    def take(self) -> Waiting:
        """All of them."""
        with self._lock:
            taken, self._waiting = self._waiting, Waiting()
        return taken
