"""What is judged: excerpts of renders with the truth about them, and prompts with what they ask for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.codec import RATE
from training.compose import Song
from training.compose.arrange import STYLES, TABLE
from training.compose.families import FAMILIES
from training.compose.theory import TONICS, family
from training.render import again

Audio = NDArray[np.float32]

NO_PULSE = ("ambient",)  # no drums in it, and chords that fade in: there is no beat to find, in renders neither
TEMPO_FORMS = ("give me {style} at {bpm} bpm", "{style} around {bpm} bpm", "{bpm} bpm, {style} please")
STYLE_FORMS = ("give me {style}", "{style} please", "now some {style}")
KEY_FORMS = ("{style} jam in {key}", "{key}, {style} please", "give me {style} in {key}")
LINEUP_FORMS = ("{style} groove with {lineup}", "give me {style}: {lineup}", "{style} played on {lineup}")


# --- renders ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Excerpt:
    """A piece of a render.

    Attributes
    ----------
    audio
        float32 at 32 kHz.
    facts
        The song's JSON.
    sounding
        For each of `FAMILIES`, whether it is heard in this piece: players enter late and pause.
    """

    audio: Audio
    facts: dict[str, Any]
    sounding: list[bool]

    @property
    def style(self) -> int:
        """Its number in `STYLES`."""
        return STYLES.index(self.facts["style"])

    @property
    def key(self) -> int | None:
        """0 to 11 in major, 12 to 23 in minor; None in no key, and in another mode, whose scale is another key's."""
        keyed = self.facts["mode"] in ("major", "minor") and "chords" not in self.facts.get("liberties", ())
        return key_number(self.facts["tonic"], self.facts["mode"]) if keyed else None


def key_number(tonic: int, mode: str) -> int:
    """0 to 11 for C major, C sharp major, ...; 12 to 23 for the minor keys."""
    return tonic + 12 * (family(mode) == "minor")


def sounding(song: Song, start: float, seconds: float) -> list[bool]:
    """Which of `FAMILIES` play for half a second in all (drums: four strokes) between two moments of a song."""
    heard = []
    for name, words in FAMILIES.items():
        notes = [note for track in song.tracks if track.instrument in words for note in track.notes]
        inside = [min(n.start + n.duration, start + seconds) - max(n.start, start) for n in notes]
        inside = [length for length in inside if length > 0]
        heard.append(len(inside) >= 4 if name == "drums" else sum(inside) >= 0.5)
    return heard


def excerpts(folder: Path, songs: int, each: int, seconds: tuple[float, float], seed: int) -> list[Excerpt]:
    """Random pieces of rendered songs, in a seeded order.

    Parameters
    ----------
    folder
        What `training.render` wrote.
    songs, each
        At most so many songs, pieces of each of them.
    seconds
        Shortest and longest piece.

    Raises
    ------
    ValueError
        The folder is empty, or its songs are not those that the composer composes now.
    """
    rng = np.random.default_rng(seed)
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise ValueError(f"There are no songs in {folder}: run training.render first.")
    pieces = []
    for i in rng.permutation(len(paths))[:songs]:
        facts = json.loads(paths[i].read_text())
        song = again(facts)
        if (song.bpm, list(song.instruments)) != (facts["bpm"], facts["instruments"]):
            raise ValueError(
                f"{paths[i]} is not the song that its seed gives: render {folder} with the present composer."
            )
        audio = np.load(paths[i].with_suffix(".npy"), mmap_mode="r")
        for _ in range(each):
            length = round(rng.uniform(*seconds) * RATE)
            start = int(rng.integers(max(1, len(audio) - length)))
            piece = audio[start : start + length].astype(np.float32) / 32768
            pieces.append(Excerpt(piece, facts, sounding(song, start / RATE, length / RATE)))
    return pieces


# --- prompts ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wanted:
    """A prompt and what it asks for; what it leaves open is None or empty."""

    prompt: str
    styles: tuple[str, ...]  # any of them is right
    bpm: int | None = None
    key: int | None = None
    lineup: tuple[bool, ...] = ()  # for each of `FAMILIES`

    @property
    def tempo(self) -> float:
        """Beats a minute that it names, or the middle of its style's range."""
        return float(self.bpm or np.mean(TABLE[self.styles[0]].bpm))


def form(forms: Sequence[str], rng: np.random.Generator, **words: object) -> str:
    """One of the wordings, filled in."""
    wording: str = forms[int(rng.integers(len(forms)))]
    return wording.format(**words)


def tempo_prompts(each: int, seed: int) -> list[Wanted]:
    """``each`` prompts a style with any whole tempo of the style's range; those of `NO_PULSE` name none."""
    rng = np.random.default_rng(seed)
    wanted = []
    for style in STYLES:
        low, high = TABLE[style].bpm
        for _ in range(each):
            bpm = None if style in NO_PULSE else int(rng.integers(low, high + 1))
            prompt = form(STYLE_FORMS if bpm is None else TEMPO_FORMS, rng, style=style, bpm=bpm)
            wanted.append(Wanted(prompt, (style,), bpm=bpm))
    return wanted


def key_prompts(count: int, seed: int) -> list[Wanted]:
    """Prompts for any tonic in major or minor, of the styles that are played in that mode."""
    rng = np.random.default_rng(seed)
    choices = [(style, mode) for style in STYLES for mode in ("major", "minor") if mode in TABLE[style].modes]
    wanted = []
    for i in range(count):
        style, mode = choices[int(rng.integers(len(choices)))]
        tonic = 5 * i % 12  # every tonic equally often
        prompt = form(KEY_FORMS, rng, style=style, key=f"{TONICS[tonic]} {mode}")
        wanted.append(Wanted(prompt, (style,), key=key_number(tonic, mode)))
    return wanted


def lineup_prompts(facts: Sequence[dict[str, Any]], count: int, seed: int) -> list[Wanted]:
    """Prompts that name everybody who plays in a held-out song, and "no drums" where there are none.

    So every instrument that is not named is asked to be silent. The songs are drawn such that each of `FAMILIES` is
    named about equally often.
    """
    rng = np.random.default_rng(seed)
    named = np.array([[bool({*words} & {*f["instruments"]}) for words in FAMILIES.values()] for f in facts])
    wanted: list[Wanted] = []
    left = set(range(len(facts)))
    while left and len(wanted) < count:
        so_far = np.array([w.lineup for w in wanted]).sum(0) if wanted else np.zeros(len(FAMILIES))
        rarest = min(range(len(FAMILIES)), key=lambda i: (so_far[i] + 1000 * (not named[list(left), i].any()), i))
        having = [i for i in sorted(left) if named[i, rarest]] or sorted(left)
        song = having[int(rng.integers(len(having)))]
        left.remove(song)
        style, words = facts[song]["style"], list(facts[song]["instruments"])
        lineup = " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
        prompt = form(LINEUP_FORMS, rng, style=style, lineup=lineup + ("" if facts[song]["drums"] else ", no drums"))
        wanted.append(Wanted(prompt, (style,), lineup=tuple(bool(x) for x in named[song])))
    return wanted


def changes(count: int, seed: int) -> list[tuple[Wanted, Wanted]]:
    """Pairs of prompts of different styles; each style is changed to equally often."""
    rng = np.random.default_rng(seed)
    pairs = []
    for i in range(count):
        after = i % len(STYLES)
        before = (after + int(rng.integers(1, len(STYLES)))) % len(STYLES)
        first, second = (Wanted(form(STYLE_FORMS, rng, style=STYLES[s]), (STYLES[s],)) for s in (before, after))
        pairs.append((first, second))
    return pairs


def unseen_prompts(count: int) -> list[Wanted]:
    """The first ``count`` lines, evenly spread, of the prompts that no template made."""
    lines = (Path(__file__).parent / "unseen.txt").read_text(encoding="utf-8").splitlines()
    wanted = []
    for line in lines:
        if line and not line.startswith("#"):
            styles, prompt = line.split(" | ")
            wanted.append(Wanted(prompt, tuple(styles.split(", "))))
    return wanted[:: max(1, len(wanted) // count)][:count]
