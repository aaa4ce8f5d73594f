"""Nobody's flood holds up another client: the queue that is read into, served in turns, bounded."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osc.desk import SERVED
from osc.hosts import Address
from osc.inbox import BACKLOG, MOST, Inbox
from osc.packet import build
from osc.server import OscServer
from tests.osc.desk import Client, Desk

Connect = Callable[[OscServer], Client]

PHONE: Address = ("192.0.2.1", 5000)
FLOOD: Address = ("192.0.2.2", 5000)


def name(datagram: bytes) -> bytes | None:
    """What a datagram sets: what stands before the first space; nothing where there is none."""
    found, space, _ = datagram.partition(b" ")
    return found if space else None


def drain(inbox: Inbox) -> list[tuple[Address, bytes]]:
    found = []
    while (taken := inbox.take()) is not None:
        found.append(taken)
    return found


def test_what_comes_slowly_is_served_in_order_and_wholly() -> None:
    inbox = Inbox(name)
    sent = [b"volume %d" % value for value in range(BACKLOG - 1)]
    for datagram in sent:
        inbox.put(PHONE, datagram)
    assert drain(inbox) == [(PHONE, datagram) for datagram in sent]
    assert inbox.left_out == 0


def test_in_a_flood_the_last_value_of_each_name_wins() -> None:
    inbox = Inbox(name)
    for value in range(100_000):
        inbox.put(FLOOD, b"%s %d" % ((b"prompt", b"volume", b"mute")[value % 3], value))
        assert len(inbox) <= BACKLOG
    last = dict(datagram.split() for _, datagram in drain(inbox))
    assert last == {b"prompt": b"99999", b"volume": b"99997", b"mute": b"99998"}
    assert inbox.left_out > 99_000


def test_one_fader_is_served_next_whatever_another_client_has_sent() -> None:
    inbox = Inbox(name)
    for number in range(100_000):
        inbox.put(FLOOD, b"%d" % number)  # nothing of it replaces anything
    inbox.put(PHONE, b"volume 1")
    assert PHONE in (source for source, _ in (inbox.take() or (None, b"") for _ in range(2)))
    assert len(inbox) <= MOST


def test_what_is_no_value_is_served_as_often_as_it_was_asked_for_after_all_that_came_before_it() -> None:
    inbox = Inbox(name)
    for value in range(3 * BACKLOG):
        inbox.put(PHONE, b"volume %d" % value)
        if value % BACKLOG == 0:
            inbox.put(PHONE, b"undo")
    served = [datagram for _, datagram in drain(inbox)]
    assert [datagram for datagram in served if datagram == b"undo"] == 3 * [b"undo"]
    before = [served[place - 1] for place, datagram in enumerate(served) if datagram == b"undo"]
    assert before == [b"volume %d" % (BACKLOG * number) for number in range(3)]


def test_every_ping_of_a_client_whose_turn_came_late_is_answered(server: OscServer, connect: Connect) -> None:
    client = connect(server)
    for _ in range(3 * BACKLOG):
        server.desk.receive(build("/mg/ping"), ("127.0.0.1", client.port))
    while server.desk.held().unserved:
        server.desk.turn()
    assert [message.address for message in client.messages(1.0)] == 3 * BACKLOG * ["/mg/pong"]


@pytest.mark.parametrize(
    "flood",
    [
        pytest.param([("192.0.2.2", port) for port in range(20_000)], id="many ports of a host"),
        pytest.param([(f"192.0.{n // 250}.{n % 250}", 9) for n in range(20_000)], id="many hosts"),
    ],
)
def test_a_flood_from_many_addresses_stays_bounded(flood: list[Address]) -> None:
    inbox = Inbox(name)
    for source in flood:
        inbox.put(source, b"x")
        assert len(inbox) <= MOST
    inbox.put(PHONE, b"volume 1")
    assert (PHONE, b"volume 1") in drain(inbox)


def test_hosts_take_turns_before_their_clients_do() -> None:
    inbox = Inbox(name)
    for port, number in itertools.product(range(100), range(3)):
        inbox.put(("192.0.2.2", port), b"%d" % number)
    for number in range(3):
        inbox.put(PHONE, b"%d" % number)
    places = [place for place, (source, _) in enumerate(drain(inbox)) if source == PHONE]
    assert places == [1, 3, 5]


datagrams = st.tuples(st.integers(0, 3), st.integers(0, 5), st.integers(0, 2**16))


@given(st.lists(st.one_of(datagrams, st.none()), max_size=600))
def test_of_every_client_and_name_the_last_value_is_served(steps: list[tuple[int, int, int] | None]) -> None:
    inbox = Inbox(name)
    sent: dict[tuple[Address, bytes | None], bytes] = {}
    served: dict[tuple[Address, bytes | None], bytes] = {}
    taken: list[tuple[Address, bytes]] = []
    for step in steps:
        if step is None:
            found = inbox.take()
            taken += [found] if found else []
            continue
        client, parameter, value = step
        source, datagram = ("192.0.2.1", client), b"%d %d" % (parameter, value)
        inbox.put(source, datagram)
        sent[source, name(datagram)] = datagram
    taken += drain(inbox)
    for source, datagram in taken:
        served[source, name(datagram)] = datagram
    assert served == sent
    assert len(inbox) == 0


def test_a_fader_beside_a_flood_moves_within_the_next_turns(server: OscServer, desk: Desk) -> None:
    """By count, not by the clock: what one turn serves, and that the fader is among it."""
    for value in range(5000):
        server.desk.receive(build("/mg/prompt", f"flood {value}"), FLOOD)
        server.desk.receive(build("/mg/get/" + "x" * (value % 50), value), FLOOD)
    server.desk.receive(build("/mg/volume", -6.0), PHONE)
    batches: list[list[tuple[str, object]]] = []
    apply = desk.apply

    def counted(batch: list[tuple[str, object]], origin: object = None, at: float | None = None) -> object:
        batches.append(batch)
        return apply(batch, origin, at)  # type: ignore[arg-type]

    desk.apply = counted  # type: ignore[method-assign, assignment]
    server.desk.turn()
    assert desk.values["volume"] == -6.0
    assert len(batches) <= SERVED
