"""A prompt that is longer than the model hears plays, and whoever sent it is told."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from musicgen import MusicGen
from osc.hosts import Client
from streamer import Controls, Engine
from streamer.control.change import Change, Wall
from streamer.control.timeline import Reading, Timeline
from streamer.engine.core import Core
from streamer.engine.events import Applied, Event, Noted
from streamer.process.intake import Intake
from tests.streamer.sine import SineModel

LONG = " ".join(f"word{number}" for number in range(200))


def notes(told: list[Event]) -> list[Noted]:
    return [event for event in told if isinstance(event, Noted)]


@pytest.fixture(scope="module")
def nano() -> MusicGen:
    return MusicGen.load("nano")


def test_nano_says_how_much_of_a_prompt_it_hears(nano: MusicGen) -> None:
    assert nano.prompt_limit("deep house, 122 bpm") == 0
    assert nano.prompt_limit("") == 0
    assert nano.prompt_limit(LONG) == nano.prompts.longest == 64


def test_what_is_cut_off_changes_nothing(nano: MusicGen) -> None:
    longer = nano.prompts.states(LONG + " and much more of it")
    assert np.array_equal(longer, nano.prompts.states(LONG))
    assert len(longer) == 64


@pytest.mark.parametrize("name", ["prompt", "prompt5", "negative"])
def test_a_long_prompt_at_the_start_is_told_of_once(name: str) -> None:
    told: list[Event] = []
    engine = Engine(SineModel(), Controls(**{name: LONG}), tell=told.append)
    engine.read(2000)
    (note,) = notes(told)
    assert note.name == name and "64 tokens" in note.sentence


def test_whoever_sends_a_long_prompt_is_told_and_it_plays() -> None:
    told: list[Event] = []
    core = Core(SineModel(), {}, tell=told.append)
    heard = threading.Event()

    def tell(event: object) -> None:
        assert isinstance(event, Noted | Applied)
        told.append(event)
        heard.set()

    timeline = Timeline(core.sample_rate, lambda: Reading(0, 0.0, 0.0))
    intake = Intake(core, timeline, 0, tell)
    intake.start()
    sender = Client(("127.0.0.1", 5000))
    intake.put(Change({"prompt": LONG}, None, sender))
    assert heard.wait(10)
    (note,) = notes(told)
    assert note.origin == sender and note.name == "prompt"
    for _ in range(1000):
        core.read(640)
        if core.values["prompt"] == LONG:
            break
        threading.Event().wait(0.01)
    assert core.values["prompt"] == LONG
    assert len(notes(told)) == 1


def test_a_short_prompt_is_nobodys_concern() -> None:
    told: list[Event] = []
    core = Core(SineModel(), {"prompt": "deep house"}, tell=told.append)
    assert core.prepare({"prompt": "solo piano", "tempo": 90.0}) == []
    assert notes(told) == []


def test_a_blend_is_encoded_before_it_plays() -> None:
    model = SineModel()
    core = Core(model, {"prompt": "house"})
    core.prepare({"prompt2": "drums", "weight2": 1.0})
    assert model.encoded[-1] == "drums + house"


def test_a_moment_does_not_hide_the_word() -> None:
    core = Core(SineModel(), {})
    assert [note.name for note in core.prepare(Change({"prompt": LONG}, Wall(1.0)).values)] == ["prompt"]
