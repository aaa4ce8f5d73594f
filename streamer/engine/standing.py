"""Where an engine stands, as bytes that another one goes on from: its stream's state, the beat, the seed, its trail."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from streamer.engine.score import Round
from streamer.engine.trail import Played

if TYPE_CHECKING:
    from musicgen.state import StreamState


@dataclass(frozen=True)
class Standing:
    """What an engine goes on from.

    Parameters
    ----------
    stream : StreamState
    beat : float
        Beats passed at the frame that beats are counted from, see `streamer.control.tempo.Tempo`.
    seed : int
        That was asked for last.
    played : Played
        Last, see `streamer.engine.trail.Trail`.
    begins : list of int
        Which of them begin music.
    chords : Round
        The progression.
    ago : int
        How many frames before its next one beats are counted from.
    """

    stream: StreamState
    beat: float
    seed: int
    played: Played
    begins: list[int]
    chords: Round
    ago: int

    def to_bytes(self) -> bytes:
        """A line of JSON, the frames, what they were told, then the stream's state."""
        from musicgen.score import packed

        told, fields = packed(self.played.fields)
        head = {"beat": self.beat, "seed": self.seed, "frames": self.played.frames.shape, "begins": self.begins}
        head |= {"chords": self.chords.state(), "ago": self.ago, "told": told}
        frames = np.ascontiguousarray(self.played.frames, "<u2").tobytes()
        return json.dumps(head).encode() + b"\n" + frames + fields + self.stream.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Standing:
        """What `to_bytes` has written.

        Raises
        ------
        ValueError
            It was not.
        """
        from musicgen.score import unpacked
        from musicgen.state import StreamState

        head, _, state = data.partition(b"\n")
        try:
            fields = json.loads(head)
            codebooks, count = fields["frames"]
            told = fields.get("told", [])  # older states have neither this nor ago, and of the chords no words
            size = 2 * codebooks * count
            end = size + 4 * len(told) * count
            frames = np.frombuffer(state[:size], "<u2").reshape(codebooks, count).astype(np.int64)
            played = Played(frames, unpacked(told, state[size:end], count))
            begins = [int(begin) for begin in fields["begins"]]
            stream = StreamState.from_bytes(state[end:])
            rounds, ago = fields.get("chords", []), int(fields.get("ago", 0))
            chords = Round.restored(rounds if isinstance(rounds, list) else [])
            return cls(stream, float(fields["beat"]), int(fields["seed"]), played, begins, chords, ago)
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no engine's state: {error}") from None
