"""The players: each writes one part's notes of a loop, in steps; `arrange` repeats them, and knows seconds."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from training.compose import theory
from training.compose.groove import DRUMS, VELOCITY, Hit, accent, steps
from training.compose.style import Groove, Part
from training.compose.theory import Chord

Rng = np.random.Generator


class Event(NamedTuple):
    """A note on the grid: absolute step, length in steps, pitch, strength 0..1."""

    step: float
    length: float
    pitch: int
    strength: float


class Score(NamedTuple):
    """The harmony of a loop, which all players read: a chord for every half bar, and the bar's length in steps."""

    halves: tuple[Chord, ...]
    steps: int

    @property
    def bars(self) -> int:
        return len(self.halves) // 2

    def at(self, step: int) -> Chord:
        """The chord at a step; after the loop's end it begins again."""
        return self.halves[step * 2 // self.steps % len(self.halves)]


def draw_bars(part: Part, score: Score, rng: Rng) -> list[str]:
    """Lay out two patterns as A B A B over the loop's bars."""
    first = part.patterns[rng.integers(len(part.patterns))]
    second = part.patterns[rng.integers(len(part.patterns))]
    return [(second if bar % 2 else first)[: score.steps] for bar in range(score.bars)]


def drums(groove: Groove, bars: int, bar_steps: int, rng: Rng) -> list[Event]:
    """Play a groove, with a fill every fourth or eighth bar and a crash after it; for the whole song.

    Of the ghost notes half are played, the same ones in every bar.
    """
    events = []
    fill_every = int(rng.choice([4, 8]))
    fill = groove.fills[rng.integers(len(groove.fills))] if groove.fills else {}
    crashing = bool(groove.fills) and rng.random() < 0.7
    played = rng.random(bar_steps) < 0.5
    for bar in range(bars):
        lines = dict(groove.beat)
        if bar % fill_every == fill_every - 1:
            lines |= fill
        if bar % 8 == 0 and bar > 0 and "crash" not in lines and crashing:
            lines["crash"] = "X"
        for name, line in lines.items():
            for hit in steps(line[:bar_steps]):
                if hit.symbol == "g" and not played[hit.step]:
                    continue
                strength = VELOCITY[hit.symbol] * accent(hit.step)
                events.append(Event(bar * bar_steps + hit.step, 1, DRUMS[name], strength))
    return events


def bass_pitch(symbol: str, here: Chord, after: Chord, centre: int, rng: Rng) -> int:
    """Read a bass symbol: 1 root, 3 third, 5 fifth, 7 seventh, 8 octave, a approach to the next root."""
    root = theory.nearest(here.root, centre)
    if symbol == "8":
        return root + 12
    if symbol == "a":
        goal = theory.nearest(after.root, root)
        below = [goal - 1, goal - 2, goal + 1, goal + 2]
        return next(pitch for pitch in below if pitch % 12 in here.scale)
    index = {"1": 0, "3": 1, "5": 2, "7": 3}.get(symbol, 0)
    tone = here.tones[index] if index < len(here.tones) else here.tones[-1]
    return root + (tone - root) % 12


def bass(part: Part, score: Score, rng: Rng) -> list[Event]:
    """Play bass patterns on the chords' roots."""
    events = []
    for bar, pattern in enumerate(draw_bars(part, score, rng)):
        for hit in steps(pattern):
            step = bar * score.steps + hit.step
            pitch = bass_pitch(hit.symbol, score.at(step), score.at(step + score.steps // 2), part.centre, rng)
            events.append(Event(step, hit.length * part.gate, pitch, 0.85 * accent(hit.step)))
    return events


def walking(part: Part, score: Score, rng: Rng) -> list[Event]:
    """Walk in quarter notes: root on a new chord, then chord tones and scale steps, approaching the next root."""
    events = []
    pitch = theory.nearest(score.halves[0].root, part.centre)
    for step in range(0, score.bars * score.steps, 4):
        here, after = score.at(step), score.at(step + 4)
        if step == 0 or here.root != score.at(step - 4).root:
            pitch = theory.nearest(here.root, pitch if part.centre - 7 < pitch < part.centre + 9 else part.centre)
        elif after.root != here.root:
            goal = theory.nearest(after.root, pitch)
            pitch = goal + int(rng.choice([-1, 1, -2, 2]))
        else:
            tones = [theory.nearest(tone, pitch + move) for tone in here.tones for move in (-3, 3)]
            moves = [tone for tone in tones if tone != pitch and abs(tone - part.centre) < 10] or [pitch]
            pitch = int(rng.choice(moves))
        events.append(Event(step, 4 * part.gate, pitch, 0.8 * accent(step % score.steps)))
        if rng.random() < 0.12:
            events.append(Event(step + 2, 1.2, pitch, 0.5))
    return events


def voicings(part: Part, score: Score) -> list[tuple[int, ...]]:
    """Voice-lead the song's chords: one voicing for every half bar."""
    placed: list[tuple[int, ...]] = []
    previous: tuple[int, ...] | None = None
    for here in score.halves:
        tones = here.tones if len(here.tones) <= part.voices_max else here.tones[-part.voices_max :]
        previous = theory.voicing(tones, previous, part.centre)
        placed.append(previous)
    return placed


def comp(part: Part, score: Score, rng: Rng) -> list[Event]:
    """Play voice-led chords in a rhythm; ``d``/``u`` are strums down and up."""
    events = []
    chords = voicings(part, score)
    for bar, pattern in enumerate(draw_bars(part, score, rng)):
        for hit in steps(pattern):
            if hit.symbol == "g" and rng.random() < 0.5:
                continue
            step = bar * score.steps + hit.step
            pitches = chords[min(step * 2 // score.steps, len(chords) - 1)]
            events += strum(pitches, step, hit, part, 0.8)
    return events


def strum(pitches: tuple[int, ...], step: int, hit: Hit, part: Part, base: float) -> list[Event]:
    """Sound a chord, its notes spread over `part.strum` steps, upwards or (``u``) downwards."""
    order = pitches[::-1] if hit.symbol == "u" else pitches
    strength = base * VELOCITY.get(hit.symbol, 0.75) * accent(hit.step)
    return [
        Event(step + index * part.strum, hit.length * part.gate, pitch, strength * (1 - 0.03 * index))
        for index, pitch in enumerate(order)
    ]


def pad(part: Part, score: Score, rng: Rng) -> list[Event]:
    """Hold voice-led chords for as long as the harmony stays."""
    events = []
    half = score.steps // 2
    chords = voicings(part, score)
    start = 0
    for index in range(1, len(chords) + 1):
        changed = index == len(chords) or score.halves[index] != score.halves[start]
        if changed or index - start == 8:
            length = (index - start) * half
            events += [Event(start * half, length * 0.99, pitch, 0.7) for pitch in chords[start]]
            start = index
    return events


def arp(part: Part, score: Score, rng: Rng) -> list[Event]:
    """Play broken chords: digits choose voices from the bottom (0 is the bass note an octave below)."""
    events = []
    chords = voicings(part, score)
    for bar, pattern in enumerate(draw_bars(part, score, rng)):
        for hit in steps(pattern):
            step = bar * score.steps + hit.step
            pitches = chords[min(step * 2 // score.steps, len(chords) - 1)]
            root = theory.nearest(score.at(step).root, pitches[0] - 9)
            ladder = (root, *pitches, *(pitch + 12 for pitch in pitches))
            events.append(Event(step, hit.length * part.gate, ladder[int(hit.symbol)], 0.75 * accent(hit.step)))
    return events


def motif(pattern: str, rng: Rng) -> list[tuple[Hit, int]]:
    """Invent a motif: a rhythm with a contour of scale steps that leaps rarely and turns back after a leap."""
    degree, last, notes = int(rng.choice([0, 2, 4])), 0, []
    for hit in steps(pattern):
        notes.append((hit, degree))
        move = int(rng.choice([-2, -1, -1, 0, 1, 1, 2, 3, 4], p=[0.1, 0.2, 0.1, 0.1, 0.1, 0.2, 0.1, 0.05, 0.05]))
        if abs(last) >= 3:
            move = -int(np.sign(last))
        if not -3 <= degree + move <= 8:
            move = -move
        degree, last = degree + move, move
    return notes


def melody(part: Part, score: Score, rng: Rng) -> list[Event]:
    """Play phrases a a' a b: a motif and an answer, chord tones on strong beats."""
    first, second = (motif(part.patterns[rng.integers(len(part.patterns))][: score.steps], rng) for _ in range(2))
    shift = int(rng.choice([0, 0, 1, 2, -1]))
    events = []
    for bar in range(score.bars):
        moved = shift if bar % 2 else 0
        for hit, degree in second if bar % 4 == 3 else first:
            step = bar * score.steps + hit.step
            here = score.at(step)
            strong = hit.step % 4 == 0 or hit.length > 2
            sung = theory.snap(degree + moved, here) if strong else degree + moved
            pitch = theory.degree_pitch(sung, here.scale, part.centre)
            events.append(Event(step, hit.length * part.gate, pitch, 0.85 * accent(hit.step)))
    return events


ROLES: dict[str, Callable[[Part, Score, Rng], list[Event]]] = {
    "bass": bass,
    "walking": walking,
    "comp": comp,
    "pad": pad,
    "arp": arp,
    "melody": melody,
}
