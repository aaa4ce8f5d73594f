"""What a musician asks of every frame beside the prompt: where in the beat it lies, which chord, who plays, how much.

A model that was trained for it has a projection of these features (``score.safetensors`` beside its weights), which is
added to the embedding of the column that the frame's first codebook is drawn from. The projection has no bias and what
is unknown is zero: without a score such a model is MusicGen and no more.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from musicgen.errors import ModelError
from musicgen.library import load_library
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

    The native library computes it where that was built. numpy needs a dozen calls, whose code has left the caches by
    the next step: four times as long (docs/speed.md).

    Parameters
    ----------
    table
        (`FEATURES`, d) float32.
    native
        Whether the library computes it where there is one.
    """

    def __init__(self, table: NDArray[np.float32], *, native: bool = True) -> None:
        self.table = np.ascontiguousarray(table, np.float32)
        self._native = _native_score() if native else None
        self._place, self._size = self.table.ctypes.data, self.table.shape[1]

    def vector(self, fields: Fields) -> NDArray[np.float32] | None:
        """Of one frame's score (fields,): (d,) float32, to be added to its column's embedding; None: nothing is known.

        What `features` gives, projected; to the bit the same in every process of a machine.
        """
        if self._native is None:
            taken = features(fields[None])[0]
            return self._projected(taken) if taken.any() else None
        given, vector = fields.astype(np.float32, copy=False).tobytes(), np.empty(self._size, np.float32)
        known = self._native(self._place, self._size, given, vector.ctypes.data)
        return vector if known else None

    def _projected(self, taken: NDArray[np.float32]) -> NDArray[np.float32]:
        # one row alone, always: of several at once the sums would be others
        projected: NDArray[np.float32] = np.dot(taken, self.table)
        return projected

    def add(self, embedded: NDArray[np.float32], fields: Fields) -> None:
        """Add the vectors of many frames (T, fields) to columns' embeddings (T, d), in place."""
        for place in np.flatnonzero(~np.isnan(fields).all(1)):
            vector = self.vector(fields[place])
            if vector is not None:
                embedded[place] += vector


def _native_score() -> Any:
    """The library's function; None where there is no library."""
    try:
        function = load_library().native_score
    except ModelError:
        return None
    pointer, integer = ctypes.c_void_p, ctypes.c_int32
    function.restype, function.argtypes = integer, [pointer, integer, pointer, pointer]
    return function


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
