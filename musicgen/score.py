"""What a musician asks of every frame beside the prompt: where in the beat it lies, which chord, who plays, how much.

A model that was trained for it has a projection of these features (``score.safetensors`` beside its weights), which is
added to the embedding of the column that the frame's first codebook is drawn from. The projection has no bias and what
is unknown is zero: without a score such a model is MusicGen and no more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FIELDS = ("beat", "bar", "bpm", "notes", "bass", "play_drums", "play_bass", "play_chords", "play_lead", "energy")
"""Columns of a score, each NaN where it is unknown: the phases of beat and bar, 0 up to 1; beats a minute; the pitch
classes of the chord as bits, C the lowest; the pitch class of its lowest note, C 0; whether drums, bass, chords and
lead play, 0 or 1; energy, 0 to 1."""
BEATS, BARS = (1, 2, 3, 4, 6, 8), (1, 2, 3, 4)
"""Harmonics of the two phases: the eighth of a beat tells its 32nds apart."""
FEATURES = 64
"""Numbers a frame that the projection takes; the last ones are free."""
USUAL = 120.0  # beats a minute that the tempo is counted from, in octaves

Fields = NDArray[np.float32]


def unknown(frames: int) -> Fields:
    """A score that says nothing, float32 (frames, fields)."""
    return np.full((frames, len(FIELDS)), np.nan, np.float32)


def features(fields: Fields) -> NDArray[np.float32]:
    """What the projection takes of a score.

    Parameters
    ----------
    fields
        float32 (frames, ``len(FIELDS)``), see `FIELDS`.

    Returns
    -------
    ndarray
        float32 (frames, `FEATURES`): of each field first whether it is known, then what it says; zeros where it is
        unknown.
    """
    beat, bar, bpm, notes, bass, *players, energy = np.asarray(fields, np.float64).T
    octaves = np.log2(bpm / USUAL)
    loudness = 2 * energy - 1
    told = [
        *_known(beat, _harmonics(beat, BEATS)),
        *_known(bar, _harmonics(bar, BARS)),
        *_known(bpm, [octaves, octaves**2]),
        *_known(notes, list(np.nan_to_num(notes).astype(np.int64) >> np.arange(12)[:, None] & 1)),
        *_known(bass, list(np.arange(12)[:, None] == bass)),
        *(column for player in players for column in _known(player, [2 * player - 1])),
        *_known(energy, [loudness, loudness**2]),
    ]
    taken = np.zeros((len(fields), FEATURES), np.float32)
    taken[:, : len(told)] = np.stack(told, 1)
    return taken


def _harmonics(phase: NDArray[np.float64], orders: tuple[int, ...]) -> list[NDArray[np.float64]]:
    return [wave(2 * np.pi * order * phase) for order in orders for wave in (np.cos, np.sin)]


def _known(field: NDArray[np.float64], told: list[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """Whether a field is known, and what it says where it is."""
    known = ~np.isnan(field)
    return [known.astype(np.float64), *(np.where(known, one, 0.0) for one in told)]
