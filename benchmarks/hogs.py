"""Play beside processes that compute without end, with and without the priority that this system grants: xruns.

Usage: python -m benchmarks.hogs [--minutes 10] [--hogs 2] [--lead 120] [--model nano] [--as nothing self]

It plays so long as a user to whom nothing is granted, then as whoever runs this; one JSON line each. `--as kit` plays
as a user who has no rights and whom RealtimeKit serves. What is refused is refused by Linux itself: the process gives
up the right before it plays. Elsewhere all lines are alike.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import subprocess
import sys
import time

import psutil

from benchmarks.recovery import busy
from streamer.instrument import Instrument
from streamer.process.job import music
from streamer.process.priority import hurry_callback, hurry_process, hurry_threads, kit_for_callback

_DROP, _RIGHT = 24, 23  # Linux: PR_CAPBSET_DROP, CAP_SYS_NICE


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--hogs", type=int, default=2)
    parser.add_argument("--lead", type=float, default=120.0)
    parser.add_argument("--model", default="nano")
    parser.add_argument(
        "--as", dest="users", nargs="+", choices=("nothing", "kit", "self"), default=["nothing", "self"]
    )
    parser.add_argument("--play", action="store_true", help="this process plays; else it starts those that do")
    options = parser.parse_args()
    if options.play:
        play(options.model, options.minutes, options.lead)
        return
    with busy(options.hogs):
        for user in options.users:
            command = [sys.executable, "-m", "benchmarks.hogs", *sys.argv[1:], "--play"]
            bus = {"DBUS_SYSTEM_BUS_ADDRESS": "unix:path=/nowhere"} if user == "nothing" else {}
            refused = None if user == "self" else refuse
            subprocess.run(command, check=True, preexec_fn=refused, env=os.environ | bus)


def refuse() -> None:
    """Nothing is granted to this process and its children from now on."""
    if sys.platform == "linux":
        import resource

        ctypes.CDLL(None).prctl(_DROP, _RIGHT, 0, 0, 0)  # takes effect with the program that is begun next
        resource.setrlimit(resource.RLIMIT_NICE, (0, 0))
        resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))


def _hear(sentence: str) -> None:
    """Lines of JSON alone are printed."""


def play(model: str, minutes: float, lead: float) -> None:
    """Play on the null clock; one line."""
    granted = hurry_process()
    instrument = Instrument(music(model, 48_000, 2), {"prompt": "techno, 130 bpm", "lead": lead}, port=0, report=_hear)
    instrument.start()
    hurry_threads()
    try:
        time.sleep(2)
        first = instrument.status()
        time.sleep(60 * minutes)
        last = instrument.status()
    finally:
        instrument.close()
    row = {
        "model": model,
        "minutes": minutes,
        "lead_ms": lead,
        "granted": granted or "nothing",
        "callback": hurry_callback() or kit_for_callback() or "nothing",
        "xruns": last.xruns - first.xruns,
        "silent_s": round(60 * minutes - (last.seconds - first.seconds), 2),
        "restarts": last.restarts,
        "load": round(psutil.getloadavg()[0], 1),
        "cores": os.cpu_count(),
    }
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
