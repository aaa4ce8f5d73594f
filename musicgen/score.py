"""What a musician asks of every frame beside the prompt: where in the beat it lies, which chord, who plays, how much.

A model that was trained for it has a projection of these features (``score.safetensors`` beside its weights), which is
added to the embedding of the column that the frame's first codebook is drawn from. The projection has no bias and what
is unknown is zero: without a score such a model is MusicGen and no more.
"""

from __future__ import annotations

from cmath import exp
from collections.abc import Callable, Sequence
from functools import lru_cache
from math import log2, pi
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from musicgen.errors import ModelError
from musicgen.load.hub import unreadable

FIELDS = ("beat", "bar", "bpm", "notes", "bass", "play_drums", "play_bass", "play_chords", "play_lead", "energy")
"""Columns of a score, each NaN where it is unknown: the phases of beat and bar, 0 up to 1; beats a minute; the pitch
classes of the chord as bits, C the lowest; the pitch class of its lowest note, C 0; whether drums, bass, chords and
lead play, 0 or 1; energy, 0 to 1. What lies outside of that counts as unknown."""
BEATS, BARS = (1, 2, 3, 4, 6, 8), (1, 2, 3, 4)
"""Harmonics of the two phases: the eighth of a beat tells its 32nds apart."""
FEATURES = 64
"""Numbers a frame that the projection takes; the last ones are free."""
USUAL = 120.0  # beats a minute that the tempo is counted from, in octaves

FILE, WEIGHT = "score.safetensors", "score.weight"
VERSION = "1"
"""Of what `features` makes of the fields. It is in a file's metadata, with the names of the fields."""

Fields = NDArray[np.float32]
"""(frames, fields), or (fields,) of one frame."""
Score = Callable[[int], Fields | None]
"""What is asked of a frame by its number: (fields,), or None for nothing. Asked twice it answers alike, as long as
nobody changes their mind in between."""

CHORDS_KEPT = 256
"""With who plays: as many as a song has, so that a past is consumed anew fast, too."""
_TURN = 2j * pi
_NOTES = np.arange(12)
_SLOWEST, _FASTEST = 1, 10_000  # beats a minute that are a tempo at all
_LOW, _HIGH = np.array([(0, 1), (0, 1), (_SLOWEST, _FASTEST), (0, 4095), (0, 11), *[(0, 1)] * 5]).T
_USUALLY = np.array([0, 0, USUAL, *[0] * 7])  # in place of what is unknown: anything that can be computed with
# The first features are sines of the phases: for each of both a constant 1, that it is known, then cosine and sine.
_WAVES = [(0, 0.0, 0.25)] + [(0, float(order), shift) for order in BEATS for shift in (0.25, 0.0)]
_WAVES += [(1, 0.0, 0.25)] + [(1, float(order), shift) for order in BARS for shift in (0.25, 0.0)]
_PHASE = np.array([field for field, _, _ in _WAVES])
_ORDER, _SHIFT = (2 * np.pi * np.array([wave[index] for wave in _WAVES]) for index in (1, 2))
_FIELD = np.repeat(np.arange(len(FIELDS)), [1 + 2 * len(BEATS), 1 + 2 * len(BARS), 3, 13, 13, 2, 2, 2, 2, 3])
"""Which field each feature tells of."""
_MOVING = np.array([*range(1, 13), *range(14, 22), 23, 24, 60, 61])
"""The features that change with every frame: of the phases, the tempo and the energy what they say."""


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
    given = np.asarray(fields, np.float64)
    known = (given >= _LOW) & (given <= _HIGH)
    said = np.where(known, given, _USUALLY)
    told = np.ones((len(said), len(_FIELD)))
    waves = len(_WAVES)
    told[:, :waves] = np.sin(said[:, _PHASE] * _ORDER + _SHIFT)
    octaves = np.log2(said[:, 2] / USUAL)
    told[:, waves + 1], told[:, waves + 2] = octaves, octaves**2
    told[:, waves + 4 : waves + 16] = said[:, 3:4].astype(np.int64) >> _NOTES & 1
    told[:, waves + 17 : waves + 29] = said[:, 4:5] == _NOTES
    told[:, waves + 30 : waves + 39 : 2] = 2 * said[:, 5:] - 1  # players, then energy
    told[:, waves + 39] = told[:, waves + 38] ** 2
    taken = np.zeros((len(said), FEATURES), np.float32)
    np.copyto(taken[:, : len(_FIELD)], told, where=known[:, _FIELD], casting="same_kind")
    return taken


def features_of(*names: str) -> list[int]:
    """Which of the `FEATURES` tell of these `FIELDS`."""
    return [int(place) for place in np.flatnonzero(np.isin(_FIELD, [FIELDS.index(name) for name in names]))]


def packed(fields: Fields) -> tuple[list[str], bytes]:
    """The fields (frames, fields) that are known of any frame: their names, and their values as bytes."""
    told = np.flatnonzero(~np.isnan(fields).all(0))
    return [FIELDS[field] for field in told], np.ascontiguousarray(fields[:, told], "<f4").tobytes()


def unpacked(names: Sequence[str], data: bytes, frames: int) -> Fields:
    """The score of so many frames that `packed` has written.

    Raises
    ------
    ValueError
        It has not.
    """
    fields = unknown(frames)
    fields[:, [FIELDS.index(name) for name in names]] = np.frombuffer(data, "<f4").reshape(frames, len(names))
    return fields


class ScoreEmbedding:
    """What a score is to a decoder, as `musicgen.decoder.Embedding` is what columns are.

    Cheap enough for every step: what chord and players add is found again as long as they stay.

    Parameters
    ----------
    table
        (`FEATURES`, d) float32.
    """

    def __init__(self, table: NDArray[np.float32]) -> None:
        self.table = table
        self._moving = table[_MOVING]
        self._still = lru_cache(maxsize=CHORDS_KEPT)(self._add_still)

    def vector(self, fields: Fields) -> NDArray[np.float32] | None:
        """Of one frame's score (fields,): (d,) float32, to be added to its column's embedding; None: nothing is known.

        What `features` gives, projected; to the bit the same in every process. To be read only.
        """
        beat, bar, bpm, *_, energy = fields.tolist()
        known = (0 <= beat <= 1, 0 <= bar <= 1, _SLOWEST <= bpm <= _FASTEST, 0 <= energy <= 1)
        still = self._still(known, fields[3:-1].tobytes())
        if still is None or True not in known:
            return still
        pairs = _turns(beat) if known[0] else [0j] * len(BEATS)
        pairs += _turns(bar)[: len(BARS)] if known[1] else [0j] * len(BARS)
        for value in (log2(bpm / USUAL) if known[2] else 0.0, 2 * energy - 1 if known[3] else 0.0):
            pairs.append(complex(value, value * value))
        moving = np.array(pairs, np.complex64).view(np.float32)
        vector = _projected(moving, self._moving)
        vector += still
        return vector

    def add(self, embedded: NDArray[np.float32], fields: Fields) -> None:
        """Add the vectors of many frames (T, fields) to columns' embeddings (T, d), in place."""
        for place in np.flatnonzero(~np.isnan(fields).all(1)):
            vector = self.vector(fields[place])
            if vector is not None:
                embedded[place] += vector

    def _add_still(self, known: tuple[bool, ...], rest: bytes) -> NDArray[np.float32] | None:
        """What does not move with every frame: which of the others are known, and the bytes of chord and players."""
        fields = unknown(1)
        fields[0, [0, 1, 2, -1]] = np.where(known, [0, 0, USUAL, 0], np.nan)
        fields[0, 3:-1] = np.frombuffer(rest, np.float32)
        taken = features(fields)[0]
        taken[_MOVING] = 0
        return _projected(taken, self.table) if taken.any() else None


def _turns(phase: float) -> list[complex]:
    """Cosine and sine of a phase's harmonics, those of `BEATS`: `BARS` are the first of them."""
    one = exp(_TURN * phase)
    two = one * one
    three, four = two * one, two * two
    return [one, two, three, four, three * three, four * four]


def _projected(taken: NDArray[np.float32], table: NDArray[np.float32]) -> NDArray[np.float32]:
    # one row alone, always: of several at once the sums would be others
    projected: NDArray[np.float32] = np.dot(taken, table)
    return projected


def save(path: Path, matrix: NDArray[np.floating[Any]]) -> None:
    """Write a projection as ``score.safetensors``, in half precision.

    Parameters
    ----------
    path
        Of the file.
    matrix
        (d, `FEATURES`): of a linear layer without bias, as torch has its weight.
    """
    about = {"format": "np", "version": VERSION, "fields": ",".join(FIELDS)}
    save_file({WEIGHT: np.ascontiguousarray(matrix, np.float16)}, path, about)


def load(folder: Path, hidden: int) -> ScoreEmbedding | None:
    """The projection in a model's folder; None where there is none.

    Parameters
    ----------
    hidden
        The decoder's size d.

    Raises
    ------
    ModelError
        The file is damaged, of another model, or of another version of the features.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        with safe_open(path, "np") as file:
            _check(path, file.metadata() or {}, file, hidden)
            table = np.ascontiguousarray(file.get_tensor(WEIGHT).T, np.float32)
    except (OSError, SafetensorError) as error:
        raise unreadable(path, "cannot be read: download or export the model again") from error
    if not np.isfinite(table).all():
        raise ModelError(f"{path} has values that are no numbers, NaN or infinity: download or export the model again.")
    return ScoreEmbedding(table)


def _check(path: Path, about: dict[str, str], file: Any, hidden: int) -> None:
    """Refuse what this version cannot follow, before anything is read."""
    if WEIGHT not in file.keys():  # noqa: SIM118 (no dictionary)
        raise ModelError(
            f"{path} holds no {WEIGHT}: it is no score projection, so remove it or export the model again."
        )
    if (about.get("version"), about.get("fields")) != (VERSION, ",".join(FIELDS)):
        raise ModelError(
            f"{path} was made for other score inputs (version {about.get('version', 'unknown')}, this is {VERSION}): "
            "export the model again with this version, or remove the file to play without a score."
        )
    weight = file.get_slice(WEIGHT)
    if tuple(weight.get_shape()) != (hidden, FEATURES) or weight.get_dtype() not in ("F16", "F32"):
        raise ModelError(
            f"{path} does not fit the model: its {WEIGHT} must be ({hidden}, {FEATURES}) in float16 or float32, "
            f"not {tuple(weight.get_shape())} in {weight.get_dtype()}."
        )
