"""Whether music comes again: half minutes of what was heard, as chroma and onsets, held against each other.

`benchmarks.background` writes down what is heard, and asks.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RATE = 48_000
STEP = 0.2  # seconds of sound in a row of what was heard
PIECE = 30.0  # seconds that are looked for again
_NOTES = 55.0 * 2 ** (np.arange(72) / 12)  # six octaves, Hz

Heard = NDArray[np.float32]


class Ear:
    """What was heard, a row of twelve notes and an onset every `STEP` seconds; silence is left out."""

    def __init__(self) -> None:
        self._size = round(STEP * RATE)
        self._waiting: list[Heard] = []
        self._samples = 0
        self._rows: list[NDArray[np.float32]] = []
        self._last = np.zeros(len(_NOTES))
        frequencies = np.fft.rfftfreq(self._size, 1 / RATE)
        near = 12 * np.log2(np.maximum(frequencies, 1.0)[:, None] / _NOTES)
        self._bank = np.exp(-0.5 * (near / 0.5) ** 2)

    def hear(self, block: Heard) -> None:
        """The next block, float32 (samples, channels)."""
        self._waiting.append(block.mean(axis=1))
        self._samples += len(block)
        if self._samples >= self._size:
            sound = np.concatenate(self._waiting)
            self._waiting, self._samples = [sound[self._size :]], len(sound) - self._size
            self._note(sound[: self._size])

    def heard(self) -> Heard:
        """(rows, 13), float32."""
        return np.array(self._rows, np.float32).reshape(-1, 13)

    def _note(self, sound: Heard) -> None:
        if np.abs(sound).max() < 1e-4:
            return
        power = np.abs(np.fft.rfft(sound * np.hanning(len(sound)))) ** 2
        notes = np.log1p(power @ self._bank)
        onset = np.maximum(notes - self._last, 0).sum()
        self._last = notes
        self._rows.append(np.append(notes.reshape(6, 12).sum(axis=0), onset).astype(np.float32))


def pieces(heard: Heard, step: int) -> Heard:
    """All stretches of `PIECE` seconds that begin `step` rows apart, (pieces, values), each of length 1.

    Of each its own mean is taken away, and every note counts by how much it moves: what remains is the music's course,
    and not its key or its sound.
    """
    length = round(PIECE / STEP)
    starts = np.arange(0, len(heard) - length + 1, step)
    found = np.stack([heard[start : start + length] for start in starts]).astype(np.float32)
    found -= found.mean(axis=1, keepdims=True)
    found /= found.std(axis=1, keepdims=True) + 1e-6
    flat = found.reshape(len(found), -1)
    made: Heard = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    return made


def repetition(heard: Heard) -> dict[str, object]:
    """How alike the two most alike half minutes are that lie a minute apart or more, and how alike a true one would be.

    A true repetition is not heard at the same fifth of a second: what it would look like is worked out from the same
    music, half a step later, as the mean of neighbouring rows.
    """
    step = round(1.0 / STEP)
    asked, kept = pieces(heard, step), pieces(heard, 1)
    later = pieces(((heard[:-1] + heard[1:]) / 2).astype(np.float32), step)
    same = np.einsum("ij,ij->i", asked[: len(later)], later[: len(asked)])
    apart = round(60.0 / STEP)
    most, where = np.zeros(len(asked), np.float32), np.zeros(len(asked), int)
    for number, piece in enumerate(asked):
        alike = kept[number * step + apart :] @ piece
        if len(alike):
            most[number], where[number] = alike.max(), int(alike.argmax()) + number * step + apart
    line = float(np.quantile(same, 0.01))
    pair = int(most.argmax())
    return {
        "kind": "repetition",
        "hours": round(len(heard) * STEP / 3600, 3),
        "pieces": len(asked),
        "alike_most": round(float(most.max()), 3),
        "alike_most_at_s": [round(pair * step * STEP, 1), round(int(where[pair]) * STEP, 1)],
        "alike_median": round(float(np.median(most)), 3),
        "a_true_repetition_is_at_least": round(line, 3),
        "repetitions": int((most >= line).sum()),
    }
