"""How well music that cannot be told a beat is brought onto one.

    python -m benchmarks.lock [--songs 48] [--skip 0] [--seconds 40] [--picture lock.png]

Songs of the composer that no model has learnt from are played in as if a model had made them: the beat that is counted
is up to 2 % beside theirs. The tracker's constants were tuned on the first 48: `--skip 48` takes songs that nothing was
tuned on. The songs' own beats are known, and are carried through the edits. From the ninth second that is heard each of
them is compared with the beat that was counted there: median and 95th percentile of each song, also modulo half a beat.
A song is on the beat with 15 and 40 ms.

"auc" is how well the confidence tells moments whose beat is within 40 ms from others. "attacks" are steep rises of the
music within 6 ms, at the same speed with and without edits. "bar" is the share of songs whose bars are those that are
counted: a tracker hears beats, and nobody tells it which is the first. The extra `training` renders the songs.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter1d

from streamer.sound.dynamics import Samples
from streamer.sound.lock import LOCKED, Lock
from streamer.sound.stretch import Stretch
from training.compose import compose
from training.render import HELD_OUT, RATE, render

STEP = RATE // 50
SETTLED = 8.0  # seconds
GOOD_MS = (15.0, 40.0)
SPREAD = 0.02
STEEP = 10.0  # dB within 6 ms: an attack
ALONE = RATE * 35 // 1000  # samples around an attack without a steeper one
FOUND = RATE * 28 // 1000  # samples around where it should be heard, in which it is looked for

Figures = NDArray[np.float64]


@dataclass
class Played:
    """A song as it was heard.

    Parameters
    ----------
    style : str
    bpm, grid : float
        Its own beats a minute, and those that are counted.
    way : ndarray, (steps, 2)
        Samples heard, and samples of the song that they come from.
    confidence : ndarray, (steps,)
    locked : ndarray, bool, (steps,)
    cpu : float
        Seconds of a core for a second of music.
    """

    style: str
    bpm: float
    grid: float
    way: Figures
    confidence: Figures
    locked: NDArray[np.bool_]
    cpu: float
    times: Figures = field(init=False)
    late: Figures = field(init=False)

    def __post_init__(self) -> None:
        heard = self.way[self.way[:, 0] > 0]
        beats = np.arange(int(self.way[-1, 1] / RATE * self.bpm / 60)) * 60 / self.bpm * RATE
        self.first = int(np.searchsorted(beats, heard[0, 1]))
        self.times = np.interp(beats[self.first :], heard[:, 1], heard[:, 0]) / RATE
        self.late = wrapped(self.times * self.grid / 60, 1.0) * 60_000 / self.grid

    def errors(self, modulo: float = 1.0) -> Figures:
        """Of its beats after it has settled, ms."""
        late = wrapped(self.late * self.grid / 60_000, modulo) * 60_000 / self.grid
        return np.abs(late[self.times > SETTLED])

    def good(self, modulo: float = 1.0) -> bool:
        """Whether it is on the beat."""
        errors = self.errors(modulo)
        return bool(np.median(errors) <= GOOD_MS[0] and np.percentile(errors, 95) <= GOOD_MS[1])

    def on_the_bar(self) -> bool:
        """Whether most of its first beats are heard on first beats."""
        index = np.arange(self.first, self.first + len(self.times))
        return bool(np.median((np.round(self.times * self.grid / 60) - index) % 4) == 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--songs", type=int, default=48, help="styles take turns: 16 of them")
    parser.add_argument("--skip", type=int, default=0, help="songs that are left out, from the first on")
    parser.add_argument("--seconds", type=float, default=40.0, help="of each")
    parser.add_argument("--picture", type=Path, help="a PNG of all errors")
    options = parser.parse_args()
    played, attacks = [], []
    random = np.random.default_rng(0)
    for seed in range(HELD_OUT + options.skip, HELD_OUT + options.skip + options.songs):
        song = compose(seed, options.seconds)
        sound = render(song)[:, None]
        played.append(play(song.style, song.bpm, sound, random))
        attacks.extend(attack_changes(sound[: 10 * RATE]))
        print(line(played[-1]), flush=True)
    print(json.dumps(report(played, attacks)))
    if options.picture:
        draw(played, options.picture)


def play(style: str, bpm: float, sound: Samples, random: np.random.Generator) -> Played:
    """Play a song through the lock as the instrument does: listened to unheard, then from a beat on."""
    grid = bpm * (1 + random.uniform(-SPREAD, SPREAD))
    lock, way, confidence, locked, taken = Lock(RATE, 1), [], [], [], 0
    lock.begin(grid, unheard=True)
    began = time.process_time()
    for at in range(0, len(sound) - STEP + 1, STEP):
        beat = (taken + lock.held) / RATE * grid / 60
        taken += len(lock.process(sound[at : at + STEP], grid, beat))
        way.append((taken, at + STEP - lock.held))
        confidence.append(lock.confidence)
        locked.append(lock.state == LOCKED)
    cpu = (time.process_time() - began) / (len(sound) / RATE)
    return Played(style, bpm, grid, np.array(way, float), np.array(confidence), np.array(locked), cpu)


def attack_changes(sound: Samples) -> list[float]:
    """By how much each steep rise of a sound is steeper after edits of 2 % either way, dB."""
    before, changes = rises(sound), []
    steep = np.flatnonzero((before > STEEP) & (before == maximum_filter1d(before, 2 * ALONE + 1)))
    for speed in (0.98, 1.02):
        stretch, heard, way, taken = Stretch(RATE, 1), [], [(0, 0)], 0
        for at in range(0, len(sound) - STEP + 1, STEP):
            heard.append(stretch.process(sound[at : at + STEP], speed))
            taken += len(heard[-1])
            way.append((taken, at + STEP - stretch.held))
        after, path = rises(np.concatenate(heard)), np.array(way)
        for at in steep[(steep > ALONE) & (steep < len(before) - ALONE)]:
            there = round(float(np.interp(at, path[:, 1], path[:, 0])))
            near = after[max(0, there - FOUND) : there + FOUND + 1]
            if len(near) == 2 * FOUND + 1:
                changes.append(float(near.max() - before[at]))
    return changes


def rises(sound: Samples) -> Figures:
    """The rise of the bright part's level within 6 ms, dB, at each sample: milliseconds alone would miss an attack."""
    apart, length = RATE * 6 // 1000, RATE * 3 // 1000
    bright = np.diff(sound[:, 0].astype(float), prepend=0)
    totals = np.concatenate([[0.0], np.cumsum(bright**2)])
    level = 10 * np.log10((totals[length:] - totals[:-length]) / length + 1e-9)
    risen: Figures = level[apart:] - level[:-apart]
    return risen


def report(played: list[Played], attacks: list[float]) -> dict[str, Any]:
    """All songs together."""
    late: list[float] = []
    sure: list[float] = []
    for song in played:
        after = song.times > SETTLED
        sure.extend(np.interp(song.times[after] * RATE, song.way[:, 0], song.confidence))
        late.extend(np.abs(song.late[after]))
    near = np.array(late) <= GOOD_MS[1]
    return {
        "songs": len(played),
        "on_the_beat": round(float(np.mean([song.good() for song in played])), 3),
        "modulo_half": round(float(np.mean([song.good(0.5) for song in played])), 3),
        "bar": round(float(np.mean([song.on_the_bar() for song in played])), 3),
        "p50_ms": round(float(np.median([np.median(song.errors()) for song in played])), 1),
        "p95_ms": round(float(np.median([np.percentile(song.errors(), 95) for song in played])), 1),
        "auc": round(auc(np.array(sure), near), 3),
        "auc_modulo_half": round(auc(np.array(sure), np.concatenate([song.errors(0.5) for song in played]) <= 40), 3),
        "attacks": len(attacks),
        "attack_mean_db": round(float(np.mean(attacks)), 2),
        "attacks_within_half_a_db": round(float(np.mean(np.abs(attacks) <= 0.5)), 3),
        "attack_worst_db": round(float(np.min(attacks)), 2),
        "core_percent": round(100 * float(np.median([song.cpu for song in played])), 2),
        "core_percent_worst": round(100 * float(np.max([song.cpu for song in played])), 2),
    }


def line(song: Played) -> str:
    """One song."""
    errors, half = song.errors(), song.errors(0.5)
    figures = [np.median(errors), np.percentile(errors, 95), np.median(half), np.percentile(half, 95)]
    told = " ".join(f"{figure:6.1f}" for figure in figures)
    return f"{song.style:14} {song.bpm:5.1f} at {song.grid:5.1f}  p50 p95 ms {told}  locked {song.locked.mean():.2f}"


def auc(sure: Figures, right: NDArray[np.bool_]) -> float:
    """How often one that is right is surer than one that is wrong."""
    ranks = np.empty(len(sure))
    ranks[sure.argsort(kind="stable")] = np.arange(len(sure))
    rights, wrongs = int(right.sum()), int((~right).sum())
    return float((ranks[right].sum() - rights * (rights - 1) / 2) / max(1, rights * wrongs))


def wrapped(beats: Figures, modulo: float) -> Figures:
    """The nearest way round."""
    return (beats + modulo / 2) % modulo - modulo / 2


def draw(played: list[Played], path: Path) -> None:
    """Every beat's error over time, a row for each style."""
    from matplotlib.figure import Figure

    styles = sorted({song.style for song in played})
    figure = Figure(figsize=(9, 1.1 * len(styles) + 1), layout="constrained")
    rows = np.atleast_1d(figure.subplots(len(styles), 1, sharex=True, sharey=True))
    for axes, style in zip(rows, styles, strict=True):
        for song in played:
            if song.style == style:
                axes.plot(song.times, song.late, linewidth=0.8)
        axes.axhspan(-GOOD_MS[1], GOOD_MS[1], color="0.9")
        axes.set_ylabel(style, rotation=0, ha="right", fontsize=8)
        axes.set_ylim(-150, 150)
    rows[-1].set_xlabel("seconds heard; beats late, ms")
    figure.savefig(path, dpi=80)


if __name__ == "__main__":
    main()
