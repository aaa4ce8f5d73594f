"""A tempo that glides: the beat goes on without a jump, the words follow in few steps, and nothing waits for them."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from osc.values import BadValue
from streamer.control.tempo import FASTEST, SLOWEST
from streamer.engine.events import Applied
from streamer.engine.pace import WORDINGS, pace
from tests.streamer.test_performance import Stage

FRAMES_A_MINUTE = 3000


def pulses(stage: Stage, frames: int) -> list[tuple[float, float]]:
    """Tempo and beat after each of the next frames."""
    found = []
    for _ in range(frames):
        stage.play(1)
        found.append(stage.engine.pulse)
    return found


def test_a_tempo_glides_and_the_beat_goes_on_without_a_jump() -> None:
    stage = Stage(prompt="house", tempo=100.0)
    stage.play(10)
    before = stage.engine.pulse[1]
    stage.ask("ramp", "tempo", 160.0, 2.0)
    heard = pulses(stage, 110)
    assert all(early <= late for (early, _), (late, _) in pairwise(heard))
    steps = np.diff([before, *(beat for _, beat in heard)])
    assert steps.min() >= 99 / FRAMES_A_MINUTE and steps.max() <= 162 / FRAMES_A_MINUTE
    assert heard[50][0] == pytest.approx(130, abs=1)
    assert heard[-1][0] == stage.controls.get("tempo") == 160.0
    assert heard[99][1] - before == pytest.approx(2.0 * 130 / 60, abs=0.05)  # as many beats as the mean tempo has


def test_the_words_follow_in_whole_beats_a_minute_and_end_at_what_was_asked_for() -> None:
    stage = Stage(prompt="house", tempo=100.0)
    stage.calls.clear()
    stage.ask("ramp", "tempo", 160.5, 2.0)
    stage.play(120)
    words = [float(found[1]) for call in stage.calls if (found := re.fullmatch(r"prompt house, ([\d.]+) bpm", call))]
    assert len(words) == WORDINGS and words == sorted(words)
    assert words[-1] == 160 and all(word == int(word) for word in words)


def test_a_small_glide_changes_the_words_no_more_often_than_by_one() -> None:
    stage = Stage(prompt="house", tempo=120.0)
    stage.calls.clear()
    stage.ask("ramp", "tempo", 122.0, 4.0)
    stage.play(210)
    assert stage.calls == ["prompt house, 121 bpm", "prompt house, 122 bpm"]


def test_a_glide_begins_at_the_tempo_that_the_prompt_names_and_may_end_there() -> None:
    stage = Stage(prompt="house, 90 bpm")
    stage.play(1)
    stage.calls.clear()
    stage.ask("ramp", "tempo", 92.0, 0.4)
    assert pulses(stage, 30)[0][0] == pytest.approx(90, abs=0.2)
    stage.ask("ramp", "tempo", 0.0, 0.4)
    assert pulses(stage, 30)[-1][0] == 90.0
    assert stage.engine.values["tempo"] == 0.0
    assert stage.calls[-1] == "prompt house, 90 bpm"


def test_all_words_of_a_glide_are_encoded_before_it_begins() -> None:
    stage = Stage(prompt="house", prompt2="piano", weight2=1.0, tempo=100.0)
    stage.engine.prepare({"tempo": 140.0}, 3.0)
    stage.ask("ramp", "tempo", 140.0, 3.0)
    stage.play(80)
    stage.engine.prepare({"prompt2": "drums"})  # by somebody in the middle of it
    stage.controls.set(prompt2="drums")
    stage.play(100)
    asked = {part.split(" ", 1)[1] for call in stage.calls[1:] for part in call.removeprefix("blend ").split(" + ")}
    assert len(asked) > 10 and asked <= set(stage.model.encoded)


def test_a_fade_that_is_under_way_is_not_cut_short_by_the_words() -> None:
    stage = Stage(prompt="house", tempo=100.0)
    stage.calls.clear()
    stage.ask("prompt/fade", "piano", 1.0)
    stage.ask("ramp", "tempo", 140.0, 0.5)
    stage.play(60)
    calls = stage.calls
    assert all(call.startswith("blend") and "100 bpm" in call for call in calls[:49])
    assert calls[-1] == "prompt piano, 140 bpm"


def test_prompt_and_tempo_that_change_together_fade_from_words_to_words(tmp_path: Path) -> None:
    stage = Stage(tmp_path, prompt="piano", tempo=140.0)
    stage.ask("snapshot/save", "drop")
    stage.controls.set(prompt="house", tempo=100.0)
    stage.play(1)
    stage.calls.clear()
    stage.ask("snapshot/load", "drop", 1.0)
    tempi = [tempo for tempo, _ in pulses(stage, 60)]
    assert tempi[0] < tempi[20] < tempi[-1] == 140.0
    calls = stage.calls
    assert set(re.findall(r"\w+, \d+ bpm", " ".join(calls))) == {"house, 100 bpm", "piano, 140 bpm"}
    assert len(calls) == 50 and calls[-1] == "prompt piano, 140 bpm"


def test_a_tempo_takes_over_from_a_glide() -> None:
    stage = Stage(prompt="house", tempo=100.0)
    stage.ask("ramp", "tempo", 160.0, 2.0)
    stage.play(50)
    stage.controls.set(tempo=80.0)
    stage.play(100)
    assert stage.engine.pulse[0] == stage.controls.get("tempo") == 80.0
    assert stage.calls[-1] == "prompt house, 80 bpm"


def test_what_waits_for_a_bar_waits_for_it_through_a_glide_of_the_tempo() -> None:
    stage = Stage(prompt="house", tempo=60.0, quantise="bar")
    stage.ask("ramp", "tempo", 180.0, 3.0)
    stage.play(20)
    stage.controls.set(prompt="piano")
    beats = [beat for _, beat in pulses(stage, 200)]
    (applied,) = [event for event in stage.told if isinstance(event, Applied) and "prompt" in event.values]
    passed = [beat for frame, beat in enumerate(beats, 21) if frame + 1 <= applied.frame][-1]
    assert passed % 4 < 0.1 or passed % 4 > 3.9


@pytest.mark.parametrize("name", ["seed", "lead", "lora", "lora/strength", "/mg/lora/strength"])
def test_a_number_that_cannot_glide_is_refused_with_the_reason(name: str) -> None:
    stage = Stage()
    with pytest.raises(BadValue, match=r"cannot glide \S+: it .*; send the value itself"):
        stage.ask("ramp", name, 1.0)
    assert stage.controls.get("seed") == 0


tempi = st.floats(SLOWEST, FASTEST)


@given(tempi, tempi, st.integers(1, 500), st.integers(1, WORDINGS), st.integers(0, 600))
def test_words_lie_on_the_way(start: float, target: float, frames: int, most: int, frame: int) -> None:
    if start == target:
        return
    way = pace(start, target, (0.0, target), 0, frames, most)
    assert 2 <= len(way.words) <= most + 1
    assert way.words_at(0) == 0.0 and way.words_at(frames) == target
    low, high = sorted((start, target))
    assert low - 1e-6 <= way.bpm_at(frame) <= high + 1e-6
    assert way.words_at(frame) in way.words
    if 0 < frame < frames and way.words_at(frame) not in (0.0, target):
        assert abs(way.words_at(frame) - way.bpm_at(frame)) <= (high - low) / min(most, high - low) + 1
