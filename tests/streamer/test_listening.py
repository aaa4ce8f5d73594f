"""A live input: its last seconds are followed, and nothing that happens to it stops the music."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from musicgen import Melody
from streamer.engine.listening import Listener, Window
from streamer.errors import UserError
from tests.streamer.test_instrument import until

RATE = 100


@given(st.lists(st.integers(0, 700), max_size=30), st.integers(1, 2), st.integers(1, 5))
def test_a_window_holds_the_last_seconds_in_mono(blocks: list[int], channels: int, seconds: int) -> None:
    window = Window(RATE, seconds)
    played = np.arange(sum(blocks), dtype=np.float32)
    for end, length in zip(itertools.accumulate(blocks), blocks, strict=True):
        block = np.stack([played[end - length : end] * (1 + channel) for channel in range(channels)], axis=1)
        window.hear(block)
    np.testing.assert_array_equal(window.last(), played[-seconds * RATE :] * (1 + channels) / 2)


class FakeInput:
    """An input that a test plays on."""

    def __init__(self, name: str = "fake", closes: bool = True) -> None:
        self.name = name
        self.window = Window(RATE, 16)
        self.alive = True
        self.closed = False
        self._closes = closes

    def running(self) -> bool:
        return self.alive

    def close(self) -> bool:
        self.closed = True
        return self._closes


def steps(sound: NDArray[np.float32], rate: int) -> Melody:
    """A melody of the sound's different values."""
    assert rate == RATE
    if not np.isfinite(sound).all():
        raise ValueError("no numbers")
    return Melody(np.unique(sound)[:, None])


class Stage:
    """A listener, its inputs so far, and what its device does when it is opened."""

    def __init__(self) -> None:
        self.inputs = [FakeInput()]
        self.opened: list[bool] = []
        self.listened = 0
        self.reports: list[str] = []
        self.listener = Listener(self._open, self._listen, period=0.02, report=self.reports.append)

    def _open(self, again: bool) -> FakeInput:
        self.opened.append(again)
        if not self.inputs[-1].alive:
            raise UserError("not there")
        return self.inputs[-1]

    def _listen(self, sound: NDArray[np.float32], rate: int) -> Melody:
        self.listened += 1
        return steps(sound, rate)

    def play(self, *values: float) -> None:
        for value in values:
            self.inputs[-1].window.hear(np.full((RATE, 1), value, np.float32))

    def heard(self) -> list[float] | None:
        heard = self.listener.heard
        return None if heard is None or heard.melody is None else heard.melody.chroma[:, 0].tolist()


@pytest.fixture
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.listener.close()


def test_what_is_played_is_heard_once_and_again_when_it_changes(stage: Stage) -> None:
    assert stage.listener.heard is None
    stage.play(0.25)
    until(lambda: stage.heard() == [0.25])
    first = stage.listener.heard
    assert first is not None
    assert first.seconds <= 1
    stage.play(0.25, 0.25)
    listened = stage.listened
    until(lambda: stage.listened > listened + 1)
    assert stage.listener.heard is first  # the same tune: nothing to take in
    stage.play(0.5)
    until(lambda: stage.heard() == [0.25, 0.5])


def test_silence_and_noise_are_no_melody(stage: Stage) -> None:
    stage.play(0.001)
    until(lambda: stage.listener.heard)
    assert stage.heard() is None
    stage.play(0.5)
    until(stage.heard)


def test_samples_that_are_no_numbers_are_told_and_passed_over(stage: Stage) -> None:
    stage.play(0.5)
    until(stage.heard)
    heard = stage.listener.heard
    stage.play(np.nan)
    until(lambda: stage.reports)
    assert "fake cannot be followed now" in stage.reports[0]
    assert stage.listener.heard is heard
    stage.play(*[0.25] * 16)
    until(lambda: stage.heard() == [0.25])


def test_a_device_that_goes_is_told_waited_for_and_taken_up_again(stage: Stage) -> None:
    stage.play(0.5)
    until(stage.heard)
    stage.inputs[0].alive = False
    until(lambda: stage.reports)
    assert "fake has gone: the music goes on" in stage.reports[0]
    assert stage.inputs[0].closed
    assert stage.heard() == [0.5]
    stage.inputs.append(FakeInput("the new one"))
    until(lambda: len(stage.reports) == 2)
    assert "is back" in stage.reports[1]
    assert stage.opened[-1]
    stage.play(0.25)
    until(lambda: stage.heard() == [0.25])


def test_a_device_that_hangs_is_given_up() -> None:
    device, reports = FakeInput(closes=False), list[str]()
    listener = Listener(lambda again: device, steps, period=0.02, report=reports.append)
    device.alive = False
    until(lambda: reports)
    assert "start streamer again" in reports[0]
    listener.close()


def test_closing_lets_go_of_the_device(stage: Stage) -> None:
    assert stage.listener.open
    stage.listener.close()
    assert not stage.listener.open
    until(lambda: stage.inputs[0].closed)


def test_a_device_that_is_not_there_is_an_error_at_once() -> None:
    def nothing(again: bool) -> FakeInput:
        raise UserError("There is no input device.")

    with pytest.raises(UserError, match="no input device"):
        Listener(nothing, steps)
