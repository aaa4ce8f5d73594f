"""What the instrument asks of a model, part by part: `musicgen.MusicGen` and its streams have it all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.sound.dynamics import Samples

if TYPE_CHECKING:
    from musicgen import Melody, StreamingPolicy
    from musicgen import Sampling as MusicSampling
    from musicgen.score import Fields, Score
    from musicgen.state import StreamState

Frames = NDArray[np.int64]
"""(K, F)"""


class Sampling(Protocol):
    """How tokens are chosen; see `musicgen.Sampling`."""

    temperature: float
    top_k: int
    top_p: float
    guidance: float


class Trace(Protocol):
    """What a chunk was made of, see `musicgen.Trace`."""

    @property
    def frames(self) -> Frames: ...
    @property
    def entropy(self) -> NDArray[np.float64]: ...
    @property
    def fields(self) -> Fields: ...


class Following(Protocol):
    """A stream that follows melodies, see `streamer.engine.melodies`."""

    def set_melody(self, melody: Melody | None, begins: int = 0) -> None: ...


class Stream(Following, Protocol):
    """What the engine asks of a `musicgen.Stream`."""

    @property
    def sampling(self) -> Sampling: ...
    @property
    def trace(self) -> Trace: ...
    @property
    def blends(self) -> bool: ...
    def set_prompt(self, text: str) -> None: ...
    def set_prompts(self, prompts: Iterable[tuple[str, float]]) -> None: ...
    def set_negative_prompt(self, text: str) -> None: ...
    def reseed(self, seed: int) -> None: ...
    def redraw(self) -> None: ...
    def reset(self, seed: int) -> None: ...
    def continue_from(self, frames: Frames, seed: int) -> Samples: ...
    def reanchor(self, frames: Frames, seed: int, fields: Fields | None = None) -> None: ...
    def next_chunk(self, frames: int) -> Samples: ...


class Told(Protocol):
    """A stream that follows a score, see `streamer.engine.score`."""

    @property
    def frames_done(self) -> int: ...
    @property
    def kept(self) -> int: ...
    def set_score(self, score: Score | None) -> None: ...


class Trading(Protocol):
    """A stream that goes on elsewhere, see `streamer.engine.course`."""

    def another(self) -> Any: ...
    def approach(
        self, frames: Frames, seed: int, parts: int, heard: int, fields: Fields | None = None
    ) -> Iterator[Samples]: ...
    def trade(self, other: Any, back: int | None) -> None: ...


class Resumable(Protocol):
    """A stream that another one can go on from, see `streamer.engine.standing`."""

    @property
    def sampling(self) -> MusicSampling: ...
    def state(self) -> StreamState: ...
    def restore(self, state: StreamState) -> None: ...


class Encoder(Protocol):
    """What makes frames of a sound, see `streamer.engine.beginning`."""

    @property
    def sample_rate(self) -> int: ...
    @property
    def hop(self) -> int: ...
    @property
    def channels(self) -> int: ...
    def encode(self, sound: Samples) -> Frames: ...


class Follower(Protocol):
    """What makes melodies of a sound, see `streamer.engine.melodies`."""

    @property
    def name(self) -> str: ...
    @property
    def sample_rate(self) -> int: ...
    @property
    def hop(self) -> int: ...
    @property
    def policy(self) -> StreamingPolicy: ...
    @property
    def follows_melody(self) -> bool: ...
    def melody(self, sound: NDArray[np.floating[Any]], sample_rate: int) -> Melody: ...
    def tune(self, notes: NDArray[np.int64], rate: float) -> Melody: ...


class Model(Follower, Protocol):
    """What the engine asks of a `musicgen.MusicGen`."""

    @property
    def channels(self) -> int: ...
    @property
    def follows_score(self) -> bool: ...
    @property
    def defaults(self) -> Sampling: ...
    def encode_prompt(self, text: str) -> object: ...
    def encode_blend(self, texts: Iterable[str]) -> object: ...
    def prompt_limit(self, text: str) -> int: ...
    def prepare_lora(self, strength: float) -> None: ...
    def set_lora_strength(self, strength: float) -> None: ...
    def stream(
        self,
        prompt: str = "",
        *,
        negative_prompt: str = "",
        temperature: float | None = None,
        top_k: int | None = None,
        top_p: float | None = None,
        guidance: float | None = None,
        seed: int = 0,
    ) -> Stream: ...
