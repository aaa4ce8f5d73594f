"""How a model goes on for ever: which positions it uses, and what of the past it keeps when they are used up."""

from dataclasses import dataclass, replace

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
    def patience(self) -> int:
        """Steps that the shadow is there earlier where it may take over with a bar: 3 s in nano, none where the
        shadow knows half of what the live lane knows."""
        return (self.life - 2 * self.keep) // 3

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
