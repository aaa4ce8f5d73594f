"""When is a bundle heard that is tagged with a time? Measured in the audio, behind a real audio callback.

Usage: python -m benchmarks.timing [--trials 100] [--ahead 0.4] [--lead 80] [--model nano]

It takes 5 s for three trials: 100 of each kind take less than nine minutes.

The instrument plays through PortAudio on JACK's dummy driver (packages jackd2 and libportaudio2, pip JACK-Client), and
another client of JACK's records what it plays. Every trial resets the music to the same seed and sends one change,
tagged with a time so many seconds ahead: volume, prompt and reset in turns. The first sample at which the recording
leaves that of the same seed without a change is compared with the tag. What the device adds behind JACK is taken from
what PortAudio says of it, as the instrument does. "judge" tells how far that comparison itself is from cuts of known
moments.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from typing import Any

import numpy as np
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.udp_client import SimpleUDPClient

from benchmarks.behind_jack import JackTape, Mono, start_jack
from benchmarks.latency import AFTER, BEFORE, RATE, REFERENCE, SEED, SETTLED, change_in
from streamer.instrument import Instrument
from streamer.process.job import music

PERIOD = 1024
KINDS = {"volume": -60.0, "prompt": AFTER, "reset": None}
FRAME_MS = 20.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=100, help="of each kind")
    parser.add_argument("--ahead", type=float, default=0.4, help="seconds between sending and tag")
    parser.add_argument("--lead", type=float, default=80.0, help="ms")
    parser.add_argument("--model", default="nano")
    options = parser.parse_args()
    device = start_jack(RATE, PERIOD)
    initial: dict[str, Any] = {"prompt": BEFORE, "seed": SEED, "volume": -12.0, "lead": options.lead}
    instrument = Instrument(music(options.model, RATE, 2), initial, device=device, port=0)
    instrument.start()
    tape = JackTape()
    try:
        sent, disturbed = perform(instrument, options.trials, options.ahead)
        status, latency = instrument.status(), instrument.player.latency
    finally:
        instrument.close()
        tape.close()
    audio = tape.audio()
    undisturbed = tape.sample_at(sent[0][1]) + SETTLED
    reference = audio[undisturbed : undisturbed + REFERENCE]
    errors: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for kind, reset, due in sent[1:]:
        found = change_in(audio, reference, tape.sample_at(reset), tape.sample_at(due - latency) - RATE // 2)
        errors[kind].append(1000 * (tape.time_of(found) + latency - due))
    print(json.dumps({"judge": figures(judged(reference))}))
    for kind, own in errors.items():
        print(json.dumps({"change": kind} | figures(own)))
    print(
        json.dumps(
            {
                "model": options.model,
                "lead_ms": options.lead,
                "ahead_s": options.ahead,
                "device_ms": round(1000 * latency, 1),
                "rtf": round(status.rtf, 2),
                "xruns": status.xruns,
                "disturbed_trials": disturbed,
            }
        )
    )


def figures(errors: list[float]) -> dict[str, float]:
    """Of one kind of change, ms: how far from its moment, and which way; positive is late."""
    sizes = np.abs(errors)
    p50, p95 = np.percentile(sizes, [50, 95])
    return {
        "trials": len(errors),
        "within_20_ms": int((sizes <= FRAME_MS).sum()),
        "p50_ms": round(float(p50), 1),
        "p95_ms": round(float(p95), 1),
        "worst_ms": round(float(sizes.max()), 1),
        "earliest_ms": round(min(errors), 1),
        "latest_ms": round(max(errors), 1),
    }


def judged(reference: Mono, cuts: int = 100) -> list[float]:
    """How far the judge itself is from a hard cut of known moment into other parts of the same music, ms."""
    chance = np.random.default_rng(SEED)
    errors = []
    for at in chance.integers(RATE // 2, REFERENCE - RATE, cuts):
        other = reference[at + int(chance.integers(RATE // 10, RATE // 2)) :]
        cut = np.concatenate([reference[:at], other])
        errors.append(1000 * (change_in(cut, reference, 0, int(at) - RATE // 4) - int(at)) / RATE)
    return errors


def perform(instrument: Instrument, trials: int, ahead: float) -> tuple[list[tuple[str, float, float]], int]:
    """A reset that runs undisturbed, then the trials: what was changed, when the reset was sent, and what for when.

    A trial with an xrun in it cannot be compared with anything: it is made again, and counted.
    """
    client = SimpleUDPClient("127.0.0.1", instrument.server.port)
    disturbed = -1
    xruns, now = -1, 0
    while xruns != now:
        time.sleep(4.0)  # the loudness settles
        xruns = instrument.status().xruns
        reset = time.monotonic()
        client.send_message("/mg/reset", [])
        time.sleep(3.5)
        now = instrument.status().xruns
        disturbed += 1
    sent = [("", reset, 0.0)]
    chance = random.Random(SEED)
    while len(sent) <= trials * len(KINDS):
        kind = list(KINDS)[(len(sent) - 1) % len(KINDS)]
        xruns = instrument.status().xruns
        client.send_message("/mg/volume", -12.0)
        client.send_message("/mg/prompt", BEFORE)
        time.sleep(0.15)
        reset = time.monotonic()
        client.send_message("/mg/reset", [])
        time.sleep(chance.uniform(0.65, 0.85))
        moment, due = time.time() + ahead, time.monotonic() + ahead
        client.send(bundle(moment, kind))
        time.sleep(ahead + 0.35)
        if instrument.status().xruns == xruns:
            sent.append((kind, reset, due))
        else:
            disturbed += 1
    return sent, disturbed


def bundle(moment: float, kind: str) -> Any:
    builder, message = OscBundleBuilder(moment), OscMessageBuilder(f"/mg/{kind}")  # type: ignore[arg-type]
    if KINDS[kind] is not None:
        message.add_arg(KINDS[kind])  # type: ignore[arg-type]
    builder.add_content(message.build())
    return builder.build()


if __name__ == "__main__":
    main()
