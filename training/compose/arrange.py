"""Put a style's tables together into a song: key, tempo, harmony, players, sections, human timing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from training.compose import parts, theory
from training.compose.acoustic import ACOUSTIC
from training.compose.band import BAND
from training.compose.electronic import ELECTRONIC
from training.compose.groove import Feel, human_velocity
from training.compose.parts import Event, Rng, Score
from training.compose.song import Note, Song, Track
from training.compose.style import Part, Style
from training.compose.urban import URBAN

TABLE: dict[str, Style] = {style.name: style for style in (*URBAN, *ELECTRONIC, *BAND, *ACOUSTIC)}
STYLES: tuple[str, ...] = tuple(TABLE)
MINOR_MOODS = ("dark", "melancholic", "moody", "sad", "tense", "mysterious")
MAJOR_MOODS = ("happy", "bright", "uplifting", "warm", "cheerful", "hopeful")


class Plan(NamedTuple):
    """One player's material before it becomes seconds."""

    instrument: str
    voice: str
    level: float
    send: float
    ducked: bool
    enters: float
    events: list[Event]


def compose(seed: int, seconds: float) -> Song:
    """Compose a song.

    Parameters
    ----------
    seed : int
        >= 0; everything follows from it. Styles take turns: ``STYLES[seed % len(STYLES)]``.
    seconds : float
        Length; notes that would start later are left out, notes that would ring longer are cut.

    Raises
    ------
    ValueError
        If `seed` is negative or `seconds` is not positive.
    """
    if seed < 0 or seconds <= 0:
        raise ValueError(f"compose needs a seed >= 0 and seconds > 0, got seed {seed} and {seconds} seconds.")
    rng = np.random.default_rng([0x6E616E6F, seed])
    style = TABLE[STYLES[seed % len(STYLES)]]
    low, high = style.bpm
    bpm = float(rng.integers(low, high + 1))
    tonic, mode = int(rng.integers(12)), str(rng.choice(style.modes))
    feel = Feel(15 / bpm, float(rng.uniform(*style.swing)), style.swing_unit, style.loose)
    bars = int(np.ceil(seconds / (feel.step * style.steps))) + 1
    score = Score(harmony(style, tonic, mode, bars, rng), style.steps)
    plans = players(style, score, rng)
    tracks = perform(plans, score, feel, seconds, rng)
    return Song(
        seed=seed,
        seconds=seconds,
        style=style.name,
        bpm=bpm,
        tonic=tonic,
        mode=mode,
        instruments=tuple(dict.fromkeys(track.instrument for track in tracks)),
        moods=moods(style, mode, bpm, rng),
        tracks=tracks,
        room=str(rng.choice(style.room)),
        duck=style.duck * float(rng.uniform(0.7, 1.0)),
    )


def harmony(style: Style, tonic: int, mode: str, bars: int, rng: Rng) -> tuple[theory.Chord, ...]:
    """Lay out chord progressions, two chords a bar: A A for eight bars, then B B, then A again."""
    choices = style.progressions[theory.family(mode)]
    first, second = (choices[rng.integers(len(choices))].split() for _ in range(2))
    halves: list[theory.Chord] = []
    while len(halves) < 2 * bars:
        line = second if len(halves) // 2 % 24 >= 16 else first
        for symbol in line:
            pair = symbol.split("/") if "/" in symbol else [symbol, symbol]
            halves += [theory.chord(one, tonic, mode, style.chord_size) for one in pair for _ in range(style.chord_bars)]
    return tuple(halves[: 2 * bars])


def players(style: Style, score: Score, rng: Rng) -> list[Plan]:
    """Draw the song's players and let each write its part."""
    plans = []
    if style.grooves and rng.random() < style.drums_chance:
        groove = style.grooves[rng.integers(len(style.grooves))]
        kit = style.kits[rng.integers(len(style.kits))]
        events = parts.drums(groove, score.bars, score.steps, rng)
        plans.append(Plan("drums", kit, style.drums_level, style.drums_send, False, 0.2, events))
    for part in style.parts:
        if rng.random() < part.chance:
            plans.append(player(part, score, rng))
    return plans


def player(part: Part, score: Score, rng: Rng) -> Plan:
    instrument, voice = part.voices[rng.integers(len(part.voices))]
    level = part.level + float(rng.uniform(-1.5, 1.5))
    return Plan(instrument, voice, level, part.send, part.ducked, part.enters, parts.ROLES[part.role](part, score, rng))


def silences(plans: list[Plan], score: Score, rng: Rng) -> list[set[int]]:
    """Choose for each player the sections in which it is silent: some enter late, one drops out in a break.

    Sections are four bars. Two players at least play everywhere, so that no section falls silent.
    """
    sections = range(-(-score.bars // 4))
    silent: list[set[int]] = [set() for _ in plans]
    if len(plans) < 3:
        return silent
    constant = set(rng.choice(len(plans), 2, replace=False).tolist())
    for index, plan in enumerate(plans):
        if index in constant:
            continue
        if rng.random() < plan.enters:
            silent[index].add(0)
        silent[index] |= {section for section in sections if section > 1 and rng.random() < 0.12}
    return silent


def perform(plans: list[Plan], score: Score, feel: Feel, seconds: float, rng: Rng) -> tuple[Track, ...]:
    """Turn grid events into timed notes, section by section, with human timing and dynamics."""
    silent = silences(plans, score, rng)
    energy = [0.9, *(float(rng.uniform(0.85, 1.05)) for _ in range(score.bars // 4 + 1))]
    tracks = []
    channels = iter([channel for channel in range(16) if channel != 9])
    for plan, rests in zip(plans, silent):
        drums = plan.instrument == "drums"
        channel = 9 if drums else next(channels)
        notes = []
        for event in plan.events:
            section = int(event.step // (4 * score.steps))
            start = feel.time(event.step, rng)
            if section in rests or start >= seconds - 0.02:
                continue
            duration = min(max(event.length * feel.step, 0.04), seconds - start)
            velocity = human_velocity(min(1.0, event.strength * energy[min(section, len(energy) - 1)]), rng)
            notes.append(Note(round(start, 5), round(duration, 5), event.pitch, velocity))
        if notes:
            pan = 0.0 if drums or plan.instrument.endswith("bass") else round(float(rng.uniform(-0.5, 0.5)), 2)
            tracks.append(
                Track(
                    plan.instrument, plan.voice, channel, pan, plan.level, plan.send, plan.ducked, tuple(sorted(notes))
                )
            )
    return tuple(tracks)


def moods(style: Style, mode: str, bpm: float, rng: Rng) -> tuple[str, ...]:
    """Choose mood words: some of the style's, one of the mode's, one of the tempo's."""
    words = list(rng.choice(style.moods, min(2, len(style.moods)), replace=False))
    words.append(rng.choice(MAJOR_MOODS if theory.family(mode) == "major" else MINOR_MOODS))
    if bpm >= 128:
        words.append(rng.choice(("fast", "energetic", "driving")))
    elif bpm <= 85:
        words.append(rng.choice(("slow", "laid back", "relaxed")))
    return tuple(dict.fromkeys(str(word) for word in words))
