"""Who plays, and who waits: never more at a time than this machine makes in real time."""

from __future__ import annotations

from collections import Counter


class Places:
    """So many places, and a queue for them in which no owner's crowd holds up another owner.

    The next to play is the one whose owner has the fewest places; of several, who came first.

    Parameters
    ----------
    most : int
        Places, >= 1.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._playing: dict[str, str] = {}  # who -> owner, the longest there first
        self._waiting: dict[str, str] = {}
        self._queue: dict[str, int] = {}  # who waits -> their number: asked for all the time, and changes rarely

    @property
    def most(self) -> int:
        """Places that there are."""
        return self._most

    @most.setter
    def most(self, places: int) -> None:
        """There are more or fewer from now on; who has none any more is the first to get one."""
        self._most = max(1, places)
        while len(self._playing) > self._most:
            who, owner = self._playing.popitem()  # who came last
            self._waiting = {who: owner, **self._waiting}
        self._settle()

    @property
    def playing(self) -> tuple[str, ...]:
        """Those that have a place."""
        return tuple(self._playing)

    @property
    def waiting(self) -> tuple[str, ...]:
        """Those that wait, in the order in which they will have a place."""
        return tuple(self._queue)

    def ask(self, who: str, owner: str) -> None:
        """Ask for a place; whoever has asked already keeps theirs."""
        if who not in self._playing and who not in self._waiting:
            self._waiting[who] = owner
            self._settle()

    def leave(self, who: str) -> None:
        """Give a place up, or the wish for one."""
        self._waiting.pop(who, None)
        self._playing.pop(who, None)
        self._settle()

    def place(self, who: str) -> int | None:
        """0 for whoever plays, 1 for the next, and so on; None for whoever has not asked."""
        return 0 if who in self._playing else self._queue.get(who)

    def _settle(self) -> None:
        """Give free places to the next, and number those that wait on."""
        order = self._order()
        free = max(0, self._most - len(self._playing))
        for who in order[:free]:
            self._playing[who] = self._waiting.pop(who)
        self._queue = {who: number for number, who in enumerate(order[free:], 1)}

    def _order(self) -> list[str]:
        held = Counter(self._playing.values())
        order: list[str] = []
        left = dict(self._waiting)
        while left:
            who = min(left, key=lambda one: held[left[one]])  # the first of them
            held[left.pop(who)] += 1
            order.append(who)
        return order
