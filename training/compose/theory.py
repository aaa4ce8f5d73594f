"""Scales, chords and voice leading."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise, product

MODES: dict[str, tuple[int, ...]] = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}
TONICS = ("C", "C sharp", "D", "E flat", "E", "F", "F sharp", "G", "A flat", "A", "B flat", "B")


def family(mode: str) -> str:
    """Return "major" or "minor" by the mode's third."""
    return "major" if MODES[mode][2] == 4 else "minor"


@dataclass(frozen=True)
class Chord:
    """A chord: its pitch classes as stacked thirds, a scale for passing notes, and its bass note if not the root."""

    tones: tuple[int, ...]
    scale: tuple[int, ...]
    low: int | None = None

    @property
    def root(self) -> int:
        return self.tones[0]

    @property
    def bass(self) -> int:
        return self.root if self.low is None else self.low


def scale_of(tonic: int, mode: str) -> tuple[int, ...]:
    return tuple((tonic + step) % 12 for step in MODES[mode])


def chord(symbol: str, tonic: int, mode: str, size: int) -> Chord:
    """Build the chord on a scale degree.

    Parameters
    ----------
    symbol : str
        Degree "1".."7", with an optional suffix: "d" makes it a dominant seventh (outside the key where need be),
        "s" a suspended fourth, "p" a power chord.
    size : int
        3 for triads, 4 for sevenths, 5 for ninths.
    """
    scale = scale_of(tonic, mode)
    degree = int(symbol[0]) - 1
    tones = tuple(scale[(degree + 2 * third) % 7] for third in range(size))
    root = tones[0]
    if symbol.endswith("d"):
        tones = (root, (root + 4) % 12, (root + 7) % 12, (root + 10) % 12)
        # the melody over a dominant sings its third, not the key's minor one
        scale = tuple(tones[1] if tone == (root + 3) % 12 else tone for tone in scale)
    elif symbol.endswith("s"):
        tones = (root, scale[(degree + 3) % 7], *tones[2:])
    elif symbol.endswith("p"):
        tones = (root, tones[2])
    return Chord(tones, scale)


def nearest(pitch_class: int, target: float) -> int:
    """Return the pitch of `pitch_class` nearest to the pitch `target`."""
    base = round(target)
    offset = (pitch_class - base) % 12
    return base + offset - (12 if offset > 6 else 0)


def voicing(tones: tuple[int, ...], previous: tuple[int, ...] | None, centre: float) -> tuple[int, ...]:
    """Place chord tones near `centre` so that the voices move as little as possible from `previous`."""
    options = [(nearest(tone, centre) - 12, nearest(tone, centre), nearest(tone, centre) + 12) for tone in tones]
    candidates = (tuple(sorted(choice)) for choice in product(*options))

    def cost(pitches: tuple[int, ...]) -> float:
        spread = max(0, pitches[-1] - pitches[0] - 16) * 4 + sum(b - a < 2 for a, b in pairwise(pitches)) * 3
        home = abs(sum(pitches) / len(pitches) - centre)
        if previous is None:
            return spread + 2 * home
        reference = (
            previous if len(previous) == len(pitches) else (round(sum(previous) / len(previous)),) * len(pitches)
        )
        return spread + 0.6 * home + sum(abs(a - b) for a, b in zip(pitches, reference, strict=True))

    return min(candidates, key=cost)


def degree_pitch(degree: int, scale: tuple[int, ...], centre: float) -> int:
    """Return the pitch `degree` scale steps above the tonic (scale[0]) nearest below `centre`."""
    tonic = nearest(scale[0], centre)
    octave, step = divmod(degree, 7)
    return tonic + 12 * octave + (scale[step] - scale[0]) % 12


def snap(degree: int, chord_: Chord) -> int:
    """Return the scale degree nearest to `degree` that belongs to the chord (itself if none does)."""
    for move in (0, -1, 1, -2, 2):
        if chord_.scale[(degree + move) % 7] in chord_.tones:
            return degree + move
    return degree
