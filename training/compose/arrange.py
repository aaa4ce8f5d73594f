"""Put a style's tables together into a song: key, tempo, harmony, players, sections, human timing."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from training.compose import liberties as free
from training.compose import parts, tempo, theory
from training.compose.acoustic import ACOUSTIC
from training.compose.band import BAND
from training.compose.electronic import ELECTRONIC
from training.compose.groove import DRUMS, Feel, Hand, accent, hand
from training.compose.liberties import NONE, USUAL, Liberties
from training.compose.parts import Event, Rng, Score
from training.compose.song import Note, Song, Track
from training.compose.style import Part, Style
from training.compose.urban import URBAN

# Frames of the codec in a minute. A beat lasts a whole number of them (50 at 60 bpm, 17 at 176), so that what repeats
# in the music repeats in its codes; any tempo is within 3 % of one of these. Songs that take liberties with their tempo
# are told where the beat is: they do without.
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
PLAYER_OF = {"bass": "bass", "walking": "bass", "melody": "lead"}  # by role; the others play chords
CALM_WORDS = {"relaxed", "laid back", "sleepy", "gentle", "calm"}
LIVELY_WORDS = {"energetic", "driving", "danceable"}
TONE = {
    "dark": -0.9, "moody": -0.5, "mellow": -0.6, "sleepy": -0.6, "melancholic": -0.4, "mysterious": -0.4, "warm": -0.5,
    "deep": -0.6, "intimate": -0.4, "late night": -0.5, "bright": 0.9, "sunny": 0.5, "energetic": 0.4, "uplifting": 0.5,
    "happy": 0.4, "cheerful": 0.4, "tense": 0.3, "loud": 0.4, "neon": 0.4,
}  # fmt: skip


Span = tuple[float, float]


class Plan(NamedTuple):
    """One player's material before it becomes seconds."""

    player: str
    instrument: str
    voice: str
    level: float
    send: float
    ducked: bool
    enters: float
    events: list[Event]


def compose(seed: int, seconds: float, liberties: Liberties = NONE, steady: float | None = None) -> Song:
    """Compose a song.

    Parameters
    ----------
    seed : int
        >= 0; everything follows from it. Styles take turns: ``STYLES[seed % len(STYLES)]``.
    seconds : float
        Length; notes that would start later are left out, notes that would ring longer are cut.
    liberties : Liberties
        Which ones the song takes; without any it is a loop in a key at a steady tempo.
    steady : float, optional
        The energy throughout, 0..1, of a song that may take it; by default it rises and falls.

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
    usual = BEAT_FRAMES / int(rng.integers(shortest, longest + 1))
    bpm = tempo.drawn(low, high, generator(seed, 400)) if liberties.tempo else usual
    tonic, mode = int(rng.integers(12)), str(rng.choice(style.modes))
    swing, meter = float(rng.uniform(*style.swing)), int(rng.choice(style.meters))
    grid = grid_of(bpm, seconds, liberties, seed)
    feel = Feel(grid, swing, style.swing_unit)
    words = moods(style, mode, bpm, meter, rng)
    room, duck = str(rng.choice(style.room)), style.duck * float(rng.uniform(0.7, 1.0))
    bars = int(np.ceil(float(grid.step(np.array(seconds))) / meter)) + 1
    loops = tuple(parts.in_halves(one, meter) for one in harmony(style, tonic, mode, loop_bars(bpm, meter, rng), rng))
    if liberties.chords:
        starts, chords = zip(*free.progression(bars, meter, generator(seed, 402)), strict=True)
        loops = (Score(starts, chords, bars, meter, strict=True),)
    energy = np.full(bars, USUAL if steady is None else steady)
    if liberties.energy and steady is None:
        energy = free.energies(bars, generator(seed, 403))
    plans = players(style, loops, bars, seed)
    silent = comings(plans, meter, energy, seed) if liberties.players else sections(plans, bars, meter, seed)
    if liberties.energy:
        plans = [thinned(plan, energy, meter, generator(seed, 500 + index)) for index, plan in enumerate(plans)]
        silent = [times + gone for times, gone in zip(silent, resting(plans, energy, meter, seed), strict=True)]
    strength = energy_factors(energy, seed)
    tracks = perform(plans, silent, strength, meter, feel, style.loose, seconds, seed)
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
        liberties=liberties,
        tempo=grid,
        meter=meter,
        harmony=written_chords(loops, bars),
        energy=tuple(energy.tolist()),
    )


def grid_of(bpm: float, seconds: float, liberties: Liberties, seed: int) -> tempo.Tempo:
    """When every step of a song comes that starts at a tempo."""
    if not liberties.changes:
        return tempo.steady(bpm)
    return tempo.changing(bpm, int(np.ceil(seconds * bpm / 15)), generator(seed, 405))


def written_chords(loops: tuple[Score, ...], bars: int) -> tuple[tuple[float, theory.Chord], ...]:
    """The chords of a song that plays the loops as `letter` says, and the steps at which they begin."""
    found = []
    for bar in range(0, bars, loops[0].bars):
        loop = loops[letter(bar) % len(loops)]
        found += [(start + bar * loop.steps, chord) for start, chord in zip(loop.starts, loop.chords, strict=True)]
    return tuple(found)


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
        plans.append(Plan("drums", "drums", kit, style.drums_level, style.drums_send, False, 0.1, events))
    for index, part in enumerate(style.parts):
        rng = generator(seed, 2 + index)
        if rng.random() < part.chance:
            plans.append(player(part, loops, bars, rng, (seed, 300 + index)))
    return plans


def player(part: Part, loops: tuple[Score, ...], bars: int, rng: Rng, ideas: tuple[int, int]) -> Plan:
    """Give a part its voice, and its loops: the same ideas over the chords of A and of B."""
    instrument, voice = part.voices[rng.integers(len(part.voices))]
    level = part.level + float(rng.uniform(-1.5, 1.5))
    written = [parts.cut(parts.ROLES[part.role](part, loop, generator(*ideas)), loop) for loop in loops]
    return Plan(
        PLAYER_OF.get(part.role, "chords"),
        instrument,
        voice,
        level,
        part.send,
        part.ducked,
        part.enters,
        repeat(written, loops[0], bars),
    )


def repeat(written: list[list[Event]], loop: Score, bars: int) -> list[Event]:
    """Play the loops' events one after the other, as `letter` says."""
    return [
        event._replace(step=event.step + bar * loop.steps)
        for bar in range(0, bars, loop.bars)
        for event in written[letter(bar) % len(written)]
    ]


def sections(plans: list[Plan], bars: int, meter: int, seed: int) -> list[list[Span]]:
    """Choose for each player the sections (four bars) in which it is silent, in steps: some enter late, some pause.

    Two players at least play everywhere, so that no section falls silent.
    """
    rng = generator(seed, 100)
    count, section = bars // 4 + 1, 4 * meter
    silent: list[set[int]] = [set() for _ in plans]
    constant = set(rng.permutation(len(plans))[:2].tolist())
    late, pauses = rng.random(len(plans)), rng.random((count, len(plans)))
    for index, plan in enumerate(plans):
        if index not in constant:
            silent[index] = {number for number in range(2, count) if pauses[number, index] < 0.12}
            silent[index] |= {0} if late[index] < plan.enters else set()
    return [[(float(one * section), float((one + 1) * section)) for one in sorted(which)] for which in silent]


def comings(plans: list[Plan], meter: int, energy: NDArray[np.float64], seed: int) -> list[list[Span]]:
    """Let players come and go, on bars or, in one song of four, on beats; one of them stays, so that there is music."""
    rng = generator(seed, 401)
    unit = 4 if rng.random() < 0.25 else meter
    there = sorted({plan.player for plan in plans})
    stays = there[rng.integers(len(there))] if there else ""
    silent = {player: free.spans(len(energy) * meter, unit, rng) for player in there}
    return [[] if plan.player == stays else silent[plan.player] for plan in plans]


def resting(plans: list[Plan], energy: NDArray[np.float64], meter: int, seed: int) -> list[list[Span]]:
    """Leave players out where there is little energy, each below a level of its own; two play on."""
    rng = generator(seed, 404)
    order = rng.permutation(len(plans))
    levels = np.zeros(len(plans))
    levels[order[2:]] = rng.uniform(0, 0.55, max(0, len(plans) - 2))
    return [[(float(bar * meter), float((bar + 1) * meter)) for bar in np.flatnonzero(energy < one)] for one in levels]


def thinned(plan: Plan, energy: NDArray[np.float64], meter: int, rng: Rng) -> Plan:
    """Play less between the beats where there is little energy, and more strokes of the hat where there is much."""
    habit = rng.uniform(-0.12, 0.12, meter)
    weight = np.array([(1.0, 0.4, 0.7, 0.4)[step % 4] for step in range(meter)]) + habit
    level = energy[np.minimum([int(event.step // meter) for event in plan.events], len(energy) - 1).astype(int)]
    kept = [
        event
        for event, here in zip(plan.events, level, strict=True)
        if weight[int(event.step) % meter] >= 0.85 - 1.3 * here
    ]
    hats = {event.step for event in kept if event.pitch in (DRUMS["hat"], DRUMS["open"], DRUMS["ride"])}
    if plan.player == "drums" and hats:
        for bar in np.flatnonzero(energy > 0.75):
            steps = range(bar * meter, (bar + 1) * meter, 1 if energy[bar] > 0.9 else 2)
            kept += [Event(step, 1, DRUMS["hat"], 0.6 * accent(step % meter)) for step in steps if step not in hats]
    return plan._replace(events=kept)


def energy_factors(energy: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """How hard every bar is played: the loops differ a little, the energies by up to 12 dB."""
    loops = generator(seed, 101).uniform(0.88, 1.0, 2)
    return np.array([loops[letter(bar)] for bar in range(len(energy))]) * (1 + (energy - USUAL) * 0.9)


def perform(
    plans: list[Plan],
    silent: list[list[Span]],
    strength: NDArray[np.float64],
    meter: int,
    feel: Feel,
    loose: float,
    seconds: float,
    seed: int,
) -> tuple[Track, ...]:
    """Turn the plans into tracks, each with its silences and with the strength of every bar."""
    channels = iter([channel for channel in range(16) if channel != 9])
    tracks = []
    for index, plan in enumerate(plans):
        rng = generator(seed, 200 + index)
        drums = plan.instrument == "drums"
        pan = 0.0 if drums or plan.instrument.endswith("bass") else round(float(rng.uniform(-0.5, 0.5)), 2)
        habits, notes = hand(meter, loose, rng), []
        for event in plan.events:
            bar = int(event.step // meter)
            note = sound(event, feel, habits, strength[min(bar, len(strength) - 1)], seconds, rng)
            if note and not any(start <= event.step < end for start, end in silent[index]):
                notes.append(note)
        if notes:
            mixing = (plan.level, plan.send, plan.ducked)
            channel = 9 if drums else next(channels)
            gone = tuple((feel.tempo.time(start), feel.tempo.time(end)) for start, end in silent[index])
            told = (tuple(sorted(fall_silent(notes, gone))), plan.player, gone)
            tracks.append(Track(plan.instrument, plan.voice, channel, pan, *mixing, *told))
    return tuple(tracks)


def fall_silent(notes: list[Note], gone: tuple[Span, ...]) -> list[Note]:
    """End what would sound on when its player has left."""
    ended = []
    for note in notes:
        leaves = min((start for start, _ in gone if start > note.start), default=np.inf)
        ended.append(note._replace(duration=round(max(0.04, min(note.duration, leaves - note.start)), 5)))
    return ended


def sound(event: Event, feel: Feel, habits: Hand, factor: float, seconds: float, rng: Rng) -> Note | None:
    """Play an event as this player would; None if it starts at the song's very end or later."""
    start = habits.time(feel, event.step)
    velocity = habits.velocity(min(1.0, event.strength * factor), event.step, rng)
    if start >= seconds - 0.02:
        return None
    length = feel.tempo.time(event.step + event.length) - feel.tempo.time(event.step)
    duration = min(max(length, 0.04), seconds - start)
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
