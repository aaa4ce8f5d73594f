"""A model that plays sines: real state, real chunks, and its sound tells what it was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicgen import Melody, ModelError, StreamingPolicy, Trace
from musicgen.score import Fields, unknown
from streamer.sound.dynamics import Samples

LEVEL = 0.2


@dataclass
class Sampling:
    temperature: float = 0.9
    top_k: int = 50
    top_p: float = 1.0
    guidance: float = 4.0


@dataclass
class SineStream:
    """Each frame plays one note; which one is drawn by the seed, the prompt and the sampling.

    The phase runs on over frames, so that any click in the output was made behind the model. Like a codec that looks
    ahead, it gives each sample `look_ahead` samples late.
    """

    model: SineModel
    prompt: str
    negative_prompt: str
    sampling: Sampling
    seed: int
    frames: int = 0
    phase: float = 0.0
    calls: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reset(self.seed)
        self.calls.clear()

    def set_prompt(self, text: str) -> None:
        self.calls.append(f"prompt {text}")
        self.prompt = text

    blends = True

    def set_prompts(self, prompts: Iterable[tuple[str, float]]) -> None:
        blend = list(prompts)
        self.calls.append("blend " + " + ".join(f"{weight:.2f} {text}" for text, weight in blend))
        self.prompt = max(blend, key=lambda prompt: prompt[1])[0]

    def set_negative_prompt(self, text: str) -> None:
        self.calls.append(f"negative {text}")
        self.negative_prompt = text

    def set_melody(self, melody: Melody | None, begins: int = 0) -> None:
        self.calls.append(f"melody {melody and len(melody.chroma)} {begins}")

    def reseed(self, seed: int) -> None:
        self.calls.append(f"reseed {seed}")
        self.random = np.random.default_rng(seed)

    def redraw(self) -> None:
        """Sines have no delay pattern: nothing is begun of a frame that is not whole."""

    def reset(self, seed: int) -> None:
        self.calls.append(f"reset {seed}")
        self.random = np.random.default_rng(seed)
        self.frames, self.phase = 0, 0.5
        self.notes: list[int] = []
        self.held = np.zeros((0, self.model.channels), np.float32)

    def continue_from(self, frames: NDArray[np.int64], seed: int) -> Samples:
        """The sound of the frames is their codebook 0."""
        self.calls.append(f"continue {frames.shape[1]} {seed}")
        self.random = np.random.default_rng(seed)
        return np.repeat(frames[0].astype(np.float32), self.model.hop)[:, None].repeat(self.model.channels, 1)

    def reanchor(self, frames: NDArray[np.int64], seed: int, fields: Fields | None = None) -> None:
        self.calls.append(f"reanchor {frames.shape[1]} {seed}")
        self.random = np.random.default_rng(seed)

    def another(self) -> SineStream:
        twin = replace(self, sampling=replace(self.sampling), calls=[])
        twin.calls = self.calls
        return twin

    def approach(
        self, frames: NDArray[np.int64], seed: int, parts: int, heard: int, fields: Fields | None = None
    ) -> Iterator[Samples]:
        self.calls.append(f"approach {frames.shape[1]} {seed}")
        self.random = np.random.default_rng(seed)
        for codes in np.array_split(frames[:, -heard:], parts, axis=1):
            yield np.repeat(codes[0].astype(np.float32), self.model.hop)[:, None].repeat(self.model.channels, 1)

    def trade(self, other: SineStream, back: int | None) -> None:
        self.calls.append(f"trade {back}")
        for name in ("random", "frames", "phase", "notes", "held"):
            own, others = getattr(self, name), getattr(other, name)
            setattr(self, name, others)
            setattr(other, name, own)

    @property
    def trace(self) -> Trace:
        """The notes of the last chunk, as one codebook."""
        count = len(self.notes)
        return Trace(np.array([self.notes], np.int64), np.full(count, np.log(12)), unknown(count))

    def next_chunk(self, frames: int) -> Samples:
        self.notes.clear()
        made = np.concatenate([self.held, *(self._frame() for _ in range(frames))])
        ready = max(0, len(made) - self.model.look_ahead)
        self.held = made[ready:]
        return made[:ready]

    def _frame(self) -> Samples:
        note = int(self.random.integers(12)) + sum(map(ord, self.prompt)) % 7
        self.notes.append(note)
        step = 2 * np.pi * 220 * 2 ** (note / 12) * self.sampling.temperature / self.model.sample_rate
        phases = self.phase + step * np.arange(1, self.model.hop + 1)
        self.phase = phases[-1] % (2 * np.pi)
        self.frames += 1
        wave = self.model.level * np.sin(phases)
        right = 0.5 * wave if self.model.channels == 2 else wave
        return np.stack([wave, right][: self.model.channels], axis=1).astype(np.float32)


class SineModel:
    name = "sine"
    follows_melody = True
    follows_score = False
    score_delay = 0.0
    policy = StreamingPolicy()

    kind: type[SineStream] = SineStream

    def __init__(
        self, *, channels: int = 1, sample_rate: int = 32_000, look_ahead: int = 0, level: float = LEVEL
    ) -> None:
        self.sample_rate = sample_rate
        self.hop = sample_rate // 50
        self.channels = channels
        self.look_ahead = look_ahead
        self.level = level
        self.defaults = Sampling()
        self.encoded: list[str] = []
        self.streams: list[SineStream] = []

    def encode(self, sound: Samples) -> NDArray[np.int64]:
        """Frames that all sound silent."""
        return np.zeros((1, len(sound) // self.hop), np.int64)

    def melody(self, sound: NDArray[np.floating[Any]], sample_rate: int) -> Melody:
        """A frame for each second."""
        return Melody(np.ones((round(len(sound) / sample_rate), 12), np.float32))

    def tune(self, notes: NDArray[np.int64], rate: float) -> Melody:
        """A frame for each moment."""
        return Melody(np.eye(12, dtype=np.float32)[notes % 12])

    def encode_prompt(self, text: str) -> object:
        self.encoded.append(text)
        return text

    def encode_blend(self, texts: Iterable[str]) -> object:
        self.encoded.append(" + ".join(texts))
        return None

    def prompt_limit(self, text: str) -> int:
        return 64 if len(text.split()) > 64 else 0

    def prepare_lora(self, strength: float) -> None:
        raise ModelError(f"{self.name} has no LoRA adapter.")

    set_lora_strength = prepare_lora

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
    ) -> SineStream:
        default = self.defaults
        sampling = Sampling(
            default.temperature if temperature is None else temperature,
            default.top_k if top_k is None else top_k,
            default.top_p if top_p is None else top_p,
            default.guidance if guidance is None else guidance,
        )
        self.streams.append(self.kind(self, prompt, negative_prompt, sampling, seed))
        return self.streams[-1]
