"""Does nano follow a clock whose tempo moves, and are two nanos on one clock together?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from training.codec import RATE
from training.evaluate.clocks import Tempo, clock, moving_clock, passed
from training.evaluate.following import SEED, SETTLED, played, styles_of, summary, tempi
from training.evaluate.listeners import Audio, Beats, beats, errors, halves
from training.evaluate.playing import Take, written
from training.evaluate.studio import FRAMES, Studio

SECONDS = 40.0  # of a stream
MOVES = 16.0  # seconds from its start until the tempo moves
WITHIN = 2  # beats after that in which it may be caught up with
OVER = 8  # bars over which a slow move goes


def sudden(bpm: float) -> Tempo:
    """The tempo of every frame: 5 % faster at once."""
    return np.where(np.arange(round(SECONDS * FRAMES)) < MOVES * FRAMES, bpm, 1.05 * bpm)


def gradual(bpm: float) -> Tempo:
    """The tempo of every frame: 20 % faster over `OVER` bars of the tempo it starts from."""
    passed = np.arange(round(SECONDS * FRAMES)) / FRAMES - MOVES
    return np.asarray(bpm * (1 + 0.2 * np.clip(passed / (OVER * 240 / bpm), 0, 1)))


def found_along(audio: Audio, tempo: Tempo) -> tuple[Beats, Beats]:
    """The beats that a tracker finds which expects this tempo, and those of the clock; seconds.

    The tracker knows of no moves, so it hears the sound played at the speed that makes the clock a steady one.
    """
    times, count = np.arange(len(tempo)) / FRAMES, passed(tempo)
    steady = count * 60 / tempo[0]
    even = np.arange(int(steady[-1] * RATE)) / RATE
    heard = np.interp(np.interp(even, steady, times) * RATE, np.arange(len(audio)), audio).astype(np.float32)
    found = np.interp(beats(heard, float(tempo[0])), steady, times)
    return found, np.interp(np.arange(int(count[-1]) + 1), count, times)


def moved(studio: Studio, curve: Callable[[float], Tempo]) -> dict[str, Any]:
    """How far beats are from a clock that moves, from `WITHIN` beats after it has begun to on."""
    asked = [(style, curve(tempi(style, False)[0])) for style in styles_of(studio)]
    early = studio.model.score_delay
    clips = played(studio, [(style, moving_clock(tempo, early)) for style, tempo in asked], SEED + 4000)
    heard = {}
    for clip, (style, tempo) in zip(clips, asked, strict=True):
        found, grid = found_along(clip, tempo)
        after = found[(found > MOVES + WITHIN * 60 / tempo[0]) & (found < grid[-1])]
        half = summary(errors(after, halves(grid)))
        heard[style] = {**summary(errors(after, grid)), **{f"half_{name}": value for name, value in half.items()}}
    return {**middle(heard), "by_style": heard}


def together(studio: Studio) -> dict[str, Any]:
    """How far the beats of two streams are apart that follow one clock for `together_minutes`, each with a prompt and a
    seed of its own."""
    if not studio.model.follows_score:
        return {"absent": "the model has no score.safetensors"}
    minutes, styles = studio.arguments.together_minutes, styles_of(studio)
    pairs = list(zip(styles[::2], styles[1::2], strict=False))
    tempo = {pair: float(np.mean([tempi(style, False)[0] for style in pair])) for pair in pairs}
    early, frames = studio.model.score_delay, round(60 * minutes * FRAMES)
    asked = [(style, written(clock(tempo[pair], frames, early))) for pair in pairs for style in pair]
    takes = [Take(((0, f"give me {style}"),), frames, SEED + 5000 + i, score) for i, (style, score) in enumerate(asked)]
    played = iter(studio.play(takes))
    heard = {}
    for pair in pairs:
        one, other = (beats(studio.sound(next(played)), tempo[pair]) for _ in pair)
        heard[" and ".join(pair)] = apart(one, other)
    return {"minutes": minutes, **middle(heard), "by_pair": heard}


def apart(one: Beats, other: Beats) -> dict[str, float]:
    """How far the beats of one are from the other's, and from those and what lies halfway between them."""
    one = one[(one > SETTLED) & (one < other[-1])]
    half = summary(errors(one, halves(other)))
    return {**summary(errors(one, other)), **{f"half_{name}": value for name, value in half.items()}}


def middle(heard: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Medians, and which is worst."""
    names = ("p50_ms", "p95_ms", "half_p50_ms", "half_p95_ms")
    worst = max(heard, key=lambda one: heard[one]["p95_ms"])
    return {
        "median": {name: float(np.median([one[name] for one in heard.values()])) for name in names},
        "worst": {"of": worst, **{name: heard[worst][name] for name in names}},
    }


def moving(studio: Studio) -> dict[str, Any]:
    """All of it; of a model that follows no score, nothing."""
    if not studio.model.follows_score:
        return {"absent": "the model has no score.safetensors"}
    return {"sudden": moved(studio, sudden), "gradual": moved(studio, gradual)}
