"""Stream for an hour, as fast as the machine can, and see minute by minute whether the music stays alive.

    python -m benchmarks.hour [--minutes 60] [--prompt "deep house, 122 bpm"] [--jury runs/evaluate/jury.pt]

Through the engine, guard included. Of every minute: loudness (LUFS, of the model's sound before it is levelled),
spectral centroid, onsets a second, the styles that a fitted jury recognises (training.evaluate leaves one behind),
the largest share of tokens that repeat over 8 s, and how often the guard answered; over all of it, whether the changes
of anchor stand out of the rest of the music (see benchmarks.clicks). Written as OUT.json and OUT.png.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import psutil
import pyloudnorm
import soxr
import torch
from numpy.typing import NDArray
from scipy.signal import find_peaks, stft

from benchmarks.clicks import Levels, compare, elsewhere, prominence
from musicgen import MusicGen
from streamer.control.controls import Controls
from streamer.engine.engine import Engine
from streamer.engine.events import Collapsed, Event
from streamer.engine.loading import load
from streamer.sound.dynamics import Samples
from training import judge, loop
from training.codec import RATE
from training.compose.arrange import STYLES
from training.evaluate.measures import repetition
from training.evaluate.studio import CLIP, Jury, read_jury

mpl.use("Agg")
import matplotlib.pyplot as plt

PROMPT = "deep house, 122 bpm, warm bass and organ"
CHUNK = 5  # frames
ONSET = 0.1  # nats that the mel bands rise by on average from one window (8 ms) to the next
ONSETS_APART = 0.05  # seconds
OTHERS = 10  # places elsewhere for each join
LOOKED_BACK = 16.0  # seconds before a minute in which its repetitions may have begun


class Watched(Engine):
    """An engine that notes what its stream does.

    Attributes
    ----------
    frames
        Frames (K, F) since they were last taken.
    joins
        First samples of the places where an anchor took over, counted from the start.
    anchors
        How many there were.
    given
        Samples that the stream has given.
    collapses
        A sentence for each since they were last taken.
    """

    def __init__(self, model: MusicGen, controls: Controls) -> None:
        self.collapses: list[str] = []
        super().__init__(model, controls, channels=model.channels, chunk_frames=CHUNK, level=False, tell=self._note)
        self.music: Any = self.stream
        self.frames: list[NDArray[np.int64]] = []
        self.joins: list[int] = []
        self.anchors = self.given = self._position = 0

    def _note(self, event: Event) -> None:
        if isinstance(event, Collapsed):
            self.collapses.append(event.sentence)

    def hear(self, chunk: Samples, frames: int) -> None:
        """Finish a chunk, and note what it was made of."""
        self.frames.append(self.music.trace.frames)
        self.given += len(chunk)
        position = self.music.position
        if position < self._position:
            self.anchors += 1
            state = self.music.past.state
            since = (state.frames - state.policy.keep) // self.music.past.line.turns_a_frame
            self.joins.append(self.given + self.music.decoder.look_ahead - since * self.music.model.hop)
        super().hear(chunk, frames)
        self._position = self.music.position  # where the guard has put it, too


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--backend", default="auto")
    parser.add_argument("--anchor", default="card", help="see docs/streaming.md")
    parser.add_argument("--prompt", default=PROMPT)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-guard", action="store_true", help="what the model does when it is left alone")
    parser.add_argument("--jury", type=Path, help="jury.pt of training.evaluate; without it styles are left out")
    parser.add_argument("--out", type=Path, default=Path("runs/hour"), help="without an ending")
    options = parser.parse_args()
    jury = read_jury(loop.load(options.jury)) if options.jury else None
    model = load(options.model, options.backend, anchor=options.anchor)
    controls = Controls(prompt=options.prompt, seed=options.seed, guard=not options.no_guard)
    report = {"model": model.name, "backend": model.backend.name, "prompt": options.prompt, "seed": options.seed}
    report |= {
        "guard": not options.no_guard,
        "anchor": {"name": options.anchor, "keep": model.policy.keep, "life": model.policy.life},
    }
    report |= listen(Watched(model, controls), options.minutes, jury)
    if jury is None:
        report["style"] = "left out: no --jury was given"
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")
    draw(report, options.out.with_suffix(".png"))
    print(json.dumps({name: value for name, value in report.items() if name != "minutes"}))


def listen(engine: Watched, minutes: int, jury: Jury | None) -> dict[str, Any]:
    """Play so many minutes and report on them."""
    rows: list[dict[str, Any]] = []
    collapses: list[str] = []
    at_joins: list[Levels] = []
    others: list[Levels] = []
    rate, hop = engine.sample_rate, engine.music.model.hop
    asked = [style for style in STYLES if style in str(engine.controls.get("prompt"))]
    past = np.zeros((engine.music.model.codebooks, 0), np.int64)
    start = time.perf_counter()
    for minute in range(minutes):
        sound = engine.read(60 * rate)
        told, engine.collapses = engine.collapses, []
        frames, engine.frames = np.concatenate([past, *engine.frames], axis=1), []
        past = frames[:, -round(LOOKED_BACK * rate / hop) :]
        first = minute * 60 * rate
        places = [join - first for join in engine.joins if first <= join < first + 60 * rate]
        engine.joins = [join for join in engine.joins if join >= first + 60 * rate]
        length = 4 * hop  # a frame's codebooks come from the new lane one after the other
        mono = sound.mean(axis=1, dtype=np.float32)
        at_joins.append(prominence(mono, places, length, rate))
        random = elsewhere(places, OTHERS * len(places), hop, length, len(mono), minute)
        others.append(prominence(mono, random, length, rate))
        rows.append(figures(sound, mono, frames, rate) | {"collapses": len(told)} | styles(mono, rate, jury, asked))
        collapses += told
        print(json.dumps({"minute": minute + 1, **rows[-1]}), flush=True)
    took = time.perf_counter() - start
    return {
        "minutes": rows,
        "collapses": collapses,
        "anchors": engine.anchors,
        "clicks": compare(np.concatenate(at_joins), np.concatenate(others)),
        "frames": engine.frames_done,
        "real_time_factor_with_measuring": round(60 * minutes / took, 1),
        "rss_mb": round(psutil.Process().memory_info().rss / 1e6),
    }


def figures(sound: Samples, mono: NDArray[np.float32], frames: NDArray[np.int64], rate: int) -> dict[str, float]:
    """Of one minute, in every model."""
    loudness = float(pyloudnorm.Meter(rate).integrated_loudness(sound))
    return {
        "loudness_lufs": round(max(loudness, -99.0), 1),
        "centroid_hz": round(centroid(mono, rate), 0),
        "onsets_per_second": round(onsets(mono, rate), 2),
        "repeated": round(repetition(frames.astype(np.int16)), 3),
    }


def centroid(mono: NDArray[np.float32], rate: int) -> float:
    """The mean frequency, Hz, weighted with magnitude; every window counts by its own magnitude too."""
    hertz, _, spectrum = stft(mono, rate, nperseg=2048, noverlap=1024)
    magnitude = np.abs(spectrum).sum(1)
    return float((hertz * magnitude).sum() / max(float(magnitude.sum()), 1e-12))


def onsets(mono: NDArray[np.float32], rate: int) -> float:
    """A second: peaks of the spectral flux that the judges use for tempi."""
    curve = judge.onset_curve(judge.mel_frames(_at_judges_rate(mono, rate)))
    peaks, _ = find_peaks(curve, height=ONSET, distance=round(ONSETS_APART * judge.FRAME_RATE))
    return len(peaks) / (len(mono) / rate)


@torch.no_grad()
def styles(mono: NDArray[np.float32], rate: int, jury: Jury | None, asked: list[str]) -> dict[str, Any]:
    """The style heard most often in pieces of 10 s, and how often one that was asked for is; nothing without a jury."""
    if jury is None:
        return {}
    judged, size = _at_judges_rate(mono, rate), int(CLIP * RATE)
    pieces = [judged[i : i + size] for i in range(0, len(judged) - size + 1, size)]
    heard = [STYLES[i] for i in jury.style(torch.stack([judge.features(piece) for piece in pieces])).argmax(1)]
    row: dict[str, Any] = {"style": Counter(heard).most_common(1)[0][0]}
    return row | ({"style_as_asked": float(np.mean([style in asked for style in heard]))} if asked else {})


def _at_judges_rate(mono: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
    resampled: NDArray[np.float32] = mono if rate == RATE else soxr.resample(mono, rate, RATE)
    return resampled


PANELS = {
    "loudness_lufs": "loudness, LUFS",
    "centroid_hz": "spectral centroid, Hz",
    "onsets_per_second": "onsets a second",
    "style_as_asked": "share recognised as the style asked for",
    "repeated": "largest share of tokens repeated over 8 s",
    "collapses": "answers of the guard",
}


def draw(report: dict[str, Any], path: Path) -> None:
    """One page, PNG: a panel for each figure, over the minutes."""
    rows = report["minutes"]
    panels = {name: title for name, title in PANELS.items() if any(name in row for row in rows)}
    figure, axes = plt.subplots(len(panels), 1, figsize=(11, 2 * len(panels)), sharex=True, constrained_layout=True)
    minutes = np.arange(1, len(rows) + 1)
    for axis, (name, title) in zip(axes, panels.items(), strict=True):
        axis.plot(minutes, [row.get(name, np.nan) for row in rows], marker=".", color="tab:blue")
        axis.set_title(title, fontsize=10, loc="left")
        axis.grid(alpha=0.3)
        if name in ("style_as_asked", "repeated"):
            axis.set_ylim(0, 1)
    axes[-1].set_xlabel("minute")
    clicks = report["clicks"]
    verdict = f", a join stands out more than another place in {clicks['louder_at_joins']:.1%} of comparisons" * (
        "louder_at_joins" in clicks
    )
    figure.suptitle(f"{report['model']}: {report['prompt']}\n{report['anchors']} anchors{verdict}", fontsize=11)
    figure.savefig(path, dpi=80)
    plt.close(figure)


if __name__ == "__main__":
    loop.tune_allocator("benchmarks.hour")
    main()
