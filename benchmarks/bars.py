"""When is a change heard that waits for the bar? Measured in the audio.

    python -m benchmarks.bars [--changes 48] [--songs 8]

"nano": one change in each stream, asked for at a moment of chance: a prompt or a player, which `quantise bar` holds
back. The beat is our own, an exact place as Link tells it, or a MIDI clock with 5 ms of jitter, in turns (see
`benchmarks.clocks`). The first sample that differs from the same stream without the change is compared with the nearest
bar of the clock's, and must come within a bar and the lead of the asking.

"lock": the composer's songs play as if a model that takes only words had made them, 1.5 % off the tempo that is
counted, and the lock brings them there. The volume moves on each bar from the tenth second on. Beside the clock's bar,
each move is compared with the nearest beat of the music that the listener of training/evaluate hears. The extra
`training` renders the songs and brings the listener.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from benchmarks.clocks import LEAD, SOURCES, STYLES, TEMPI, play
from musicgen import MusicGen
from osc.values import Value
from streamer.control.change import Change, Frame
from streamer.control.score import OFF
from streamer.control.tempo import BEATS_PER_BAR
from streamer.engine.core import Core
from tests.streamer.drums import RATE, DrumModel
from training.compose import compose
from training.evaluate.listeners import beats
from training.render import HELD_OUT, render

EARLIEST, LATEST = 2.5, 4.5  # seconds at which a change is asked for
ASKED: dict[str, dict[str, Value]] = {"prompt": {"prompt": "solo church organ"}, "player": {"player_drums": OFF}}
BESIDE = 1.015
BEGINS, ENDS = 10.0, 24.0  # seconds in which the volume moves
QUIET = -12.0  # dB
HEARD = 1e-4  # of a sample's difference

Sound = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=48, help="of nano's")
    parser.add_argument("--songs", type=int, default=8, help="for the lock")
    options = parser.parse_args()
    told = nano(options.changes)
    for kind in ASKED:
        late = [ms for one, ms in told if one == kind]
        print(json.dumps({"nano": kind, **figures(late)}), flush=True)
    print(json.dumps({"nano": "all", **figures(ms for _, ms in told)}), flush=True)
    bars, near = lock(options.songs)
    print(json.dumps({"lock": "the clock's bar", **figures(bars)}))
    print(json.dumps({"lock": "the music's nearest beat", **figures(near)}))


def figures(late: Iterable[float]) -> dict[str, float]:
    """Of distances, ms."""
    away = np.array(list(late))
    p50, p95 = np.percentile(np.abs(away), (50, 95)) if len(away) else (math.nan, math.nan)
    worst = away[np.abs(away).argmax()] if len(away) else math.nan
    return {
        "changes": len(away),
        "p50_ms": round(float(p50), 2),
        "p95_ms": round(float(p95), 2),
        "worst_ms": round(float(worst), 2),
    }


def nano(changes: int) -> list[tuple[str, float]]:
    """Each change's kind, and how late it is heard after the nearest bar of the clock's, ms."""
    model, random, plain, told = MusicGen.load("nano"), np.random.default_rng(0), {}, []
    for number in range(changes):
        name, style = list(SOURCES)[number % 3], number // 3 % len(STYLES)
        kind = list(ASKED)[number // 12 % 2]
        make, bpm, moment = SOURCES[name], TEMPI[style], float(random.uniform(EARLIEST, LATEST))
        bar = BEATS_PER_BAR * 60 / bpm
        seconds = moment + LEAD + bar + 0.5

        def heard(asked: dict[float, Change], length: float) -> tuple[Sound, float]:
            return play(model, STYLES[style], bpm, name, make and make(bpm), length, asked)  # noqa: B023

        if (name, style) not in plain:
            plain[name, style], first = heard({}, LATEST + LEAD + BEATS_PER_BAR * 60 / min(TEMPI) + 0.5)
        sound, first = heard({moment: Change(ASKED[kind])}, seconds)
        apart = np.abs(sound - plain[name, style][: len(sound)]) > HEARD
        at = float(apart.argmax()) / model.sample_rate
        if not apart.any() or not moment <= at <= moment + LEAD + bar + 0.2:
            raise SystemExit(
                f"{kind} was asked for at {moment:.2f} s and heard at {at:.2f}: no bar later than the next"
            )
        away = (first + at * bpm / 60 + BEATS_PER_BAR / 2) % BEATS_PER_BAR - BEATS_PER_BAR / 2
        told.append((kind, away * 60_000 / bpm))
    return told


def lock(songs: int) -> tuple[list[float], list[float]]:
    """How late the volume moves after the nearest bar that is counted, and after the nearest beat that is heard, ms."""
    bars: list[float] = []
    near: list[float] = []
    for seed in range(HELD_OUT, HELD_OUT + songs):
        song = compose(seed, ENDS + 16)  # the lock listens to some of it unheard
        model, bpm = DrumModel(song.bpm), song.bpm * BESIDE
        model.song = render(song)[:, None]
        plain, moved = locked(model, bpm, False), locked(model, bpm, True)
        found = beats(plain, bpm)
        for at in moves(plain, moved) / RATE:
            away = (at * bpm / 60 + BEATS_PER_BAR / 2) % BEATS_PER_BAR - BEATS_PER_BAR / 2
            bars.append(away * 60_000 / bpm)
            near.append(1000 * float((at - found)[np.abs(at - found).argmin()]))
    return bars, near


def locked(model: DrumModel, bpm: float, moves: bool) -> Sound:
    """What is heard of a song, (samples,); whether the volume moves on the bar."""
    values: dict[str, Value] = {"tempo": bpm, "lock": True, "guard": False, "volume": 0.0}
    core = Core(model, values, channels=1, level=False)
    bar, told, blocks = BEATS_PER_BAR * 60 / bpm, math.ceil(BEGINS / (BEATS_PER_BAR * 60 / bpm)), []
    for step in range(round(ENDS * 50)):
        if moves and told * bar < step / 50 + 2 * LEAD:
            asked: dict[str, Value] = {"volume": QUIET if told % 2 else 0.0}
            core.change(Change(asked, at=Frame(core.frame_at(told * bar * RATE, asked))))
            told += 1
        blocks.append(core.read(RATE // 50)[:, 0])
    core.close()
    return np.concatenate(blocks)


def moves(plain: Sound, moved: Sound) -> NDArray[np.float64]:
    """The samples at which the volume begins to move."""
    loud = np.abs(plain) > 0.01
    where = np.flatnonzero(loud)
    gain = 20 * np.log10(np.abs(moved[loud]) / np.abs(plain[loud]) + 1e-6)
    still = np.minimum(np.abs(gain), np.abs(gain - QUIET)) < 0.05
    begins = np.flatnonzero(still[:-1] & ~still[1:]) + 1
    begins = begins[np.diff(where[begins], prepend=-RATE) > RATE // 4]
    return where[begins].astype(float)


if __name__ == "__main__":
    main()
