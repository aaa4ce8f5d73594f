"""A loop taken apart: its drums, bass, vocals and the rest, which go round as it does and add up to it."""

from __future__ import annotations

import numpy as np

from streamer.errors import UserError
from streamer.offline.places import Bars, stretched
from streamer.sound.dynamics import Samples

REST = "other"
"""The stem, by Demucs' name, that what the separation loses is put to."""
_JOIN = 0.05
"""Seconds before the seam in which one round's stems turn into those of the round before: Demucs hears in pieces, so
that no two rounds come out alike to the last bit."""


def check_stems() -> None:
    """Refuse to take apart what cannot be, before any work is done.

    Raises
    ------
    UserError
        Demucs or its weights are not there.
    """
    from musicgen import ModelError
    from musicgen.stems import own_rate

    try:
        own_rate()
    except ModelError as error:
        raise UserError(f"{str(error)[0].lower()}{str(error)[1:].rstrip('.')}") from None


def taken_apart(sound: Samples, bars: Bars) -> dict[str, Samples]:
    """A loop's stems by name, each of its shape; their sum is the loop. It takes a while.

    Parameters
    ----------
    sound : ndarray, float32, (samples, channels)
        That goes round, one or two channels.
    bars : Bars
        Its length.
    """
    from musicgen.stems import own_rate, separated

    rate = own_rate()
    length = bars.samples(rate)
    parts = separated(np.tile(stretched(sound, length), (3, 1)))
    stems = {name: stretched(_round(part, length, rate), len(sound)) for name, part in parts.items()}
    if sound.shape[1] == 1:
        stems = {name: stem.mean(axis=1, keepdims=True) for name, stem in stems.items()}
    stems[REST] = stems[REST] + sound - np.sum(list(stems.values()), axis=0)
    return {name: stem.astype(np.float32) for name, stem in stems.items()}


def _round(part: Samples, length: int, rate: int) -> Samples:
    """The middle one of three rounds, brought to where its own start goes on from its end."""
    middle: Samples = part[length : 2 * length].copy()
    join = min(round(_JOIN * rate), length)
    share = np.linspace(0, 1, join, dtype=np.float32)[:, None]
    middle[length - join :] += share * (part[length - join : length] - middle[length - join :])
    return middle
