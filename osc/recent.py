"""A dictionary that forgets: what strangers can make it remember is bounded."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The `most` keys that were used last, with their values."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._items: OrderedDict[K, V] = OrderedDict()

    def __len__(self) -> int:
        return len(self._items)

    def __setitem__(self, key: K, value: V) -> None:
        self._items.pop(key, None)
        self._items[key] = value
        if len(self._items) > self._most:
            self._items.popitem(last=False)

    def get(self, key: K) -> V | None:
        """The value, whose key counts as used by this; None where it is not known, or no longer."""
        if key in self._items:
            self._items.move_to_end(key)
        return self._items.get(key)

    def pop(self, key: K) -> V | None:
        """Forget a key; returns its value, None where it was not known."""
        return self._items.pop(key, None)

    def oldest_first(self) -> list[K]:
        """All keys, the one longest unused first."""
        return list(self._items)
