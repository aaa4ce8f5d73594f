"""How much of what is known of a crop nano is told: any part of it, so that a performer may give any part of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from musicgen.score import FIELDS, Fields
from training.compose.song import PLAYERS

NOTHING, EVERYTHING = 0.2, 0.15  # of the crops are told so much
TOLD, BAR, BPM, BASS = 0.6, 0.8, 0.8, 0.7  # each group, in the others; these fields, where their group is told
LATER = 0.15  # of the crops are told some of it only from some frame on, or up to one
# What a song's liberties ask for: a song in no key, say, can only be foretold by who knows its chords.
OWED = {"tempo": "beat", "changes": "beat", "chords": "notes"}
FOLLOWS = 0.85  # of the crops with such a song are told that
# What a crop that goes from one take of a song over to another is told always: who plays, and how much.
OF_TAKES = ("energy", *(f"play_{player}" for player in PLAYERS))
OTHERWISE = 0.25  # of the crops whose score says so read a caption with another tempo, or another key and tempo


def groups(rng: np.random.Generator) -> Iterator[tuple[str, list[str]]]:
    """What is told together: each group's first field, and those fields of it that are told with it this time."""
    yield "beat", ["beat", *["bar"] * (rng.random() < BAR), *["bpm"] * (rng.random() < BPM)]
    yield "notes", ["notes", *["bass"] * (rng.random() < BASS)]
    for player in PLAYERS:
        yield f"play_{player}", [f"play_{player}"]
    yield "energy", ["energy"]


def told_of(
    known: Fields, songs: Sequence[dict[str, Any]], rng: np.random.Generator, always: Sequence[str] = ()
) -> Fields:
    """What a crop is told of all that is known (frames, fields) of the songs in it; the rest NaN.

    always: fields, each the first of its group, that are told in any case, from the first frame to the last.
    """
    draw = rng.random()
    if draw < EVERYTHING:
        return known
    liberties = {liberty for song in songs for liberty in song.get("liberties", ())}
    owed = {OWED[liberty] for liberty in liberties & OWED.keys()} if rng.random() < FOLLOWS else set()
    share = 0.0 if draw > 1 - NOTHING else TOLD
    told, later = np.full_like(known, np.nan), rng.random() < LATER
    for first, fields in groups(rng):
        if rng.random() < share or first in owed or first in always:
            begin, end = 0, len(known)
            if later and first not in always and rng.random() < 0.5:
                moment = int(rng.integers(len(known)))
                begin, end = (moment, end) if rng.random() < 0.5 else (begin, moment)
            columns = [FIELDS.index(name) for name in fields]
            told[begin:end, columns] = known[begin:end, columns]
    return told


def differing(told: Fields, rng: np.random.Generator) -> int | None:
    """Which plain caption of another song a crop may read, None for none.

    One that names another tempo, where the score has it from the first frame to the last; and another key as well,
    where it has the chords.
    """
    missing = {name for name, column in zip(FIELDS, told.T, strict=True) if np.isnan(column).any()}
    if {"beat", "bpm"} & missing or rng.random() >= OTHERWISE:
        return None
    return 3 if "notes" not in missing and rng.random() < 0.5 else 1
