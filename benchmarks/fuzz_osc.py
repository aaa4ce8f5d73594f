"""Mutated datagrams against a real server in a process of its own: lost pings, memory, threads.

    python benchmarks/fuzz_osc.py [--datagrams 1000000] [--rate 3500]

Prints one line of JSON: datagrams sent and received by the server, the rate reached, what the system dropped because a
socket was full, pings sent and lost, the slowest pong, and by how much the server's memory grew after the first tenth.
`--ordinary` gives the server no more room for what waits than Linux allows everyone by itself. Exits with 1 where a
ping was lost or memory grew by more than 5 MB. Linux, for its way of telling a process's memory.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import socket
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from osc import sockets
from osc.packet import build
from osc.server import OscServer
from osc.tree import Tree
from streamer.control.controls import Controls
from streamer.control.table import ACTIONS, PARAMETERS
from tests.osc.mutator import mutants

PING_SECONDS = 0.02
MOST_GROWTH = 5.0  # MB
ORDINARY_BYTES = 212_992
"""What Linux allows a socket unless an administrator has said more."""


def serve(parent: Connection, ordinary: bool) -> None:
    """The server's process: tells its port, and at the end what it received."""
    if ordinary:
        sockets.BUFFER_BYTES = ORDINARY_BYTES
    server = OscServer(Tree("/mg", PARAMETERS, ACTIONS, Controls()), "127.0.0.1", 0)
    server.start()
    parent.send(server.port)
    parent.recv()
    parent.send(vars(server.counts))
    server.close()


def megabytes(process: int) -> float:
    """Resident memory of a process."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


class Pinger:
    """A polite client beside the flood."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect(("127.0.0.1", port))
        self._socket.setblocking(False)
        self.port = int(self._socket.getsockname()[1])
        self._waiting: list[float] = []
        self.sent = 0
        self.slowest = 0.0

    def ping(self) -> None:
        self._socket.send(build("/mg/ping"))
        self._waiting.append(time.monotonic())
        self.sent += 1

    def collect(self) -> None:
        while True:
            try:
                self._socket.recv(1024)
            except BlockingIOError:
                return
            self.slowest = max(self.slowest, time.monotonic() - self._waiting.pop(0))

    @property
    def missing(self) -> int:
        return len(self._waiting)


def dropped(*ports: int) -> int:
    """Datagrams that Linux has thrown away because these sockets were full."""
    rows = [row.split() for row in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return sum(int(row[-1]) for row in rows if int(row[1].rpartition(":")[2], 16) in ports)


def fuzz(datagrams: int, rate: float, ordinary: bool) -> dict[str, float]:
    """Send mutants at a rate, and pings beside them; what came of it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, ordinary), daemon=True)
    process.start()
    assert process.pid is not None
    port = ours.recv()
    pinger = Pinger(port)
    flood = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    flood.bind(("127.0.0.1", 0))
    flood.setblocking(False)
    settled = 0.0
    begun = last_ping = time.monotonic()
    for number, datagram in enumerate(mutants(1, datagrams)):
        flood.sendto(datagram, ("127.0.0.1", port))
        if number % 16 == 0:
            now = time.monotonic()
            if now - last_ping >= PING_SECONDS:
                pinger.ping()
                last_ping = now
            pinger.collect()
            time.sleep(max(0.0, begun + number / rate - now))
        if number == datagrams // 10:
            settled = megabytes(process.pid)
    seconds = time.monotonic() - begun
    deadline = time.monotonic() + 5
    while pinger.missing and time.monotonic() < deadline:
        time.sleep(0.01)
        pinger.collect()
    grown = megabytes(process.pid) - settled
    lost_on_the_way = dropped(port, pinger.port)
    ours.send(None)
    counts = ours.recv()
    process.join()
    flood.close()
    return {
        "sent": datagrams,
        "rate": round(datagrams / seconds),
        "dropped": lost_on_the_way,
        "pings": pinger.sent,
        "lost": pinger.missing,
        "slowest_ms": round(1000 * pinger.slowest, 1),
        "rss_mb": round(settled, 1),
        "grown_mb": round(grown, 2),
        **counts,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datagrams", type=int, default=1_000_000)
    parser.add_argument("--rate", type=float, default=3500.0, help="datagrams a second")
    parser.add_argument("--ordinary", action="store_true")
    options = parser.parse_args()
    found = fuzz(options.datagrams, options.rate, options.ordinary)
    print(json.dumps(found))
    sys.exit(1 if found["lost"] or found["grown_mb"] > MOST_GROWTH else 0)


if __name__ == "__main__":
    main()
