"""What survives a server: who holds a session, and where its music stands."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from streamer.serve.ledger import DEAD_SECONDS, GONE_SECONDS, REMEMBERED, Ledger
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


def test_a_server_at_whose_address_nobody_answers_is_dead_unless_it_has_just_been_heard() -> None:
    times = Times()
    ledger = Ledger(times)
    for server in ("a", "b"):
        assert ledger.beat(server, f"http://{server}/", 4, 0)[0][0] == "http://a/"
    ledger.keep("a", {"one": record("one")})
    ledger.gone("http://a/")
    assert ledger.where("one") == "http://a/"
    times.now += GONE_SECONDS
    ledger.gone("http://a/")
    assert ledger.where("one") == "http://b/"
    living, seen = ledger.beat("b", "http://b/", 4, 1)
    assert living == ["http://b/"] and set(seen) == {"http://a/", "http://b/"}
    for number in range(2 * REMEMBERED):
        living, seen = ledger.beat("c", f"http://c{number}/", 4, 0)
    assert len(seen) == REMEMBERED and seen[-1] in living


class Server:
    """One that holds what the ledger lets it hold, and hears the ledger's answer when it tells the next time."""

    def __init__(self, ledger: Ledger, name: str) -> None:
        self.plays = False
        self._ledger, self.name = ledger, name
        self._lost: list[str] = []

    def beat(self) -> None:
        self._ledger.beat(self.name, self.name, 4, 0)

    def keep(self) -> None:
        self.plays = self.plays and not self._lost
        self._lost = self._ledger.keep(self.name, {"one": record("one")} if self.plays else {})

    def find(self) -> None:
        self.plays = self.plays or isinstance(self._ledger.take(self.name, "one"), Record)


steps = st.lists(
    st.tuples(st.sampled_from(["beat", "keep", "where", "find", "die", "leave", "gone", "wait"]), st.integers(0, 2)),
    max_size=60,
)

AWAY_AND_BACK: list[tuple[str, int]] = [("beat", 1), ("wait", 0), ("beat", 1), ("wait", 0), ("beat", 1), ("where", 0)]
AWAY_AND_BACK += [("keep", 0), ("wait", 0), ("wait", 0), ("beat", 0), ("where", 0), ("keep", 0), ("keep", 0)]
"""A slow server's session goes to another one, and comes back before the first has heard of it."""


@given(steps)
@example(AWAY_AND_BACK)
def test_no_session_is_lost_or_played_twice_whatever_dies(story: list[tuple[str, int]]) -> None:
    """Servers that are slow, that die, that end on purpose; another one comes for each."""
    times = Times()
    ledger = Ledger(times)
    servers = [Server(ledger, str(number)) for number in range(3)]
    servers[0].beat()
    servers[0].plays = True
    servers[0].keep()
    for born, (what, number) in enumerate(story, 3):
        if what in ("die", "leave"):
            if what == "leave":
                ledger.leave(servers[number].name)
            servers[number] = Server(ledger, str(born))
        elif what == "gone":
            ledger.gone(servers[number].name)
        elif what == "where":
            ledger.where("one")
        elif what == "wait":
            times.now += 0.7
        else:
            getattr(servers[number], what)()
        assert list(ledger.sessions()) == ["one"]
    for server in [*servers, *servers]:  # all that live tell what they have, and hear what they have no more
        server.beat()
        server.keep()
    assert sum(server.plays for server in servers) <= 1
