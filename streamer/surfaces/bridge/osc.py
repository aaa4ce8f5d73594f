"""All instances on one OSC port: the first at the prefix itself, the second at /mg/2, and so on."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from osc.command import Action
from osc.parameter import Parameter
from osc.values import BadValue, Value
from streamer.control.controls import Controls
from streamer.control.table import ACTIONS, HOSTED, PARAMETERS, TABLE

Listener = Callable[[dict[str, Value], object], None]


def way(number: int) -> str:
    """What an instance's names and paths begin with."""
    return "" if number == 1 else f"{number}/"


def parameters(instances: int) -> Iterator[Parameter]:
    """The table's parameters of so many instances."""
    for number in range(1, instances + 1):
        for one in PARAMETERS:
            if one.name in HOSTED:  # a host hosts them itself
                continue
            begins = way(number)
            also = begins + one.also if one.also else ""
            yield replace(one, name=begins + one.name, path=begins + one.path, also=also)


def actions(instances: int) -> Iterator[Action]:
    """The table's actions of so many instances."""
    for number in range(1, instances + 1):
        for one in ACTIONS:
            yield replace(one, name=way(number) + one.name)


class Store:
    """The values of all instances, for `osc.tree.Tree`; of those that are not there, the table's defaults."""

    def __init__(self) -> None:
        self._controls: dict[int, Controls] = {}
        self._listeners: list[Listener] = []
        self._lock = threading.Lock()

    def put(self, number: int, controls: Controls) -> None:
        """An instance has come."""
        with self._lock:
            self._controls[number] = controls

        def tell(changed: dict[str, Value], origin: object) -> None:
            if self._of(number) is controls:
                self._tell({way(number) + name: v for name, v in changed.items() if name not in HOSTED}, origin)

        controls.listen(tell)
        tell(controls.values(), None)

    def take(self, number: int, controls: Controls) -> None:
        """It has gone."""
        with self._lock:
            if self._controls.get(number) is controls:
                del self._controls[number]

    def listen(self, listener: Listener) -> None:
        """See `osc.tree.Store`."""
        self._listeners.append(listener)

    def get(self, name: str) -> Value:
        """See `osc.tree.Store`."""
        number, own = _split(name)
        controls = self._of(number)
        return TABLE[own].default if controls is None else controls.get(own)

    def apply(
        self, batch: Sequence[tuple[str, Value | None]], origin: object = None, at: float | None = None
    ) -> dict[str, Value]:
        """See `osc.tree.Store`."""
        parts: dict[int, list[tuple[str, Value | None]]] = {}
        for name, value in batch:
            number, own = _split(name)
            parts.setdefault(number, []).append((own, value))
        present: dict[int, Controls] = {}
        for number, part in parts.items():
            controls = self._of(number)
            if controls is None:
                raise BadValue(f"there is no instance {number} of the plug-in: open one, or send to another")
            controls.check(part, origin)
            present[number] = controls
        done: dict[str, Value] = {}
        for number, part in parts.items():
            stood = present[number].apply(part, origin, at)
            done |= {way(number) + name: value for name, value in stood.items()}
        return done

    def _of(self, number: int) -> Controls | None:
        with self._lock:
            return self._controls.get(number)

    def _tell(self, changed: dict[str, Value], origin: object) -> None:
        for listener in self._listeners:
            listener(changed, origin)


def _split(name: str) -> tuple[int, str]:
    number, slash, own = name.partition("/")
    return (int(number), own) if slash else (1, name)
