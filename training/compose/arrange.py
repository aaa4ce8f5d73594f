"""Put a style's tables together into a song: key, tempo, harmony, players, sections, human timing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from training.compose import parts, theory
from training.compose.acoustic import ACOUSTIC
from training.compose.band import BAND
from training.compose.electronic import ELECTRONIC
from training.compose.groove import Feel, Hand, hand
from training.compose.parts import Event, Rng, Score
from training.compose.song import Note, Song, Track
from training.compose.style import Part, Style
from training.compose.urban import URBAN

# Frames of the codec in a minute. A beat lasts a whole number of them (50 at 60 bpm, 17 at 176), so that what repeats
# in the music repeats in its codes; any tempo is within 3 % of one of these.
BEAT_FRAMES = 3000
SLOWEST, FASTEST = 50, 17  # frames a beat
# A song is a loop of whole bars, as loop-based music is. It lasts at most this many frames, a bar at least: the model
# hears 256 to 512 frames back, and what came a loop ago has to be among them if it is to go on with it.
LOOP_FRAMES = 224
TABLE: dict[str, Style] = {style.name: style for style in (*URBAN, *ELECTRONIC, *BAND, *ACOUSTIC)}
STYLES: tuple[str, ...] = tuple(TABLE)
MINOR_CALM = ("melancholic", "sad", "moody", "dark", "mysterious")
MINOR_LIVELY = ("dark", "tense", "moody", "serious", "mysterious")
MAJOR_MOODS = ("happy", "bright", "uplifting", "warm", "cheerful", "hopeful")
BRIGHT_WORDS = {"sunny", "cheerful", "summery", "uplifting", "heroic", "breezy"}
DARK_WORDS = {"dark", "melancholic", "wistful", "moody", "menacing", "industrial"}
CALM_WORDS = {"relaxed", "laid back", "sleepy", "gentle", "calm"}
LIVELY_WORDS = {"energetic", "driving", "danceable"}
TONE = {
    "dark": -0.9, "moody": -0.5, "mellow": -0.6, "sleepy": -0.6, "melancholic": -0.4, "mysterious": -0.4, "warm": -0.5,
    "deep": -0.6, "intimate": -0.4, "late night": -0.5, "bright": 0.9, "sunny": 0.5, "energetic": 0.4, "uplifting": 0.5,
    "happy": 0.4, "cheerful": 0.4, "tense": 0.3, "loud": 0.4, "neon": 0.4,
}  # fmt: skip


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
    rng = generator(seed, 0)
    style = TABLE[STYLES[seed % len(STYLES)]]
    low, high = style.bpm
    shortest, longest = max(FASTEST, frames_a_beat(high)), min(SLOWEST, frames_a_beat(low))
    bpm = BEAT_FRAMES / int(rng.integers(shortest, longest + 1))
    tonic, mode = int(rng.integers(12)), str(rng.choice(style.modes))
    feel = Feel(15 / bpm, float(rng.uniform(*style.swing)), style.swing_unit)
    meter = int(rng.choice(style.meters))
    words = moods(style, mode, bpm, meter, rng)
    room, duck = str(rng.choice(style.room)), style.duck * float(rng.uniform(0.7, 1.0))
    bars = int(np.ceil(seconds / (feel.step * meter))) + 1
    loops = tuple(Score(halves, meter) for halves in harmony(style, tonic, mode, loop_bars(bpm, meter, rng), rng))
    tracks = perform(players(style, loops, bars, seed), bars, meter, feel, style.loose, seconds, seed)
    return Song(
        seed=seed,
        seconds=seconds,
        style=style.name,
        bpm=bpm,
        tonic=tonic,
        mode=mode,
        instruments=tuple(dict.fromkeys(track.instrument for track in tracks)),
        moods=words,
        tracks=tracks,
        room=room,
        duck=duck,
        brightness=brightness(words),
    )


def frames_a_beat(bpm: float) -> int:
    """Return the whole number of the codec's frames that a beat lasts."""
    return round(BEAT_FRAMES / bpm)


def generator(seed: int, player: int) -> Rng:
    """Return a random generator of a song's own for one purpose: lengthening a song changes no other player."""
    return np.random.default_rng([0x6E616E6F, seed, player])


def loop_bars(bpm: float, meter: int, rng: Rng) -> int:
    """Draw how many bars a song's loop has: 1, 2 or 4, as many as fit in `LOOP_FRAMES`; one in six has twice that."""
    bar = BEAT_FRAMES / bpm * meter / 4
    longest = max(bars for bars in (1, 2, 4) if bars == 1 or bars * bar <= LOOP_FRAMES)
    return min(4, 2 * longest) if rng.random() < 1 / 6 else longest


def harmony(style: Style, tonic: int, mode: str, bars: int, rng: Rng) -> tuple[tuple[theory.Chord, ...], ...]:
    """Lay out two loops of ``bars`` bars, A and B, each on a chord progression: a chord for every half bar."""
    choices = style.progressions[theory.family(mode)]
    loops = []
    for _ in range(2):
        symbols = choices[rng.integers(len(choices))].split()
        slow = rng.random() < 0.4  # a chord lasts twice as long
        loops.append(
            tuple(theory.chord(symbol, tonic, mode, style.chord_size) for symbol in half_bars(symbols, bars, slow, rng))
        )
    return tuple(loops)


def half_bars(symbols: list[str], bars: int, slow: bool, rng: Rng) -> list[str]:
    """Fit a progression of four bars (each a chord, or two: "2/5") into a loop: a symbol for every half bar."""
    if bars == 4:
        return [half for symbol in symbols for half in (symbol.split("/") * 2)[:2]]
    first = [symbol.split("/")[0] for symbol in symbols]
    if bars == 2:
        return [half for symbol in (first[0], first[2]) for half in (symbol, symbol)] if slow else first
    return [first[0]] * 2 if slow else [first[0], first[rng.integers(1, len(first))]]


def letter(bar: int) -> int:
    """Which loop a bar plays: A (0) for eight bars, B (1) for four, and so on."""
    return int(bar % 12 >= 8)


def players(style: Style, loops: tuple[Score, ...], bars: int, seed: int) -> list[Plan]:
    """Draw the song's players, let each write its part of both loops, and repeat them for ``bars`` bars."""
    plans = []
    rng = generator(seed, 1)
    if style.grooves and rng.random() < style.drums_chance:
        groove = style.grooves[rng.integers(len(style.grooves))]
        kit = style.kits[rng.integers(len(style.kits))]
        events = parts.drums(groove, bars, loops[0].steps, rng)
        plans.append(Plan("drums", kit, style.drums_level, style.drums_send, False, 0.1, events))
    for index, part in enumerate(style.parts):
        rng = generator(seed, 2 + index)
        if rng.random() < part.chance:
            plans.append(player(part, loops, bars, rng, (seed, 300 + index)))
    return plans


def player(part: Part, loops: tuple[Score, ...], bars: int, rng: Rng, ideas: tuple[int, int]) -> Plan:
    """Give a part its voice, and its loops: the same ideas over the chords of A and of B."""
    instrument, voice = part.voices[rng.integers(len(part.voices))]
    level = part.level + float(rng.uniform(-1.5, 1.5))
    written = [parts.ROLES[part.role](part, loop, generator(*ideas)) for loop in loops]
    return Plan(instrument, voice, level, part.send, part.ducked, part.enters, repeat(written, loops[0], bars))


def repeat(written: list[list[Event]], loop: Score, bars: int) -> list[Event]:
    """Play the loops' events one after the other, as `letter` says."""
    return [
        event._replace(step=event.step + bar * loop.steps)
        for bar in range(0, bars, loop.bars)
        for event in written[letter(bar)]
    ]


def silences(plans: list[Plan], sections: int, seed: int) -> list[set[int]]:
    """Choose for each player the sections (four bars) in which it is silent: some enter late, some pause.

    Two players at least play everywhere, so that no section falls silent.
    """
    rng = generator(seed, 100)
    silent: list[set[int]] = [set() for _ in plans]
    constant = set(rng.permutation(len(plans))[:2].tolist())
    late, pauses = rng.random(len(plans)), rng.random((sections, len(plans)))
    for index, plan in enumerate(plans):
        if index not in constant:
            silent[index] = {section for section in range(2, sections) if pauses[section, index] < 0.12}
            silent[index] |= {0} if late[index] < plan.enters else set()
    return silent


def perform(
    plans: list[Plan], bars: int, meter: int, feel: Feel, loose: float, seconds: float, seed: int
) -> tuple[Track, ...]:
    """Turn the plans into tracks, each with the silences of its sections and the dynamics of its loops."""
    sections = bars // 4 + 1
    silent = silences(plans, sections, seed)
    energy = generator(seed, 101).uniform(0.88, 1.0, 2)
    channels = iter([channel for channel in range(16) if channel != 9])
    tracks = []
    for index, plan in enumerate(plans):
        rng = generator(seed, 200 + index)
        drums = plan.instrument == "drums"
        pan = 0.0 if drums or plan.instrument.endswith("bass") else round(float(rng.uniform(-0.5, 0.5)), 2)
        habits, notes = hand(meter, loose, rng), []
        for event in plan.events:
            bar = int(event.step // meter)
            note = sound(event, feel, habits, energy[letter(bar)], seconds, rng)
            if bar // 4 not in silent[index] and note:
                notes.append(note)
        if notes:
            mixing = (plan.level, plan.send, plan.ducked)
            channel = 9 if drums else next(channels)
            tracks.append(Track(plan.instrument, plan.voice, channel, pan, *mixing, tuple(sorted(notes))))
    return tuple(tracks)


def sound(event: Event, feel: Feel, habits: Hand, energy: float, seconds: float, rng: Rng) -> Note | None:
    """Play an event as this player would; None if it starts at the song's very end or later."""
    start = habits.time(feel, event.step)
    velocity = habits.velocity(min(1.0, event.strength * energy), event.step, rng)
    if start >= seconds - 0.02:
        return None
    duration = min(max(event.length * feel.step, 0.04), seconds - start)
    return Note(round(start, 5), round(duration, 5), event.pitch, velocity)


def moods(style: Style, mode: str, bpm: float, meter: int, rng: Rng) -> tuple[str, ...]:
    """Choose mood words that contradict neither mode nor tempo: two of the style's, one of the mode's."""
    major = theory.family(mode) == "major"
    against = (DARK_WORDS if major else BRIGHT_WORDS) | (
        CALM_WORDS if bpm >= 128 else LIVELY_WORDS if bpm < 85 else set()
    )
    fitting = [word for word in style.moods if word not in against]
    words = [str(word) for word in rng.permutation(fitting)[:2]]
    own = MAJOR_MOODS if major else MINOR_CALM if bpm < 100 else MINOR_LIVELY
    words.append(str(rng.choice(own)))
    if bpm >= 128 or bpm <= 80:
        words.append("fast" if bpm >= 128 else "slow")
    if meter == 12:
        words.append("waltz")
    return tuple(dict.fromkeys(words))


def brightness(words: tuple[str, ...]) -> float:
    """Return the tone the moods ask for, -1 dark .. 1 bright."""
    return float(np.clip(sum(TONE.get(word, 0.0) for word in words), -1, 1))
