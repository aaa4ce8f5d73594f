"""Does nano play on the beat of whoever counts it, and do its chords change on the bar?

    python -m benchmarks.clocks [--seconds 32] [--styles house rock] [--ports]

The engine and `Sync` run on one virtual clock, 100 ms of sound ahead. The beat comes from /mg/tempo (internal), from a
place that is exact at a tempo with a fraction, as a Link session tells it, or from a MIDI clock whose ticks come up to
5 ms early or late, through the PLL. Each style plays a chord a bar. Of the sound alone, after the first 8 s, the beats
are found by the listener of training/evaluate and held against the source's own, also modulo half a beat; and the beat
of the bar on which the harmony changes most against the first one. The extra `training` brings the listener. With
`--ports` the MIDI clock comes from another process through JACK (package jackd2), and the place from a peer of Link in
a network of its own, see `benchmarks.ports`.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from musicgen import MusicGen
from streamer.control.change import Change, Frame
from streamer.control.controls import Controls
from streamer.control.pulse import PULSE, Place, Pulse
from streamer.engine.core import Core
from streamer.surfaces.midi.pll import TICKS, Pll
from streamer.surfaces.sync import STEP, Sync
from training.evaluate.listeners import beats

STYLES = ("house", "rock", "lo-fi hip hop", "synthwave")
TEMPI = (122.37, 104.61, 84.19, 110.73)
PROGRESSION = "Am F C G"
LEAD, SETTLED = 0.1, 8.0  # seconds
JITTER = 0.005
BEGINS = -2.3  # the source's beat at moment 0

Figures = NDArray[np.float64]


class Exact:
    """Knows its beat exactly, as a Link session does."""

    def __init__(self, bpm: float) -> None:
        self.bpm = bpm

    def place(self, now: float) -> Place | None:
        return Place(self.bpm, BEGINS + now * self.bpm / 60)

    def playing(self) -> bool | None:
        return None

    def offer(self, bpm: float | None = None, playing: bool | None = None) -> None:
        """Nobody asks for anything here."""

    def leave(self) -> None:
        """It has nothing to leave."""


class Ticking(Exact):
    """A MIDI clock that comes late and early."""

    def __init__(self, bpm: float) -> None:
        super().__init__(bpm)
        self._pll, self._ticks = Pll(), self._jittered()
        self._next = next(self._ticks)

    def _jittered(self) -> Iterator[float]:
        random = np.random.default_rng(0)
        tick = math.ceil(BEGINS * TICKS)
        self._pll.locate(tick)
        while True:
            yield max(0.0, (tick / TICKS - BEGINS) * 60 / self.bpm + random.uniform(-JITTER, JITTER))
            tick += 1

    def place(self, now: float) -> Place | None:
        while self._next <= now:
            self._pll.tick(self._next)
            self._next = next(self._ticks)
        return self._pll.place(now)


SOURCES = {"internal": None, "link": Exact, "midi": Ticking}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=32.0, help="of each stream")
    parser.add_argument("--styles", nargs="*", default=STYLES, choices=STYLES)
    parser.add_argument("--ports", action="store_true", help="MIDI and Link through real ports")
    options = parser.parse_args()
    made = ported(options.styles, options.seconds) if options.ports else {}
    model = MusicGen.load("nano")
    print("source    style           p50  p95 ms  modulo half  bar")
    for name, source in SOURCES.items():
        if options.ports and source is None:
            continue
        rows = []
        for style in options.styles:
            bpm = TEMPI[STYLES.index(style)]
            beat = made.get((name, style)) or (source and source(bpm))
            sound, first = play(model, style, bpm, name, beat, options.seconds)
            rows.append(judged(sound, model.sample_rate, bpm, first))
            print(f"{name:9} {style:14}", *(f"{rows[-1][key]:6.1f}" for key in rows[-1]), flush=True)
        middle = {key: round(float(np.median([row[key] for row in rows])), 1) for key in rows[0]}
        print(json.dumps({"source": name, **middle, "on_the_bar": sum(row["bar"] == 0 for row in rows)}))


def ported(styles: Sequence[str], seconds: float) -> dict[tuple[str, str], Exact]:
    """What comes through real ports for each style, by its source and the style; all styles at once."""
    from benchmarks.behind_jack import start_jack
    from benchmarks.ports import Asked, Ported

    start_jack(48_000, 128)
    made: dict[tuple[str, str], Exact] = {}
    with ThreadPoolExecutor(len(styles)) as pool:
        for name, source in (("link", Asked), ("midi", Ported)):
            tempi = [TEMPI[STYLES.index(style)] for style in styles]
            for style, one in zip(styles, pool.map(source, tempi, [seconds] * len(tempi)), strict=True):
                made[name, style] = one
    return made


def play(
    model: MusicGen,
    style: str,
    bpm: float,
    name: str,
    source: Exact | None,
    seconds: float,
    asked: Mapping[float, Change] = MappingProxyType({}),
) -> tuple[NDArray[np.float32], float]:
    """What is heard, (samples,), and the source's beat with which that begins; changes are asked for at moments."""
    tempo = bpm if source is None else 0.0
    controls = Controls(prompt=f"give me {style}", sync=name, progression=PROGRESSION, tempo=tempo, quantise="bar")
    core = Core(model, controls.values(), channels=1)

    def lead(pulse: Pulse, moment: float) -> None:
        values = {PULSE: pulse.text}
        core.change(Change(values, at=Frame(max(0.0, core.frame_at(moment * model.sample_rate, values)))))

    controls.follow(core.change)
    sync = Sync(controls, {} if source is None else {name: source}, lead, print)
    blocks: list[NDArray[np.float32]] = []
    for step in range(round((seconds + LEAD) / STEP)):
        now = step * STEP - LEAD
        if now >= 0:
            sync.look(now)
        for moment, change in asked.items():
            if now <= moment < now + STEP:
                core.change(change)
        blocks.append(core.read(round(STEP * model.sample_rate))[:, 0])
    core.close()
    return np.concatenate(blocks), 0.0 if source is None else BEGINS


def judged(sound: NDArray[np.float32], rate: int, bpm: float, first: float) -> dict[str, float]:
    """Its beats' errors, ms, and the beat of the bar on which its harmony changes."""
    found = beats(sound, bpm)
    passed = first + found[(found > SETTLED) & (found < len(sound) / rate - 0.5)] * bpm / 60
    figures: dict[str, float] = {}
    for key, modulo in (("", 1.0), ("half_", 0.5)):
        late = np.abs((passed + modulo / 2) % modulo - modulo / 2) * 60_000 / bpm
        figures |= {f"{key}p50": float(np.median(late)), f"{key}p95": float(np.percentile(late, 95))}
    return {**figures, "bar": float(turning(sound, rate, bpm, first))}


def turning(sound: NDArray[np.float32], rate: int, bpm: float, first: float) -> int:
    """The beat of the bar, 0 the first, before which and after which the harmony differs most."""
    last = math.floor(first + (len(sound) / rate - 0.5) * bpm / 60)
    begin = math.ceil(first + SETTLED * bpm / 60)
    harmonies = [chroma(sound[slice(*edges)], rate) for edges in edges_of(begin, last, rate, bpm, first)]
    changes: list[list[float]] = [[] for _ in range(4)]
    for number, (before, after) in enumerate(pairwise(harmonies), start=begin + 1):
        changes[number % 4].append(1 - float(before @ after))
    return int(np.argmax([np.mean(found) for found in changes]))


def edges_of(begin: int, last: int, rate: int, bpm: float, first: float) -> Iterator[tuple[int, int]]:
    """The samples of each beat."""
    for beat in range(begin, last):
        yield (
            round((beat - first) * 60 / bpm * rate),
            round((beat + 1 - first) * 60 / bpm * rate),
        )


def chroma(sound: NDArray[np.float32], rate: int) -> Figures:
    """How strong each pitch class is, (12,), of length 1."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    pitches = np.fft.rfftfreq(len(sound), 1 / rate)
    heard = (pitches > 60) & (pitches < 2000)
    classes = np.round(12 * np.log2(pitches[heard] / 440)).astype(int) % 12
    sums = np.bincount(classes, np.sqrt(spectrum[heard]), 12)
    sums = sums - sums.mean()
    return np.asarray(sums / max(float(np.linalg.norm(sums)), 1e-9))


if __name__ == "__main__":
    main()
