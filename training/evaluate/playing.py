"""Takes: what the product's own streams play when prompted. A take that was played before is read, not played again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from musicgen import Ensemble, MusicGen
from musicgen.score import Fields, Score

Audio = NDArray[np.float32]
Codes = NDArray[np.int16]


@dataclass(frozen=True)
class Take:
    """A stream from its first frame on.

    Attributes
    ----------
    script
        (frame, prompt): from which frame on which prompt; the first at frame 0.
    frames
        Length.
    seed
        Of the draws.
    score
        What its frames are told, float32 (frames, fields) as bytes in hexadecimal; "" for nothing. See
        `musicgen.score`.
    """

    script: tuple[tuple[int, str], ...]
    frames: int
    seed: int
    score: str = ""

    def path(self, folder: Path) -> Path:
        """Where its codes are kept."""
        facts = {name: value for name, value in asdict(self).items() if value != ""}
        return folder / (hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16] + ".npy")


def told(take: Take) -> Score:
    """What a take's frames are told; nothing after its end, which the columns of its last frames reach beyond."""
    fields = np.frombuffer(bytes.fromhex(take.score), np.float32).reshape(take.frames, -1)
    return lambda frame: fields[frame] if frame < len(fields) else None


def written(fields: Fields) -> str:
    """A score as a take has it: "" where nothing is known, for models that follow none."""
    return "" if np.isnan(fields).all() else fields.astype(np.float32).tobytes().hex()


def play_together(model: MusicGen, takes: Sequence[Take], progress: Progress) -> list[Codes]:
    """The codes (codebooks, frames) of takes whose streams are stepped in one batch."""
    task = progress.add_task(f"{len(takes)} streams", total=sum(take.frames for take in takes))
    streams = [model.stream(seed=take.seed) for take in takes]
    for stream, take in zip(streams, takes, strict=True):
        if take.score:
            stream.set_score(told(take))
    codes: list[Codes] = [np.empty((model.codebooks, take.frames), np.int16) for take in takes]
    for frame in range(max(take.frames for take in takes)):
        going = [i for i, take in enumerate(takes) if frame < take.frames]
        for i in going:
            for moment, prompt in takes[i].script:
                if moment == frame:
                    streams[i].set_prompt(prompt)
        for i, tokens in zip(going, Ensemble(streams[i] for i in going).next_frames(), strict=True):
            codes[i][:, frame] = tokens
        progress.advance(task, len(going))
    progress.remove_task(task)
    return codes


def play(model: MusicGen, takes: Sequence[Take], folder: Path, batch: int) -> list[Codes]:
    """The codes (codebooks, frames) of each take, with the sampling that the model's card recommends."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [take for take in takes if not take.path(folder).exists()]
    with Progress() as progress:
        for first in range(0, len(missing), batch):
            group = missing[first : first + batch]
            for take, codes in zip(group, play_together(model, group, progress), strict=True):
                partial = take.path(folder).with_suffix(".partial")
                with partial.open("wb") as file:
                    np.save(file, codes)
                partial.replace(take.path(folder))
    return [np.load(take.path(folder)) for take in takes]


def sound(model: MusicGen, codes: NDArray[np.integer]) -> Audio:
    """What a stream with these codes (codebooks, frames) sounds like: (samples,), mono."""
    decoder = model.new_decoder("exact")
    chunks = [decoder.decode(codes[:, i : i + 100].astype(np.int64)) for i in range(0, codes.shape[1], 100)]
    return np.concatenate([*chunks, decoder.flush()])[:, 0]
