"""Where an engine stands, as bytes that another one goes on from: its stream's state, the beat, the seed, its trail."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

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
    frames : ndarray, uint16
        (K, F) that were played last, see `streamer.engine.trail.Trail`.
    begins : list of int
        Which of them begin music.
    chords : float
        The beat from which on the progression goes round.
    """

    stream: StreamState
    beat: float
    seed: int
    frames: NDArray[np.uint16]
    begins: list[int]
    chords: float = 0.0

    def to_bytes(self) -> bytes:
        """A line of JSON, the frames, then the stream's state."""
        head = {"beat": self.beat, "seed": self.seed, "frames": self.frames.shape, "begins": self.begins}
        head |= {"chords": self.chords}
        frames = np.ascontiguousarray(self.frames, "<u2").tobytes()
        return json.dumps(head).encode() + b"\n" + frames + self.stream.to_bytes()

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
            codebooks, count = fields["frames"]
            size = 2 * codebooks * count
            frames = np.frombuffer(state[:size], "<u2").reshape(codebooks, count).astype(np.uint16)
            begins = [int(begin) for begin in fields["begins"]]
            stream = StreamState.from_bytes(state[size:])
            chords = float(fields.get("chords", 0.0))  # older states have none
            return cls(stream, float(fields["beat"]), int(fields["seed"]), frames, begins, chords)
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no engine's state: {error}") from None
