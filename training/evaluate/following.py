"""Does nano play what it is told? Beats on the clock, chords, players, energy: from its sound alone.

By default few styles at few tempi, so that it takes minutes; ``--full`` for every style, and chords on every root.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from musicgen.score import FIELDS, Fields, unknown
from training import told
from training.codec import RATE
from training.compose import compose
from training.compose.arrange import STYLES, TABLE
from training.compose.liberties import USUAL, Liberties
from training.compose.song import PLAYERS
from training.compose.takes import take
from training.evaluate.clocks import clock
from training.evaluate.listeners import (
    TRIADS,
    Audio,
    Beats,
    bass,
    beats,
    drums,
    errors,
    halves,
    triad,
)
from training.evaluate.material import NO_PULSE
from training.evaluate.playing import Take, written
from training.evaluate.studio import FRAMES, Studio
from training.render import render
from training.takes import render as renders

FEW = ("house", "techno", "funk", "rock", "jazz trio", "reggae", "trap", "lo-fi hip hop")
SECONDS, SETTLED = 32.0, 8.0  # of a stream; of its beginning, which is not judged
EDGE = 0.3  # seconds after a change that belong to neither side
SEED = 90_000
RENDERED = 700_000  # seed of the renders that the listeners are tried on
ROOM = 32.0  # seconds of a rendered song


def switched(fields: Fields, name: str, seconds: float, values: Sequence[float]) -> Fields:
    """The same score, with one field that takes the values in turn, each for so many seconds."""
    changed: Fields = fields.copy()
    block = np.arange(len(fields)) // round(seconds * FRAMES)
    changed[:, FIELDS.index(name)] = np.array(values)[block % len(values)]
    return changed


def with_chords(fields: Fields, triads: Sequence[int], frames_each: int) -> Fields:
    """The same score, with triads (numbered as `listeners.triad` does) that last as many frames each."""
    changed: Fields = fields.copy()
    which = np.array(triads)[np.arange(len(fields)) // frames_each % len(triads)]
    changed[:, FIELDS.index("notes")] = (TRIADS @ 2 ** np.arange(12))[which]
    changed[:, FIELDS.index("bass")] = which % 12
    return changed


def styles_of(studio: Studio) -> list[str]:
    """The styles that are asked for."""
    return [style for style in (STYLES if studio.arguments.full else FEW) if style not in NO_PULSE]


def played(studio: Studio, asked: Sequence[tuple[str, Fields]], seed: int) -> list[Audio]:
    """What nano plays to each (style, score)."""
    takes = [
        Take(((0, f"give me {style}"),), len(fields), seed + i, written(fields))
        for i, (style, fields) in enumerate(asked)
    ]
    return [studio.sound(codes) for codes in studio.play(takes)]


def summary(away: Beats) -> dict[str, float]:
    """Median and 95th percentile of absolute errors, and how late they are on the whole, milliseconds."""
    late = {"late_ms": 1000 * float(np.median(away))}
    return {**{f"p{q}_ms": 1000 * float(np.quantile(np.abs(away), q / 100)) for q in (50, 95)}, **late}


def on_time(found: Beats, grid: Beats) -> dict[str, float]:
    """How far beats are from a grid after `SETTLED`, and from the grid of half beats: trackers err by those."""
    settled = found[(found > SETTLED) & (found < grid[-1])]
    half = {f"half_{name}": value for name, value in summary(errors(settled, halves(grid))).items()}
    return {**summary(errors(settled, grid)), **half, "beats": len(settled)}


def tempi(style: str, full: bool) -> tuple[float, ...]:
    """Tempi that a style is asked for; none of them has whole frames a beat."""
    low, high = TABLE[style].bpm
    return (low + 0.3 * (high - low) + 0.37, *((low + 0.8 * (high - low) + 0.37,) if full else ()))


def clocked(studio: Studio, told_clock: bool) -> dict[str, Any]:
    """Beats against the clock; or, of streams that are told nothing, against the tempo in their prompt."""
    asked = [(style, bpm) for style in styles_of(studio) for bpm in tempi(style, studio.arguments.full)]
    frames = round(SECONDS * FRAMES)
    early = studio.model.score_delay
    scores = [clock(bpm, frames, early) if told_clock else unknown(frames) for _, bpm in asked]
    prompts = [style if told_clock else f"{style}, {bpm:.0f} bpm" for style, bpm in asked]
    clips = played(studio, list(zip(prompts, scores, strict=True)), SEED)
    grids = [np.arange(0, SECONDS + 1, 60 / bpm) for _, bpm in asked]
    heard = [on_time(beats(clip, bpm), grid) for clip, (_, bpm), grid in zip(clips, asked, grids, strict=True)]
    names = [f"{style} {bpm:.2f}" for style, bpm in asked]
    return {**middle_and_worst(heard, names), "by_stream": dict(zip(names, heard, strict=True))}


def middle_and_worst(heard: Sequence[dict[str, float]], names: Sequence[str]) -> dict[str, Any]:
    """Medians over streams, and which is worst."""
    worst = max(range(len(heard)), key=lambda i: heard[i]["half_p95_ms"])
    keys = ("p50_ms", "p95_ms", "half_p50_ms", "half_p95_ms")
    return {
        "median": {key: float(np.median([one[key] for one in heard])) for key in keys},
        "worst": {"stream": names[worst], **{key: heard[worst][key] for key in keys}},
        "within_20_60": sum(one["p50_ms"] < 20 and one["p95_ms"] < 60 for one in heard),
        "streams": len(heard),
    }


def songs(studio: Studio, liberties: Liberties) -> Iterator[tuple[Any, Audio]]:
    """Rendered songs of the styles that are asked for, each through nano's codec."""
    for i, style in enumerate(styles_of(studio)):
        song = compose(RENDERED + len(STYLES) * i + STYLES.index(style) - RENDERED % len(STYLES), ROOM, liberties)
        (codes,) = studio.encode([render(song)])
        yield song, studio.sound(codes)


def tracker_on_renders(studio: Studio) -> dict[str, Any]:
    """The beats' listener on decoded renders at any tempo: what it would say of a nano that is always on time."""
    heard, names = [], []
    for song, audio in songs(studio, Liberties(tempo=True)):
        grid = np.arange(0, ROOM, 60 / song.bpm)
        heard.append(on_time(beats(audio, song.bpm), grid))
        names.append(f"{song.style} {song.bpm:.2f}")
    return middle_and_worst(heard, names)


def chords(studio: Studio) -> dict[str, Any]:
    """How often the triad that is heard is the one that was asked for, of a new random triad every bar or two."""
    rng, asked, wanted = np.random.default_rng(studio.arguments.seed + 20), [], []
    for style in styles_of(studio):
        bpm = tempi(style, False)[0]
        bar = 4 * 60 * FRAMES / bpm
        each = round(bar * (2 if bar < 1.6 * FRAMES else 1))
        triads = [int(x) for x in rng.permutation(24)]
        asked.append((style, with_chords(clock(bpm, round(SECONDS * FRAMES), studio.model.score_delay), triads, each)))
        wanted.append((triads, each))
    hits = {}
    for (style, fields), (triads, each), clip in zip(asked, wanted, played(studio, asked, SEED + 1000), strict=True):
        count = len(fields) // each
        heard = [triad(clip[piece(i * each, (i + 1) * each)]) for i in range(1, count)]
        hits[style] = float(np.mean([a == triads[i % 24] for i, a in enumerate(heard, 1)]))
    return {
        "nano": float(np.mean([*hits.values()])),
        "worst": min(hits, key=lambda style: hits[style]),
        "by_style": hits,
        "decoded_renders": chords_of_renders(studio),
        "chance": 1 / 24,
    }


def piece(begin: int, end: int) -> slice:
    """Samples of the frames between, less the edge after the change."""
    return slice(round((begin / FRAMES + EDGE) * RATE), round(end / FRAMES * RATE))


def chords_of_renders(studio: Studio) -> float:
    """The chords' listener on decoded renders, wherever a plain triad lasts for more than a second."""
    right = []
    for song, audio in songs(studio, Liberties(tempo=True, chords=True)):
        fields = told.of_song(song, round(ROOM * FRAMES))
        bits = fields[:, FIELDS.index("notes")].astype(int)
        starts = np.flatnonzero(np.diff(bits, prepend=-1))
        for begin, end in zip(starts, [*starts[1:], len(bits)], strict=True):
            plain = np.flatnonzero(TRIADS @ 2 ** np.arange(12) == bits[begin])
            if len(plain) and end - begin > (1 + EDGE) * FRAMES:
                right.append(triad(audio[piece(int(begin), int(end))]) == plain[0])
    return float(np.mean(right)) if right else float("nan")


PLAYED = {"drums": drums, "bass": bass}
"""What tells more of a player the more it plays."""


def players(studio: Studio) -> dict[str, Any]:
    """How often there is more of the drums, or the bass, where they are told to play than in the eight seconds beside.

    They are told on and off for eight seconds in turn; the first three of each eight are not listened to. By chance it
    is half of the pairs. Beside nano's figures stand those of rendered songs, with that player and without.
    """
    report = {}
    for name, listener in PLAYED.items():
        asked = []
        for i, style in enumerate(styles_of(studio)):
            values = [1.0, 0.0] if i % 2 else [0.0, 1.0]
            fields = clock(tempi(style, False)[0], round(SECONDS * FRAMES), studio.model.score_delay)
            asked.append((style, switched(fields, f"play_{name}", 8.0, values)))
        right: dict[str, list[bool]] = {}
        for i, (clip, (style, _)) in enumerate(zip(played(studio, asked, SEED + 2000), asked, strict=True)):
            heard = [listener(clip[round((8 * k + 3) * RATE) : round(8 * (k + 1) * RATE)]) for k in range(4)]
            right[style] = [(then > now) == bool((k + i) % 2 == 0) for k, (now, then) in enumerate(pairwise(heard))]
        by_style = {style: float(np.mean(found)) for style, found in right.items()}
        worst = min(by_style, key=lambda style: by_style[style])
        report[name] = {
            "nano": float(np.mean([*by_style.values()])),
            "worst": worst,
            "by_style": by_style,
            "decoded_renders": players_of_renders(studio, name),
        }
    return report


def players_of_renders(studio: Studio, name: str) -> float:
    """How often the same listener hears more of a player in a decoded song than in the same song without it."""
    right = []
    for i in range(len(STYLES)):
        seed = RENDERED + i
        song = take(seed, 8.0, Liberties(tempo=True), PLAYERS, USUAL)
        others = {track.player for track in song.tracks} - {name}
        if others and len(others) < len({track.player for track in song.tracks}):
            pair = renders([song, take(seed, 8.0, Liberties(tempo=True), sorted(others), USUAL)])
            there, gone = (PLAYED[name](studio.sound(codes)) for codes in studio.encode(pair))
            right.append(there > gone)
    return float(np.mean(right)) if right else float("nan")


def score(studio: Studio) -> dict[str, Any]:
    """All of it; of a model that follows no score, its beats alone."""
    report: dict[str, Any] = {"tracker_on_renders": tracker_on_renders(studio), "words": clocked(studio, False)}
    if not studio.model.follows_score:
        return {**report, "absent": "the model has no score.safetensors"}
    told_all = {"clock": clocked(studio, True), "chords": chords(studio)}
    return {**report, **told_all, "players": players(studio)}
