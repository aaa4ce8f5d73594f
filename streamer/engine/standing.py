"""Where an engine stands, as bytes that another one goes on from: its stream's state, the beat, and the seed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from musicgen.state import StreamState


@dataclass(frozen=True)
class Standing:
    """What an engine goes on from.

    Parameters
    ----------
    stream : StreamState
    beat : float
        Beats passed at its next frame.
    seed : int
        That was asked for last.
    """

    stream: StreamState
    beat: float
    seed: int

    def to_bytes(self) -> bytes:
        """A line of JSON, then the stream's state."""
        return json.dumps({"beat": self.beat, "seed": self.seed}).encode() + b"\n" + self.stream.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Standing:
        """What `to_bytes` has written.

        Raises
        ------
        ValueError
            It was not.
        """
        from musicgen.state import StreamState

        head, _, state = data.partition(b"\n")
        try:
            fields = json.loads(head)
            return cls(StreamState.from_bytes(state), float(fields["beat"]), int(fields["seed"]))
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no engine's state: {error}") from None
