"""Chords as musicians write them -> pitch classes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from osc.values import BadValue

HELP = "write one like Am7, F#m, Bb, C/E or Dsus4, or N for none"

_LETTERS = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_SIGNS = str.maketrans({"♯": "#", "♭": "b", "−": "-", "º": "°", "△": "Δ", "∆": "Δ"})
_FREE = frozenset({"", "n", "nc", "n.c."})

_NOTE = r"[A-Ga-g][#b]?"
_MAJOR = r"(?:[Mm][Aa][Jj](?:or)?|[Mm]a|M|Δ)"
_MINOR = r"(?:[Mm][Ii][Nn](?:or)?|mi|m|-)"
_CHANGE = r"(?:sus[24]?|add(?:2|4|6|9|11|13)|[#b+-](?:5|9|11|13)|alt|no[35])"
_CHORD = re.compile(
    rf"(?P<root>{_NOTE})"
    rf"(?:(?P<minor>{_MINOR})|(?P<dim>[Dd][Ii][Mm]|°)|(?P<half>ø)|(?P<aug>[Aa][Uu][Gg]|\+(?!5|9|11|13)))?"
    rf"(?P<major>{_MAJOR})?"
    r"(?P<number>6/9|69|13|11|9|7|6|5|2)?"
    rf"(?P<changes>{_CHANGE}*)"
    rf"(?:/(?P<bass>{_NOTE}))?"
)
_ABOVE = {"": (), "5": (), "6": (9,), "69": (9, 2), "7": (), "9": (2,), "11": (2, 5), "13": (2, 9)}
"""What a number adds beside the seventh; a thirteenth goes without the eleventh."""
_WITH_SEVENTH = ("7", "9", "11", "13")
_INTERVALS = {
    **{"add2": 2, "add4": 5, "add6": 9, "add9": 2, "add11": 5, "add13": 9, "sus2": 2, "sus4": 5},
    **{"b5": 6, "#5": 8, "b9": 1, "#9": 3, "b11": 4, "#11": 6, "b13": 8, "#13": 10},
}
_TAKES_PLACE = {
    **dict.fromkeys(("sus2", "sus4", "no3"), (3, 4)),
    **dict.fromkeys(("b5", "#5", "no5"), (7,)),
    **dict.fromkeys(("b9", "#9"), (2,)),
}
_ALTERED = frozenset({0, 1, 3, 4, 6, 8, 10})


@dataclass(frozen=True)
class Chord:
    """Notes that sound together, wherever on the keyboard.

    Parameters
    ----------
    name : str
        As this project writes it.
    notes : frozenset of int
        Pitch classes, C 0 to B 11.
    bass : int
        The pitch class of the lowest one.
    """

    name: str
    notes: frozenset[int]
    bass: int


@lru_cache(maxsize=256)
def chord_of(text: str) -> Chord | None:
    """A chord by its name, such as ``Am7``, ``F#m``, ``B♭``, ``C/E``, ``Dsus4`` or ``G7b9``; None for "" and ``N``.

    Raises
    ------
    BadValue
        For what is no chord.
    """
    asked = text.strip()
    if asked.lower() in _FREE:
        return None
    found = _CHORD.fullmatch(re.sub(r"[\s(),]", "", asked.translate(_SIGNS)))
    built = None if found is None else _built(found)
    if found is None or built is None:
        raise BadValue(f"takes a chord, not {text[:40]!r}: {HELP}")
    kind, intervals = built
    root, bass = (_note(found[part] or found["root"]) for part in ("root", "bass"))
    over = f"/{bass}" if found["bass"] else ""
    notes = frozenset((_pitch(root) + interval) % 12 for interval in intervals) | {_pitch(bass)}
    return Chord(root + kind + over, notes, _pitch(bass))


def chord_name(text: str) -> str:
    """A chord's name as this project writes it; "" for none.

    Raises
    ------
    BadValue
        For what is no chord.
    """
    chord = chord_of(text)
    return chord.name if chord else ""


def _built(found: re.Match[str]) -> tuple[str, set[int]] | None:
    """What follows the root as this project writes it, and the intervals that it means; None for none."""
    changes = [_change(one) for one in re.findall(_CHANGE, found["changes"])]
    number = (found["number"] or "").replace("/", "")
    if number == "2":
        number, changes = "", ["add9", *changes]
    if found["major"] == "Δ" and not number:
        number = "7"
    major = bool(found["major"]) and number in _WITH_SEVENTH
    if found["half"]:
        if number not in ("", "7") or found["major"]:
            return None
        number, changes = "7", ["b5", *changes]
    dim = bool(found["dim"])
    triad = "m" if found["minor"] or found["half"] else "dim" if dim else "aug" if found["aug"] else ""
    if (number == "5" and (triad or found["major"])) or (dim and (number not in ("", "7") or found["major"])):
        return None
    if "alt" in changes:
        plain = not triad and not found["major"] and number in ("", "7") and len(changes) == 1
        return ("7alt", set(_ALTERED)) if plain else None
    seventh = f"maj{number}" if major else number
    written = triad + (f"({seventh})" if triad == "m" and major else seventh) + "".join(changes)
    return written, _intervals(triad, number, major, changes)


def _intervals(triad: str, number: str, major: bool, changes: list[str]) -> set[int]:
    intervals = {"": {0, 4, 7}, "m": {0, 3, 7}, "dim": {0, 3, 6}, "aug": {0, 4, 8}}[triad] | set(_ABOVE[number])
    if number == "5":
        intervals = {0, 7}
    if number in _WITH_SEVENTH:
        intervals.add(9 if triad == "dim" else 11 if major else 10)
    for change in changes:
        intervals -= set(_TAKES_PLACE.get(change, ()))
    return intervals | {_INTERVALS[change] for change in changes if change in _INTERVALS}


def _change(written: str) -> str:
    """A change of a chord in one spelling."""
    if written == "sus":
        return "sus4"
    return written.replace("+", "#").replace("-", "b")


def _note(written: str) -> str:
    return written[0].upper() + written[1:]


def _pitch(note: str) -> int:
    """Of a note with a sharp or a flat at most."""
    return (_LETTERS[note[0]] + {"": 0, "#": 1, "b": -1}[note[1:]]) % 12
