"""A programme is played through the controls, each change at its moment."""

from __future__ import annotations

from datetime import timezone
from pathlib import Path

import pytest

from streamer.control.change import Change, Wall
from streamer.control.controls import Controls
from streamer.control.snapshots import Snapshots
from streamer.surfaces.programme.calendar import Calendar, Clock
from streamer.surfaces.programme.conductor import Conductor
from streamer.surfaces.programme.entries import Entry, Evolve, Programme
from streamer.surfaces.programme.plan import Plan

UTC = Calendar(timezone.utc)
DAY = 20_000 * 86_400.0  # a midnight


class Stage:
    """A conductor, the changes it asks for, and a clock that the test moves."""

    def __init__(self, *entries: Entry, at: float, folder: Path, loudness: tuple[tuple[int, float], ...] = ()) -> None:
        self.now = DAY + at
        self.controls = Controls(prompt="before", temperature=1.1, volume=-3.0)
        self.asked: list[Change] = []
        self.controls.follow(self.asked.append)
        self.titles: list[str] = []
        self.told: list[str] = []
        self.snapshots = Snapshots(folder)
        plan = Plan(Programme(entries, UTC, loudness), "salt")
        self.conductor = Conductor(
            self.controls, plan, self.snapshots, self.told.append, self.titles.append, clock=lambda: self.now
        )

    def run(self, until: float, step: float = 0.5) -> list[Change]:
        """The changes up to a second of the day."""
        del self.asked[:]
        while self.now < DAY + until:
            self.conductor.step()
            self.now += step
        return list(self.asked)


def window(name: str, start: float, until: float, **more: object) -> Entry:
    prompts = more.pop("prompts", ((name, 1.0),))
    return Entry(name, prompts, start=Clock(round(start)), until=Clock(round(until)), **more)  # type: ignore[arg-type]


def test_what_plays_first_is_there_at_once_and_the_next_comes_at_its_moment(tmp_path: Path) -> None:
    stage = Stage(window("a", 0, 100, crossfade=7), window("b", 100, 200, crossfade=7), at=10, folder=tmp_path)
    (first,) = stage.run(50)
    assert first.at is None and first.values["prompt"] == "a" and not first.over
    (second,) = stage.run(150)
    assert second.at == Wall(DAY + 100) and second.over == 7 and second.values["prompt"] == "b"
    assert second.values["seed"] != first.values["seed"] and stage.titles == ["a", "b"]


def test_a_walk_fades_in_its_time_and_a_restart_joins_it_in_the_middle(tmp_path: Path) -> None:
    walk = window("w", 0, 86_400, prompts=(("p", 0.5), ("q", 0.5)), evolve=Evolve(100, 40), crossfade=0)
    stage = Stage(walk, at=1, folder=tmp_path)
    changes = stage.run(150)
    assert [(change.at, change.over) for change in changes] == [(None, 0), (Wall(DAY + 60), 40)]
    prompts = [change.values["prompt"] for change in changes]
    assert sorted(map(str, prompts)) == ["p", "q"]
    again = Stage(walk, at=70, folder=tmp_path)
    mixed, fade = again.run(90)
    assert (mixed.values["prompt"], mixed.values["weight1"]) == (prompts[0], 0.75)
    assert (mixed.values["prompt2"], mixed.values["weight2"]) == (prompts[1], 0.25)
    assert fade.values["prompt"] == prompts[1] and fade.over == 30


def test_silence_is_faded_into_and_out_of_and_the_music_begins_anew(tmp_path: Path) -> None:
    stage = Stage(window("a", 0, 100), window("b", 160, 300, seed=5, silence=40), at=50, folder=tmp_path)
    changes = stage.run(250)[1:]
    down, stop, values, play, up = changes
    assert (down.values, down.at, down.over) == ({"volume": -60.0}, Wall(DAY + 100), 4)
    assert (stop.values, stop.at) == ({"stop": True}, Wall(DAY + 104))
    assert values.at == Wall(DAY + 200) and values.values["reset"] and values.values["seed"] == 5
    assert play.values == {"play": True} and (up.values, up.over) == ({"volume": -3.0}, 4)
    assert stage.titles == ["a", "", "b"]


def test_a_programme_that_begins_with_silence_makes_no_sound(tmp_path: Path) -> None:
    stage = Stage(window("a", 100, 200), at=50, folder=tmp_path)
    stage.conductor.step()
    assert [change.values for change in stage.asked] == [{"volume": -60.0}, {"stop": True}]
    assert all(change.at is None for change in stage.asked)


def test_values_of_an_entry_go_with_it(tmp_path: Path) -> None:
    stage = Stage(
        window("a", 0, 100, values=(("temperature", 0.8), ("space", 0.4))), window("b", 100, 200), at=1, folder=tmp_path
    )
    first, second = stage.run(150)
    assert (first.values["temperature"], first.values["space"]) == (0.8, 0.4)
    assert (second.values["temperature"], second.values["space"]) == (1.1, 0.0)


def test_a_snapshot_is_an_entry_and_a_lost_one_is_said(tmp_path: Path) -> None:
    entries = (window("a", 0, 100, prompts=(), snapshot="dusk"), window("b", 100, 200, prompts=(), snapshot="gone"))
    stage = Stage(*entries, at=1, folder=tmp_path)
    stage.snapshots.save("dusk", {"prompt": "dusk pads", "tilt": 3.0, "volume": 6.0})
    first, second = stage.run(150)
    assert first.values["prompt"] == "dusk pads" and first.values["tilt"] == 3.0 and "volume" not in first.values
    assert second.values["tilt"] == 0.0 and len(stage.told) == 1 and "gone" in stage.told[0]


def test_loudness_follows_the_day(tmp_path: Path) -> None:
    stage = Stage(Entry("x", (("x", 1.0),)), at=0, folder=tmp_path, loudness=((0, -20.0), (1000, -18.0)))
    levels = [change.values["loudness"] for change in stage.run(1000, 5.0) if "loudness" in change.values]
    assert levels[0] == -20.0 and levels[-1] == pytest.approx(-18.25, abs=0.26) and levels == sorted(levels, key=float)


def test_another_programme_takes_over_without_a_gap_and_the_same_one_unheard(tmp_path: Path) -> None:
    stage = Stage(window("a", 0, 1000), at=1, folder=tmp_path)
    stage.run(50)
    stage.conductor.follow(Plan(Programme((window("a", 0, 1000), window("z", 2000, 3000)), UTC), "salt"))
    assert stage.run(60) == []
    stage.conductor.follow(Plan(Programme((window("b", 0, 1000, crossfade=9),), UTC), "salt"))
    (change,) = stage.run(70)
    assert change.values["prompt"] == "b" and change.over == 9 and "stop" not in change.values


@pytest.mark.parametrize("jump", [-5000.0, 5000.0])
def test_a_clock_that_is_set_is_followed(jump: float, tmp_path: Path) -> None:
    stage = Stage(*(window(str(hour), 3600 * hour, 3600 * hour + 3600) for hour in range(8)), at=9000, folder=tmp_path)
    stage.run(9010)
    stage.now += jump
    del stage.asked[:]
    stage.conductor.step()
    assert [change.values["prompt"] for change in stage.asked] == [str(int((stage.now - DAY) // 3600))]
