"""Undo brings back what was before the last move of the hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from osc.values import Value
from streamer.control.history import MOST, ONE_MOVE_SECONDS, History


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def history(**values: Value) -> tuple[History, Clock]:
    clock = Clock()
    return History(values, clock), clock


def test_the_last_change_is_undone_first() -> None:
    past, clock = history(volume=0.0, prompt="house")
    past.note({"volume": -6.0})
    clock.now += 5
    past.note({"prompt": "techno"})
    assert past.undo() == {"prompt": "house"}
    assert past.undo() == {"volume": 0.0}
    assert past.undo() == {}


def test_a_faders_sweep_is_one_move() -> None:
    past, clock = history(volume=0.0)
    for step in range(50):
        past.note({"volume": -step / 2})
        clock.now += ONE_MOVE_SECONDS / 10
    assert len(past) == 1
    assert past.undo() == {"volume": 0.0}


def test_two_moves_of_one_fader_are_two() -> None:
    past, clock = history(volume=0.0)
    past.note({"volume": -6.0})
    clock.now += ONE_MOVE_SECONDS
    past.note({"volume": -9.0})
    assert past.undo() == {"volume": -6.0}


def test_a_batch_is_undone_as_a_whole() -> None:
    past, _ = history(volume=0.0, prompt="house")
    past.note({"volume": -6.0, "prompt": "techno"})
    assert past.undo() == {"volume": 0.0, "prompt": "house"}


def test_a_value_that_was_sent_again_leaves_nothing_to_undo() -> None:
    past, _ = history(volume=0.0)
    past.note({"volume": 0.0})
    assert past.undo() == {}


def test_what_came_by_itself_is_not_undone() -> None:
    past, _ = history(topk=250)
    past.adopt({"topk": 100})
    assert past.undo() == {}


def test_a_change_that_stands_already_is_passed_over() -> None:
    past, clock = history(volume=0.0, topk=250)
    past.note({"topk": 100})
    clock.now += 5
    past.note({"volume": -6.0})
    past.adopt({"volume": 0.0})
    assert past.undo() == {"topk": 250}


def test_it_does_not_grow_for_ever() -> None:
    past, clock = history(volume=0.0)
    for step in range(3 * MOST):
        past.note({"volume": float(-1 - step % 40)})
        clock.now += 5
    assert len(past) == MOST


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), st.integers(0, 3)), max_size=40))
def test_undoing_everything_is_the_beginning(moves: list[tuple[str, int]]) -> None:
    start: dict[str, Value] = {"a": 0, "b": 0, "c": 0}
    past, clock = history(**start)
    now = dict(start)
    for name, value in moves:
        past.note({name: value})
        now[name] = value
        clock.now += 5
    while before := past.undo():
        now.update(before)
    assert now == start
