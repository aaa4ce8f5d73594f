"""Minutes on end on one clock: do the beats stay on it, and does the bar begin where the clock has it?

A tracker alone cannot tell: where the off-beat is as loud as the beat, as in funk, it settles on either, in rendered
songs no less than in nano's. So where in the bar a stream stands is told by its style's own pattern: how strongly each
sixteenth of a bar is struck, in three registers, as rendered songs of that style have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training import judge
from training.codec import RATE
from training.compose import compose
from training.compose.arrange import STYLES, TABLE
from training.compose.liberties import Liberties
from training.evaluate.clocks import clock
from training.evaluate.following import FEW, on_time
from training.evaluate.listeners import ATTACK, HOP, Audio, beats
from training.evaluate.playing import Take, written
from training.evaluate.studio import FRAMES, Studio
from training.render import render

SEED, RENDERED = 95_000, 720_000
TEMPI, SONGS, SONG = 6, 6, 48.0  # of a style; its renders, and their seconds
STEPS, SHIFTS = 16, 8  # of a bar: where it is listened to, and by how many parts of it a pattern may be turned
BEGINNING = 8.0  # seconds that are not judged
REGISTERS = (slice(0, 7), slice(7, 40), slice(40, None))  # mel bands: bass drum and bass, the middle, cymbals

Pattern = NDArray[np.float64]


def pattern(audio: Audio, bpm: float) -> Pattern:
    """How strongly each sixteenth of a bar is struck, (registers, `STEPS`), the first bar beginning with the clip.

    Of each register what is above its mean, so that a pattern correlates with another by their shapes alone.
    """
    mel = judge.mel_frames(audio)
    found = np.zeros((len(REGISTERS), STEPS))
    for register, bands in enumerate(REGISTERS):
        curve = judge.onset_curve(mel[:, bands])
        times = (np.arange(len(curve)) + 0.5) * HOP + ATTACK
        step = np.round(times * bpm / 240 * STEPS).astype(int) % STEPS
        judged = times > BEGINNING
        struck = np.bincount(step[judged], curve[judged], STEPS) / np.maximum(np.bincount(step[judged], None, STEPS), 1)
        found[register] = struck - struck.mean()
    return found / max(float(np.linalg.norm(found)), 1e-9)


def turned(heard: Pattern, usual: Pattern) -> int:
    """By how many eighths of a bar a pattern is late, to look most like the usual one; 0 where the bars agree."""
    by = STEPS // SHIFTS
    return int(np.argmax([np.sum(np.roll(heard, -by * shift, axis=1) * usual) for shift in range(SHIFTS)]))


def on_beat(shift: int) -> bool:
    """Whether a pattern so turned has its beats on the beats, and not between them."""
    return shift % (SHIFTS // 4) == 0


def renders(studio: Studio, style: str) -> list[Pattern]:
    """Patterns of a style's rendered songs, decoded."""
    first = RENDERED - RENDERED % len(STYLES) + STYLES.index(style)
    songs = [compose(first + len(STYLES) * i, SONG, Liberties(tempo=True)) for i in range(SONGS)]
    codes = studio.encode([render(song) for song in songs])
    return [pattern(studio.sound(own), song.bpm) for song, own in zip(songs, codes, strict=True)]


def of_others(patterns: Sequence[Pattern]) -> list[int]:
    """How each pattern is turned against the mean of the others: 0 each, if bars can be told at all."""
    whole = np.sum(patterns, axis=0)
    return [turned(own, whole - own) for own in patterns]


def tempi(style: str) -> list[float]:
    """Tempi across a style's range; none of them has whole frames a beat."""
    low, high = TABLE[style].bpm
    return [low + share * (high - low) + 0.37 for share in np.linspace(0.05, 0.9, TEMPI)]


def takes(minutes: float, early: float) -> list[tuple[str, float, Take]]:
    """Style, tempo and stream, all styles at one tempo after the other."""
    frames = round(60 * minutes * FRAMES)
    asked = [(style, tempi(style)[number]) for number in range(TEMPI) for style in FEW]
    return [
        (style, bpm, Take(((0, f"give me {style}"),), frames, SEED + i, written(clock(bpm, frames, early))))
        for i, (style, bpm) in enumerate(asked)
    ]


def judged(audio: Audio, bpm: float, usual: Pattern) -> dict[str, Any]:
    """One stream: its beats against the clock, how far each minute's median is off it, and each minute's bars."""
    grid = np.arange(0, len(audio) / RATE + 1, 60 / bpm)
    found = on_time(beats(audio, bpm), grid)
    bar = 240 / bpm
    length = min(60, len(audio) / RATE) // bar * bar  # of a minute, in whole bars
    starts = np.arange(0, len(audio) / RATE - length + 1e-6, length)
    minutes = [audio[round(start * RATE) : round((start + length) * RATE)] for start in starts]
    return {**found, "shifts": [turned(pattern(minute, bpm), usual) for minute in minutes]}


def grid(studio: Studio) -> dict[str, Any]:
    """Streams of `grid_minutes` at `TEMPI` tempi of each style, on a clock alone."""
    if not studio.model.follows_score:
        return {"absent": "the model has no score.safetensors"}
    patterns = {style: renders(studio, style) for style in FEW}
    asked = takes(studio.arguments.grid_minutes, studio.model.score_delay)
    heard = {}
    for (style, bpm, _), codes in zip(asked, studio.play([take for _, _, take in asked]), strict=True):
        audio = studio.sound(codes)
        heard[f"{style} {bpm:.2f}"] = judged(audio, bpm, np.sum(patterns[style], axis=0))
    alone = {style: of_others(own) for style, own in patterns.items()}
    return {"minutes": studio.arguments.grid_minutes, **summary(heard), **ceiling(alone), "by_stream": heard}


def summary(heard: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Of all streams: how many have half of their beats within 10 ms and 95 % within 30, and the worst."""
    streams = list(heard.values())
    worst = max(heard, key=lambda name: heard[name]["half_p95_ms"])
    minutes = [shift for one in streams for shift in one["shifts"]]
    return {
        "streams": len(streams),
        "half_p50_ms": float(np.median([one["half_p50_ms"] for one in streams])),
        "half_p95_ms": float(np.median([one["half_p95_ms"] for one in streams])),
        "half_late_ms": float(np.median([one["half_late_ms"] for one in streams])),
        "worst": {"stream": worst, **{name: heard[worst][name] for name in ("half_p50_ms", "half_p95_ms")}},
        "within_10_30_of_half": sum(one["half_p50_ms"] <= 10 and one["half_p95_ms"] <= 30 for one in streams),
        "within_10_30": sum(one["p50_ms"] <= 10 and one["p95_ms"] <= 30 for one in streams),
        "minutes_on_the_beat": float(np.mean([on_beat(shift) for shift in minutes])),
        "minutes_on_the_bar": float(np.mean([shift == 0 for shift in minutes])),
        "streams_on_the_bar": sum(2 * one["shifts"].count(0) > len(one["shifts"]) for one in streams),
    }


def ceiling(alone: dict[str, list[int]]) -> dict[str, Any]:
    """The same listener on decoded renders, each against the others of its style."""
    shifts = [shift for own in alone.values() for shift in own]
    return {
        "renders_on_the_beat": float(np.mean([on_beat(shift) for shift in shifts])),
        "renders_on_the_bar": float(np.mean([shift == 0 for shift in shifts])),
        "renders_by_style": alone,
    }
