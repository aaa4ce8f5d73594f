"""Where a stream stands in its past, which is bounded for ever.

Positions are added to a step's input, so cached keys and values carry them and cannot be moved, and a model is good
only at the positions it was trained on. So a second lane of the cache, the shadow, starts at position 0 while the first
still plays, is fed the same frames, and takes over when the first has used up its positions (a "re-anchor" that costs
no burst). Or there is one lane alone, which is emptied when it is used up and consumes the last frames again at once.
docs/streaming.md says what each way costs.
"""

import copy
from dataclasses import dataclass, replace
from typing import Any

ANCHORS = ("card", "shadow", "brief", "burst")
"""Names of the ways to go on for ever that a musician can choose from, see :func:`anchored`."""
POLICIES = ("reanchor", "burst")


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
        "reanchor": a shadow takes over. "burst": the last ``keep`` frames are consumed again at once.
    prefix
        Positions of these that are kept free in front of the frames, for decoders that are conditioned by a prefix;
        they have lanes of their own making, so no "burst".
    """

    keep: int = 600
    max_position: int = 1200
    policy: str = "reanchor"
    prefix: int = 0

    def __post_init__(self) -> None:
        if self.policy not in POLICIES:
            raise ValueError(f"the streaming policy {self.policy!r} is unknown: use {' or '.join(map(repr, POLICIES))}")
        if self.policy == "burst" and self.prefix:
            raise ValueError("a model that follows melodies cannot go on by 'burst': choose another anchor")
        if not 1 <= self.keep <= self.life // 2:
            raise ValueError(f"keep must lie in 1 .. max_position / 2, not {self.keep} with max_position {self.life}")

    @property
    def life(self) -> int:
        """Frames that a lane sees before the other takes over."""
        return self.max_position - self.prefix

    @property
    def lanes(self) -> int:
        """That memory is needed for."""
        return 1 if self.policy == "burst" else 2


def anchored(name: str, card: StreamingPolicy) -> StreamingPolicy:
    """A way to go on for ever by its name, within the positions that a model's card allows.

    Parameters
    ----------
    name
        "card": as the card says. "shadow": a lane hands over to one that has seen half of what it has. "brief": to
        one that has seen an eighth, which costs less. "burst": what the card keeps, consumed again at once.

    Raises
    ------
    ValueError
        There is no such name.
    """
    life = card.life
    if name == "card":
        return card
    if name == "shadow":
        return replace(card, keep=life // 2 // _WHOLE * _WHOLE or life // 2, policy="reanchor")
    if name == "brief":
        return replace(card, keep=life // 8 // _WHOLE * _WHOLE or max(1, life // 8), policy="reanchor")
    if name == "burst":
        return replace(card, policy="burst")
    raise ValueError(f"there is no anchor '{name}': choose {', '.join(ANCHORS[:-1])} or {ANCHORS[-1]}")


_WHOLE = 8  # steps: a multiple of what a frame can take, in models that take several


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

    @property
    def used_up(self) -> bool:
        """Whether the live lane has no position left, and nobody has taken over: its owner has to empty it."""
        return self.frames == self.policy.life

    def only(self, lane: int) -> "State":
        """The same past with this lane as the live one: to prefill a lane that takes no part in the steps yet."""
        state = copy.copy(self)
        state.lanes = [lane]
        return state

    def advance(self) -> None:
        """After a step: count it, swap where the live lane is used up, start the shadow where it is due."""
        for lane in self.lanes:
            self.positions[lane] += 1
        if self.frames == self.policy.life and self.policy.lanes == 2:
            self.lanes = self.lanes[1:]
        self._start_shadow()

    def skip(self, count: int) -> None:
        """After a prefill: the live lane has consumed so many positions more.

        Raises
        ------
        ValueError
            A shadow is due before the end of them, or is at work already: it would have to see them too.
        """
        shadowed = self.policy.lanes == 2 and not self.policy.prefix
        most = self.policy.max_position - self.position - (self.policy.keep if shadowed else 0)
        if count > most or len(self.lanes) > 1:
            raise ValueError(f"a prefill of {count} positions is too long: {max(0, most)} are left before the shadow")
        self.positions[self.lanes[0]] += count
        self._start_shadow()

    def _start_shadow(self) -> None:
        """A shadow without a prefix needs nothing but to be there; the others are musicgen/prefix.py's."""
        if self.policy.lanes == 1 or self.policy.prefix:
            return
        if self.position == self.policy.max_position - self.policy.keep:
            shadow = 1 - self.lanes[0]
            self.positions[shadow] = 0
            self.lanes = [self.lanes[0], shadow]
