"""By TCP the desk answers as by UDP, framed either way; no connection can hold it up."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.tcp_client import SimpleTCPClient

from osc import tcp
from osc.access import Access
from osc.desk import SERVED
from osc.hosts import Address, networks
from osc.packet import DEFAULT_LIMITS, Refused, build, parse
from osc.server import OscServer
from osc.tcp import MOST, SPEECHLESS_SECONDS, Connection, Sized, Slip, framing, most, who_leaves
from tests.osc.desk import Clock, Desk, tree

packets = st.lists(st.binary(min_size=1, max_size=50), max_size=8)


class Peer:
    """A client that frames by SLIP or by sizes."""

    def __init__(self, server: OscServer, kind: type[Slip] | type[Sized] = Slip) -> None:
        self.framing = kind()
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=10)

    def send(self, address: str, *values: object) -> None:
        self.socket.sendall(self.framing.framed(build(address, *values)))  # type: ignore[arg-type]

    def receive(self, until: str) -> list[tuple[str, list[object]]]:
        """Messages, up to one at an address."""
        heard: list[tuple[str, list[object]]] = []
        while not any(address == until for address, _ in heard):
            received = self.socket.recv(65536)
            if not received:
                raise EOFError(heard)
            for packet in self.framing.take(received):
                heard += [(m.address, list(m.arguments)) for bundle in parse(packet) for m in bundle.messages]
        return heard


@pytest.fixture
def peer(running: OscServer) -> Iterator[Callable[..., Peer]]:
    made: list[Peer] = []

    def connected(kind: type[Slip] | type[Sized] = Slip) -> Peer:
        made.append(Peer(running, kind))
        return made[-1]

    yield connected
    for own in made:
        own.socket.close()


def eventually(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("kind", [Slip, Sized])
@given(packets, st.lists(st.integers(1, 30), min_size=1))
def test_packets_come_whole_however_the_network_cuts_them(
    kind: type[Slip] | type[Sized], sent: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(kind().framed(packet) for packet in sent)
    reader, heard, at = kind(), [], 0
    for number in range(len(stream)):
        size = cuts[number % len(cuts)]
        heard += reader.take(stream[at : at + size])
        at += size
    assert heard == sent


@pytest.mark.parametrize("kind", [Slip, Sized])
def test_how_a_client_frames_is_told_by_its_first_byte(kind: type[Slip] | type[Sized]) -> None:
    assert type(framing(kind().framed(build("/a"))[0])) is kind


@pytest.mark.parametrize("first", b"GET \x01\xff")
def test_what_is_no_osc_is_refused(first: int) -> None:
    with pytest.raises(Refused):
        framing(first)


@pytest.mark.parametrize("kind", [Slip, Sized])
def test_a_packet_without_end_takes_no_memory(kind: type[Slip] | type[Sized]) -> None:
    reader = kind()
    with pytest.raises(Refused, match="larger"):
        for _ in range(3 * DEFAULT_LIMITS.size):
            reader.take(b"\x7f")


@pytest.mark.parametrize("kind", [Slip, Sized])
def test_a_change_by_tcp_is_made_and_answered_in_kind(
    kind: type[Slip] | type[Sized], peer: Callable[..., Peer], desk: Desk
) -> None:
    client = peer(kind)
    client.send("/mg/volume", 500.0)
    heard = client.receive("/mg/volume")
    assert dict(heard)["/mg/volume"] == [desk.values["volume"]]
    client.send("/mg/volum", 1.0)
    assert "did you mean /mg/volume" in str(dict(client.receive("/mg/error"))["/mg/error"])


@pytest.mark.parametrize("mode", ["1.0", "1.1"])
def test_python_osc_steers_by_tcp(mode: str, running: OscServer, desk: Desk) -> None:
    client = SimpleTCPClient("127.0.0.1", running.port, mode=mode)  # type: ignore[no-untyped-call]
    client.send_message("/mg/volume", -6.0)
    eventually(lambda: desk.values["volume"] == -6.0)
    client.close()  # type: ignore[no-untyped-call]


@pytest.mark.skipif(not shutil.which("oscsend"), reason="install the package liblo-tools")
def test_liblo_steers_by_tcp(running: OscServer, desk: Desk) -> None:
    subprocess.run(["oscsend", f"osc.tcp://127.0.0.1:{running.port}/", "/mg/volume", "f", "-7"], check=True, timeout=20)
    eventually(lambda: desk.values["volume"] == -7.0)


def test_a_subscriber_hears_of_what_others_change_until_it_hangs_up(
    peer: Callable[..., Peer], running: OscServer, desk: Desk
) -> None:
    listener, other = peer(), peer()
    listener.send("/mg/subscribe", 9)  # by a connection the port does not matter
    listener.receive("/mg/volume")
    other.send("/mg/volume", -3.0)
    while dict(listener.receive("/mg/volume"))["/mg/volume"] != [-3.0]:
        pass
    listener.socket.close()
    eventually(lambda: running.desk.held().subscribers == 0)


def test_who_does_not_read_loses_packets_and_holds_up_nobody(
    peer: Callable[..., Peer], running: OscServer, desk: Desk
) -> None:
    deaf, other = peer(), peer()
    deaf.socket.settimeout(30)
    dumps = Slip().framed(build("/mg/dump")) * 200
    before = running.counts.unsent
    while running.counts.unsent == before:  # until the system's buffers, and ours, are full
        deaf.socket.sendall(dumps)
        other.send("/mg/ping")
        other.receive("/mg/pong")
    other.send("/mg/volume", -9.0)
    eventually(lambda: desk.values["volume"] == -9.0)


def test_a_web_browser_is_let_go(peer: Callable[..., Peer], running: OscServer) -> None:
    client = peer()
    client.socket.sendall(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(EOFError):
        client.receive("never")
    assert running.counts.refused == 1


def test_so_many_may_connect_and_one_more_when_one_has_left(peer: Callable[..., Peer]) -> None:
    clients = [peer() for _ in range(MOST)]
    for client in clients:
        client.send("/mg/ping")
        client.receive("/mg/pong")
    with pytest.raises((EOFError, ConnectionError)):
        refused = peer()
        refused.send("/mg/ping")
        refused.receive("/mg/pong")
    clients[0].socket.close()

    def welcome() -> bool:
        try:
            late = peer()
            late.send("/mg/ping")
            return bool(late.receive("/mg/pong"))
        except (EOFError, ConnectionError):
            return False

    eventually(welcome)


def test_who_is_not_allowed_cannot_connect(desk: Desk, clock: Clock) -> None:
    """From this machine all may: the gate is asked by the host's address."""
    server = OscServer(tree(desk), port=0, access=Access(allow=networks(["192.0.2.0/24"])), clock=clock, wall=clock)
    assert server.desk.hears("127.0.0.1")
    assert not server.desk.hears("198.51.100.7")
    server.close()


def test_where_the_tcp_port_is_taken_udp_serves_alone(desk: Desk) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        server = OscServer(tree(desk), "127.0.0.1", other.getsockname()[1])
        assert not server.takes_tcp
        server.close()


def connections(*hosts: str) -> list[Connection]:
    """Of these hosts, each with a packet, the first the longest ago."""
    made: list[Connection] = []
    for number, host in enumerate(hosts):
        with socket.socket() as opened:
            made.append(Connection(opened, (host, number), float(number)))
        made[-1].speechless = False
    return made


def test_nobody_takes_all_places() -> None:
    there = connections("a", "b", "a", "a")
    assert who_leaves(there, "c", 100.0) is there[0]
    assert who_leaves(there, "b", 100.0) is there[0]
    assert who_leaves(there, "a", 100.0) is None
    assert who_leaves(connections("a", "b", "c"), "d", 100.0) is None


def test_who_has_never_said_anything_gives_way_to_anyone_after_a_while() -> None:
    there = connections("a", "a", "b")
    there[2].speechless = True
    assert who_leaves(there, "a", 2.0 + SPEECHLESS_SECONDS) is None
    assert who_leaves(there, "a", 2.1 + SPEECHLESS_SECONDS) is there[2]


def test_idle_connections_keep_nobody_out(
    server: OscServer, clock: Clock, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_most", 3)
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(3)]
        for client in idle:
            client.sendall(b"\xc0/mg/vol")  # begun, and never ended
            server.poll(1.0)
            server.poll(0.1)
        clock.now += SPEECHLESS_SECONDS + 1
        late = stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        late.sendall(Slip().framed(build("/mg/volume", -5.0)))
        for _ in range(4):
            server.poll(0.1)
        assert desk.values["volume"] == -5.0
        idle[0].settimeout(20)
        assert idle[0].recv(10) == b""


def test_a_process_that_may_open_few_files_lets_few_connect(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (64, 64))
    assert most() == 8
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (1024, 4096))
    assert most() == MOST


@pytest.mark.parametrize(("connections", "each"), [(1, 2000), (MOST, 60)])
def test_of_what_floods_by_tcp_nothing_is_left_out_and_others_are_served_between(
    server: OscServer, desk: Desk, connections: int, each: int
) -> None:
    """By count, not by the clock: TCP can have its sender wait, so it does."""
    done: list[bool] = []
    desk.listen(lambda changed, origin: done.extend([True] * ("reset" in changed)))
    flood = build("/mg/reset").join([b"\xc0"] * (each + 1))
    with contextlib.ExitStack() as rude, socket.socket(type=socket.SOCK_DGRAM) as polite:
        flooders = []
        for _ in range(connections):
            flooders.append(rude.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=10)))
            server.poll(1.0)
        for flooder in flooders:
            flooder.sendall(flood)
        for _ in range(connections * each // (3 * SERVED)):
            server.poll(1.0)
        polite.sendto(build("/mg/volume", -4.0), ("127.0.0.1", server.port))
        for _ in range(3):
            server.poll(1.0)
        assert desk.values["volume"] == -4.0
        assert len(done) < connections * each
        while server.counts.received < connections * each + 1 or server.desk.held().unserved:
            server.poll(1.0)
    assert len(done) == connections * each
    assert server.counts.left_out == 0


def test_where_any_port_will_do_it_is_free_for_both(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    ports, listening = list[int](), tcp.listen

    def taken_at_first(addresses: list[Address], families: list[socket.AddressFamily]) -> list[socket.socket]:
        ports.append(addresses[0][1])
        return [] if len(ports) == 1 else listening(addresses, families)

    monkeypatch.setattr("osc.tcp.listen", taken_at_first)
    server = OscServer(tree(desk), port=0)
    assert server.takes_tcp and server.port == ports[1]
    server.close()
