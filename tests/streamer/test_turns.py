"""Turning elsewhere while the music plays: into a passage of a file, and back to the music of then."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from musicgen import MusicGen
from osc.values import BadValue, Value
from streamer.control.change import Change, Frame
from streamer.control.controls import Controls
from streamer.control.moves import Passage
from streamer.control.table import accept
from streamer.engine.beginning import Excerpt, read_beginning
from streamer.engine.core import Core
from streamer.engine.course import CROSSFADE_FRAMES, TURN_FRAMES
from streamer.engine.events import Applied, Event, Refused
from streamer.engine.guard import fresh_seed
from streamer.engine.standing import Standing
from streamer.engine.trail import Played, Trail
from streamer.process.outbox import Outbox
from streamer.process.tickets import Tickets
from streamer.sound.dynamics import Samples
from tests.streamer.sine import SineModel, SineStream
from tests.streamer.test_beginning import song

HOP, RATE, FPS = 640, 32_000, 50
LOOK_AHEAD = 2402


class Player:
    """An engine, and what it told; its sound as the model made it."""

    def __init__(self, model: MusicGen | SineModel, chunk: int = 1, **values: Value) -> None:
        self.told: list[Event] = []
        asked = accept(values.items())
        self.core = Core(model, asked, channels=1, chunk_frames=chunk, level=False, tell=self.told.append)

    def play(self, frames: int) -> Samples:
        return self.core.read(frames * HOP)

    def ask(self, values: dict[str, Value], at: int | None = None) -> None:
        self.core.change(Change(accept(values.items()), None if at is None else Frame(at)))

    @property
    def calls(self) -> list[str]:
        """Of a stream of sines."""
        return cast(SineStream, self.core.stream).calls

    @property
    def trail(self) -> np.ndarray:
        """The frames that were played, (K, F), a passage's included."""
        return Standing.from_bytes(self.core.state()).played.frames

    @property
    def refused(self) -> list[Refused]:
        return [event for event in self.told if isinstance(event, Refused)]


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "song.wav", song(4.0, RATE, 1), RATE, "FLOAT")
    return tmp_path / "song.wav"


# --- a passage


def test_a_passage_is_heard_and_then_the_music_that_continues_it(wav: Path, tiny_model: MusicGen) -> None:
    player = Player(tiny_model, prompt="jazz", seed=4)
    player.play(30)
    player.ask({"continue": Passage(str(wav), 1.0, 2.0).text})
    player.play(TURN_FRAMES)
    beginning = read_beginning(Excerpt(wav, 1.0, 2.0), tiny_model)
    heard = player.play(50 + 20)
    start = CROSSFADE_FRAMES * HOP
    # The outlet and the codec hold some samples back: what is heard now was made a little earlier.
    late = int(np.argmax(np.correlate(heard[:, 0], beginning.sound[start : start + 8000, 0], "valid"))) - start
    assert 0 <= late <= LOOK_AHEAD + 2 * HOP
    np.testing.assert_allclose(
        heard[start + late : RATE - LOOK_AHEAD - 3200 + late],
        beginning.sound[start : RATE - LOOK_AHEAD - 3200],
        atol=1e-5,
    )
    stream = tiny_model.stream("jazz")
    stream.continue_from(beginning.frames, seed=4)
    expected = np.stack([stream.next_frame() for _ in range(60)], axis=1)
    player.play(20)
    (place,) = (n for n in range(60) if np.array_equal(player.trail[:, n : n + 50], beginning.frames))
    made = player.trail[:, place + 50 :]
    assert made.shape[1] >= 15
    np.testing.assert_array_equal(made, expected[:, : made.shape[1]])


def test_the_old_music_plays_on_until_the_turn_and_fades_out_over_it(wav: Path) -> None:
    """Up to the turn as if nobody had asked; from the end of the crossfade on nothing of it."""
    turning, straight = Player(SineModel(), seed=1), Player(SineModel(), seed=1)
    turning.ask({"continue": Passage(str(wav)).text})
    until = TURN_FRAMES * HOP
    one, other = turning.play(100), straight.play(100)
    held = 320  # the limiter looks ahead
    np.testing.assert_array_equal(one[: until - held], other[: until - held])
    assert np.abs(np.diff(one[:, 0])).max() < 1.5 * max(np.abs(np.diff(other[:, 0])).max(), 0.05)
    assert np.corrcoef(one[until + 12 * HOP : 90 * HOP, 0], other[until + 12 * HOP : 90 * HOP, 0])[0, 1] < 0.2


@pytest.mark.parametrize("path", ["gone.wav", "empty.wav"])
def test_a_file_that_cannot_be_read_is_a_sentence_and_the_music_goes_on(tmp_path: Path, path: str) -> None:
    (tmp_path / "empty.wav").touch()
    player, other = Player(SineModel(), seed=1), Player(SineModel(), seed=1)
    player.ask({"continue": str(tmp_path / path), "temperature": 0.5})
    np.testing.assert_array_equal(player.play(40), other.play(40))
    assert [event.name for event in player.refused] == ["continue"]
    assert path in player.refused[0].sentence
    assert player.core.values["temperature"] == other.core.values["temperature"], "a batch is taken over whole or not"


def test_a_reset_while_it_turns_counts(wav: Path) -> None:
    player, fresh = Player(SineModel(), seed=1), Player(SineModel(), seed=1)
    player.play(20)
    player.ask({"continue": Passage(str(wav)).text})
    player.play(TURN_FRAMES // 2)
    player.ask({"reset": True})
    player.play(2)
    notes, others = np.diff(player.play(30)[2 * HOP :, 0]), np.diff(fresh.play(60)[:, 0])
    assert max(np.correlate(others, notes, "valid")) == pytest.approx(np.sum(notes**2), rel=0.02)


@given(
    st.text(min_size=1).filter(lambda text: "\x00" not in text),
    st.floats(0, 1e6),
    st.none() | st.floats(1e-3, 1e6),
)
def test_a_passage_reads_as_it_was_written(path: str, start: float, length: float | None) -> None:
    passage = Passage(path, start, None if length is None else start + length)
    assert Passage.of(passage.text) == passage


@pytest.mark.parametrize("text", ["", "#t=1,2", "a.wav#t=2,1", "a.wav#t=-1,2", "a.wav#t=x,2", "a.wav#t=nan,", "#t=,"])
def test_what_is_no_passage_is_refused(text: str) -> None:
    with pytest.raises(BadValue):
        Controls().set(**{"continue": text})


# --- back


def test_the_music_goes_on_from_where_it_was(tiny_model: MusicGen) -> None:
    """In another way than then, and with what is asked for now."""
    player = Player(tiny_model, prompt="jazz", seed=4)
    player.play(120)
    player.ask({"prompt": "techno"})
    player.play(10)
    first, asked_at = player.trail, player.core.frames_done
    player.ask({"rewind": 1.0})
    player.play(TURN_FRAMES + 20)
    then = first.shape[1] - FPS
    made = player.trail[:, then:]
    np.testing.assert_array_equal(player.trail[:, :then], first[:, :then])
    stream = tiny_model.stream("techno")
    stream.continue_from(first[:, :then], fresh_seed(4, asked_at))
    np.testing.assert_array_equal(made, np.stack([stream.next_frame() for _ in range(made.shape[1])], axis=1))
    assert made.shape[1] >= 20 and not np.array_equal(made[:, :20], first[:, then : then + 20])
    assert player.core.values["prompt"] == "techno"


def test_going_back_twice_goes_further_back() -> None:
    player = Player(SineModel(), seed=1)
    player.play(300)
    for _ in range(2):
        player.ask({"rewind": 2.0})
        player.play(1)
        player.play(TURN_FRAMES)
    # Of 300 frames and the 17 that were played while it turned, 117 are left, then 1; twice 100 were gone back.
    approaches = [call for call in player.calls if call.startswith("approach")]
    assert [int(call.split()[1]) for call in approaches] == [200, 101]


def test_further_back_than_is_known_is_answered_with_what_is_known() -> None:
    player, other = Player(SineModel(), seed=1), Player(SineModel(), seed=1)
    for one in (player, other):
        one.play(100)
    player.ask({"rewind": 2.0})
    np.testing.assert_array_equal(player.play(50), other.play(50))
    assert "only the last 1.9 s" in player.refused[0].sentence
    player.ask({"rewind": 2.0})
    player.play(1)
    assert len(player.refused) == 1


def test_a_rewind_after_a_reset_leads_back_to_the_music_before_it() -> None:
    player = Player(SineModel(), seed=1)
    player.play(100)
    player.ask({"reset": True})
    player.play(25)
    player.ask({"rewind": 1.0})
    player.play(1 + TURN_FRAMES)
    assert not player.refused
    assert [call for call in player.calls if "trade" in call] == [f"trade {FPS + TURN_FRAMES}"]


def test_the_beat_goes_back_too() -> None:
    player = Player(SineModel(), tempo=120)
    player.play(200)
    player.ask({"rewind": 2.0})
    player.play(1)
    player.play(TURN_FRAMES)
    # 217 frames at 25 a beat; 2 s ago, seen from when the turn is heard
    assert player.core.tempo.beat_at(player.core.frames_done) == pytest.approx((217 - 100 - TURN_FRAMES) / 25)


@pytest.mark.parametrize("wrong", [0, -1, float("nan"), float("inf"), "soon", ""])
def test_what_are_no_seconds_is_refused(wrong: Value) -> None:
    with pytest.raises(BadValue, match="rewind"):
        Controls().set(rewind=wrong)


# --- both


@pytest.mark.parametrize("move", ["continue", "rewind"])
def test_a_turn_is_heard_on_the_bar_where_changes_wait_for_it(wav: Path, move: str) -> None:
    player = Player(SineModel(), tempo=120, quantise="bar", seed=1)
    player.play(110)
    player.ask({move: 1.0 if move == "rewind" else Passage(str(wav)).text})
    player.play(200)
    applied = [event.frame for event in player.told if isinstance(event, Applied) and move in event.values]
    assert applied == [200 - TURN_FRAMES]


@pytest.mark.parametrize(("chunk", "sizes"), [(1, [100, 3000]), (5, [640]), (5, [7000, 33])])
def test_turns_sound_the_same_in_any_blocks(wav: Path, tiny_model: MusicGen, chunk: int, sizes: list[int]) -> None:
    def performed(chunk: int, sizes: list[int]) -> Samples:
        player = Player(tiny_model, chunk, prompt="jazz", seed=4)
        player.ask({"rewind": 0.5}, 60)
        player.ask({"continue": Passage(str(wav), 0.0, 1.0).text, "volume": -6}, 120)
        player.ask({"rewind": 0.7}, 150)
        blocks, left = [], 250 * HOP
        while left > 0:
            for size in sizes:
                blocks.append(player.core.read(size))
                left -= size
        assert not player.refused
        return np.concatenate(blocks)[: 250 * HOP]

    np.testing.assert_allclose(performed(chunk, sizes), performed(1, [HOP]), atol=2e-4)


def test_what_was_applied_turns_again_from_the_report(wav: Path, tiny_model: MusicGen) -> None:
    live = Player(tiny_model, seed=4)
    heard = [live.play(70)]
    passage = Passage(str(wav), 1.0, 1.5).text
    turns: list[dict[str, Value]] = [{"rewind": 0.6}, {"continue": passage}, {"rewind": 9.0}, {"rewind": 1.1}]
    for values in turns:
        live.ask(values)
        heard.append(live.play(33))
    again = Player(tiny_model, seed=4)
    for event in live.told:
        if isinstance(event, Applied):
            again.core.change(Change(event.values, Frame(event.frame), over=event.over))
    assert len(live.refused) == 1
    np.testing.assert_array_equal(again.play(70 + 4 * 33), np.concatenate(heard))


def test_another_engine_goes_on_in_the_middle_of_a_passage_and_goes_back_as_far(
    wav: Path, tiny_model: MusicGen
) -> None:
    player = Player(tiny_model, prompt="jazz", seed=4)
    player.play(80)
    player.ask({"continue": Passage(str(wav), 1.0, 3.0).text})
    player.play(TURN_FRAMES + 20)
    state = player.core.state()
    standing = Standing.from_bytes(state)
    other = Core(tiny_model, {"prompt": "jazz", "seed": 4}, channels=1, level=False, goes_on=standing)
    beginning = read_beginning(Excerpt(wav, 1.0, 3.0), tiny_model)
    stream = tiny_model.stream("jazz")
    stream.continue_from(beginning.frames, seed=4)
    other.read(HOP)
    np.testing.assert_array_equal(other.stream.trace.frames[:, 0], stream.next_frame())
    told: list[Event] = []
    third = Core(
        tiny_model, {"seed": 4}, channels=1, level=False, goes_on=Standing.from_bytes(other.state()), tell=told.append
    )
    third.change(Change({"rewind": 3.0}))  # past the passage, into the music before it
    third.read((TURN_FRAMES + 5) * HOP)
    assert not [event for event in told if isinstance(event, Refused)]


# --- what is remembered of it


@given(st.lists(st.tuples(st.integers(0, 30), st.booleans(), st.none() | st.floats(0, 1)), max_size=30))
def test_the_trail_has_the_last_frames_of_the_music_of_then(steps: list[tuple[int, bool, float | None]]) -> None:
    trail, known = Trail(50), list[tuple[int, int]]()  # (frame, piece)
    piece = number = 0
    for count, anew, back in steps:
        if anew:
            trail.begin()
            piece += 1
        numbers = np.arange(number, number + count)
        trail.append(Played(numbers[None] % 60_000, numbers[:, None].astype(np.float32)))
        known += [(n, piece) for n in range(number, number + count)]
        known = known[-50:]
        number += count
        assert len(trail) == len(known)
        if back is not None and known:
            length = max(1, round(back * len(known)))
            there = [n for n, own in known[:length] if own == known[length - 1][1]]
            assert trail.until(length).frames[0].tolist() == there
            assert trail.until(length).fields[:, 0].tolist() == there
            trail.cut(length)
            known = known[:length]
            piece = known[-1][1]
        other = Trail(50)
        other.restore(*trail.state())
        if len(trail):
            for field in ("frames", "fields"):
                found, expected = (getattr(one.until(len(one)), field) for one in (other, trail))
                np.testing.assert_array_equal(found, expected)


# --- on their way


def test_a_move_stands_by_itself_and_the_last_one_counts() -> None:
    outbox = Outbox()
    for values in ({"volume": -3.0}, {"rewind": 1.0}, {"volume": -6.0}, {"rewind": 2.0}):
        outbox.put(Change(values))
    sent = [outbox.take() for _ in range(2)]
    assert [change.values for change in sent if change is not None] == [{"volume": -6.0}, {"rewind": 2.0}]


def test_a_move_that_a_killed_engine_has_not_answered_is_asked_for_again() -> None:
    tickets = Tickets()
    tickets.issue(Change({"rewind": 1.0}))
    tickets.issue(Change({"volume": -6.0}))
    second = tickets.issue(Change({"rewind": 2.0, "prompt": "rain"}))
    assert [change.values for change in tickets.again()] == [{"rewind": 2.0}]
    assert tickets.again()[0].origin == second.origin
    tickets.returned(Applied(1, {}, None, second.origin))
    assert tickets.again() == []


def test_a_reset_takes_the_place_of_a_move() -> None:
    tickets = Tickets()
    tickets.issue(Change({"continue": "a.wav"}))
    tickets.issue(Change({"reset": True}))
    assert tickets.again() == []
