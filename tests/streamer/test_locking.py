"""The lock in the engine: beats are counted by what is heard."""

from __future__ import annotations

import numpy as np
import pytest

from osc.values import Value
from streamer.control.change import Change, Frame
from streamer.engine.core import Core
from streamer.engine.events import Event, Locked
from streamer.sound.lock import LISTENING, LOCKED, OFF
from tests.streamer.drums import RATE, DrumModel, kicks
from tests.streamer.sine import SineModel


def engine(bpm: float, tell: list[Event] | None = None, look_ahead: int = 0, **values: Value) -> Core:
    heard = [] if tell is None else tell
    model = DrumModel(bpm, late=0.2, look_ahead=look_ahead)
    return Core(model, {"tempo": 120.0, "guard": False, **values}, channels=1, level=False, tell=heard.append)


def beats_away(core: Core, sound: np.ndarray, start: int) -> list[float]:
    """Of the kicks from the beats that the engine has counted, in beats; sound begins at a sample of the output."""
    bpm, beat = core.pulse
    first = beat - (core.frontier - start) / RATE * bpm / 60
    return [float((first + kick * bpm / 60 + 0.5) % 1 - 0.5) for kick in kicks(sound)]


def test_what_is_heard_falls_on_the_beats_that_are_counted() -> None:
    told: list[Event] = []
    core = engine(121.5, told, look_ahead=900, lock=True)
    core.read(8 * RATE)
    sound = core.read(8 * RATE)
    assert [event.state for event in told if isinstance(event, Locked)] == [LISTENING, LOCKED]
    away = beats_away(core, sound, 8 * RATE)
    assert len(away) > 6
    assert max(map(abs, away)) < 0.04
    bpm, beat = core.pulse
    assert beat == pytest.approx(core.frontier / RATE * bpm / 60, abs=1e-3)  # the clock's time, not the frames'
    assert core.frames_done > core.frontier / RATE * 50 + 250  # frames that were left out


def test_half_a_beat_can_be_shifted() -> None:
    core = engine(120.0, lock=True, lockshift=0.5)
    core.read(RATE)
    sound = core.read(6 * RATE)
    away = beats_away(core, sound, RATE)
    assert min(map(abs, away)) > 0.46


def test_off_and_on_again_no_sample_is_lost() -> None:
    core = engine(120.0)
    core.change(Change({"lock": True}, Frame(50)))
    core.change(Change({"lock": False}, Frame(150)))
    sound = core.read(4 * RATE)
    plain = engine(120.0).read(4 * RATE)
    assert np.array_equal(sound, plain)
    assert core.frontier - 4 * RATE <= core.ready


def test_what_is_held_back_is_part_of_the_way_to_the_ear() -> None:
    core, plain = engine(120.0), engine(120.0)
    core.change(Change({"lock": True}, Frame(1)))
    for one in (core, plain):
        one.read(RATE)
    assert 0.05 * RATE < core.frontier - plain.frontier < 0.1 * RATE


def test_a_reset_begins_anew_without_a_click() -> None:
    told: list[Event] = []
    core = Core(SineModel(), {"guard": False}, channels=1, level=False, tell=told.append)
    core.change(Change({"lock": True}, Frame(10)))
    core.read(RATE)
    core.change(Change({"reset": True}))
    core.change(Change({"lock": False}, Frame(core.frames_done + 20)))
    sound = core.read(RATE)
    step = 0.2 * 2 * np.pi * 220 * 2**1.5 / RATE
    assert np.abs(np.diff(sound[:, 0])).max() < 1.5 * step
    assert [event.state for event in told if isinstance(event, Locked)][-1] == OFF
