"""Time from sending an OSC prompt to the changed sound, measured in the audio.

Usage: python -m benchmarks.latency [--changes 50 | --minutes 10] [--lead 40] [--model nano] [--jack 256] [--known]

The whole instrument plays: OSC server, controls, engine process, ring, callback side, on the null clock, or with
`--jack` through PortAudio on JACK's dummy driver with periods of so many samples. Every trial resets the music to the
same seed, sends another prompt at a random moment and looks for the first sample at which the recording leaves the
recording of the same seed without a change. A sample counts as heard when the callback takes it; what a device says
that it adds is `device_ms`. `told_ms` is what `/mg/status/latency_ms` says. Each prompt is new and has to be encoded,
but with `--known`. A trial with an xrun in it cannot be compared with anything: it is made again, and counted.

The parts of the way follow each other: `osc` from sending to the owner of the values; `taken_in` until the engine plays
by the new prompt: its text is encoded, and the frame that is being made is finished; `queued` until the callback takes
that frame's first sample; `heard` until the sound is another by -26 dB, as sound begins softly. Frames are taken for
samples as with a codec that does not look ahead.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pythonosc.udp_client import SimpleUDPClient
from scipy.signal import correlate

from benchmarks.behind_jack import Mono, start_jack
from osc.values import Value
from streamer.control.change import Change
from streamer.control.journal import Journal
from streamer.instrument import Instrument
from streamer.process.job import music

RATE = 48_000
SETTLED = RATE // 2  # samples after which a reset has been heard: its fade is not compared
REFERENCE = int(2.4 * RATE)
SOONEST = RATE  # samples from one reset to the next, at least
WINDOW = RATE // 100
SEED = 11
BEFORE, AFTER = "slow ambient pad", "fast drum and bass, 174 bpm"
PARTS = ("osc", "taken_in", "queued", "heard")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=50)
    parser.add_argument("--lead", type=float, default=None, help="ms; the instrument's default unless given")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--jack", type=int, metavar="PERIOD", help="play through JACK's dummy driver")
    parser.add_argument("--minutes", type=float, default=60.0, help="as many changes as fit, and no more than those")
    parser.add_argument("--known", action="store_true", help="send a prompt that was encoded before")
    options = parser.parse_args()
    initial: dict[str, float | int | bool | str] = {"prompt": BEFORE, "seed": SEED, "volume": -12.0}
    if options.lead is not None:
        initial["lead"] = options.lead
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # for the engine's process, as the command line does
    device = start_jack(RATE, options.jack) if options.jack else None
    stages = Stages()
    instrument = Instrument(music(options.model, RATE, 2), initial, device=device, port=0)
    instrument.controls.follow(stages.follow)
    tape = Tape(instrument)
    instrument.start()
    began = time.monotonic()
    try:
        end = began + 60 * options.minutes
        trials, disturbed = perform(instrument, stages, options.changes, end, known=options.known)
        status, seconds = instrument.status(), time.monotonic() - began
    finally:
        instrument.close()
    audio = tape.audio()
    undisturbed = tape.sample_at(trials[0].reset) + SETTLED
    reference = audio[undisturbed : undisturbed + REFERENCE]
    heard = [
        tape.time_of(change_in(audio, reference, tape.sample_at(trial.reset), tape.sample_at(trial.sent)))
        for trial in trials[1:]
    ]
    ways = np.array([np.diff([*trial[1:-1], end]) for trial, end in zip(trials[1:], heard, strict=True)]) * 1000
    print(
        json.dumps(
            {
                "model": options.model,
                "clock": instrument.player.name,
                "changes": len(heard),
                "lead_ms": float(instrument.controls.get("lead")),
                **figures(ways.sum(1)),
                "told_ms": round(float(np.median([trial.told for trial in trials[1:]])), 1),
                "device_ms": round(1000 * instrument.player.latency, 1),
                "parts": {name: figures(part) for name, part in zip(PARTS, ways.T, strict=True)},
                "rtf": round(status.rtf, 2),
                "xruns": status.xruns,
                "xruns_of_the_device": instrument.playback.device_xruns,
                "seconds": round(seconds),
                "disturbed_trials": disturbed,
            }
        )
    )


def figures(times: NDArray[np.float64]) -> dict[str, float]:
    """Of times in ms."""
    p50, p95 = np.percentile(times, [50, 95])
    return {
        "p50_ms": round(float(p50), 1),
        "p95_ms": round(float(p95), 1),
        "min_ms": round(float(times.min()), 1),
        "max_ms": round(float(times.max()), 1),
    }


class Trial(NamedTuple):
    """When each thing of a trial happened, monotonic seconds; `told`: the latency that the instrument told then, ms."""

    reset: float
    sent: float
    asked: float  # the controls have it
    applied: float  # the engine plays by it
    taken: float  # the callback takes the first sample of its first frame
    told: float


class Stages:
    """When a prompt comes to the controls, when the engine applies it, and from which sample of the ring on."""

    def __init__(self) -> None:
        self.asked: dict[str, float] = {}
        self.applied: dict[str, tuple[float, int]] = {}
        self._begins = 0
        begin, applied = Journal.begin, Journal.applied

        def begun(journal: Journal, sample: int, *rest: Any, **named: Any) -> None:
            self._begins = sample
            begin(journal, sample, *rest, **named)

        def noted(journal: Journal, frame: float, values: Mapping[str, Value], *rest: Any) -> None:
            if "prompt" in values:
                self.applied[str(values["prompt"])] = time.monotonic(), self._begins + round(frame * RATE / 50)
            applied(journal, frame, values, *rest)

        methods: Any = Journal
        methods.begin, methods.applied = begun, noted

    def follow(self, change: Change) -> None:
        """A change that was asked for."""
        if "prompt" in change.values:
            self.asked[str(change.values["prompt"])] = time.monotonic()


class Tape:
    """What the callback side gave out, and when each block was taken."""

    def __init__(self, instrument: Instrument) -> None:
        self._fill: Callable[[NDArray[np.float32]], None] = instrument.playback.fill
        self._blocks: list[Mono] = []
        self._times: list[float] = []
        instrument.playback.fill = self._record  # type: ignore[method-assign]

    def _record(self, out: NDArray[np.float32]) -> None:
        self._times.append(time.monotonic())
        self._fill(out)
        self._blocks.append(out[:, 0].copy())

    def audio(self) -> Mono:
        """The left channel of everything."""
        return np.concatenate(self._blocks)

    def sample_at(self, moment: float) -> int:
        """The first sample taken at this moment or later."""
        block = int(np.searchsorted(self._times, moment))
        return sum(len(b) for b in self._blocks[:block])

    def time_of(self, sample: int) -> float:
        """When the sample's block was taken, plus its place in the block."""
        size = len(self._blocks[0])
        return self._times[sample // size] + (sample % size) / RATE


def perform(
    instrument: Instrument, stages: Stages, changes: int, end: float, *, known: bool
) -> tuple[list[Trial], int]:
    """A reset that runs undisturbed, then `changes` resets each followed by a prompt, or as many as fit.

    Returns
    -------
    list of Trial, int
        The first is the undisturbed one, of which only the reset counts. How many were made again.
    """
    client = SimpleUDPClient("127.0.0.1", instrument.server.port)
    time.sleep(4.0)  # the loudness settles
    chance = random.Random(SEED)
    trials: list[Trial] = []
    disturbed = 0
    while len(trials) <= changes and time.monotonic() < end:
        xruns = instrument.status().xruns
        client.send_message("/mg/prompt", BEFORE)
        time.sleep(0.3)
        reset = time.monotonic()
        client.send_message("/mg/reset", [])
        time.sleep(chance.uniform(1.0, 1.5) if trials else 3.5)
        told = instrument.status().latency_ms
        sent = asked = applied = taken = time.monotonic()
        if trials:
            prompt = AFTER if known else f"{AFTER}, take {len(trials) + disturbed}"
            client.send_message("/mg/prompt", prompt)
            time.sleep(1.0)
            asked, (applied, sample) = stages.asked[prompt], stages.applied[prompt]
            taken = instrument.timeline.heard(sample) - instrument.playback.latency
        if instrument.status().xruns == xruns:
            trials.append(Trial(reset, sent, asked, applied, taken, told))
        else:
            disturbed += 1
    return trials, disturbed


def locate(audio: Mono, reference: Mono, reset: int) -> int:
    """Where the reference begins in the audio after this reset, by normalised correlation with its first quarter.

    No further than the reset can be on its way: the next one plays the same again.
    """
    pattern = reference[: RATE // 4]
    stretch = audio[reset : reset + SETTLED + SOONEST + len(pattern)]
    likeness = correlate(stretch, pattern, mode="valid")
    energy = np.convolve(stretch**2, np.ones(len(pattern), np.float32), mode="valid")
    return reset + int(np.argmax(likeness / np.sqrt(np.maximum(energy, 1e-9))))


def change_in(audio: Mono, reference: Mono, reset: int, prompt: int) -> int:
    """The first sample after the prompt at which the audio leaves the reference by more than -26 dB of its level.

    The slow loudness gain differs between the two by a factor, which is taken from the 10 ms before.
    """
    start = locate(audio, reference, reset)
    expected = reference[: len(audio) - start]
    limit = 10 ** (-26 / 20) * np.sqrt(np.mean(expected**2))
    gain = 1.0
    for at in range(0, len(expected), WINDOW):
        here, there = audio[start + at : start + at + WINDOW][: len(expected) - at], expected[at : at + WINDOW]
        fitted = float(here @ there) / max(float(there @ there), 1e-9)
        if (np.abs(here - (gain if at else fitted) * there) > limit * max(gain, 1e-3)).any():
            break
        gain = fitted
    else:
        raise SystemExit("no change was heard")
    if start + at + WINDOW <= prompt:
        raise SystemExit("the music differs before the change: did an xrun or a restart come between?")
    return start + at + int(np.argmax(np.abs(here - gain * there) > limit * gain))


if __name__ == "__main__":
    main()
