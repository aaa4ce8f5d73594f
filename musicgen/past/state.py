"""Where a backend's memory of one stream stands: lanes and their positions. The same for every backend."""

import copy
from typing import Any

from musicgen.past.policy import StreamingPolicy


class State:
    """The keys and values of one stream, and how far they reach. Which lanes there are is its past's business.

    Parameters
    ----------
    memory
        Keys and values of all lanes, of the conditional and the null row each. Allocated once and laid out by the
        backend that made it; nobody else looks inside.

    Attributes
    ----------
    lanes
        The lanes that take part in the next step, the live one first.
    positions
        For each lane, the position that it consumes next; the live one's is always < max_position.
    starts
        For each lane, the position of its first frame: the length of its prefix, 0 in most models.
    """

    def __init__(self, policy: StreamingPolicy, memory: Any) -> None:
        self.policy = policy
        self.memory = memory
        self.reset()

    def reset(self) -> None:
        """Forget everything: position 0, one lane."""
        self.lanes = [0]
        self.positions = [0, 0]
        self.starts = [0, 0]

    @property
    def position(self) -> int:
        """The position that the live lane consumes next."""
        return self.positions[self.lanes[0]]

    @property
    def frames(self) -> int:
        """Steps since the live lane's first frame; negative while its prefix is not there yet."""
        return self.position - self.starts[self.lanes[0]]

    @property
    def used_up(self) -> bool:
        """Whether the live lane has no position left for a frame."""
        return self.frames == self.policy.life

    def only(self, lane: int) -> "State":
        """The same memory with this lane as the live one: to prefill a lane that takes no part in the steps yet."""
        state = copy.copy(self)
        state.lanes = [lane]
        return state

    def count(self) -> None:
        """After a step: every lane that took part has consumed one position more."""
        for lane in self.lanes:
            self.positions[lane] += 1

    def retract(self, count: int) -> None:
        """Forget the last positions of every lane; a lane that joined the live one since then is none any more."""
        self.lanes = [lane for lane in self.lanes if self.positions[lane] >= count]
        for lane in self.lanes:
            self.positions[lane] -= count

    def skip(self, count: int) -> None:
        """After a prefill: the live lane has consumed so many positions more.

        Raises
        ------
        ValueError
            The lane has fewer left, or another lane is at work: it would have to see them too.
        """
        most = 0 if len(self.lanes) > 1 else self.policy.max_position - self.position
        if count > most:
            raise ValueError(f"a prefill of {count} positions is too long: the lane has room for {most}")
        self.positions[self.lanes[0]] += count
