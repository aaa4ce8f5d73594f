"""Many streams at once: each is its own music, none costs another a frame, and who is not heard sleeps."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from musicgen import MusicGen
from streamer.engine.core import Core
from streamer.errors import UserError
from streamer.serve import stage as staging
from streamer.serve.keys import Key, Keys
from streamer.serve.session import BLOCK, RATE, Session
from streamer.serve.stage import Stage
from streamer.sound.dynamics import Samples

FRAMES = 40
Make = Callable[..., Stage]


@pytest.fixture
def make(nano: MusicGen) -> Iterator[Make]:
    """Stages whose engine is turned by hand, and whose clock stands still."""
    made = []

    def stage(places: int, **limits: float) -> Stage:
        made.append(Stage(nano, places, Keys([Key("cafe", "a" * 16, **limits), Key("shop", "b" * 16)])))  # type: ignore[arg-type]
        return made[-1]

    yield stage
    for own in made:
        own.close()


def opened(stage: Stage, owner: str = "cafe", **values: float | str) -> Session:
    return stage.open(stage.keys.accounts[owner], values)


def work(stage: Stage, turns: int = 1) -> None:
    """Let the engine turn, and whatever it wants prepared be prepared at once."""
    for _ in range(turns):
        stage.turn()
        stage.prepare_waiting()


def pull(stage: Stage, *sessions: Session) -> list[Samples]:
    """What sessions play, as the clock would take it."""
    heard: list[list[Samples]] = [[] for _ in sessions]
    for _ in range(FRAMES):
        work(stage, 3)
        for parts, session in zip(heard, sessions, strict=True):
            out = np.zeros((BLOCK, 2), np.float32)
            session.playback.ring.read_into(out)
            parts.append(out)
    return [np.concatenate(parts) for parts in heard]


def test_each_session_plays_what_it_would_play_alone(make: Make, nano: MusicGen) -> None:
    stage = make(3)
    wishes: list[dict[str, Any]] = [{"prompt": "techno", "seed": 1}, {"prompt": "solo piano", "seed": 2}]
    sessions = [opened(stage, **wish) for wish in wishes]
    while not all(session.playback.ring.fill > BLOCK for session in sessions):
        work(stage)
    for wish, heard in zip(wishes, pull(stage, *sessions), strict=True):
        alone = Core(nano, wish, sample_rate=RATE, channels=2).read(len(heard))
        assert np.array_equal(heard, alone)


def test_the_machine_makes_no_more_streams_than_it_can_and_the_next_waits_for_its_turn(make: Make) -> None:
    stage = make(1)
    first, second = opened(stage), opened(stage, "shop")
    work(stage, 5)
    assert first.core is not None and second.core is None
    assert "number 1 in the queue" in stage.sentence(second)
    stage.drop(first, "Its owner has closed it.")
    work(stage, 5)
    assert second.core is not None and stage.sentence(second) == "It plays."


def test_under_overload_all_fall_behind_alike(make: Make) -> None:
    stage = make(4)
    sessions = [opened(stage, seed=number) for number in range(4)]
    work(stage, 10)
    before = [session.core.frames_done for session in sessions if session.core is not None]
    for _ in range(20):  # listeners take all that there is, and want more
        for session in sessions:
            session.playback.ring.drop()
        work(stage)
    made = [session.core.frames_done for session in sessions if session.core is not None]
    assert [now - then for now, then in zip(made, before, strict=True)] == [20] * 4


def test_a_session_that_nobody_hears_sleeps_and_goes_on_where_it_was(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = make(1)
    session = opened(stage, prompt="techno", seed=5)
    work(stage, 30)
    assert session.core is not None
    frames = session.core.frames_done
    monkeypatch.setattr("streamer.serve.session.GRACE_SECONDS", 0.0)
    work(stage)
    assert session.core is None and stage.place(session) is None
    assert stage.sentence(session) == "It sleeps until it is heard."
    other = opened(stage, "shop")
    monkeypatch.setattr("streamer.serve.session.GRACE_SECONDS", 60.0)
    session.touch()
    other.ears = 1
    stage.drop(other, "Its owner has closed it.")
    work(stage, 20)
    core = session.core
    assert core is not None
    assert core.stream.frames_done >= frames


def test_what_goes_wrong_in_one_session_is_the_end_of_that_one_alone(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = make(2)
    good, bad = opened(stage), opened(stage, "shop")
    work(stage, 10)
    assert bad.core is not None and good.core is not None

    def broken() -> int:
        raise RuntimeError("ill")

    monkeypatch.setattr(bad.core, "due", broken)
    bad.playback.ring.drop()
    good.playback.ring.drop()
    before = good.core.frames_done
    work(stage, 10)
    assert stage.get(bad.id) is None and "stumbled" in bad.closed
    assert stage.get(good.id) is good and good.core is not None and good.core.frames_done > before


def test_a_machine_that_has_become_too_slow_takes_a_place_back_and_gives_it_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = make(2)
    first, second = opened(stage), opened(stage, "shop")
    work(stage, 5)
    monkeypatch.setattr(staging, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(staging, "BUSY", -1.0)
    work(stage, staging.HOT_LOOKS - 1)
    assert stage.overloads == 0  # a busy moment
    work(stage, 2)
    assert stage.overloads >= 1 and stage.place(first) == 0 and stage.place(second) == 1 and second.core is None
    monkeypatch.setattr(staging, "BUSY", 9e9)
    monkeypatch.setattr(staging, "CALM", 9e9)
    monkeypatch.setattr(staging, "CALM_SECONDS", 0.0)
    time.sleep(0.01)
    work(stage, 10)
    assert stage.place(second) == 0


def test_a_keys_sessions_and_hours_are_limited(make: Make) -> None:
    stage = make(2, sessions=1, hours=1.0)
    session = opened(stage)
    with pytest.raises(UserError, match="cafe has 1 sessions open"):
        opened(stage)
    work(stage, 3)
    stage.keys.accounts["cafe"].played(3601.0)
    work(stage, 2)
    assert session.core is None and "tomorrow" in stage.sentence(session)
    with pytest.raises(UserError, match="has heard its 1 hours of today"):
        stage.drop(session, "Its owner has closed it.")
        opened(stage)


def test_another_stage_goes_on_from_what_one_has_kept(nano: MusicGen, make: Make) -> None:
    stage = make(1)
    session = opened(stage, prompt="techno", seed=5)
    work(stage, 30)
    session.note()
    record = session.record()
    other = make(1)
    adopted = other.adopt(record)
    assert other.adopt(record) is adopted
    work(other, 30)
    assert adopted.core is not None and adopted.secret == session.secret
    assert adopted.controls.get("prompt") == "techno"
    assert adopted.core.stream.frames_done > 10  # type: ignore[attr-defined]


def test_a_state_that_is_damaged_begins_anew_and_says_so(make: Make) -> None:
    stage = make(1)
    session = opened(stage)
    record = session.record()
    stage.drop(session, "Its owner has closed it.")
    words = list[str]()
    damaged = stage.adopt(type(record)("id", "secret", "cafe", {}, b"{}\nnonsense"))
    damaged.hear = lambda kind, what: words.append(str(what))
    work(stage, 20)
    assert damaged.core is not None and damaged.core.frames_done > 0
    assert any("begins anew" in word for word in words)
