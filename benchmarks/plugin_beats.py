"""Do the beats of a bounce fall on the host's? The plug-in in dawdreamer, which plays at a tempo that is automated too.

    python -m benchmarks.plugin_beats [--seconds 48] [--styles house rock]

The VST3 follows the host's tempo. Each style is bounced twice: at a tempo with a fraction, and with that tempo
automated: from the 24th beat on it is 5 % faster, from the 48th on it glides back over 16 beats. Of the bounce alone,
after the first 8 s, the beats are found by the listener of training/evaluate and held against the host's own, in ms;
also modulo half a beat, as the listener takes the one for the other at times. The extras `training` and `daw` bring
listener and host.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path

import numpy as np
import soxr
from numpy.typing import NDArray
from pythonosc.udp_client import SimpleUDPClient

from benchmarks.clocks import SETTLED, STYLES, TEMPI
from benchmarks.plugin import asked, engine, wait_for
from streamer.surfaces.bridge import endpoint
from streamer.surfaces.bridge.install import BUILT
from training.codec import RATE
from training.evaluate.listeners import beats, errors, halves

HOST_RATE, BLOCK = 48_000, 512
TICKS = 960  # values of the tempo in a beat
FASTER, MOVES, RETURNS, GLIDE = 1.05, 24, 48, 16  # beats
PRELUDE = 0.5  # seconds, in which the instance begins and can be told what to play

Curve = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=48.0, help="of each bounce")
    parser.add_argument("--styles", nargs="*", default=STYLES, choices=STYLES)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, engine(Path(name), "nano") as port:
        os.environ[endpoint.HOME] = name
        print("tempo      style           p50  p95 ms  modulo half")
        for kind in ("constant", "automated"):
            rows = []
            for style in options.styles:
                tempo = curve(TEMPI[STYLES.index(style)], kind == "automated", options.seconds)
                rows.append(judged(bounced(port, style, tempo, options.seconds), tempo))
                print(f"{kind:10} {style:14}", *(f"{value:6.1f}" for value in rows[-1].values()), flush=True)
            print(json.dumps({"tempo": kind} | {key: round(max(row[key] for row in rows), 1) for key in rows[0]}))


def curve(bpm: float, automated: bool, seconds: float) -> Curve:
    """Beats a minute at each tick of a song, for longer than it lasts."""
    ticks = np.arange(round(seconds * bpm * FASTER / 60 + 8) * TICKS) / TICKS
    if not automated:
        return np.full(len(ticks), bpm)
    return bpm * np.interp(ticks, [MOVES, MOVES + 1 / TICKS, RETURNS, RETURNS + GLIDE], [1, FASTER, FASTER, 1])


def grid(tempo: Curve) -> Curve:
    """When the beats of such a song are, seconds."""
    seconds = np.concatenate([[0.0], np.cumsum(60 / tempo / TICKS)])
    return np.asarray(seconds[::TICKS])


def bounced(port: int, style: str, tempo: Curve, seconds: float) -> NDArray[np.float32]:
    """What a host renders of a style that follows it, mono at the listener's rate."""
    import dawdreamer

    host = dawdreamer.RenderEngine(HOST_RATE, BLOCK)
    host.set_bpm(tempo.astype(np.float32), ppqn=TICKS)
    plugin = host.make_plugin_processor("music", str(next((BUILT / "vst3").iterdir())))
    numbers = {one["name"]: one["index"] for one in plugin.get_parameters_description()}
    plugin.set_parameter(numbers["Follow host tempo"], 1.0)
    host.load_graph([(plugin, [])])
    host.render(PRELUDE)
    play(port, f"give me {style}")
    host.render(seconds)  # from the song's beginning again
    sound = np.asarray(host.get_audio(), np.float32).mean(axis=0)
    return np.asarray(soxr.resample(sound, HOST_RATE, RATE), np.float32)


def play(port: int, prompt: str) -> None:
    """Tell the first instance a prompt, until it says that it has it."""

    def has_it() -> bool:
        SimpleUDPClient("127.0.0.1", port).send_message("/mg/prompt", prompt)
        return asked(port, "prompt") == prompt

    wait_for(has_it, "the prompt")


def judged(sound: NDArray[np.float32], tempo: Curve) -> dict[str, float]:
    """How far the beats that are heard are from the host's, ms."""
    there = grid(tempo)
    heard = there < len(sound) / RATE
    found = beats(sound, 60 * int(heard.sum()) / float(there[heard][-1]))
    found = found[(found > SETTLED) & (found < len(sound) / RATE - 0.5)]
    figures: dict[str, float] = {}
    for key, lines in (("", there), ("half_", halves(there))):
        late = np.abs(errors(found, lines)) * 1000
        figures |= {f"{key}p50": float(np.median(late)), f"{key}p95": float(np.percentile(late, 95))}
    return figures


if __name__ == "__main__":
    main()
