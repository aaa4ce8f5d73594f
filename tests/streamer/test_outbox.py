"""Changes on their way to the engine's process: few at any time, and each as it was asked for."""

from __future__ import annotations

import itertools

from streamer.control.change import Change
from streamer.process.outbox import Outbox


def taken(*changes: Change) -> list[Change]:
    box = Outbox()
    for change in changes:
        box.put(change)
    box.put(Change({"prompt": "end"}))
    return list(itertools.takewhile(lambda change: change.values != {"prompt": "end"}, iter(box.take, None)))


def test_faders_that_move_together_travel_as_one() -> None:
    line = taken(Change({"volume": -6.0}), Change({"cfg": 2.0}), Change({"volume": -3.0}))
    assert line == [Change({"cfg": 2.0, "volume": -3.0})]


def test_a_glide_stays_a_glide_whatever_travels_with_it() -> None:
    """Two ramps that are sent at once both take their time, and begin at what was set before them."""
    line = taken(Change({"volume": -60.0}), Change({"volume": 0.0}, over=2.0), Change({"cfg": 2.0}, over=1.0))
    assert line == [Change({"volume": -60.0}), Change({"volume": 0.0}, over=2.0), Change({"cfg": 2.0}, over=1.0)]


def test_a_later_glide_or_value_ends_an_older_glide() -> None:
    assert taken(Change({"volume": 0.0}, over=2.0), Change({"volume": -3.0}, over=1.0)) == [
        Change({"volume": -3.0}, over=1.0)
    ]
    assert taken(Change({"volume": 0.0, "cfg": 2.0}, over=2.0), Change({"volume": -3.0})) == [
        Change({"cfg": 2.0}, over=2.0),
        Change({"volume": -3.0}),
    ]
