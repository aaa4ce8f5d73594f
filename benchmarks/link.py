"""How far apart the beats of two Ableton Link peers are.

    python -m benchmarks.link [--seconds 600]

Two processes play in a network of their own, which has nothing but a loopback interface with multicast (Linux). Twice
a second each says where its beat is; every minute a third one comes or goes, and now and then one of the two asks for
another tempo. What is printed is the distance of the two beats, ms, and how long a new tempo takes to get there.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np

from tests.streamer.surfaces.test_link import Hall, Peer, apart, until

LOOK, COME, TURN = 0.5, 60.0, 90.0  # seconds
TEMPI = (133.5, 87.25, 174.0, 120.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600.0)
    options = parser.parse_args()
    hall = Hall(options.seconds + 120)
    try:
        print(json.dumps(play(hall, options.seconds)))
    finally:
        hall.close()


def play(hall: Hall, seconds: float) -> dict[str, float]:
    """Let them play, and say how it went."""
    first, second = Peer(hall, 120.0), Peer(hall, 99.0)
    until(lambda: first.ask()["peers"] == second.ask()["peers"] == 1)
    until(lambda: abs(first.ask()["place"][0] - second.ask()["place"][0]) < 0.01)
    off: list[float] = []
    turns: list[float] = []
    guests, guest = 0, None
    begun = time.monotonic()
    while (passed := time.monotonic() - begun) < seconds:
        if passed > COME * (guests + 1):
            guests += 1
            if guest is not None:
                guest.end()
            guest = Peer(hall, 140.0) if guest is None else None
        if passed > TURN * (len(turns) + 1):
            turns.append(turn((first, second)[len(turns) % 2], (second, first)[len(turns) % 2], len(turns)))
        off.append(1000 * apart(first, second))
        time.sleep(LOOK)
    for peer in (first, second, guest):
        if peer is not None:
            peer.end()
    p50, p95, worst = np.percentile(off, (50, 95, 100))
    figures = {"looks": len(off), "p50_ms": p50, "p95_ms": p95, "worst_ms": worst, "came_and_went": guests}
    figures |= {"tempi": len(turns), "tempo_worst_ms": 1000 * max(turns, default=0.0)}
    return {name: round(float(figure), 3) for name, figure in figures.items()}


def turn(one: Peer, other: Peer, number: int) -> float:
    """Seconds until the other has the tempo that the one asks for."""
    bpm, begun = TEMPI[number % len(TEMPI)], time.monotonic()
    one.ask(f"tempo {bpm}")
    until(lambda: abs(other.ask()["place"][0] - bpm) < 0.01)
    return time.monotonic() - begun


if __name__ == "__main__":
    main()
