"""Time from sending an OSC prompt to the changed sound, measured in the audio.

Usage: python -m benchmarks.latency [--changes 50] [--lead 40] [--model nano]

The whole instrument plays on the null clock: OSC server, controls, engine process, ring, callback side. Every trial
resets the music to the same seed, sends another prompt at a random moment and looks for the first sample at which the
recording leaves the recording of the same seed without a change. A sample counts as heard when the callback takes it;
what a device adds behind that (about 10 ms) is not in the figures. `told_ms` is what `/mg/status/latency_ms` says.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from pythonosc.udp_client import SimpleUDPClient
from scipy.signal import correlate

from streamer.instrument import Instrument
from streamer.process.job import music

RATE = 48_000
SETTLED = RATE // 2  # samples after which a reset has been heard: its fade is not compared
REFERENCE = int(2.4 * RATE)
SOONEST = RATE  # samples from one reset to the next, at least
WINDOW = RATE // 100
SEED = 11
BEFORE, AFTER = "slow ambient pad", "fast drum and bass, 174 bpm"

Mono = NDArray[np.float32]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--changes", type=int, default=50)
    parser.add_argument("--lead", type=float, default=None, help="ms; the instrument's default unless given")
    parser.add_argument("--model", default="nano")
    options = parser.parse_args()
    initial: dict[str, float | int | bool | str] = {"prompt": BEFORE, "seed": SEED, "volume": -12.0}
    if options.lead is not None:
        initial["lead"] = options.lead
    instrument = Instrument(music(options.model, RATE, 2), initial, port=0)
    tape = Tape(instrument)
    instrument.start()
    try:
        sent, told = perform(instrument, options.changes)
        status = instrument.status()
    finally:
        instrument.close()
    audio = tape.audio()
    undisturbed = tape.sample_at(sent[0][0]) + SETTLED
    reference = audio[undisturbed : undisturbed + REFERENCE]
    found = [change_in(audio, reference, tape.sample_at(reset), tape.sample_at(prompt)) for reset, prompt in sent[1:]]
    latencies = [1000 * (tape.time_of(sample) - prompt) for sample, (_, prompt) in zip(found, sent[1:], strict=True)]
    p50, p95 = np.percentile(latencies, [50, 95])
    result = {
        "model": options.model,
        "changes": len(latencies),
        "lead_ms": float(instrument.controls.get("lead")),
        "p50_ms": round(float(p50), 1),
        "p95_ms": round(float(p95), 1),
        "min_ms": round(min(latencies), 1),
        "max_ms": round(max(latencies), 1),
        "told_ms": round(float(np.median(told)), 1),
        "rtf": round(status.rtf, 2),
        "xruns": status.xruns,
    }
    print(json.dumps(result))


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


def perform(instrument: Instrument, changes: int) -> tuple[list[tuple[float, float]], list[float]]:
    """A reset that runs undisturbed, then `changes` resets each followed by a prompt.

    Returns
    -------
    list of (reset, prompt), list of float
        The times of both, and what the instrument says of its own latency then, ms.
    """
    client = SimpleUDPClient("127.0.0.1", instrument.server.port)
    told = []
    time.sleep(4.0)  # the loudness settles
    chance = random.Random(SEED)
    sent = []
    for trial in range(changes + 1):
        client.send_message("/mg/prompt", BEFORE)
        time.sleep(0.3)
        reset = time.monotonic()
        client.send_message("/mg/reset", [])
        time.sleep(3.5 if trial == 0 else chance.uniform(1.0, 1.5))
        sent.append((reset, time.monotonic()))
        if trial:
            told.append(instrument.status().latency_ms)
            client.send_message("/mg/prompt", AFTER)
            time.sleep(1.0)
    return sent, told


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
