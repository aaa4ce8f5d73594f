"""Music whose sound is made of all its frames at once: drafted without a sound, decoded, then played to the engine.

The engine pulls a stream frame by frame, but some decoders have to know the whole piece. So it pulls twice, with the
same controls and log: first from a stream that keeps its frames and is silent, then from one that plays what was made
of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from streamer.engine.model import Stream as Steered
from streamer.sound.dynamics import Samples

if TYPE_CHECKING:
    from musicgen import MusicGen, Stream
    from musicgen.codec.codes import Codes

Frames = NDArray[np.int64]
Decode = Callable[[Frames, int], Samples]
"""All frames of a piece (K, F) and a seed -> its sound (F * hop, channels)."""


class Drafts:
    """A model whose streams keep their frames. Everything else is the model's own."""

    def __init__(self, model: MusicGen) -> None:
        self._model = model
        self._keepers: list[_Keeper] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def stream(self, prompt: str = "", **options: Any) -> Stream:
        """A silent stream of the model, see `musicgen.MusicGen.stream`."""
        keeper = _Keeper(self._model.hop, self._model.channels)
        self._keepers.append(keeper)
        return self._model.stream(prompt, codec=keeper, **options)

    @property
    def made(self) -> int:
        """How many streams there are so far."""
        return len(self._keepers)

    def decoded(self, decode: Decode, seeds: Sequence[int]) -> Played:
        """What plays the sound of the frames, its streams in the order of the drafts.

        Parameters
        ----------
        seeds
            For each stream; the pieces after its resets have the following ones.
        """
        sounds = [
            [decode(np.concatenate(piece, axis=1), seed + i) for i, piece in enumerate(keeper.pieces) if piece]
            for keeper, seed in zip(self._keepers, seeds, strict=True)
        ]
        return Played(self._model, sounds)


class _Keeper:
    """A decoder, see `musicgen.codec.Decoder`, that keeps the frames of every piece and decodes them to silence."""

    look_ahead = 0

    def __init__(self, hop: int, channels: int) -> None:
        self._hop, self._channels = hop, channels
        self.pieces: list[list[Frames]] = [[]]

    def decode(self, codes: Codes) -> Samples:
        self.pieces[-1].append(np.asarray(codes, np.int64))
        return np.zeros((codes.shape[1] * self._hop, self._channels), np.float32)

    def flush(self) -> Samples:
        return np.zeros((0, self._channels), np.float32)

    def reset(self) -> None:
        if self.pieces[-1]:
            self.pieces.append([])


class Played:
    """A model whose streams play finished pieces. Everything else is the model's own."""

    def __init__(self, model: MusicGen, sounds: Sequence[Sequence[Samples]]) -> None:
        self._model = model
        self._sounds: Iterator[Sequence[Samples]] = iter(sounds)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def stream(self, prompt: str = "", **options: Any) -> Steered:
        return _PlayedStream(next(self._sounds), self._model.hop)


class _PlayedStream:
    """Plays piece after piece. What else steers a stream did so when the frames were made."""

    def __init__(self, pieces: Sequence[Samples], hop: int) -> None:
        self._pieces = iter(pieces)
        self._hop = hop
        self._rest = next(self._pieces)  # samples that are still to be played of a piece
        self._made = 0  # frames of the last chunk
        self.sampling: Any = SimpleNamespace()
        self.blends = True

    @property
    def trace(self) -> Any:
        """As many frames as the last chunk has; which ones does not matter any more."""
        from musicgen.score import unknown

        return SimpleNamespace(frames=np.zeros((1, self._made), np.int64), fields=unknown(self._made))

    def reset(self, seed: int) -> None:
        self._rest = next(self._pieces, self._rest[:0])

    def continue_from(self, frames: Frames, seed: int) -> Samples:
        return self.next_chunk(frames.shape[1])

    def next_chunk(self, frames: int) -> Samples:
        samples = frames * self._hop
        if samples > len(self._rest):
            raise ValueError(f"{samples} samples were asked for, and the piece has {len(self._rest)} left")
        chunk, self._rest = self._rest[:samples], self._rest[samples:]
        self._made = frames
        return chunk

    def _steer(self, *_: object) -> None:
        """Too late: see above."""

    set_prompt = set_prompts = set_negative_prompt = set_melody = reseed = redraw = reanchor = _steer
