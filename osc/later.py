"""Bundles that wait for their time."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field

from osc.hosts import Address
from osc.packet import Message

HORIZON = 60.0
"""Seconds that a bundle may lie ahead."""
QUEUE = 1024
"""Messages in bundles that wait for their time."""


@dataclass(order=True)
class _Entry:
    due: float
    number: int
    source: Address = field(compare=False)
    size: int = field(compare=False)
    commands: list[Message] = field(compare=False)


class Later:
    """What has to be answered at its time, the earliest first."""

    def __init__(self) -> None:
        self._entries: list[_Entry] = []
        self._order = itertools.count()

    def __len__(self) -> int:
        """Messages in all bundles that wait."""
        return sum(entry.size for entry in self._entries)

    def put(self, due: float, source: Address, size: int, commands: list[Message]) -> None:
        """Keep the commands of a bundle of so many messages."""
        heapq.heappush(self._entries, _Entry(due, next(self._order), source, size, commands))

    def due(self, now: float) -> Iterator[tuple[Address, list[Message]]]:
        """Whose commands are to be answered now."""
        while self._entries and self._entries[0].due <= now:
            entry = heapq.heappop(self._entries)
            yield entry.source, entry.commands

    @property
    def next(self) -> float:
        """When the first one is due; infinity for never."""
        return self._entries[0].due if self._entries else float("inf")
