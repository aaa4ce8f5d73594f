"""Bars that were heard go round on the clock's bars, while the music goes on unheard, and it comes back."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicgen import MusicGen
from osc.values import BadValue, Value
from streamer.control.change import Change, Frame
from streamer.control.controls import Controls
from streamer.control.table import TABLE, accept
from streamer.engine.core import Core
from streamer.engine.events import Applied, Event, Refused, to_repeat
from streamer.engine.looper import SEAM, Looper
from streamer.sound.dynamics import Samples
from tests.streamer.sine import SineModel

HOP, RATE = 160, 8_000
SEAM_SAMPLES = round(SEAM * RATE)


class Stage:
    """An engine without levelling, mono: what is heard is what the looper gives."""

    def __init__(self, model: MusicGen | SineModel | None = None, chunk: int = 10, **values: Value) -> None:
        self.told: list[Event] = []
        self.core = Core(
            model or SineModel(sample_rate=RATE),
            accept(values.items()),
            channels=1,
            chunk_frames=chunk,
            level=False,
            tell=self._hear,
        )

    def _hear(self, event: Event) -> None:
        self.told.append(event)

    def ask(self, at: int | None = None, **values: Value) -> None:
        self.core.change(Change(accept(values.items()), None if at is None else Frame(at)))

    def play(self, seconds: float) -> Samples:
        return self.core.read(round(seconds * self.core.sample_rate))

    @property
    def refused(self) -> list[str]:
        return [event.sentence for event in self.told if isinstance(event, Refused)]


def beat_at(number: float, bpm: float) -> int:
    """The sample of a beat."""
    return round(Fraction(number) * 60 * RATE / Fraction(bpm))


def bend(sound: Samples) -> np.ndarray:
    return np.abs(np.diff(sound[:, 0], 2))


@pytest.mark.parametrize(("bpm", "bars"), [(120.0, 1.0), (123.0, 1.0), (97.3, 0.25), (140.0, 0.5), (174.0, 2.0)])
def test_the_last_bars_go_round_on_the_bars_of_the_clock(bpm: float, bars: float) -> None:
    """To the sample, for as long as it plays: what was heard before the capture is heard again at each multiple."""
    stage = Stage(tempo=bpm, seed=3)
    heard = stage.play(beat_at(4 * 2 + 0.5, bpm) / RATE)
    stage.ask(capture=bars)
    step = 4 * bars
    first = 8 + 4 if bars >= 1 else 8 + step * (1 + 0.5 // step)
    rounds = round(8 / bars)
    heard = np.concatenate([heard, stage.play(beat_at(first + step * rounds, bpm) / RATE - len(heard) / RATE)])
    end = beat_at(first, bpm)
    start = end - beat_at(step, bpm)
    loop = heard[start + SEAM_SAMPLES : end - 2]
    for number in range(rounds):
        at = beat_at(first + step * number, bpm) + SEAM_SAMPLES
        again = heard[at : at + len(loop)]
        np.testing.assert_array_equal(again, loop[: len(again)], err_msg=f"round {number}")


@pytest.mark.parametrize("bpm", [120.0, 123.0, 97.3])
def test_the_seam_is_no_click(bpm: float) -> None:
    """Every seam of nine rounds bends no more than the music does elsewhere, and is no louder."""
    stage = Stage(tempo=bpm, seed=5)
    heard = stage.play(beat_at(9, bpm) / RATE)
    before = bend(heard[HOP:]).max()
    stage.ask(capture=1.0)
    heard = np.concatenate([heard, stage.play(60 * 4 / bpm * 9)])
    for number in range(9):
        at = beat_at(12 + 4 * number, bpm)
        assert bend(heard[at - 100 : at + SEAM_SAMPLES + 100]).max() <= 1.02 * before
        assert np.abs(heard[at - 100 : at + SEAM_SAMPLES + 100]).max() <= 1.42 * np.abs(heard[: 2 * RATE]).max()


def test_what_is_alike_does_not_swell_at_the_seam() -> None:
    """A loop is captured while it goes round: it is its own continuation, so nothing is heard of that."""
    stage = Stage(tempo=120.0, seed=5)
    stage.play(4.5)
    stage.ask(capture=1.0)
    stage.play(3.5)
    stage.ask(capture=1.0)
    stage.play(2.1)
    heard = stage.play(8.0)
    np.testing.assert_allclose(heard[: 2 * RATE], heard[2 * RATE : 4 * RATE], atol=1e-6)
    assert np.abs(heard).max() <= 1.42 * 0.2


def test_the_music_goes_on_unheard_and_comes_back_at_the_bar() -> None:
    stage, straight = Stage(tempo=120.0, seed=1), Stage(tempo=120.0, seed=1)
    one, other = stage.play(4.5), straight.play(4.5)
    stage.ask(capture=1.0)
    one, other = np.concatenate([one, stage.play(5.0)]), np.concatenate([other, straight.play(5.0)])
    stage.ask(release=True)
    one, other = np.concatenate([one, stage.play(4.5)]), np.concatenate([other, straight.play(4.5)])
    gone, back = 6 * RATE, 10 * RATE
    np.testing.assert_array_equal(one[:gone], other[:gone])
    assert not np.array_equal(one[gone + SEAM_SAMPLES : back], other[gone + SEAM_SAMPLES : back])
    np.testing.assert_array_equal(one[back + SEAM_SAMPLES :], other[back + SEAM_SAMPLES :])
    assert bend(one[back - 100 : back + SEAM_SAMPLES + 100]).max() <= 1.02 * bend(other[HOP:]).max()


def test_music_is_dubbed_over_the_loop_and_both_are_captured() -> None:
    stage, straight = Stage(tempo=120.0, seed=1), Stage(tempo=120.0, seed=1)
    one, other = stage.play(4.5), straight.play(4.5)
    stage.ask(capture=1.0)
    parts = [one, stage.play(3.0)]
    stage.ask(overdub=True)
    parts.append(stage.play(3.0))
    stage.ask(capture=1.0)
    parts.append(stage.play(7.5))
    one, other = np.concatenate(parts), np.concatenate([other, straight.play(13.5)])

    def bar(sound: Samples, number: int) -> Samples:
        return sound[2 * number * RATE + SEAM_SAMPLES : 2 * (number + 1) * RATE]

    loop = bar(other, 2)
    np.testing.assert_allclose(bar(one, 3), loop, atol=1e-6)
    np.testing.assert_allclose(bar(one, 4), loop + bar(other, 4), atol=1e-6)
    np.testing.assert_allclose(bar(one, 5), loop + bar(other, 5), atol=1e-6)
    np.testing.assert_allclose(bar(one, 6), bar(one, 5), atol=1e-6)
    np.testing.assert_allclose(bar(one, 8), bar(one, 5), atol=1e-6)


def test_bars_that_were_not_all_heard_yet_are_waited_for() -> None:
    stage = Stage(tempo=120.0, seed=1)
    stage.ask(capture=2.0)
    heard = stage.play(12.0)
    again = heard[4 * RATE + SEAM_SAMPLES : 8 * RATE]
    np.testing.assert_array_equal(again, heard[SEAM_SAMPLES : 4 * RATE])
    np.testing.assert_array_equal(heard[8 * RATE + SEAM_SAMPLES :], again)


def test_a_release_before_the_bar_takes_a_capture_back() -> None:
    stage, straight = Stage(tempo=120.0, seed=1), Stage(tempo=120.0, seed=1)
    stage.play(2.5), straight.play(2.5)
    stage.ask(capture=1.0)
    stage.ask(release=True)
    np.testing.assert_array_equal(stage.play(4.0), straight.play(4.0))


@pytest.mark.parametrize("faster", [100.0, 130.0])
def test_at_another_tempo_its_bars_begin_with_the_clocks(faster: float) -> None:
    stage = Stage(tempo=120.0, seed=2)
    stage.play(4.5)
    stage.ask(capture=2.0)
    first = stage.play(2.0)[-RATE // 2 + SEAM_SAMPLES :]  # the first half second of the loop
    stage.play(1.5)
    stage.ask(tempo=faster)  # at 8 s: on a bar of both
    stage.play(0.5)
    heard = stage.play(12.0)
    start = 8 * RATE
    lines = [start + round(4 * 60 / faster * RATE * bar) - round(8.5 * RATE) for bar in (1, 2, 3, 4)]
    matches = [
        max(
            range(line - 175, line + 175),
            key=lambda at: -float(np.abs(heard[at + SEAM_SAMPLES :][:1000] - first[:1000]).sum()),
        )
        - line
        for line in lines
    ]
    assert [abs(miss) <= HOP for miss in matches].count(True) >= 2, matches
    assert bend(heard).max() <= 1.1 * 0.2 * (2 * np.pi * 220 * 2 ** (11 / 12) * 0.9 * 1.5 / RATE) ** 2 + 0.02


def test_a_reset_begins_the_music_anew_and_the_loop_plays_on() -> None:
    stage = Stage(tempo=120.0, seed=2)
    stage.play(4.5)
    stage.ask(capture=1.0)
    stage.play(1.5 + 2.0)
    loop = stage.play(2.0)
    stage.ask(reset=True)  # on a bar
    again = stage.play(2.0)
    np.testing.assert_allclose(again[3 * HOP :], loop[3 * HOP :], atol=1e-6)
    assert np.abs(again[: 3 * HOP]).max() > 0.15, "no dip"


@given(st.lists(st.integers(0, 3000), max_size=40), st.integers(0, 9))
def test_cut_anywhere_it_gives_the_same_samples(cuts: list[int], seed: int) -> None:
    """A beat of 250 samples and a quarter; captured, dubbed over, captured again, released."""
    random = np.random.default_rng(seed)
    music = random.normal(size=(12_000, 1)).astype(np.float32)
    beats = [(round(number * 250.25), number) for number in range(48)]
    asked = {1_000: ("capture", 1.0), 4_500: ("overdub", True), 6_500: ("capture", 0.25), 9_500: ("release", True)}

    def heard(stops: set[int]) -> Samples:
        looper, parts, start = Looper(500, 1), [], 0
        for stop in sorted({*stops, *asked, len(music)}):
            within = [(sample - start, number) for sample, number in beats if start <= sample < stop]
            parts.append(looper.process(music[start:stop], within))
            if stop in asked:
                looper.ask(*asked[stop], 250.25)
            start = stop
        return np.concatenate(parts)

    np.testing.assert_array_equal(heard(set(np.cumsum(cuts).tolist()) & set(range(len(music)))), heard(set()))


def test_chunks_make_no_difference_to_an_engine() -> None:
    def heard(chunk: int) -> Samples:
        stage = Stage(SineModel(sample_rate=RATE, look_ahead=301), chunk, tempo=287.0, seed=2)
        for at, values in ((60, {"capture": 1.0}), (130, {"overdub": True}), (170, {"capture": 0.25})):
            stage.ask(at, **values)
        stage.ask(220, release=True)
        return stage.play(5.0)

    np.testing.assert_array_equal(heard(1), heard(7))


def test_what_a_journal_holds_makes_the_same_samples(tiny_model: MusicGen) -> None:
    stage = Stage(tiny_model, 1, prompt="piano", tempo=240.0, seed=4)
    parts = [stage.play(0.7)]
    for values in ({"capture": 0.25}, {"overdub": True, "prompt": "bass"}, {"capture": 0.5}, {"release": True}):
        stage.ask(**values)
        parts.append(stage.play(0.6))
    again = Stage(tiny_model, 1, prompt="piano", tempo=240.0, seed=4)
    for event in stage.told:
        if isinstance(event, Applied) and (change := to_repeat(event)) is not None:
            again.core.change(change)
    np.testing.assert_array_equal(again.play(0.7 + 4 * 0.6), np.concatenate(parts))


def test_more_than_a_minute_is_refused_with_a_sentence_and_the_music_goes_on() -> None:
    stage, straight = Stage(tempo=30.0, seed=1), Stage(tempo=30.0, seed=1)
    stage.ask(capture=8.0)
    np.testing.assert_array_equal(stage.play(1.0), straight.play(1.0))
    assert stage.refused == ["8 bars last 64 s in this tempo, and 60 s can go round: capture fewer"]


@pytest.mark.parametrize("bars", [0, 0.3, 1.5, -1, 65, float("nan"), float("inf"), "four", None])
def test_what_are_no_bars_is_refused(bars: Value) -> None:
    with pytest.raises(BadValue, match="capture"):
        Controls().ask([("capture", bars)])


def test_a_loop_is_no_value_so_no_snapshot_holds_one() -> None:
    controls = Controls()
    controls.ask([("capture", 4.0), ("overdub", None), ("release", None)])
    assert controls.values().keys() == TABLE.keys()
    assert not {"capture", "overdub", "release"} & TABLE.keys()
