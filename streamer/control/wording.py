"""Tempo and key in words: how a model that reads prompts alone is asked for them.

A prompt may name a tempo and a key itself. What is asked for by parameter takes the place of what the prompt says, in
the wording that nano reads best (`benchmarks.wording`).
"""

from __future__ import annotations

import re

from osc.values import BadValue

NOTES = ("C", "C#", "D", "D#", "E", "F", "F#", "G", "G#", "A", "A#", "B")
_FLATS = {"Db": "C#", "Eb": "D#", "Gb": "F#", "Ab": "G#", "Bb": "A#", "Cb": "B", "Fb": "E", "E#": "F", "B#": "C"}
_NOTE = r"[A-Ga-g](?:\s*(?:#|♯|sharp)|\s*♭|b(?![a-z])|\s*flat)?"
_MODE = r"(?:major|minor|maj|min|dur|moll|m)"

_TEMPO = re.compile(r"[\s,]*(?:\b(?:at|around)\s+)?\b\d{2,3}(?:\.\d+)?\s*(?:bpm|beats\s+per\s+minute)\b", re.I)
_KEY = re.compile(rf"[\s,]*(?:\bin\s+)?(?<![\w#]){_NOTE}[\s-]*(?:major|minor)\b(?:\s+key\b)?", re.I)
_ASKED = re.compile(rf"({_NOTE})\s*-?\s*({_MODE})?", re.I)
_ASKED_TEMPO = re.compile(r"\b(\d{2,3}(?:\.\d+)?)\s*(?:bpm|beats\s+per\s+minute)\b", re.I)
_EDGES = re.compile(r"^[\s,]+|[\s,]+$")


def key_name(asked: str) -> str:
    """A key as this project writes it, "F# minor"; "" for none.

    Raises
    ------
    BadValue
        For what is no key.
    """
    words = asked.strip()
    if not words:
        return ""
    found = _ASKED.fullmatch(words)
    note = _note(found[1]) if found else ""
    if found is None or note not in NOTES:
        raise BadValue(f"takes a key, not {asked[:40]!r}: write one like D minor, F# major or Bb minor")
    mode = found[2] or ("minor" if found[1][0].islower() else "major")
    short = mode if mode in ("m", "M") else mode.lower()
    return f"{note} {'minor' if short in ('minor', 'min', 'moll', 'm') else 'major'}"


def tempo_in(prompt: str) -> float | None:
    """The tempo that a prompt names, bpm."""
    found = _ASKED_TEMPO.search(prompt)
    return float(found[1]) if found else None


def worded(prompt: str, tempo: float = 0.0, key: str = "") -> str:
    """A prompt that asks for a tempo and a key as well.

    Parameters
    ----------
    tempo : float
        Beats a minute; 0 leaves what the prompt says.
    key : str
        As `key_name` writes it; "" leaves what the prompt says.
    """
    if tempo:
        prompt = _without(_TEMPO, prompt)
    if key:
        prompt = _without(_KEY, prompt)
    words = _EDGES.sub("", prompt)
    keyed = f"{words} in {key}" if words and key else words or key  # nano keeps more keys with "in" before them
    parts = [keyed, f"{tempo:.0f} bpm" if tempo else ""]
    return ", ".join(part for part in parts if part) if tempo or key else prompt


def _without(pattern: re.Pattern[str], prompt: str) -> str:
    """A prompt in which the pattern is no more, not even across the place where it was."""
    while (less := pattern.sub("", prompt)) != prompt:
        prompt = less
    return prompt


def _note(name: str) -> str:
    """A note's name with a sharp at most."""
    letter = name[0].upper()
    rest = re.sub(r"\s+", "", name[1:]).lower()
    sign = {"": "", "#": "#", "♯": "#", "sharp": "#", "b": "b", "♭": "b", "flat": "b"}[rest]
    return _FLATS.get(letter + sign, letter + sign)
