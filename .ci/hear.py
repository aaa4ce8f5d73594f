"""Play, and judge what was heard: the real-time factor, xruns beyond the first second, and how quiet the machine was.

Usage: python3 .ci/hear.py COMMAND ...        such as: make play SECONDS=10

The standard library alone: the instrument tells its status over OSC. The exit status is 1 where the command failed or
played badly three times in a row: what disturbs a shared machine for a moment does not come thrice. A machine that is
busy with something else is not judged, and that is said loudly.
"""

from __future__ import annotations

import os
import re
import socket
import statistics
import struct
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

OSC = ("127.0.0.1", 7770)
SUBSCRIBE = b"/mg/subscribe\0\0\0,\0\0\0"
STATUS = re.compile(rb"/mg/status/(rtf|xruns)\0+,([if])\0\0(.{4})", re.DOTALL)
LEAST_FACTOR = 1.5
TRIES = 3
MOST_OTHERS = 0.1
"""The share of the processors that other programs may take where playing is still judged."""


@dataclass
class Heard:
    """What the instrument told while it played: (seconds since it first computed, value)."""

    factors: list[float] = field(default_factory=list)
    xruns: list[tuple[float, int]] = field(default_factory=list)
    begun: float | None = None

    def take(self, datagram: bytes) -> None:
        now = time.monotonic()
        for name, kind, raw in STATUS.findall(datagram):
            (value,) = struct.unpack(">i" if kind == b"i" else ">f", raw)
            if name == b"rtf" and value > 0:
                self.begun = self.begun or now
                self.factors.append(value)
            elif name == b"xruns" and self.begun is not None:
                self.xruns.append((now - self.begun, int(value)))

    def late_xruns(self) -> int:
        """Beyond the first second."""
        first = [count for moment, count in self.xruns if moment <= 1.0]
        return self.xruns[-1][1] - (first[-1] if first else 0)


def main() -> None:
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for left in reversed(range(TRIES)):
        if judge(sys.argv[1:]):
            return
        if left:
            print(f"Once more, {left} left.", flush=True)
    sys.exit(1)


def judge(command: list[str]) -> bool:
    """Play once; whether it was good, or cannot be judged here.

    Raises
    ------
    SystemExit
        The command failed.
    """
    heard = Heard()
    cpu, own, start = busy_seconds(), own_seconds(), time.monotonic()
    status = play(command, heard)
    took = time.monotonic() - start
    others = max(0.0, busy_seconds() - cpu - (own_seconds() - own)) / took / (os.cpu_count() or 1)
    if status or not heard.xruns:
        sys.exit(f"FAILED: exit status {status}, {len(heard.xruns)} reports of its status.")
    factor, late = statistics.median(heard.factors), heard.late_xruns()
    figures = (
        f"{factor:.1f} x real time, {late} xruns beyond the first second; others took {others:.0%} of the processors"
    )
    good = factor >= LEAST_FACTOR and late == 0
    if not good and others > MOST_OTHERS:
        print(f"!!! NOT JUDGED, this machine is busy: {figures}", flush=True)
        return True
    print(f"{'GOOD' if good else 'FAILED'}: {figures}", flush=True)
    return good


def play(command: list[str], heard: Heard) -> int:
    """Run the command to its end, and hear."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours, subprocess.Popen(command) as process:
        ours.bind(("127.0.0.1", 0))
        ours.settimeout(0.2)
        asked = 0.0
        while process.poll() is None:
            if time.monotonic() - asked > (1.0 if heard.xruns else 0.1):
                ours.sendto(SUBSCRIBE, OSC)
                asked = time.monotonic()
            try:
                heard.take(ours.recv(65536))
            except (TimeoutError, ConnectionRefusedError):
                time.sleep(0.01)
        return process.returncode


def busy_seconds() -> float:
    """That all processors have worked, whoever asked them to, other tenants of the machine among them."""
    with Path("/proc/stat").open() as table:
        user, nice, system, _idle, _wait, *rest = (int(field) for field in table.readline().split()[1:])
    return (user + nice + system + sum(rest[:3])) / os.sysconf("SC_CLK_TCK")


def own_seconds() -> float:
    """That our own processes have worked, those that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


if __name__ == "__main__":
    main()
