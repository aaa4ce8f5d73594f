"""Decoders that several streams are decoded with in one call."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from musicgen.codec.codes import Codes

if TYPE_CHECKING:
    from musicgen.codec.decoders import Decoder

Audio = NDArray[np.float32]


class Batched(ABC):
    """A :class:`musicgen.codec.Decoder` that can be decoded with others of its kind."""

    @abstractmethod
    def checked(self, codes: Codes) -> Any:
        """Frames as it takes them; ValueError where they do not fit."""

    @abstractmethod
    def crowd(self, frames: Any) -> Hashable:
        """What it has in common with those that these frames can be decoded together with."""

    @staticmethod
    @abstractmethod
    def decode_together(decoders: Sequence[Any], frames: Sequence[Any]) -> list[Audio]:
        """Decode the next frames of a crowd, which were checked."""


def decode_many(decoders: Sequence[Decoder], codes: Sequence[Codes]) -> list[Audio]:
    """Decode the next frames of several streams, those that can go together in one batch.

    Native decoders of one codec always go together; exact ones of the same weights once they have played their start
    and if they get equally many frames: every matrix is then read once for all of them. The others are decoded one by
    one.

    Parameters
    ----------
    decoders
        All different.
    codes
        For each, as in :meth:`Decoder.decode`.

    Returns
    -------
    list
        For each, what :meth:`Decoder.decode` returns.

    Raises
    ------
    ValueError
        As :meth:`Decoder.decode`; then no native and no exact decoder has moved on.
    """
    batched = {i: decoder for i, decoder in enumerate(decoders) if isinstance(decoder, Batched)}
    frames = {i: decoder.checked(codes[i]) for i, decoder in batched.items()}
    sounds = {i: decoder.decode(codes[i]) for i, decoder in enumerate(decoders) if i not in batched}
    crowds: dict[Hashable, list[int]] = defaultdict(list)
    for i, decoder in batched.items():
        crowds[type(decoder), decoder.crowd(frames[i])].append(i)
    for crowd in crowds.values():
        kind = batched[crowd[0]]
        together = kind.decode_together([batched[i] for i in crowd], [frames[i] for i in crowd])
        sounds.update(zip(crowd, together, strict=True))
    return [sounds[i] for i in range(len(decoders))]
