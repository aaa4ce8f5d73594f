"""How soon is a new chord heard? Each stream is told a new random triad every two bars, on the grid or off it.

The listener hears half a second at a time, around each moment, and says which of two triads it is more like: the one
before or the new one. Half of what it hears at a chord's very moment is the one before, so it hears a chord that is
there at once on time, neither early nor late; what it makes of music whose chords are struck, ring on and are
arpeggiated, it says of rendered songs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from musicgen.score import FIELDS, Fields
from training.codec import RATE
from training.compose import Song, compose
from training.compose.arrange import STYLES
from training.compose.liberties import Liberties
from training.compose.theory import Chord
from training.evaluate.clocks import clock
from training.evaluate.following import SECONDS, SETTLED, styles_of, tempi
from training.evaluate.listeners import TRIADS, Audio, triads
from training.evaluate.playing import Take, written
from training.evaluate.studio import FRAMES, Studio
from training.render import render

SEED, RENDERED = 97_000, 740_000
STREAMS = 2  # of a style: the chords of every other one begin off the grid
WINDOW, STEP = 0.5, 0.04  # seconds that the listener hears, and from one moment to the next
HOLD = 0.5  # beats for which a new chord has to be the likelier one
MISSED = 3.0  # beats after which it counts as missed
SONGS, ROOM = 1, 40.0  # of a style, that have such chords; their seconds


class Turn(NamedTuple):
    """A new chord: when it begins, in seconds, and which triad takes the place of which."""

    moment: float
    before: int
    after: int


class Asked(NamedTuple):
    """What a stream is told, and its turns."""

    place: str
    bpm: float
    fields: Fields
    turns: list[Turn]


def latest(seconds: float, bpm: float) -> float:
    """The last moment of a clip at which a chord may begin that is listened for."""
    return seconds - (MISSED + HOLD) * 60 / bpm - WINDOW


# --- what is asked ------------------------------------------------------------------------------------------------


def asked_of(bpm: float, off: float, chords: Sequence[int], early: float) -> Asked:
    """A stream whose chord changes every two bars, so many beats after the bar; frames are told `early` seconds ahead,
    as the beat is."""
    fields = clock(bpm, round(SECONDS * FRAMES), early)
    count = (np.arange(len(fields)) / FRAMES + early) * bpm / 60 - off
    number = np.maximum(np.floor(count / 8 + 1e-9).astype(int), 0)
    which = np.array(chords)[number % len(chords)]
    fields[:, FIELDS.index("notes")] = (TRIADS @ 2 ** np.arange(12))[which]
    fields[:, FIELDS.index("bass")] = which % 12
    moments = [(8 * i + off) * 60 / bpm for i in range(1, number[-1] + 1)]
    pairs = zip(moments, chords, chords[1:], strict=False)
    turns = [Turn(*turn) for turn in pairs if SETTLED < turn[0] < latest(SECONDS, bpm)]
    return Asked("off the grid" if off else "on the grid", bpm, fields, turns)


def streams(studio: Studio) -> list[tuple[str, Asked]]:
    """What is asked of each style."""
    rng, found = np.random.default_rng(studio.arguments.seed + 40), []
    for number in range(STREAMS):
        for style in styles_of(studio):
            off = float(rng.uniform(0.2, 3.8)) if number % 2 else 0.0
            chords = [int(x) for x in rng.permutation(24)]
            found.append((style, asked_of(tempi(style, False)[0], off, chords, studio.model.score_delay)))
    return found


# --- what rendered songs have -------------------------------------------------------------------------------------


def plain(chord: Chord) -> int | None:
    """Which triad a chord is, None for any other chord and over another bass than its root."""
    bits = np.isin(np.arange(12), [*chord.tones])
    found = [i for i in np.flatnonzero((bits == TRIADS).all(1)) if i % 12 == chord.bass]
    return int(found[0]) if found else None


def turns_of(song: Song) -> list[Turn]:
    """Where a plain triad takes the place of another in a song and both last long enough."""
    starts = [song.tempo.time(step) for step, _ in song.harmony] + [song.seconds]
    names, beat = [plain(chord) for _, chord in song.harmony], 60 / song.bpm
    found = []
    for i in range(1, len(names)):
        before, after = names[i - 1], names[i]
        shortest = min(starts[i] - starts[i - 1], starts[i + 1] - starts[i])
        if before is not None and after is not None and before != after and shortest > (MISSED + HOLD) * beat:
            found.append(Turn(starts[i], before, after))
    return [turn for turn in found if turn.moment < latest(song.seconds, song.bpm)]


def songs(style: str) -> Iterator[tuple[Song, list[Turn]]]:
    """Some of a style's songs that have turns."""
    seed = RENDERED - RENDERED % len(STYLES) + STYLES.index(style)
    found = 0
    while found < SONGS:
        song = compose(seed, ROOM, Liberties(tempo=True, chords=True))
        if turns := turns_of(song):
            found += 1
            yield song, turns
        seed += len(STYLES)


# --- what is heard ------------------------------------------------------------------------------------------------


def prefers(audio: Audio, moment: float, turn: Turn) -> bool:
    """Whether what sounds around a moment is more like the new triad than like the one before."""
    start = round((moment - WINDOW / 2) * RATE)
    heard = triads(audio[start : start + round(WINDOW * RATE)])
    return bool(heard[turn.after] > heard[turn.before])


def heard_after(audio: Audio, turn: Turn, beat: float) -> float:
    """Beats (of so many seconds) from a new chord's moment until it is heard, and goes on to be; `MISSED` if never."""
    moments = turn.moment + np.arange(0, (MISSED + HOLD) * beat, STEP)
    new = np.array([prefers(audio, moment, turn) for moment in moments])
    settled = np.lib.stride_tricks.sliding_window_view(new, round(HOLD * beat / STEP) + 1).all(1)
    return float(settled.argmax() * STEP / beat) if settled.any() else MISSED


def judged(audio: Audio, turns: Sequence[Turn], bpm: float) -> list[tuple[float, bool]]:
    """Of every turn: beats until it is heard, and whether the listener takes what it hears before it for the new
    chord, which is by mistake."""
    away = WINDOW / 2 + STEP
    return [(heard_after(audio, turn, 60 / bpm), prefers(audio, turn.moment - away, turn)) for turn in turns]


def summary(heard: dict[str, list[tuple[float, bool]]]) -> dict[str, Any]:
    """Of all turns and, where it is worst, of one name: how soon they are heard, and how many only late or never."""
    by_name = {name: figures(found) for name, found in heard.items()}
    worst = max(by_name, key=lambda name: (by_name[name]["p95"], by_name[name]["p50"]))
    return {
        **figures([one for found in heard.values() for one in found]),
        "worst": {"of": worst, **by_name[worst]},
        "by_name": by_name,
    }


def figures(found: Sequence[tuple[float, bool]]) -> dict[str, float]:
    """Median and 95th percentile in beats; shares."""
    after, mistaken = np.array(found, np.float64).T
    return {
        "p50": float(np.median(after)),
        "p95": float(np.quantile(after, 0.95)),
        "within_a_beat": float(np.mean(after <= 1)),
        "missed": float(np.mean(after == MISSED)),
        "mistaken_before": float(mistaken.mean()),
        "turns": len(after),
    }


def turns(studio: Studio) -> dict[str, Any]:
    """How soon new triads are heard, in beats: of nano's streams, on and off the grid, and of decoded renders."""
    if not studio.model.follows_score:
        return {"absent": "the model has no score.safetensors"}
    asked = streams(studio)
    takes = [
        Take(((0, f"give me {style}"),), len(one.fields), SEED + i, written(one.fields))
        for i, (style, one) in enumerate(asked)
    ]
    heard: dict[str, dict[str, list[tuple[float, bool]]]] = {"on the grid": {}, "off the grid": {}, "renders": {}}
    for (style, one), codes in zip(asked, studio.play(takes), strict=True):
        found = judged(studio.sound(codes), one.turns, one.bpm)
        heard[one.place].setdefault(style, []).extend(found)
    for style in styles_of(studio):
        for song, own in songs(style):
            (codes,) = studio.encode([render(song)])
            heard["renders"].setdefault(style, []).extend(judged(studio.sound(codes), own, song.bpm))
    return {name: summary(of) for name, of in heard.items()}
