"""A DAW that says over OSC where it is."""

from __future__ import annotations

import pytest

from osc.command import Asker
from osc.hosts import Client
from osc.values import BadValue, Value
from streamer.control.pulse import Place
from streamer.surfaces.host import AWAY_SECONDS, Host

SOMEBODY = Asker(Client(("127.0.0.1", 1)))


class Stage:
    """A host on a clock of ours."""

    def __init__(self) -> None:
        self.now = 100.0
        self.host = Host(lambda: self.now)

    def say(self, *words: Value) -> None:
        deed = self.host.hear(words, SOMEBODY)
        assert deed() == []


def test_its_beat_goes_on_between_two_messages_and_a_silent_host_has_gone() -> None:
    stage = Stage()
    assert stage.host.place(100.0) is None
    stage.say(120.0, 16.0)
    assert stage.host.place(100.5) == Place(120.0, 17.0)
    assert stage.host.playing() is None
    assert stage.host.place(100.0 + AWAY_SECONDS + 0.1) is None


def test_its_transport_is_told_with_the_beat_or_stays() -> None:
    stage = Stage()
    stage.say(90.0, 0.0, 1.0)
    stage.say(90.0, 1.0)
    assert stage.host.playing() is True
    stage.say(90.0, 1.0, 0.0)
    assert stage.host.playing() is False
    stage.host.leave()
    assert stage.host.playing() is None and stage.host.place(stage.now) is None


@pytest.mark.parametrize("words", [(5.0, 0.0), (120.0, float("inf")), (float("nan"), 1.0)])
def test_a_beat_that_nobody_can_follow_is_refused(words: tuple[float, float]) -> None:
    stage = Stage()
    with pytest.raises(BadValue, match="takes a tempo from 20 to 300 bpm"):
        stage.host.hear(words, SOMEBODY)
    assert stage.host.place(stage.now) is None
