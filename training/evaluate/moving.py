"""Does nano follow a clock whose tempo moves, and are two nanos on one clock together?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicgen.score import Fields, unknown
from training.codec import RATE
from training.evaluate.following import SEED, SETTLED, clock, played, styles_of, summary, tempi
from training.evaluate.listeners import Audio, Beats, beats, errors, halves
from training.evaluate.studio import FRAMES, Studio

SECONDS = 40.0  # of a stream
MOVES = 16.0  # seconds from its start until the tempo moves
WITHIN = 2  # beats after that in which it may be caught up with
OVER = 8  # bars over which a slow move goes

Tempo = NDArray[np.float64]


def sudden(bpm: float) -> Tempo:
    """The tempo of every frame: 5 % faster at once."""
    return np.where(np.arange(round(SECONDS * FRAMES)) < MOVES * FRAMES, bpm, 1.05 * bpm)


def gradual(bpm: float) -> Tempo:
    """The tempo of every frame: 20 % faster over `OVER` bars of the tempo it starts from."""
    passed = np.arange(round(SECONDS * FRAMES)) / FRAMES - MOVES
    return np.asarray(bpm * (1 + 0.2 * np.clip(passed / (OVER * 240 / bpm), 0, 1)))


def passed(tempo: Tempo) -> Tempo:
    """Beats that have gone by at the start of every frame."""
    return np.concatenate([[0.0], np.cumsum(tempo / (60 * FRAMES))[:-1]])


def moving_clock(tempo: Tempo, early: float) -> Fields:
    """A score that knows a clock of this tempo, its first beat so many seconds before frame 0, and no more."""
    fields, count = unknown(len(tempo)), passed(tempo) + early * tempo / 60
    fields[:, :3] = np.stack([count % 1, count / 4 % 1, tempo], 1)
    return fields


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
    """How far the beats of two streams are apart that follow one clock, each with a prompt and a seed of its own."""
    styles, frames = styles_of(studio), round(SECONDS * FRAMES)
    pairs = list(zip(styles[::2], styles[1::2], strict=False))
    tempo = {pair: float(np.mean([tempi(style, False)[0] for style in pair])) for pair in pairs}
    asked = [(style, clock(tempo[pair], frames, studio.model.score_delay)) for pair in pairs for style in pair]
    clips = iter(played(studio, asked, SEED + 5000))
    heard = {}
    for pair in pairs:
        one, other = (beats(next(clips), tempo[pair]) for _ in pair)
        one = one[(one > SETTLED) & (one < other[-1])]
        half = summary(errors(one, halves(other)))
        heard[" and ".join(pair)] = {
            **summary(errors(one, other)),
            **{f"half_{name}": value for name, value in half.items()},
        }
    return {**middle(heard), "by_pair": heard}


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
    return {"sudden": moved(studio, sudden), "gradual": moved(studio, gradual), "together": together(studio)}
