"""Mutated datagrams: a short version of benchmarks/fuzz_osc.py, and the same bytes without a socket."""

from __future__ import annotations

from osc.packet import Refused, parse
from osc.subscribers import MOST
from tests.osc.hall import Hall
from tests.osc.mutator import mutants, seeds


def test_a_mutant_is_read_wholly_or_refused() -> None:
    refused = 0
    for datagram in mutants(3, 30_000):
        try:
            bundles = parse(datagram)
        except Refused as reason:
            refused += 1
            assert str(reason)
        else:
            assert all(bundle.messages for bundle in bundles)
    assert 5_000 < refused < 25_000, "the mutator makes both kinds"


def test_every_ping_between_mutants_is_answered_and_little_is_remembered() -> None:
    hall = Hall()
    flood, polite = ("127.0.0.1", 9000), ("127.0.0.1", 9001)
    for number, datagram in enumerate(mutants(4, 20_000)):
        hall.throw(flood, datagram)
        hall.clock.now += 0.0003
        if number % 100 == 0:
            hall.heard(flood)
            hall.say(polite, "/mg/ping")
            assert hall.heard(polite) == {"/mg/pong": None}
    held = hall.desk.held()
    assert held.subscribers <= MOST
    assert held.waiting <= 1024
    assert held.clients <= 2
    assert hall.desk.counts.refused > 4_000


def test_the_mutator_begins_with_what_is_well_formed() -> None:
    for datagram in seeds():
        assert parse(datagram)
