"""Is there more of it where nano is told more energy? Its level and its onsets, beside what the composer makes of it.

Of the composer's own songs the strokes are counted that are written: how far they rise with the energy is how far any
listener could hear it. The songs through the codec say what the listener loses of that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata, spearmanr

from training.codec import RATE
from training.compose import Song
from training.compose.arrange import STYLES
from training.compose.liberties import Liberties
from training.compose.song import PLAYERS
from training.compose.takes import take
from training.evaluate.clocks import clock
from training.evaluate.following import SECONDS, played, styles_of, switched, tempi
from training.evaluate.listeners import Audio, level, onset_rate
from training.evaluate.studio import FRAMES, Studio
from training.takes import render

LADDER = (0.05, 0.25, 0.45, 0.65, 0.8, 0.95)
STEP, SETTLED = 8.0, 2.0  # seconds of a step, and of its beginning, which are not judged
LADDERS = 2  # of a style
TOGETHER = 0.03  # seconds within which strokes are one
SEED, RENDERED = 93_000, 735_000

Ranks = dict[str, float]
"""Rank correlations (Spearman) with the energy, by what was counted."""


# --- one ladder ---------------------------------------------------------------------------------------------------


def steps(audio: Audio, count: int) -> list[Audio]:
    """What is judged of each step of a stream."""
    return [audio[round((STEP * k + SETTLED) * RATE) : round(STEP * (k + 1) * RATE)] for k in range(count)]


def correlation(energies: Sequence[float], heard: Sequence[float]) -> float:
    """Spearman's; 0 where nothing changes, which follows nothing."""
    return float(spearmanr(energies, heard).statistic) if len({*rankdata(heard)}) > 1 else 0.0


def ranks(energies: Sequence[float], clips: Sequence[Audio]) -> Ranks:
    """How level and onsets of clips go with their energies."""
    heard = {"level": [level(clip) for clip in clips], "onsets": [onset_rate(clip) for clip in clips]}
    return {name: correlation(energies, values) for name, values in heard.items()}


def strokes(song: Song) -> float:
    """Moments a second at which something is struck, in what is judged of a song; what is struck at once is one."""
    struck = np.sort([note.start for track in song.tracks for note in track.notes])
    struck = struck[(struck >= SETTLED) & (struck < STEP)]
    return float((len(struck) > 0) + np.sum(np.diff(struck) > TOGETHER)) / (STEP - SETTLED)


# --- nano, and what is composed -----------------------------------------------------------------------------------


def ladders(studio: Studio) -> Iterator[tuple[str, Ranks]]:
    """Of each style: nano told an energy of `LADDER` that changes every `STEP` seconds, in an order of chance."""
    rng = np.random.default_rng(studio.arguments.seed + 30)
    asked, orders = [], []
    for _ in range(LADDERS):
        for style in styles_of(studio):
            order = [float(energy) for energy in rng.permutation(LADDER)]
            fields = clock(tempi(style, False)[0], round(STEP * len(order) * FRAMES), studio.model.score_delay)
            asked.append((style, switched(fields, "energy", STEP, order)))
            orders.append(order)
    for clip, (style, _), order in zip(played(studio, asked, SEED), asked, orders, strict=True):
        yield style, ranks(order, steps(clip, len(order)))


def composed(studio: Studio) -> dict[str, Any]:
    """Of each style: songs composed at every energy of `LADDER`, as they are written and as they sound decoded.

    ``listener``: the rank correlation of the onsets that are heard with the strokes that are written, over all songs,
    and the median of how many are heard of one.
    """
    found: list[tuple[str, Ranks]] = []
    pairs: list[tuple[float, float]] = []
    for number in range(LADDERS):
        for style in styles_of(studio):
            seed = RENDERED - RENDERED % len(STYLES) + STYLES.index(style) + len(STYLES) * number
            songs = [take(seed, STEP, Liberties(tempo=True, energy=True), PLAYERS, energy) for energy in LADDER]
            clips = [studio.sound(codes)[round(SETTLED * RATE) :] for codes in studio.encode(render(songs))]
            written = [strokes(song) for song in songs]
            found.append((style, {**ranks(LADDER, clips), "written": correlation(LADDER, written)}))
            pairs += zip([onset_rate(clip) for clip in clips], written, strict=True)
    heard, struck = np.array(pairs).T
    share = float(np.median(heard / np.maximum(struck, 0.1)))
    return {**by_style(found), "listener": {"rank": correlation(heard.tolist(), struck.tolist()), "share": share}}


def by_style(found: Iterable[tuple[str, Ranks]]) -> dict[str, Any]:
    """Each style's mean, the median of the styles, and the worst."""
    kept: dict[str, list[Ranks]] = {}
    for style, one in found:
        kept.setdefault(style, []).append(one)
    names = list(next(iter(kept.values()))[0])
    means = {style: {name: float(np.mean([one[name] for one in of])) for name in names} for style, of in kept.items()}
    return {
        "median": {name: float(np.median([one[name] for one in means.values()])) for name in names},
        "worst": {name: min((one[name], style) for style, one in means.items()) for name in names},
        "by_style": means,
    }


def extremes(studio: Studio) -> dict[str, Any]:
    """How much louder and busier nano is at an energy of 0.95 than at one of 0.1, told for eight seconds in turn."""
    asked = []
    for style in styles_of(studio):
        fields = clock(tempi(style, False)[0], round(SECONDS * FRAMES), studio.model.score_delay)
        asked.append((style, switched(fields, "energy", STEP, [0.1, 0.95])))
    found: dict[str, dict[str, float]] = {}
    for clip, (style, _) in zip(played(studio, asked, SEED + 500), asked, strict=True):
        heard = [[level(window), onset_rate(window)] for window in steps(clip, round(SECONDS / STEP))]
        low, high = (np.mean(heard[k::2], 0) for k in (0, 1))
        found[style] = {"louder_db": float(high[0] - low[0]), "onsets": float(high[1] / max(low[1], 0.1))}
    return {
        "louder_db": float(np.median([one["louder_db"] for one in found.values()])),
        "onsets": float(np.median([one["onsets"] for one in found.values()])),
        "follow": sum(one["louder_db"] > 1 for one in found.values()),
        "by_style": found,
    }


def energy(studio: Studio) -> dict[str, Any]:
    """All of it; of a model that follows no score, nothing."""
    if not studio.model.follows_score:
        return {"absent": "the model has no score.safetensors"}
    return {**extremes(studio), "nano": by_style(ladders(studio)), "composed": composed(studio)}
