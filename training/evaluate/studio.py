"""What the parts of the report share, each made when it is first asked for."""

from __future__ import annotations

import argparse
import hashlib
import inspect
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import musicgen

# isort: split
import numpy as np
import torch
from transformers import MusicgenForConditionalGeneration

from musicgen.codec import CodecWeights, codec_weights
from training import judge, loop
from training.codec import RATE, encode
from training.compose.arrange import STYLES
from training.compose.families import FAMILIES
from training.evaluate.clocks import moving_clock
from training.evaluate.material import Audio, Excerpt, Wanted, excerpts
from training.evaluate.playing import Codes, Take, play, sound, written

CLIP = 10.0  # seconds of a clip that is judged as a whole
WINDOW = 4.0  # seconds that are judged where something changes
FRAMES = 50  # a second


@dataclass(frozen=True)
class Jury:
    """The listeners, fitted on renders."""

    style: judge.Network
    instruments: judge.Network
    key: judge.KeyProfiles


def fingerprint(folder: Path) -> str:
    """Of a model's weights and sampling: figures of another must not stand beside its own."""
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.safetensors"), *folder.glob("generation_config.json")]):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def fit_jury(pieces: Sequence[Excerpt], seed: int) -> Jury:
    """Style, instruments and key, from the sound of renders and the truth about them."""
    with torch.no_grad():
        heard = torch.stack([judge.features(piece.audio) for piece in pieces])
        tonal = [(judge.chroma(piece.audio), piece.key) for piece in pieces if piece.key is not None]
    present = torch.tensor([piece.sounding for piece in pieces]).float()
    return Jury(
        judge.fit(heard, torch.tensor([piece.style for piece in pieces]), len(STYLES), seed),
        judge.fit(heard, present, len(FAMILIES), seed + 1),
        judge.fit_key(torch.stack([c for c, _ in tonal]), torch.tensor([k for _, k in tonal])),
    )


class Studio:
    """One model under judgement.

    Attributes
    ----------
    arguments
        The command line.
    fingerprint
        Of the model's weights, and of the backend where one was asked for.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.fingerprint = fingerprint(arguments.model)
        if arguments.backend != "auto":
            self.fingerprint += f"-{arguments.backend}"
        self._takes = arguments.out / f"takes-{self.fingerprint}"

    @cached_property
    def model(self) -> musicgen.MusicGen:
        """What plays."""
        return musicgen.MusicGen.load(
            str(self.arguments.model), backend=self.arguments.backend, threads=self.arguments.threads
        )

    @cached_property
    def encodec(self) -> Any:
        """The model's codec as transformers has it, which encodes too."""
        whole: Any = MusicgenForConditionalGeneration.from_pretrained(self.arguments.model, dtype=torch.float32)
        return whole.audio_encoder.eval()

    @cached_property
    def weights(self) -> CodecWeights:
        """The same codec, as torch decodes a stream."""
        return codec_weights(self.encodec)

    @cached_property
    def jury(self) -> Jury:
        """Fitted once for a set of songs and a way to listen, whatever model is judged."""
        songs, seed = self.arguments.jury_songs, self.arguments.seed
        path = self.arguments.out / "jury.pt"
        of = json.dumps([str(self.arguments.data), songs, seed, STYLES, FAMILIES, inspect.getsource(judge)])
        state = loop.load(path) if path.exists() else {}
        if state.get("of") == of:
            return read_jury(state)
        pieces = excerpts(self.arguments.data, songs, 2, (WINDOW, CLIP), seed)
        jury = fit_jury(pieces, seed)
        loop.save(path, {"of": of, **{name: vars(jury)[name].state_dict() for name in ("style", "instruments", "key")}})
        return jury

    @cached_property
    def held(self) -> list[Excerpt]:
        """A clip of each held-out song."""
        return excerpts(
            self.arguments.held_out, self.arguments.held_out_songs, 1, (CLIP, CLIP), self.arguments.seed + 1
        )

    @cached_property
    def held_codes(self) -> list[Codes]:
        """Those clips as tokens."""
        return self.encode([piece.audio for piece in self.held])

    @cached_property
    def decoded(self) -> list[Audio]:
        """Those clips through the codec: what a perfect model would sound like."""
        return [self.sound(codes) for codes in self.held_codes]

    def encode(self, clips: Sequence[Audio]) -> list[Codes]:
        """Tokens (codebooks, frames) of clips."""
        return [encode(self.encodec, torch.from_numpy(clip)[None])[0].numpy().astype(np.int16) for clip in clips]

    def play(self, takes: Sequence[Take]) -> list[Codes]:
        """Tokens (codebooks, frames) of takes."""
        return play(self.model, takes, self._takes, self.arguments.batch)

    def take(self, script: Sequence[tuple[int, Wanted]], frames: int, seed: int) -> Take:
        """A stream that is asked for this from these frames on; with ``--clock`` it is told the beat as well."""
        words = tuple((frame, wanted.prompt) for frame, wanted in script)
        if not self.arguments.clock:
            return Take(words, frames, seed)
        starts = [frame for frame, _ in script]
        tempo = np.array([wanted.tempo for _, wanted in script])
        held = tempo[np.searchsorted(starts, np.arange(frames), side="right") - 1]
        return Take(words, frames, seed, written(moving_clock(held, self.model.score_delay)))

    def clips(self, wanted: Sequence[Wanted], seconds: float, seed: int) -> list[Audio]:
        """What the model plays to each prompt, every one with a seed of its own."""
        takes = [self.take([(0, one)], round(seconds * FRAMES), seed + i) for i, one in enumerate(wanted)]
        return [self.sound(codes) for codes in self.play(takes)]

    def sound(self, codes: Codes) -> Audio:
        """What a stream with these codes (codebooks, frames) sounds like: (samples,), mono."""
        return sound(self.model, codes)

    @torch.no_grad()
    def rank_styles(self, clips: Sequence[Audio]) -> torch.Tensor:
        """Style numbers (clips, styles), the likeliest first."""
        logits: torch.Tensor = self.jury.style(torch.stack([judge.features(clip) for clip in clips]))
        return logits.argsort(1, descending=True)


def read_jury(state: dict[str, Any]) -> Jury:
    """The jury that was stored."""
    inputs = len(judge.features(np.zeros(int(WINDOW * RATE), np.float32)))
    jury = Jury(judge.Network(inputs, len(STYLES)), judge.Network(inputs, len(FAMILIES)), judge.KeyProfiles())
    for name in ("style", "instruments", "key"):
        vars(jury)[name].load_state_dict(state[name])
        vars(jury)[name].eval().requires_grad_(False)
    return jury
