"""Captions as people type prompts: whole, partial, lowercase mostly, with and without a tempo."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from training.compose import Song
from training.compose.arrange import BEAT_FRAMES, frames_a_beat
from training.compose.theory import TONICS
from training.scenes import SCENES

SYNONYMS: dict[str, tuple[str, ...]] = {
    "lo-fi hip hop": ("lo-fi hip hop", "lofi", "lofi hip hop", "lo-fi beats", "lofi beat", "chillhop"),
    "trap": ("trap", "trap beat", "808 trap", "trap instrumental"),
    "funk": ("funk", "funky groove", "70s funk", "funk jam"),
    "reggae": ("reggae", "roots reggae", "reggae groove", "dub reggae"),
    "house": ("house", "house music", "deep house", "club house"),
    "techno": ("techno", "acid techno", "warehouse techno", "minimal techno"),
    "ambient": ("ambient", "ambient soundscape", "ambient music", "drone ambient"),
    "drum and bass": ("drum and bass", "dnb", "drum n bass", "liquid drum and bass", "jungle"),
    "chiptune": ("chiptune", "8-bit game music", "8 bit", "retro video game music", "nes chiptune"),
    "synthwave": ("synthwave", "retrowave", "80s synthwave", "outrun"),
    "jazz trio": ("jazz trio", "jazz", "swing jazz", "jazz combo", "bebop"),
    "rock": ("rock", "rock band", "hard rock", "alternative rock"),
    "bossa nova": ("bossa nova", "bossa", "brazilian bossa nova"),
    "orchestral": ("orchestral", "orchestra", "cinematic orchestral", "symphonic", "film score"),
    "solo piano": ("solo piano", "piano solo", "piano piece", "gentle piano"),
    "folk guitar": ("folk guitar", "acoustic folk", "folk", "fingerpicked guitar folk"),
}
TEMPO_WORDS = ((76, ("slow", "very slow")), (100, ("slow", "mid tempo")), (124, ("medium tempo", "moderate")),
               (150, ("fast", "upbeat")), (999, ("very fast", "fast")))  # fmt: skip

FLATS = {"C sharp": "D flat", "F sharp": "G flat", "E flat": "D sharp", "A flat": "G sharp", "B flat": "A sharp"}

TEMPLATES: tuple[str, ...] = (
    "{style}",
    "{bpm}",
    "{mood}",
    "{inst}",
    "{scene}",
    "{scene}, {bpm}",
    "{scene}, {mood}",
    "{scene}, {key}, {bpm}",
    "{scene}, {inst}, {bpm}",
    "{mood} music for {scene}",
    "{style} for {scene}",
    "{style}, {key}, {bpm}",
    "{style}, {bpm}, {key}",
    "{mood} {style}, {key}",
    "{style} with {inst} in {key}, {bpm}",
    "{key}",
    "{inst} in {key}",
    "{mood}, {key}, {bpm}",
    "{style}, {bpm}",
    "{mood} {style}",
    "{mood} {style}, {bpm}",
    "{mood} {style} {bpm}",
    "{style} with {inst}",
    "{style} with {inst} and {inst2}, {bpm}",
    "{style} with {insts}, {bpm}",
    "{bpm} {style}",
    "{mood}, {mood2} {style}",
    "{mood} {mood2} {style} with {inst}, {bpm}",
    "{insts}, {bpm}",
    "{inst} and {inst2}, {mood}",
    "{mood} {inst}, {bpm}",
    "{mood} {inst}",
    "{style} in {key}, {bpm}",
    "{style} in {key}",
    "{mood} {style} in {key} at {bpm}",
    "{key}, {bpm}, {style}",
    "{style}, {insts}, {mood}, {bpm}",
    "{style}, {mood}, {bpm}",
    "{style} at {bpm}",
    "{tempo} {style}",
    "{tempo} {mood} {style}",
    "{tempo} {style}, {bpm}",
    "{mood} music, {bpm}",
    "{mood} and {mood2}",
    "{mood} and {mood2} {style}, {bpm}",
    "{style}, {drums}",
    "{style}, {drums}, {bpm}",
    "{style} {drums}",
    "{mood} {style} {drums}, {bpm}",
    "{inst} {drums}, {bpm}",
    "a {mood} {style} track with {insts}",
    "a {mood} {style} track at {bpm}",
    "a {style} piece in {key}, {mood} and {mood2}, {bpm}",
    "some {mood} {style}",
    "play {mood} {style} at {bpm}",
    "{style} {inst} {bpm}",
    "{style} loop, {bpm}",
    "instrumental {style}, {insts}, {bpm}",
    "{insts}",
    "{insts}, {mood}, {key}",
    "{mood} {style} featuring {inst}, {bpm}",
    "{style} | {mood} | {insts} | {bpm}",
    # from here on held out: the last 15 %
    "{mood} {style} tune, {inst} up front, {bpm}",
    "give me {style} at {bpm}, {mood}",
    "{bpm}, {key}, {insts}",
    "{tempo}, {mood}, {inst}",
    "something {mood} and {mood2} at {bpm}",
    "{style} groove with {inst} and {inst2}",
    "{scene} with {insts}",
    "{key} {style} around {bpm}",
    "{inst} over {style}, {mood}, {bpm}",
    "{mood} background {style}, {drums}",
    "{style} jam in {key}",
)
PLAIN = 10  # captions that every song has beside its own
TOLD = slice(1, 6)  # those of them that name a tempo, a key or both
HELD_OUT = len(TEMPLATES) - round(0.15 * len(TEMPLATES))


def templates(held_out: bool) -> tuple[str, ...]:
    """Return the templates for training, or the last 15 %, which training never sees."""
    return TEMPLATES[HELD_OUT:] if held_out else TEMPLATES[:HELD_OUT]


def sayable(template: str, song: Song) -> bool:
    """Tell whether a template reads well, and true.

    A lone instrument gives no pair, and the style already names it; not every song has a key or a tempo.
    """
    wrong = {"{key}": song.liberties.chords, "{bpm}": song.liberties.changes}
    if any(untrue and words in template for words, untrue in wrong.items()):
        return False
    if len(song.instruments) > 1:
        return True
    return "{inst2}" not in template and not ("{style}" in template and "{inst" in template)


def key_words(tonic: int, mode: str, rng: np.random.Generator) -> str:
    """Name the key; a black key by either of its names, as a word or a sign."""
    name = TONICS[tonic]
    if rng.random() < 0.4:
        name = FLATS.get(name, name)
    if rng.random() < 0.6:
        name = name.replace(" sharp", "#").replace(" flat", "b")
    return f"{name} {mode}"


def spoken_bpm(bpm: float, rng: np.random.Generator) -> int:
    """Draw one of the whole bpm that the composer plays as this tempo: those nearest to its frames a beat."""
    frames = frames_a_beat(bpm)
    if abs(BEAT_FRAMES / bpm - frames) > 1e-6:
        return round(bpm)
    low, high = math.ceil(BEAT_FRAMES / (frames + 0.5)), math.floor(BEAT_FRAMES / (frames - 0.5))
    return int(rng.integers(low, high + 1))


def bpm_words(song: Song, rng: np.random.Generator) -> str:
    form = rng.choice(("{} bpm", "{} bpm", "{} bpm", "{} BPM", "{}bpm", "tempo {}"))
    return str(form).format(spoken_bpm(song.bpm, rng))


def drum_words(song: Song, rng: np.random.Generator) -> str:
    options = ("with drums", "with a drum beat") if song.has_drums else ("no drums", "without drums", "drumless")
    return str(rng.choice(options))


def tempo_word(song: Song, rng: np.random.Generator) -> str:
    words = next(words for limit, words in TEMPO_WORDS if song.bpm < limit)
    return str(rng.choice(words))


def typed(text: str, rng: np.random.Generator) -> str:
    """Spell as people type: lowercase mostly, sometimes with a capital or a full stop."""
    draw = rng.random()
    if draw < 0.06:
        return text.lower().replace(", ", " ")
    if draw < 0.8:
        return text.lower()
    text = text[0].upper() + text[1:]
    return text + "." if draw > 0.93 else text


def caption(song: Song, rng: np.random.Generator, held_out: bool = False) -> str:
    """Write one caption for a song.

    Parameters
    ----------
    rng : numpy.random.Generator
        Chooses template and wording.
    held_out : bool
        Use the templates kept for validation.
    """
    bank = [line for line in templates(held_out) if sayable(line, song)]
    weights = np.array([4.0 if line.count("{") == 1 else 2.0 if "{bpm}" in line else 1.0 for line in bank])
    instruments = [str(name) for name in rng.permutation(song.instruments)]
    moods = [str(word) for word in rng.permutation(song.moods)]
    several = instruments[: max(1, int(rng.integers(2, 5)))]
    words = {
        "style": str(rng.choice(SYNONYMS[song.style])),
        "bpm": bpm_words(song, rng),
        "mood": moods[0],
        "mood2": moods[-1],
        "inst": instruments[0],
        "inst2": instruments[-1],
        "insts": ", ".join(several[:-1]) + " and " * (len(several) > 1) + several[-1],
        "key": key_words(song.tonic, song.mode, rng),
        "scene": str(rng.choice(SCENES[song.style])),
        "drums": drum_words(song, rng),
        "tempo": tempo_word(song, rng),
    }
    return typed(str(rng.choice(bank, p=weights / weights.sum())).format(**words), rng)


def plain_captions(song: Mapping[str, Any], rng: np.random.Generator) -> list[str]:
    """`PLAIN` captions that many songs share, so that one caption stands for a kind of music and not for one song.

    Parameters
    ----------
    song : mapping
        What `training.render` writes beside a song: style, bpm, tonic, mode, instruments, drums, liberties.
    """
    style, key = song["style"], f"{TONICS[song['tonic']]} {song['mode']}"
    spelt, again = (key_words(song["tonic"], song["mode"], rng) for _ in range(2))
    first, second = (spoken_bpm(song["bpm"], rng) for _ in range(2))
    scene, other, third = (str(one) for one in rng.permutation(SCENES[style])[:3])
    free = {*song.get("liberties", ())}
    in_key, in_spelt, again = ("", "", style) if "chords" in free else (f" in {key}", f" in {spelt}", again)
    at = ["", style, ""] if "changes" in free else [f", {first} bpm", f"{second} bpm", f", {second} bpm"]
    named = [style, f"{style}{at[0]}", at[1], f"{style}{in_key}{at[2]}", f"{style}{in_spelt}"]
    everybody = ", ".join([style, *song["instruments"]]) + ("" if song["drums"] else ", no drums")
    return [*named, f"{again}{at[0]}", everybody, scene, other, f"{third}{at[0]}"]
