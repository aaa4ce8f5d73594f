"""Where a stream stands in its past, which is bounded for ever.

Positions are added to a step's input, so cached keys and values carry them and cannot be moved, and a model is good
only at the positions it was trained on. So a second lane of the cache, the shadow, starts at position 0 while the first
still plays, is fed the same frames, and takes over when the first has used up its positions (a "re-anchor" that costs
no burst).
"""

import copy
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class StreamingPolicy:
    """How a checkpoint goes on for ever.

    Attributes
    ----------
    keep
        Frames of the past that the shadow has seen when it takes over, 1 <= keep <= max_position / 2.
    max_position
        Positions 0 .. max_position - 1 are used, no others.
    policy
        "reanchor": as described in this module.
    prefix
        Positions of these that are kept free in front of the frames, for decoders that are conditioned by a prefix.
    """

    keep: int = 600
    max_position: int = 1200
    policy: str = "reanchor"
    prefix: int = 0

    def __post_init__(self) -> None:
        if self.policy != "reanchor":
            raise ValueError(f"the streaming policy {self.policy!r} is unknown: use 'reanchor'")
        if not 1 <= self.keep <= self.life // 2:
            raise ValueError(f"keep must lie in 1 .. max_position / 2, not {self.keep} with max_position {self.life}")

    @property
    def life(self) -> int:
        """Frames that a lane sees before the other takes over."""
        return self.max_position - self.prefix


class State:
    """The past of one stream: two lanes, one live, the other at times its shadow. The same for every backend.

    Parameters
    ----------
    memory
        Keys and values of both lanes, of the conditional and the null row each. Allocated once and laid out by the
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
        """Forget everything: position 0, no shadow."""
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

    def only(self, lane: int) -> "State":
        """The same past with this lane as the live one: to prefill a lane that takes no part in the steps yet."""
        state = copy.copy(self)
        state.lanes = [lane]
        return state

    def advance(self) -> None:
        """After a step: count it, swap where the live lane is used up, start the shadow where it is due."""
        for lane in self.lanes:
            self.positions[lane] += 1
        if self.frames == self.policy.life:
            self.lanes = self.lanes[1:]
        self._start_shadow()

    def skip(self, count: int) -> None:
        """After a prefill: the live lane has consumed so many positions more.

        Raises
        ------
        ValueError
            A shadow is due before the end of them, or is at work already: it would have to see them too.
        """
        most = self.policy.max_position - self.position - (0 if self.policy.prefix else self.policy.keep)
        if count > most or len(self.lanes) > 1:
            raise ValueError(f"a prefill of {count} positions is too long: {max(0, most)} are left before the shadow")
        self.positions[self.lanes[0]] += count
        self._start_shadow()

    def _start_shadow(self) -> None:
        """A shadow without a prefix needs nothing but to be there; the others are musicgen/prefix.py's."""
        if self.position == self.policy.max_position - self.policy.keep and not self.policy.prefix:
            shadow = 1 - self.lanes[0]
            self.positions[shadow] = 0
            self.lanes = [self.lanes[0], shadow]
