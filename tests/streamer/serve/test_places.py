"""Who plays and who waits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamer.serve.places import Places


def test_who_comes_when_all_places_are_taken_is_told_a_place_in_the_queue() -> None:
    places = Places(2)
    for who in "abcd":
        places.ask(who, "one")
    assert places.playing == ("a", "b") and places.waiting == ("c", "d")
    assert [places.place(who) for who in "abcde"] == [0, 0, 1, 2, None]
    places.leave("a")
    assert [places.place(who) for who in "bcd"] == [0, 0, 1]


def test_one_owners_crowd_does_not_hold_up_another_owner() -> None:
    places = Places(3)
    for number in range(10):
        places.ask(f"crowd {number}", "crowd")
    places.ask("lone", "lone")
    assert places.place("lone") == 1
    places.leave("crowd 0")
    assert places.place("lone") == 0


def test_when_the_machine_is_slower_who_came_last_waits_and_is_the_next_to_play() -> None:
    places = Places(3)
    for who in "abcd":
        places.ask(who, who)
    places.most = 2
    assert places.playing == ("a", "b")
    assert places.place("c") == 1
    places.most = 4
    assert places.waiting == ()


asked = st.tuples(st.sampled_from(["ask", "leave", "most"]), st.integers(0, 9), st.integers(1, 5))


@given(st.integers(1, 5), st.lists(asked, max_size=60))
def test_no_place_stays_empty_while_somebody_waits_and_none_is_given_twice(
    most: int, story: list[tuple[str, int, int]]
) -> None:
    places, wanting = Places(most), set[str]()
    for what, who, number in story:
        name = str(who)
        if what == "ask":
            places.ask(name, str(who % 3))
            wanting.add(name)
        elif what == "leave":
            places.leave(name)
            wanting.discard(name)
        else:
            places.most = number
        assert set(places.playing) | set(places.waiting) == wanting
        assert len(places.playing) + len(places.waiting) == len(wanting)
        assert len(places.playing) == min(places.most, len(wanting))
        assert [places.place(one) for one in places.waiting] == list(range(1, len(places.waiting) + 1))
