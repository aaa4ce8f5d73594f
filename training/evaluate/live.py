"""Generated music as it is heard: `streamer render`, with its loudness, guard and limiter."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from musicgen import MusicGen
from streamer.control.controls import Controls
from streamer.offline.render import render
from training.codec import RATE


def rendered(model: MusicGen, prompts: Sequence[str], seconds: float, seed: int) -> list[NDArray[np.float32]]:
    """A mono clip at 32 kHz for each prompt, with the seeds ``seed``, ``seed + 1``, ..."""
    clips = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.wav"
        for number, prompt in enumerate(prompts, seed):
            render(model, Controls(prompt=prompt, seed=number), seconds, path, sample_rate=RATE, channels=1)
            clips.append(soundfile.read(path, dtype="float32")[0])
    return clips
