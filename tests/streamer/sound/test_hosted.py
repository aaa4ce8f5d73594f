"""Effects of others on the stream: what is heard of them, and what is heard when they fail."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import psutil
import pytest

from osc.values import Value
from streamer import Controls, Engine, UserError
from streamer.control.change import Change, Frame
from streamer.engine.core import Core
from streamer.engine.events import Event, Hosted, Noted, Refused
from streamer.offline.render import render
from streamer.sound.dynamics import Samples
from tests.streamer.sine import LEVEL, SineModel
from tests.streamer.sound.plugins import LATE, build
from tests.streamer.test_supervisor import until

HOP = 640
RUDE, LATER = "lv2:urn:mg:rude", "lv2:urn:mg:late"
CONDUCT = {"crash": 1, "hang": 2, "no numbers": 3, "silence": 4, "exit": 5}
STEEPEST = LEVEL * 2 * np.pi * 220 * 2 ** (18 / 12) / 32_000
"""The largest step from sample to sample that the stand-in model makes."""


@pytest.fixture(scope="module", autouse=True)
def plugins(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    before = os.environ.get("LV2_PATH")
    build(tmp_path_factory.mktemp("lv2"))
    yield
    if before is None:
        del os.environ["LV2_PATH"]
    else:
        os.environ["LV2_PATH"] = before


Moves = Sequence[tuple[int, dict[str, Value]]]


class Stage:
    """A core on the stand-in model, and what it has told."""

    def __init__(self, *moves: tuple[int, dict[str, Value]], live: bool = False, chunk: int = 1, **values: Value):
        self.told: list[Event] = []
        self.core = Core(
            SineModel(channels=2),
            {"seed": 3} | values,
            chunk_frames=chunk,
            level=False,
            tell=self.told.append,
            live=live,
        )
        for frame, batch in moves:
            self.core.change(Change(batch, Frame(frame)))

    def frames(self, count: int) -> Samples:
        return self.core.read(count * HOP)

    def sentences(self) -> list[str]:
        return [event.sentence for event in self.told if isinstance(event, Noted | Refused)]

    def states(self) -> list[str]:
        return [event.status for event in self.told if isinstance(event, Hosted)]


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that is busy with other tests takes its time to start a process."""
    monkeypatch.setattr("streamer.sound.hosted.remote.LOAD_SECONDS", 200.0)


@pytest.fixture
def stage() -> Iterator[Callable[..., Stage]]:
    made: list[Stage] = []

    def make(*moves: tuple[int, dict[str, Value]], **values: Value) -> Stage:
        made.append(Stage(*moves, **values))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for one in made:
        one.core.close()


def played(stage: Callable[..., Stage], count: int, *moves: tuple[int, dict[str, Value]], **values: Value) -> Samples:
    return stage(*moves, **values).frames(count)


# What is heard of them


def test_a_plug_in_is_heard_with_its_settings(stage: Callable[..., Stage]) -> None:
    dry = played(stage, 20)
    wet = played(stage, 20, fx1=f"{RUDE}; gain=0.5")
    norm = played(stage, 20, fx1=f"{RUDE}; gain=12.5%")  # of 0 to 4
    assert np.array_equal(wet[HOP:], dry[HOP:] / 2)
    assert np.array_equal(wet, norm)


def test_the_chain_goes_slot_by_slot_and_each_has_its_mix_and_bypass(stage: Callable[..., Stage]) -> None:
    dry = played(stage, 10)
    both = played(stage, 10, fx1=f"{RUDE}; gain=0.5", fx3=f"{RUDE}; gain=3")
    half = played(stage, 10, fx1=f"{RUDE}; gain=0", mix1=0.25)
    out = played(stage, 10, fx1=f"{RUDE}; gain=0.5", bypass1=True)
    np.testing.assert_allclose(both[HOP:], 1.5 * dry[HOP:], atol=1e-6)
    np.testing.assert_allclose(half[HOP:], 0.75 * dry[HOP:], atol=1e-6)
    assert np.array_equal(out, dry)


def test_the_same_samples_at_any_block_size_live_and_offline(stage: Callable[..., Stage]) -> None:
    moves: Moves = [(4, {"fx1": f"{RUDE}; gain=2"}), (9, {"mix1": 0.3}), (20, {"fx1": f"{LATER}; gain=0.5"})]
    render = stage(*moves, chunk=3, fx2=LATER).core
    blocks = [render.read(size) for size in (1, 77, 5000) * 4]
    live = stage(live=True, fx2=LATER)
    played: list[Samples] = []
    for frame, batch in moves:
        played.append(live.frames(frame - live.core.frames_done))
        live.core.prepare(batch)
        live.core.change(Change(batch))
    played.append(live.frames(35 - live.core.frames_done))
    whole = np.concatenate(blocks)
    assert len(whole) > 30 * HOP
    assert np.array_equal(whole, np.concatenate(played)[: len(whole)])


def test_a_mono_output_hears_both_sides(stage: Callable[..., Stage]) -> None:
    dry = Engine(SineModel(), Controls(seed=3), channels=1, level=False)
    wet = Engine(SineModel(), Controls(seed=3, fx1=f"{RUDE}; gain=0.5"), channels=1, level=False)
    assert np.array_equal(wet.read(9000)[HOP:], dry.read(9000)[HOP:] / 2)
    wet.close()


def test_nothing_is_left_of_a_plug_in_when_its_file_is_rendered(tmp_path: Path) -> None:
    before = psutil.Process().children()
    controls = Controls(seed=3, fx1=f"{RUDE}; gain=0.5")
    render(SineModel(channels=2), controls, 0.2, tmp_path / "a.wav", report=pytest.fail)
    until(lambda: set(psutil.Process().children()) <= set(before))


def test_a_late_plug_in_makes_all_of_the_sound_as_late_and_the_frontier_tells_it(stage: Callable[..., Stage]) -> None:
    dry = played(stage, 20)
    one = stage(fx1=LATER, mix1=0.5)
    np.testing.assert_allclose(one.frames(20)[LATE + HOP :], dry[HOP:-LATE], atol=1e-6)
    assert one.core.frontier == 20 * HOP + LATE
    # What is to be heard at a sample has to be asked for so much earlier.
    assert one.core.frame_at(30 * HOP + LATE, {"prompt": ""}) == 30


def test_one_plug_in_takes_the_place_of_another_without_a_click(stage: Callable[..., Stage]) -> None:
    moves: Moves = [(10, {"fx1": f"{LATER}; gain=1"}), (20, {"fx1": f"{RUDE}; gain=0.2"}), (30, {"fx1": ""})]
    sound = played(stage, 40, *moves, fx1=f"{RUDE}; gain=0.5")
    assert np.abs(np.diff(sound, axis=0)).max() < 1.5 * STEEPEST
    np.testing.assert_allclose(sound[33 * HOP :], played(stage, 40)[33 * HOP :], atol=1e-6)


# What is wrong with what was asked for


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("lv2:urn:mg:none", "no LV2 plug-in here has the URI or name 'urn:mg:none'"),
        (f"{RUDE}; shine=3", "Rude has no parameter 'shine': choose one of gain, conduct"),
        (f"{RUDE}; conduct=1", "crashed"),
    ],
)
def test_what_cannot_be_loaded_is_refused_with_a_sentence(
    stage: Callable[..., Stage], text: str, sentence: str
) -> None:
    if "crashed" not in sentence:
        with pytest.raises(UserError, match=sentence):
            stage(fx1=text)
    one = stage((5, {"fx1": text}))
    sound = one.frames(12)
    assert any(sentence in told for told in one.sentences())
    np.testing.assert_allclose(sound[8 * HOP :], played(stage, 12)[8 * HOP :], atol=1e-6)


def test_one_that_ends_before_it_is_set_is_refused_with_a_sentence(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*message: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("streamer.sound.hosted.wire.send", gone)
    with pytest.raises(UserError, match=f"the plug-in {RUDE} .+ as it was set: choose another"):
        stage().core.prepare({"fx1": f"{RUDE}; gain=2"})


# What is heard when they fail


@pytest.mark.parametrize("failure", CONDUCT)
def test_a_plug_in_that_fails_gives_the_dry_sound_without_a_click_and_a_word(
    stage: Callable[..., Stage], failure: str
) -> None:
    one = stage((20, {"fx1": f"{RUDE}; conduct={CONDUCT[failure]}"}), fx1=RUDE)
    one.frames(19)
    one.core.give_time(2.0 if failure == "hang" else 200.0)
    sound = one.frames(140)
    assert len(one.sentences()) == 1 and "the sound goes on without it, and send /fx/1/load" in one.sentences()[0]
    if failure != "silence":
        assert np.abs(np.diff(sound, axis=0)).max() < 1.5 * STEEPEST
    dry = played(stage, 159)[19 * HOP :]
    np.testing.assert_allclose(sound[-30 * HOP :], dry[-30 * HOP :], atol=1e-6)


def test_a_plug_in_that_was_lost_comes_back_by_itself_where_somebody_listens(stage: Callable[..., Stage]) -> None:
    one = stage(fx1=f"{RUDE}; gain=0.5", live=True)
    one.core.give_time(200.0)
    one.frames(10)
    for conduct in (1, 0):
        one.core.change(Change({"fx1": f"{RUDE}; gain=0.5; conduct={conduct}"}))
        one.frames(2)
    assert one.states() == ["plays Rude, 0 samples late", "crashed (signal 11)"]
    deadline = time.monotonic() + 200
    while len(one.states()) < 3 and time.monotonic() < deadline:
        one.frames(1)
        time.sleep(0.02)
    assert one.states()[2:] == ["plays Rude, 0 samples late"]
    one.frames(2)
    done = one.core.frames_done
    dry = played(stage, done + 5)
    np.testing.assert_allclose(one.frames(5), dry[-5 * HOP :] / 2, atol=1e-6)


@pytest.mark.heavy
def test_one_that_fails_again_and_again_stays_out_until_it_is_loaded_again(
    stage: Callable[..., Stage], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.sound.hosted.rack.AGAIN_SECONDS", 0.05)
    one = stage(fx1=RUDE, live=True)
    one.core.give_time(200.0)
    one.frames(2)
    one.core.change(Change({"fx1": f"{RUDE}; conduct=5"}))
    deadline = time.monotonic() + 200
    while not any("send /fx/1/load" in told for told in one.sentences()) and time.monotonic() < deadline:
        one.frames(1)
        time.sleep(0.02)
    assert [told.count("it is tried again") for told in one.sentences()] == [1, 1, 1, 0]
    one.core.prepare({"fx1": f"{RUDE}; gain=0.5"})
    one.core.change(Change({"fx1": f"{RUDE}; gain=0.5"}))
    one.frames(4)
    assert one.states()[-1] == "plays Rude, 0 samples late"


# Real ones


REAL = ("lv2:urn:dragonfly:plate; decay=20%", "lv2:urn:zamaudio:ZaMaximX2", "vst3:ZamDelay", "vst3:ZamCompX2")
"""With a worker; late; for one channel; VST3."""


@pytest.mark.heavy
@pytest.mark.parametrize("text", REAL)
def test_real_plug_ins_play_the_same_twice_and_are_heard(stage: Callable[..., Stage], text: str) -> None:
    if "vst3" in text:
        pytest.importorskip("pedalboard")
    once, again = (stage(fx1=text, chunk=chunk).frames(60) for chunk in (1, 4))
    assert np.array_equal(once, again)
    assert np.isfinite(once).all() and np.abs(once).max() > 0.05
    assert not np.allclose(once, played(stage, 60), atol=1e-4) or "Comp" in text  # it compresses nothing below 0 dB
