"""What performers do over time: blend prompts, glide, morph to a snapshot, wait for the bar, take it back."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from osc.command import Asker, Command
from osc.hosts import Client
from osc.values import BadValue, Value
from streamer import Controls, Engine
from streamer.control.change import Change, Frame
from streamer.control.moves import bars_after
from streamer.control.snapshots import Snapshots
from streamer.control.table import PARAMETERS
from streamer.engine.core import Core
from streamer.engine.events import Applied, Event, Moved
from streamer.engine.prompts import blend_of, tempo_of
from streamer.surfaces.commands import BROADCAST, COMMANDS, FORGET, HOST, LEARN, RECORD, Commands
from streamer.surfaces.knobs import PARAM
from tests.streamer.sine import SineModel

HOP = 640


class Stage:
    """An engine on the sine model, its controls, the commands of a surface, and everything that was told."""

    def __init__(self, tmp_path: Path | None = None, **values: Value) -> None:
        self.told: list[Event] = []
        self.model = SineModel()
        self.controls = Controls(**values)
        self.engine = Engine(self.model, self.controls, channels=1, tell=self.told.append)
        self.snapshots = Snapshots(tmp_path)
        commands = Commands(self.controls, self.snapshots, lambda: tempo_of(self.controls.values()))
        self.commands = {command.path: handler for command, handler in commands.table()}

    def ask(self, path: str, *arguments: Value) -> list[Any]:
        command = next(command for command in COMMANDS if command.path == path)
        return list(self.commands[path](command.parse(arguments), Asker(Client(("127.0.0.1", 1))))())

    def play(self, frames: int) -> None:
        self.engine.read(frames * HOP)

    @property
    def calls(self) -> list[str]:
        """What the stream was asked to play, since this was last asked."""
        stream = self.model.streams[0]
        calls = [call for call in stream.calls if call.startswith(("prompt", "blend"))]
        stream.calls.clear()
        return calls


# --- blends


def test_two_prompts_play_side_by_side() -> None:
    stage = Stage(prompt="house")
    stage.play(1)
    stage.controls.set(prompt2="piano", weight2=1.0)
    stage.play(1)
    assert stage.calls == ["blend 0.50 house + 0.50 piano"]


@pytest.mark.parametrize(("weights", "words"), [((1.0, 0.0), "house"), ((0.0, 0.3), "piano")])
def test_at_the_ends_a_blend_is_one_prompt(weights: tuple[float, float], words: str) -> None:
    values = Controls(prompt="house", prompt2="piano", weight1=weights[0], weight2=weights[1]).values()
    assert blend_of(values) == ((words, 1.0),)


def test_slots_without_words_have_no_say() -> None:
    assert blend_of(Controls(prompt="house", weight2=1.0).values()) == (("house", 1.0),)
    assert blend_of(Controls(prompt2="piano", weight2=0.5).values()) == (("piano", 1.0),)
    assert blend_of(Controls().values()) == (("", 1.0),)


def test_the_same_words_twice_are_one_prompt() -> None:
    values = Controls(prompt="house", prompt2="piano", prompt3="house", weight1=0.2, weight2=0.5, weight3=0.3).values()
    assert dict(blend_of(values)) == {"house": pytest.approx(0.5), "piano": pytest.approx(0.5)}


def test_weights_are_set_together() -> None:
    stage = Stage(prompt="house", prompt2="piano", prompt3="drums", weight3=1.0)
    stage.model.streams[0].calls.clear()
    stage.ask("prompt/weights", 0.25, 0.75)
    stage.play(1)
    assert stage.calls == ["blend 0.25 house + 0.75 piano"]
    with pytest.raises(BadValue, match="8 weights at most"):
        stage.ask("prompt/weights", *[0.1] * 9)


def test_a_model_that_cannot_blend_plays_the_strongest() -> None:
    stage = Stage(prompt="house")
    stage.model.streams[0].blends = False
    stage.controls.set(prompt2="piano", weight2=1.0, weight1=0.4)
    stage.play(1)
    assert stage.calls == ["prompt piano"]


def test_a_blend_plays_from_the_first_frame() -> None:
    stage = Stage(prompt="house", prompt2="piano", weight2=1.0)
    assert stage.model.streams[0].prompt == "house"
    assert stage.calls == ["blend 0.50 house + 0.50 piano"]


def test_prompts_are_encoded_before_they_play() -> None:
    stage = Stage()
    stage.engine.prepare({"prompt3": "deep house", "weight3": 1.0, "tempo": 124.0})
    assert stage.model.encoded[-1] == "deep house, 124 bpm"


# --- fades and glides


def test_a_prompt_fades_to_another_and_ends_alone() -> None:
    stage = Stage(prompt="house", prompt2="drums", weight2=1.0)
    stage.calls.clear()
    stage.ask("prompt/fade", "piano", 1.0)
    stage.play(60)
    calls = stage.calls
    assert calls[-1] == "prompt piano"
    assert calls[24].startswith("blend") and "0.50 piano" in calls[24]
    assert len(calls) == 50
    assert stage.controls.get("prompt") == "piano" and stage.controls.get("weight2") == 0.0


def test_a_fade_that_is_overtaken_goes_on_from_where_it_is() -> None:
    stage = Stage(prompt="a")
    stage.ask("prompt/fade", "b", 1.0)
    stage.play(26)
    stage.ask("prompt/fade", "c", 1.0)
    stage.play(2)
    last = stage.calls[-1]
    assert "a" in last and "b" in last and "c" in last
    stage.play(50)
    assert stage.calls[-1] == "prompt c"


def test_a_volume_glides_evenly_and_is_told_on_its_way() -> None:
    stage = Stage(volume=0.0)
    stage.play(1)
    stage.ask("ramp", "volume", -50.0, 1.0)
    assert stage.controls.get("volume") == 0.0
    stage.play(26)
    assert stage.engine.values["volume"] == pytest.approx(-25.0)
    assert -30 < float(stage.controls.get("volume")) < -20
    stage.play(40)
    assert stage.controls.get("volume") == -50.0
    moved = [float(event.values["volume"]) for event in stage.told if isinstance(event, Moved)]
    assert 8 <= len(moved) <= 12 and all(later < earlier for earlier, later in pairwise(moved))


def test_a_gliding_volume_does_not_click() -> None:
    stage = Stage(volume=-40.0)
    stage.play(2)
    stage.ask("ramp", "volume", 0.0, 0.5)
    heard = stage.engine.read(40 * HOP)
    assert np.abs(np.diff(heard, axis=0)).max() < 0.05


def test_a_value_takes_over_from_a_glide() -> None:
    stage = Stage()
    stage.ask("ramp", "temperature", 2.0, 1.0)
    stage.play(20)
    stage.controls.set(temperature=0.5)
    stage.play(60)
    assert stage.engine.values["temperature"] == stage.controls.get("temperature") == 0.5


def test_a_volume_takes_over_from_a_glide() -> None:
    stage = Stage()
    stage.ask("ramp", "volume", -60.0, 1.0)
    stage.play(20)
    stage.controls.set(volume=3.0)
    stage.play(60)
    assert stage.engine.values["volume"] == stage.controls.get("volume") == 3.0


def test_a_glide_in_beats_follows_the_tempo() -> None:
    stage = Stage(tempo=60.0)
    stage.ask("ramp/beats", "prompt/2/weight", 1.0, 4.0)
    stage.play(101)
    assert stage.engine.values["weight2"] == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(
    "name", ["weight2", "prompt/2/weight", "/prompt/2/weight", "/mg/prompt/2/weight", "/a/b/volume"]
)
def test_a_glide_may_be_named_by_its_address(name: str) -> None:
    stage = Stage(weight2=1.0, volume=1.0)
    stage.ask("ramp", name, 0.0, 0.0)
    stage.play(2)
    assert stage.engine.values["volume" if name.endswith("volume") else "weight2"] == 0.0


@pytest.mark.parametrize("name", ["prompt", "mute", "warp", "", "/mg/volume/norm", "mg/volume", "/mg"])
def test_what_does_not_glide_is_answered(name: str) -> None:
    with pytest.raises(BadValue, match="glides numbers"):
        Stage().ask("ramp", name, 1.0)


@pytest.mark.parametrize("seconds", [-1.0, 1e9])
def test_no_glide_takes_for_ever(seconds: float) -> None:
    with pytest.raises(BadValue, match="seconds"):
        Stage().ask("ramp", "volume", 0.0, seconds)


@given(st.integers(1, 4), st.lists(st.integers(1, 4000), max_size=6))
@settings(max_examples=25, deadline=None)
def test_glides_and_fades_sound_the_same_in_any_blocks(chunk: int, sizes: list[int]) -> None:
    def play(sizes: list[int]) -> Any:
        core = Core(SineModel(), Controls(prompt="a").values(), channels=1, chunk_frames=chunk)
        core.change(Change({"volume": -30.0, "temperature": 1.5}, Frame(2), over=0.2))
        core.change(Change({"prompt": "b", "weight1": 1.0}, Frame(3), over=0.1))
        return np.concatenate([core.read(size) for size in [*sizes, 30_000 - sum(sizes)]])

    np.testing.assert_array_equal(play(sizes), play([]))


def test_what_was_applied_plays_again_from_the_report() -> None:
    stage = Stage(prompt="a")
    stage.play(3)
    stage.ask("ramp", "volume", -30.0, 0.4)
    stage.ask("prompt/fade", "b", 0.3)
    stage.play(7)
    stage.controls.set(temperature=0.5)
    heard = stage.engine.read(40 * HOP)
    again = Core(SineModel(), {"prompt": "a"}, channels=1)
    for event in stage.told:
        if isinstance(event, Applied):
            again.change(Change(event.values, Frame(event.frame), over=event.over))
    again.read(10 * HOP)
    np.testing.assert_array_equal(again.read(40 * HOP), heard)


# --- snapshots


def test_a_snapshot_comes_back(tmp_path: Path) -> None:
    stage = Stage(tmp_path, prompt="house", volume=-3.0, prompt2="piano", weight2=0.5)
    stage.ask("snapshot/save", "verse")
    saved = stage.controls.values()
    stage.controls.set(prompt="drums", volume=-20.0, weight2=0.0, lead=500.0)
    stage.ask("snapshot/load", "verse")
    stage.play(2)
    assert stage.controls.values() == saved | {"lead": 500.0}
    assert stage.ask("snapshot/list") == [("snapshot/names", ("verse",))]


def test_a_snapshot_morphs(tmp_path: Path) -> None:
    stage = Stage(tmp_path, prompt="house", volume=-40.0, guard=False)
    stage.ask("snapshot/save", "chorus")
    stage.controls.set(prompt="piano", volume=0.0, guard=True)
    stage.play(1)
    stage.calls.clear()
    stage.ask("snapshot/load", "chorus", 1.0)
    stage.play(26)
    assert stage.engine.values["volume"] == pytest.approx(-20.0)
    assert "0.50 house" in stage.calls[-1]
    stage.play(30)
    assert stage.calls[-1] == "prompt house"
    assert stage.controls.get("volume") == -40.0 and stage.controls.get("guard") is False


def test_a_snapshot_that_is_not_there_changes_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path, prompt="house")
    with pytest.raises(BadValue, match="no snapshot 'verse'"):
        stage.ask("snapshot/load", "verse")
    assert stage.controls.get("prompt") == "house"


# --- tempo, key, quantise


def test_tempo_and_key_are_worded_into_every_prompt() -> None:
    stage = Stage(prompt="house, 120 bpm", prompt2="piano", weight2=1.0)
    stage.calls.clear()
    stage.controls.set(tempo=124.0, key="d minor")
    stage.play(1)
    assert stage.calls == ["blend 0.50 house in D minor, 124 bpm + 0.50 piano in D minor, 124 bpm"]
    assert stage.controls.get("key") == "D minor"


def test_what_is_no_key_is_refused() -> None:
    with pytest.raises(BadValue, match="takes a key"):
        Controls().set(key="loud")


@pytest.mark.parametrize("asked", ["bar", "2 bars", "2bars", "BAR", "off", "0", "4 Bar"])
def test_quantise_understands_its_names(asked: str) -> None:
    assert Controls().set(quantise=asked)["quantise"] in ("off", "bar", "2 bars", "4 bars")


def test_beats_follow_the_tempo_that_is_asked_for_or_named() -> None:
    assert Stage(prompt="house, 100 bpm").engine.pulse[0] == 100.0
    assert Stage(prompt="house, 100 bpm", tempo=90.0).engine.pulse[0] == 90.0
    assert Stage(prompt="house").engine.pulse == (120.0, 0.0)


@pytest.mark.parametrize(("quantum", "frame"), [("beat", 25), ("bar", 100), ("2 bars", 200)])
def test_a_prompt_waits_for_its_beat(quantum: str, frame: int) -> None:
    stage = Stage(prompt="house", quantise=quantum)
    stage.play(7)
    stage.controls.set(prompt="piano", volume=-3.0)
    stage.play(250)
    applied = [event for event in stage.told if isinstance(event, Applied) and "prompt" in event.values]
    assert [(event.frame, event.late) for event in applied] == [(frame, 0.0)]


def test_a_fader_waits_for_nothing() -> None:
    stage = Stage(quantise="4 bars")
    stage.play(7)
    stage.controls.set(volume=-3.0)
    stage.play(1)
    assert stage.engine.values["volume"] == -3.0


def test_a_reset_waits_for_the_bar_and_begins_the_count_anew() -> None:
    stage = Stage(quantise="bar")
    stage.play(7)
    stage.controls.act("reset")
    stage.play(110)
    assert stage.engine.pulse[1] == pytest.approx((117 - 101) / 25, abs=0.1)


# --- undo


def test_undo_takes_back_the_last_change() -> None:
    stage = Stage(prompt="house")
    stage.controls.set(prompt="piano")
    stage.play(1)
    stage.ask("undo")
    stage.play(1)
    assert stage.calls[-1] == "prompt house"
    with pytest.raises(BadValue, match="nothing to undo"):
        stage.ask("undo")


def test_undo_takes_back_a_whole_snapshot(tmp_path: Path) -> None:
    stage = Stage(tmp_path, prompt="house", volume=-3.0)
    stage.ask("snapshot/save", "verse")
    stage.controls.set(prompt="piano", volume=0.0)
    stage.play(1)
    before = stage.controls.values()
    stage.ask("snapshot/load", "verse")
    stage.play(1)
    stage.ask("undo")
    assert stage.controls.values() == before


def test_every_command_is_answered_for_by_a_handler() -> None:
    stage = Stage()
    others = {command.path for command in (RECORD, BROADCAST, LEARN, FORGET, HOST, *PARAM)}
    assert stage.commands.keys() | others == {command.path for command in COMMANDS}
    assert len({parameter.path for parameter in PARAMETERS} | {c.path for c in COMMANDS}) == len(PARAMETERS) + len(
        COMMANDS
    )
    assert all(isinstance(command, Command) and command.doc.endswith(".") for command in COMMANDS)


# --- loops


def test_bars_go_round_until_they_are_released_and_undo_is_about_values() -> None:
    stage = Stage(tempo=240.0)
    stage.play(60)
    stage.controls.set(temperature=0.5)
    stage.ask("loop/capture", 0.5)
    stage.ask("loop/overdub")
    stage.ask("loop/release")
    stage.play(60)
    asked = [event.values for event in stage.told if isinstance(event, Applied)]
    looping = [values for values in asked if values.keys() & {"capture", "overdub", "release"}]
    assert [next(iter(values)) for values in looping] == ["capture", "overdub", "release"]
    assert [bars_after(values, 4.0) for values in looping] == [0.5, 4.0, 0.0]
    stage.ask("undo")
    assert stage.controls.get("temperature") != 0.5
    with pytest.raises(BadValue, match=r"whole bars, not 1\.5"):
        stage.ask("loop/capture", 1.5)
