"""The players: each writes one part's notes of a loop, in steps; `arrange` repeats them, and knows seconds."""

from __future__ import annotations

from bisect import bisect_right
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
    """The harmony of a loop, which all players read.

    Attributes
    ----------
    starts, chords
        The steps at which chords begin, the first one at 0, and the chords; neighbours may be the same one.
    bars, steps
        The loop's length, and a bar's length in steps.
    strict
        Whether nothing sounds on from one chord into another: what is held then is struck again.
    """

    starts: tuple[float, ...]
    chords: tuple[Chord, ...]
    bars: int
    steps: int
    strict: bool = False

    def number(self, step: float) -> int:
        """Which chord a step has; after the loop's end it begins again."""
        return bisect_right(self.starts, step % (self.bars * self.steps)) - 1

    def at(self, step: float) -> Chord:
        """The chord at a step."""
        return self.chords[self.number(step)]

    def change(self, step: float) -> float:
        """The step at which the next chord begins."""
        loops, within = divmod(step, self.bars * self.steps)
        later = bisect_right(self.starts, within)
        whole = self.bars * self.steps
        return loops * whole + (self.starts[later] if later < len(self.starts) else whole)


def in_halves(halves: tuple[Chord, ...], steps: int) -> Score:
    """A loop with a chord for every half bar."""
    starts = tuple(float(half * steps // 2) for half in range(len(halves)))
    return Score(starts, halves, len(halves) // 2, steps)


def laid(pattern: str, bar: int, score: Score) -> list[tuple[float, Hit]]:
    """A bar's hits and their steps in the loop; where the score is strict, held ones begin anew with a new chord."""
    found = []
    for hit in steps(pattern):
        step = float(bar * score.steps + hit.step)
        end = step + hit.length
        while score.strict and end - score.change(step) >= 1:
            change = score.change(step)
            found.append((step, hit._replace(length=change - step)))
            step = change
        found.append((step, hit._replace(length=end - step)))
    return found


def cut(events: list[Event], score: Score) -> list[Event]:
    """End what would sound on into another chord, where the score is strict."""
    if not score.strict:
        return events
    return [event._replace(length=min(event.length, score.change(event.step) - event.step)) for event in events]


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
    """Read a bass symbol: 1 bass note, 3 third, 5 fifth, 7 seventh, 8 octave, a approach to the next bass note."""
    if symbol == "1":
        return theory.nearest(here.bass, centre)
    root = theory.nearest(here.bass, centre)
    if symbol == "8":
        return root + 12
    if symbol == "a":
        goal = theory.nearest(after.bass, root)
        below = [goal - 1, goal - 2, goal + 1, goal + 2]
        return next(pitch for pitch in below if pitch % 12 in here.scale)
    index = {"3": 1, "5": 2, "7": 3}.get(symbol, 0)
    tone = here.tones[index] if index < len(here.tones) else here.tones[-1]
    return root + (tone - root) % 12


def bass(part: Part, score: Score, rng: Rng) -> list[Event]:
    """Play bass patterns on the chords' roots."""
    events = []
    for bar, pattern in enumerate(draw_bars(part, score, rng)):
        for step, hit in laid(pattern, bar, score):
            pitch = bass_pitch(hit.symbol, score.at(step), score.at(step + score.steps // 2), part.centre, rng)
            events.append(Event(step, hit.length * part.gate, pitch, 0.85 * accent(hit.step)))
    return events


def walking(part: Part, score: Score, rng: Rng) -> list[Event]:
    """Walk in quarter notes: root on a new chord, then chord tones and scale steps, approaching the next root."""
    events = []
    pitch = theory.nearest(score.chords[0].bass, part.centre)
    for step in range(0, score.bars * score.steps, 4):
        here, after = score.at(step), score.at(step + 4)
        if step == 0 or here.bass != score.at(step - 4).bass:
            pitch = theory.nearest(here.bass, pitch if part.centre - 7 < pitch < part.centre + 9 else part.centre)
        elif after.bass != here.bass:
            goal = theory.nearest(after.bass, pitch)
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
    """Voice-lead the loop's chords."""
    placed: list[tuple[int, ...]] = []
    previous: tuple[int, ...] | None = None
    for here in score.chords:
        tones = here.tones if len(here.tones) <= part.voices_max else here.tones[-part.voices_max :]
        previous = theory.voicing(tones, previous, part.centre)
        placed.append(previous)
    return placed


def comp(part: Part, score: Score, rng: Rng) -> list[Event]:
    """Play voice-led chords in a rhythm; ``d``/``u`` are strums down and up."""
    events = []
    chords = voicings(part, score)
    for bar, pattern in enumerate(draw_bars(part, score, rng)):
        for step, hit in laid(pattern, bar, score):
            if hit.symbol == "g" and rng.random() < 0.5:
                continue
            pitches = chords[score.number(step)]
            events += strum(pitches, step, hit, part, 0.8)
    return events


def strum(pitches: tuple[int, ...], step: float, hit: Hit, part: Part, base: float) -> list[Event]:
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
    chords = voicings(part, score)
    starts = (*score.starts, float(score.bars * score.steps))
    start = 0
    for index in range(1, len(chords) + 1):
        changed = index == len(chords) or score.chords[index] != score.chords[start]
        if changed or starts[index] - starts[start] >= 4 * score.steps:
            length = starts[index] - starts[start]
            events += [Event(starts[start], length * 0.99, pitch, 0.7) for pitch in chords[start]]
            start = index
    return events


def arp(part: Part, score: Score, rng: Rng) -> list[Event]:
    """Play broken chords: digits choose voices from the bottom (0 is the bass note an octave below)."""
    events = []
    chords = voicings(part, score)
    for bar, pattern in enumerate(draw_bars(part, score, rng)):
        for step, hit in laid(pattern, bar, score):
            pitches = chords[score.number(step)]
            root = theory.nearest(score.at(step).bass, pitches[0] - 9)
            ladder = (root, *(pitch + up for up in (0, 12, 24) for pitch in pitches))
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
