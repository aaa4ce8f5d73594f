"""100 000 hostile datagrams over a real socket: the server still answers, has grown by nothing, and lost no thread."""

from __future__ import annotations

import random
import struct
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator

from osc.inbox import BACKLOG
from osc.later import QUEUE
from osc.limits import CLIENTS_REMEMBERED
from osc.packet import BUNDLE, build
from osc.server import OscServer
from osc.subscribers import MOST
from tests.osc.desk import Client, Desk

DATAGRAMS = 100_000
IN_FLIGHT = BACKLOG - 2  # so few that none of them is left out for a later one


def corpus() -> list[bytes]:
    """Well-formed packets of all kinds."""
    messages = [
        build("/mg/prompt", "lo-fi", "jazz", 90),
        build("/mg/prompt/negative", "x" * 300),
        build("/mg/temperature", 1.25),
        build("/mg/topk/norm", 0.5),
        build("/mg/mute", 1),
        build("/mg/play"),
        build("/mg/get/lead"),
        build("/mg/subscribe", "/mg/volume", 10),
        build("/mg/unsubscribe"),
        build("/mg/ping"),
        b"/mg/prompt\0\0,[sS]bcIt\0\0\0" + b"a\0\0\0b\0\0\0" + b"\0\0\0\5hello\0\0\0" + b"\0\0\0x" + b"\0" * 8,
    ]
    soon = BUNDLE + struct.pack(">II", int(time.time()) + 2_208_988_800 + 20, 0)
    elements = b"".join(struct.pack(">i", len(message)) + message for message in messages)
    return [*messages, soon + elements, BUNDLE + struct.pack(">Q", 1) + elements]


def hostile(seed: int, count: int) -> Iterator[bytes]:
    """A third noise, the rest well-formed packets with something wrong in most of them."""
    chance = random.Random(seed)
    packets = corpus()
    for _ in range(count):
        if chance.random() < 0.33:
            yield chance.randbytes(chance.choice((0, 3, 8, 16, 20, 64, 400)))
            continue
        packet = bytearray(chance.choice(packets))
        for _ in range(chance.randrange(4)):
            packet[chance.randrange(len(packet))] = chance.choice((0, 1, 0x2C, 0x2F, 0x7F, 0xFC, chance.randrange(256)))
        if chance.random() < 0.2:
            del packet[chance.randrange(len(packet) + 1) :]
        yield bytes(packet)


def flood(server: OscServer, client: Client, datagrams: Iterator[bytes]) -> None:
    """Send them all, no faster than they are read."""
    sent = server.counts.received
    for datagram in datagrams:
        client.send_bytes(datagram)
        sent += 1
        if sent % (IN_FLIGHT // 2) == 0:
            wait_for(server, sent - IN_FLIGHT // 2)
            client.datagrams()
    wait_for(server, sent)


def wait_for(server: OscServer, received: int) -> None:
    deadline = time.monotonic() + 20
    while server.counts.received < received or server.desk.held().unserved > IN_FLIGHT // 2:
        assert time.monotonic() < deadline, "the server reads no more"
        time.sleep(0.0005)


def answers(client: Client) -> bool:
    client.datagrams()
    client.send("/mg/ping")
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if any(message.address == "/mg/pong" for message in client.messages(1.0)):
            return True
    return False


def test_a_flood_of_100_000_datagrams_changes_nothing_for_the_next_client(
    running: OscServer, desk: Desk, connect: Callable[[OscServer], Client]
) -> None:
    hostile_client, polite_client = connect(running), connect(running)
    threads = threading.active_count()
    flood(running, hostile_client, hostile(1, DATAGRAMS // 2))
    assert answers(polite_client)
    tracemalloc.start()
    flood(running, hostile_client, hostile(2, DATAGRAMS // 10))
    before, _ = tracemalloc.get_traced_memory()
    flood(running, hostile_client, hostile(3, DATAGRAMS // 10))
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    flood(running, hostile_client, hostile(4, 3 * DATAGRAMS // 10))

    assert answers(polite_client)
    assert running.counts.received >= DATAGRAMS
    assert running.counts.refused > DATAGRAMS // 4
    assert after - before < 300_000, "bytes that 10 000 datagrams left behind"
    assert threading.active_count() == threads
    held = running.desk.held()
    assert held.subscribers <= MOST
    assert held.waiting <= QUEUE
    assert held.clients <= CLIENTS_REMEMBERED
    assert set(desk.values) == {"prompt", "negative", "temperature", "topk", "volume", "lead", "mute", "tune"}
