"""What waits for its frame: of two changes that meet, the one that a musician asked for later counts."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osc.values import Value
from streamer.control.change import Change, Frame
from streamer.engine.waiting import Due, Waiting

HOP = 640


def sample_of(frame: float) -> int:
    return round(frame * HOP)


def waiting(*changes: Change) -> Waiting:
    line = Waiting()
    for change in changes:
        line.put(change)
    return line


def values_of(acting: list[Due]) -> list[dict[str, Value]]:
    return [dict(due.change.values) for due in acting]


def test_what_acts_at_one_frame_acts_in_the_order_in_which_it_was_asked_for() -> None:
    line = waiting(
        Change({"seed": 1}, Frame(10.4)),
        Change({"seed": 2}, Frame(3)),
        Change({"seed": 3}),
        Change({"seed": 4}, Frame(11)),
    )
    assert values_of(line.take(10)) == [{"seed": 1}, {"seed": 2}, {"seed": 3}]
    assert line.next_frame() == 11


def test_what_acts_at_one_sample_acts_in_the_order_in_which_it_was_asked_for() -> None:
    line = waiting(
        Change({"volume": 1.0}, Frame(5.25)), Change({"volume": 2.0}, Frame(1)), Change({"volume": 3.0}, Frame(5.5))
    )
    assert values_of(line.take_gains(sample_of(5.25), sample_of)) == [{"volume": 1.0}, {"volume": 2.0}]
    assert line.next_gain() == 5.5


def test_a_fader_moved_after_a_batch_counts_although_it_acts_before_the_batchs_sound() -> None:
    line = waiting(Change({"prompt": "rain", "volume": -6.0, "mute": False}))
    (batch,) = line.take(8)
    line.put_gains(batch, {"volume": -6.0, "mute": False}, 8)
    line.put(Change({"volume": -20.0}))
    assert line.soon() == {"prompt": "rain", "volume": -20.0, "mute": False}
    assert values_of(line.take_gains(sample_of(4), sample_of)) == [{"volume": -20.0}]
    assert values_of(line.take_gains(sample_of(8), sample_of)) == [{"mute": False}]


def test_a_fader_moved_now_leaves_alone_what_is_planned_for_later() -> None:
    line = waiting(Change({"volume": -60.0}, Frame(50)), Change({"volume": 0.0}))
    assert values_of(line.take_gains(0, sample_of)) == [{"volume": 0.0}]
    assert values_of(line.take_gains(sample_of(50), sample_of)) == [{"volume": -60.0}]


def test_a_glide_begins_at_what_was_set_before_it_and_ends_older_ones() -> None:
    set_before = waiting(Change({"volume": -60.0}), Change({"volume": 0.0}, over=2.0))
    assert values_of(set_before.take_gains(0, sample_of)) == [{"volume": -60.0}, {"volume": 0.0}]
    older = waiting(Change({"volume": 0.0}, over=2.0), Change({"volume": -3.0}, over=1.0))
    assert values_of(older.take_gains(0, sample_of)) == [{"volume": -3.0}]


names = st.dictionaries(
    st.sampled_from(["seed", "cfg", "topk", "volume", "mute", "reset"]), st.integers(0, 9), min_size=1
)


@given(st.lists(names, min_size=1, max_size=40))
def test_a_flood_waits_as_little_as_its_last_values(flood: list[dict[str, Value]]) -> None:
    line, last = Waiting(), dict[str, Value]()
    for values in flood:
        line.put(Change(values))
        last |= values
    assert line.soon() == last
    acting = values_of([*line.take(0), *line.take_gains(0, sample_of)])
    assert sorted(item for values in acting for item in values.items()) == sorted(last.items())


@pytest.mark.parametrize("callers", [4])
def test_any_thread_may_ask(callers: int) -> None:
    line, taken = Waiting(), list[Due]()

    def ask(own: int) -> None:
        for number in range(200):
            line.put(Change({"seed": number}, Frame(own)))

    threads = [threading.Thread(target=ask, args=(own,)) for own in range(callers)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads) or line.next_frame() is not None:
        taken += line.take(callers)
    asked = [[due.change.values["seed"] for due in taken if due.frame == own] for own in range(callers)]
    assert asked == [list(range(200))] * callers
