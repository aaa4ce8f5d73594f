"""Takes: the same song several times, by other players and with another energy.

All takes of a song have its tempo and its chords, so that one may go over into another in any frame: then nothing but
what is told says who plays on, see `training.model.Corpus.switched`. In a song that is composed as a whole players come
and go every few bars at most, and what was heard before mostly says it already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from training.compose.arrange import compose
from training.compose.liberties import USUAL, Liberties
from training.compose.song import Song

PLAYS = 0.65  # how likely each player is in each take
LOUDER = 14.0  # dB from no energy to all of it


def liberties_of(seed: int) -> Liberties:
    """In what a song's takes are free: tempo and chords as in other songs, energy in three of four."""
    rng = np.random.default_rng([0x74616B65, seed])
    tempo, chords, energy = rng.random(3) < (0.7, 0.4, 0.75)
    return Liberties(tempo=bool(tempo), chords=bool(chords), energy=bool(energy))


def take(seed: int, seconds: float, liberties: Liberties, players: Sequence[str], energy: float) -> Song:
    """A song as these of its players play it, with an energy throughout; they are as loud as it asks."""
    song = compose(seed, seconds, liberties, energy)
    louder = LOUDER * (energy - USUAL)
    tracks = tuple(replace(one, level=one.level + louder) for one in song.tracks if one.player in players)
    return replace(song, tracks=tracks, instruments=tuple(dict.fromkeys(one.instrument for one in tracks)))


def takes_of(seed: int, seconds: float, count: int) -> list[dict[str, Any]]:
    """Who plays in each of a song's takes, and its energy, as `take` has them; in the first one everybody.

    In each somebody has something to play: with little energy not every player has.
    """
    rng, liberties = np.random.default_rng([seed, 3]), liberties_of(seed)
    there = sorted({track.player for track in compose(seed, seconds, liberties, USUAL).tracks})
    takes: list[dict[str, Any]] = []
    while len(takes) < count:
        players = [player for player in there if not takes or rng.random() < PLAYS]
        energy = float(rng.uniform()) if liberties.energy else USUAL
        other = len(there) == 1 or not takes or players != takes[-1]["players"]
        if other and take(seed, seconds, liberties, players, energy).tracks:
            takes.append({"players": players, "energy": energy})
    return takes
