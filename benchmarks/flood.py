"""One client's flood beside another client's fader: how late the fader's moves are applied.

    python benchmarks/flood.py [--seconds 20] [--rate 10000] [--connections 63]

A process sends distinct prompts at the rate, another moves the volume twenty times a second, and the server in this
one notes when each move reaches the controls. Prints one line of JSON: the rate reached, moves sent and applied, and
the delays in ms; then the same without the flood. With `--connections` the prompts come by TCP, as fast as they are
taken. Exits with 1 where p99 beside the flood is above 250 ms or a move was
lost. The moves' values are distinct, so that each can be told from the others.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import selectors
import socket
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from osc.packet import build
from osc.server import OscServer
from osc.tcp import Slip
from osc.tree import Tree
from osc.values import Value
from streamer.control.controls import Controls
from streamer.control.table import ACTIONS, PARAMETERS

MOVE_SECONDS = 0.05
MOST_MS = 250.0


def flood(port: int, rate: float, seconds: float, result: Connection) -> None:
    """Send distinct prompts; reports how many went out a second."""
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    begun = time.monotonic()
    number = 0
    while (now := time.monotonic()) - begun < seconds:
        while number < (now - begun) * rate:
            out.sendto(build("/mg/prompt", f"flood {number}"), ("127.0.0.1", port))
            number += 1
        time.sleep(0.0005)
    result.send(number / seconds)


def flood_by_tcp(port: int, connections: int, seconds: float, result: Connection) -> None:
    """Send distinct prompts by so many connections, as fast as they are taken; reports how many a second."""
    slip, sent = Slip(), 0
    with selectors.DefaultSelector() as ready, contextlib.ExitStack() as there:
        for _ in range(connections):
            opened = there.enter_context(socket.create_connection(("127.0.0.1", port)))
            opened.setblocking(False)
            ready.register(opened, selectors.EVENT_WRITE, (opened, bytearray()))
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for key, _ in ready.select(0.1):
                out, waiting = key.data
                if not waiting:
                    for number in range(sent, sent + 100):
                        waiting += slip.framed(build("/mg/prompt", f"flood {number}"))
                    sent += 100
                del waiting[: out.send(waiting)]
    result.send(sent / seconds)


def play(port: int, seconds: float, result: Connection) -> None:
    """Move the volume; reports when each value was sent, on the clock that all processes share."""
    out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sent: dict[int, float] = {}
    for move in range(round(seconds / MOVE_SECONDS)):
        sent[move] = time.monotonic()
        out.sendto(build("/mg/volume", -60 + move / 64), ("127.0.0.1", port))
        time.sleep(MOVE_SECONDS)
    result.send(sent)


def measure(rate: float, seconds: float, connections: int = 0) -> dict[str, float]:
    """Delays of the moves beside a flood of `rate` datagrams a second, 0 for none, or by so many connections."""
    controls = Controls()
    applied: dict[int, float] = {}
    lock = threading.Lock()

    def note(changed: dict[str, Value], origin: object) -> None:
        if "volume" in changed:
            with lock:
                applied[round((float(changed["volume"]) + 60) * 64)] = time.monotonic()

    controls.listen(note)
    server = OscServer(Tree("/mg", PARAMETERS, ACTIONS, controls), "127.0.0.1", 0)
    server.start()
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    how, much = (flood_by_tcp, connections) if connections else (flood, rate)
    flooder = context.Process(target=how, args=(server.port, much, seconds + 2, theirs), daemon=True)
    if much:
        flooder.start()
        time.sleep(1.0)
    moves, moving = context.Pipe()
    player = context.Process(target=play, args=(server.port, seconds, moving), daemon=True)
    player.start()
    sent = moves.recv()
    reached = ours.recv() if much else 0.0
    time.sleep(0.5)
    server.close()
    delays = np.array([1000 * (applied[move] - at) for move, at in sent.items() if move in applied])
    return {
        "flood_per_second": round(reached),
        "moves": len(sent),
        "applied": len(delays),
        "p50_ms": round(float(np.percentile(delays, 50)), 2),
        "p99_ms": round(float(np.percentile(delays, 99)), 2),
        "worst_ms": round(float(delays.max()), 2),
        "received": server.counts.received,
        "left_out": server.counts.left_out,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--rate", type=float, default=10_000.0, help="datagrams a second")
    parser.add_argument("--connections", type=int, default=0, help="that flood by TCP, 64 at most; 0: by UDP")
    options = parser.parse_args()
    beside, alone = measure(options.rate, options.seconds, options.connections), measure(0.0, options.seconds)
    print(json.dumps({"beside the flood": beside, "alone": alone}))
    sys.exit(1 if beside["p99_ms"] > MOST_MS or beside["applied"] < beside["moves"] else 0)


if __name__ == "__main__":
    main()
