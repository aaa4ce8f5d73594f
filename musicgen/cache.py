"""Keys and values of the past, in memory that is allocated once: bounded for ever.

Positions are added to a step's input, so cached entries carry them and cannot be moved, and a model is good only at the
positions it was trained on. So a second cache, the shadow, starts at position 0 while the first still plays, is fed the
same frames, and takes over when the first has used up its positions (a "re-anchor" that costs no burst).
"""

from dataclasses import dataclass

import torch
from torch import Tensor


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
    """

    keep: int = 600
    max_position: int = 1200
    policy: str = "reanchor"

    def __post_init__(self) -> None:
        if self.policy != "reanchor":
            raise ValueError(f"the streaming policy {self.policy!r} is unknown: use 'reanchor'")
        if not 1 <= self.keep <= self.max_position // 2:
            raise ValueError(
                f"keep must lie in 1 .. max_position / 2, not {self.keep} with max_position {self.max_position}"
            )


class Cache:
    """Self-attention keys and values of one stream: two lanes, one live, the other at times its shadow.

    Attributes
    ----------
    lanes
        The lanes that take part in the next step, the live one first.
    positions
        For each lane, the position that it consumes next; the live one's is always < max_position.
    views
        ``views[lane][layer]``: (2 keys and values, 2 conditional and null, heads, max_position, head size).
    """

    def __init__(
        self,
        layers: int,
        heads: int,
        head_size: int,
        policy: StreamingPolicy,
        *,
        device: torch.device | None = None,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.policy = policy
        self.memory = torch.empty(layers, 2, 2, 2, heads, policy.max_position, head_size, device=device, dtype=dtype)
        self.views: list[list[Tensor]] = [[layer[:, :, lane] for layer in self.memory] for lane in (0, 1)]
        self.reset()

    def reset(self) -> None:
        """Forget everything: position 0, no shadow."""
        self.lanes = [0]
        self.positions = [0, 0]

    @property
    def position(self) -> int:
        """The position that the live lane consumes next."""
        return self.positions[self.lanes[0]]

    def advance(self) -> None:
        """After a step: count it, swap where the live lane is used up, start the shadow where it is due."""
        for lane in self.lanes:
            self.positions[lane] += 1
        if self.position == self.policy.max_position:
            self.lanes = self.lanes[1:]
        if self.position == self.policy.max_position - self.policy.keep:
            shadow = 1 - self.lanes[0]
            self.positions[shadow] = 0
            self.lanes = [self.lanes[0], shadow]
