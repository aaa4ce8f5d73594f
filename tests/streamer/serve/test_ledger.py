"""What survives a server: who holds a session, and where its music stands."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamer.serve.ledger import DEAD_SECONDS, Ledger
from streamer.serve.session import Record


class Times:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def record(id: str, standing: bytes = b"here") -> Record:
    return Record(id, "secret", "cafe", {"prompt": id}, standing)


def test_a_dead_servers_session_goes_to_the_freest_that_lives() -> None:
    times = Times()
    ledger = Ledger(times)
    for server, taken in (("a", 0), ("b", 3), ("c", 1)):
        ledger.beat(server, f"http://{server}/", 4, taken)
    assert ledger.freest() == "http://a/"
    ledger.keep("a", {"one": record("one")})
    assert ledger.where("one") == "http://a/" and ledger.take("b", "one") == "http://a/"
    times.now += DEAD_SECONDS
    for server, taken in (("b", 3), ("c", 1)):
        ledger.beat(server, f"http://{server}/", 4, taken)
    assert ledger.where("one") == "http://c/" and ledger.where("one") == "http://c/"
    assert ledger.take("b", "one") == "http://c/"
    assert ledger.take("c", "one") == record("one")
    assert ledger.keep("c", {"one": record("one", b"")}) == []
    assert ledger.take("c", "one") == record("one")  # until it plays there, what was kept stays


def test_a_server_that_was_only_slow_drops_what_another_has_taken() -> None:
    times = Times()
    ledger = Ledger(times)
    ledger.beat("a", "http://a/", 4, 0)
    ledger.keep("a", {"one": record("one"), "two": record("two")})
    times.now += DEAD_SECONDS
    ledger.beat("b", "http://b/", 4, 0)
    assert ledger.where("one") == "http://b/"
    ledger.beat("a", "http://a/", 4, 0)
    assert ledger.keep("a", {"one": record("one"), "two": record("two")}) == ["one"]
    assert ledger.where("one") == "http://b/" and ledger.where("two") == "http://a/"


def test_a_session_that_is_over_is_nowhere_and_one_of_a_server_that_ends_is_anybodys() -> None:
    ledger = Ledger(Times())
    ledger.beat("a", "http://a/", 4, 0)
    ledger.beat("b", "http://b/", 4, 0)
    ledger.keep("a", {"one": record("one"), "two": record("two")})
    ledger.keep("a", {"two": record("two")})
    assert ledger.where("one") is None and ledger.take("b", "one") is None
    ledger.leave("a")
    assert ledger.where("two") == "http://b/"


steps = st.lists(
    st.tuples(st.sampled_from(["beat", "keep", "where", "take", "die", "wait"]), st.integers(0, 2)), max_size=60
)


@given(steps)
def test_no_session_is_lost_or_played_twice_whatever_dies(story: list[tuple[str, int]]) -> None:
    """Servers that hold what the ledger lets them hold; some of them die and come back with nothing."""
    times = Times()
    ledger = Ledger(times)
    ledger.beat("0", "0", 4, 0)
    ledger.keep("0", {"one": record("one")})
    plays: dict[str, bool] = {"0": True}
    for what, number in story:
        server = str(number)
        if what == "beat":
            ledger.beat(server, server, 4, 0)
        elif what == "keep":
            ledger.beat(server, server, 4, 0)
            kept = {"one": record("one")} if plays.get(server) else {}
            if plays.get(server) and ledger.keep(server, kept) == ["one"]:
                plays[server] = False
        elif what == "where":
            ledger.where("one")
        elif what == "take":
            ledger.beat(server, server, 4, 0)
            plays[server] = plays.get(server, False) or isinstance(ledger.take(server, "one"), Record)
        elif what == "die":
            plays.pop(server, None)
        else:
            times.now += 0.7
        assert list(ledger.sessions()) == ["one"]
    for server in list(plays):  # all that live tell what they have
        ledger.beat(server, server, 4, 0)
        if plays[server] and ledger.keep(server, {"one": record("one")}) == ["one"]:
            plays[server] = False
    assert sum(plays.values()) <= 1
