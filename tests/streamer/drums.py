"""A model that plays drums at a tempo of its own, whatever it is asked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.sound.dynamics import Samples
from tests.streamer.sine import SineModel, SineStream

RATE = 32_000


def drums(bpm: float, seconds: float, late: float = 0.0) -> Samples:
    """Kick on 1 and 3, snare on 2 and 4, hats on eighths: (samples, 1). The first beat falls on second `late`."""
    random = np.random.default_rng(0)
    count = round(seconds * RATE)
    sound = np.zeros(count + RATE)
    time = np.arange(RATE // 5) / RATE
    kick = 0.5 * np.sin(2 * np.pi * (60 * time + 3 * (1 - np.exp(-time / 0.02)))) * np.exp(-time / 0.06)
    noise = random.normal(size=len(time))
    snare = 0.2 * noise * np.exp(-time / 0.05)
    hat = 0.1 * np.diff(noise, prepend=0) * np.exp(-time / 0.012)
    for eighth in range(int((seconds - late) * bpm / 30) + 1):
        parts = [hat] if eighth % 2 else [hat, snare if eighth % 4 == 2 else kick]
        at = round((late + eighth * 30 / bpm) * RATE)
        for part in parts:
            sound[at : at + len(part)] += part
    return sound[:count, None].astype(np.float32)


def kicks(sound: Samples) -> NDArray[np.float64]:
    """When the kicks of `drums` set in, seconds."""
    block = RATE // 1000
    low = np.convolve(sound[:, 0], np.ones(64) / 64, "same")
    level = np.sqrt((low[: len(low) // block * block].reshape(-1, block) ** 2).mean(axis=1))
    loud = level > 0.5 * level.max()
    loud[1:] &= ~np.array([loud[max(0, at - 200) : at].any() for at in range(1, len(loud))])
    found: NDArray[np.float64] = np.flatnonzero(loud) / 1000
    return found


class DrumStream(SineStream):
    """Plays `DrumModel.song`."""

    def _frame(self) -> Samples:
        model = self.model
        assert isinstance(model, DrumModel)
        self.notes.append(int(self.random.integers(12)))
        start = self.frames * model.hop
        self.frames += 1
        return model.song[start : start + model.hop].repeat(model.channels, axis=1)


class DrumModel(SineModel):
    """Of 40 seconds."""

    kind = DrumStream

    def __init__(self, bpm: float, *, late: float = 0.0, channels: int = 1, look_ahead: int = 0) -> None:
        super().__init__(channels=channels, look_ahead=look_ahead)
        self.song = drums(bpm, 40.0, late)
