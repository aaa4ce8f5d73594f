"""The liberties that a song may take beside its style: any tempo, any chords, players that come and go, more and less.

A song without any is a loop in a key at a tempo of whole frames. What a score tells of such a song goes without saying;
songs that take liberties are those from which nano learns to follow it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.compose import theory
from training.compose.theory import Chord

Rng = np.random.Generator
USUAL = 0.6  # the energy of a song without this liberty

# Chords as players call them: semitones above the root, and a scale over them, which has every tone of the chord.
MAJOR, MINOR, DORIAN, MIXOLYDIAN = (theory.MODES[mode] for mode in ("major", "minor", "dorian", "mixolydian"))
QUALITIES: dict[str, tuple[tuple[int, ...], tuple[int, ...], float]] = {
    "": ((0, 4, 7), MAJOR, 6.0),
    "m": ((0, 3, 7), MINOR, 6.0),
    "7": ((0, 4, 7, 10), MIXOLYDIAN, 2.0),
    "maj7": ((0, 4, 7, 11), MAJOR, 2.0),
    "m7": ((0, 3, 7, 10), DORIAN, 2.5),
    "sus4": ((0, 5, 7), MIXOLYDIAN, 0.6),
    "sus2": ((0, 2, 7), MAJOR, 0.5),
    "6": ((0, 4, 7, 9), MAJOR, 0.4),
    "m6": ((0, 3, 7, 9), DORIAN, 0.3),
    "add9": ((0, 2, 4, 7), MAJOR, 0.4),
    "9": ((0, 4, 7, 10, 2), MIXOLYDIAN, 0.4),
    "m9": ((0, 3, 7, 10, 2), DORIAN, 0.4),
    "dim": ((0, 3, 6), (0, 2, 3, 5, 6, 8, 10), 0.6),
    "m7b5": ((0, 3, 6, 10), (0, 2, 3, 5, 6, 8, 10), 0.5),
    "dim7": ((0, 3, 6, 9), (0, 2, 3, 5, 6, 8, 9), 0.3),
    "aug": ((0, 4, 8), (0, 2, 4, 6, 8, 10, 11), 0.4),
    "5": ((0, 7), MINOR, 0.4),
}


class Liberties(NamedTuple):
    """Which liberties a song takes."""

    tempo: bool = False  # any, not only those of whole frames a beat, also beyond the style's range
    changes: bool = False  # of tempo, at once or gradually
    chords: bool = False  # any, of no key, changing on the bar or anywhere else
    players: bool = False  # come and go, each for itself
    energy: bool = False  # rises and falls


NONE = Liberties()


def drawn(seed: int) -> Liberties:
    """Draw a song's liberties; one song in five takes none."""
    rng = np.random.default_rng([0x6C696273, seed])
    if rng.random() < 0.2:
        return NONE
    tempo = rng.random() < 0.75
    changes = tempo and rng.random() < 0.3
    chords, players, energy = rng.random(3) < (0.5, 0.5, 0.5)
    return Liberties(bool(tempo), bool(changes), bool(chords), bool(players), bool(energy))


def chord(rng: Rng) -> Chord:
    """Draw any chord on any root, one in eight over another bass note."""
    chances = np.array([quality[2] for quality in QUALITIES.values()])
    name = list(QUALITIES)[rng.choice(len(chances), p=chances / chances.sum())]
    root = int(rng.integers(12))
    tones, scale = (tuple((root + step) % 12 for step in steps) for steps in QUALITIES[name][:2])
    low = None
    if rng.random() < 0.125:
        low = int(rng.choice(tones[1:] if rng.random() < 0.7 else scale))
    return Chord(tones, scale, low)


def progression(bars: int, meter: int, rng: Rng) -> tuple[tuple[float, Chord], ...]:
    """Draw a song's chords and the steps at which they begin: a few that come again, or always others."""
    chords = [chord(rng) for _ in range(int(rng.choice([2, 3, 4, 4, 4, 6, 8])))]
    again = rng.random() < 0.5
    pace = str(rng.choice(["bar", "half", "two bars", "beats", "anywhere"], p=[0.35, 0.2, 0.1, 0.15, 0.2]))
    found: list[tuple[float, Chord]] = []
    step = 0.0
    while step < bars * meter:
        here = chords[len(found) % len(chords)] if again else chord(rng)
        found.append((step, here))
        step += lasting(pace, meter, rng)
    return tuple(found)


def lasting(pace: str, meter: int, rng: Rng) -> float:
    """Draw for how many steps a chord lasts."""
    if pace == "beats":
        return 4.0 * int(rng.integers(1, 5))
    if pace == "anywhere":
        return float(rng.integers(6, 4 * meter)) / 2
    return {"bar": meter, "half": meter / 2, "two bars": 2.0 * meter}[pace]


def spans(steps: int, unit: int, rng: Rng) -> list[tuple[float, float]]:
    """Draw when a player is silent, in steps: it changes its mind every 1 to 4 units of so many steps."""
    silent, now, plays = [], 0, rng.random() < 0.65
    while now < steps:
        then = now + unit * int(rng.choice([1, 2, 2, 4]))
        if not plays:
            silent.append((float(now), float(then)))
        now, plays = then, not plays
    return silent


def energies(bars: int, rng: Rng) -> NDArray[np.float64]:
    """Draw how much every bar plays, 0 to 1: sections of 1 to 4 bars, some of which lead over to the next one."""
    levels: list[float] = []
    level = float(rng.uniform())
    while len(levels) < bars:
        length, goal = int(rng.choice([1, 2, 2, 4])), float(rng.uniform())
        ramp = rng.random() < 0.3
        levels += [level + (goal - level) * i / length if ramp else level for i in range(length)]
        level = goal
    return np.array(levels[:bars])
