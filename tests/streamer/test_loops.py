"""Loops are exactly as long as their bars, go round without a seam, and tell samplers where their bars are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from musicgen import MusicGen
from musicgen.score import FIELDS
from streamer import UserError
from streamer.offline.loop_files import loop_targets
from streamer.offline.loops import TAKES, Loop, make
from streamer.offline.places import Bars, Clock, in_time, stretched
from streamer.sound.effects import Amounts
from tests.musicgen.test_score import scored
from tests.musicgen.tiny import tiny_checkpoint


def loop_of(model: MusicGen, bars: Bars, rate: int, effects: Amounts | None = None, seed: int = 1) -> Loop:
    return make(model, lambda number: model.stream("slow piano", seed=number), bars, seed, rate=rate, effects=effects)


@pytest.fixture(scope="module")
def loop(tiny_model: MusicGen) -> Loop:
    return loop_of(tiny_model, Bars(1, 120.0), tiny_model.sample_rate)


@pytest.mark.parametrize(
    ("bars", "rate", "samples"),
    [
        (Bars(8, 120), 44_100, 705_600),
        (Bars(1, 90, 6, 8), 48_000, 96_000),
        (Bars(3, 100, 3), 44_100, 238_140),
        (Bars(4, 123.4), 48_000, 373_420),
    ],
)
def test_a_loop_is_as_long_as_its_bars_to_the_sample(bars: Bars, rate: int, samples: int) -> None:
    assert bars.samples(rate) == samples


@pytest.mark.parametrize(
    ("count", "bpm", "metre", "word"),
    [
        (0, 120, "4/4", "1 or more"),
        (1, 10, "4/4", "20 to 300"),
        (1, 120, "4/5", "metre"),
        (1, 120, "waltz", "metre"),
        (1, 120, "²/4", "metre"),
        (100, 60, "4/4", "last 400.0 s"),
        (1, 300, "1/4", "last 0.2 s"),
    ],
)
def test_what_is_no_loop_is_a_sentence(count: int, bpm: float, metre: str, word: str) -> None:
    with pytest.raises(UserError, match=word):
        Bars.of(count, bpm, metre)


def test_an_mp3_does_not_go_round(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="to the sample"):
        loop_targets(tmp_path / "a.mp3", 1)


def test_the_file_goes_round_as_its_tokens_would_for_ever(tiny_model: MusicGen, loop: Loop) -> None:
    """Decoded many times in a row by a codec of its own: the last round is the loop."""
    decoder = tiny_model.new_decoder()
    length = loop.frames.shape[1] * tiny_model.hop
    rounds = np.concatenate([decoder.decode(loop.frames) for _ in range(8)])
    own = stretched(rounds[6 * length : 7 * length], len(loop.sound))
    np.testing.assert_allclose(np.roll(loop.sound, -loop.seam, axis=0), own, atol=1e-5)
    np.testing.assert_allclose(rounds[5 * length : 6 * length], rounds[6 * length : 7 * length], atol=1e-5)


def test_the_same_seed_is_the_same_loop(tiny_model: MusicGen, loop: Loop) -> None:
    bars = Bars(1, 120.0)
    np.testing.assert_array_equal(loop_of(tiny_model, bars, tiny_model.sample_rate).sound, loop.sound)
    assert not np.array_equal(loop_of(tiny_model, bars, tiny_model.sample_rate, seed=50).sound, loop.sound)


def test_the_kept_ending_is_no_less_likely_than_the_first(loop: Loop) -> None:
    assert loop.surprise[0] <= loop.surprise[1]


def test_its_length_is_within_what_may_be_bent_of_what_was_played(loop: Loop) -> None:
    assert 0.975 <= loop.bent <= 1.025


def test_effects_go_round_too(tiny_model: MusicGen) -> None:
    """The echoes of the end are heard at the start: two rounds of the loop have no jump where they meet."""
    wet = loop_of(tiny_model, Bars(1, 120.0), tiny_model.sample_rate, Amounts(space=0.5, width=0.5))
    assert wet.sound.shape[1] == 2
    twice = np.concatenate([wet.sound, wet.sound])
    bend = np.abs(np.diff(twice, 2, axis=0)).max(axis=1)
    seam = len(wet.sound)
    assert bend[seam - 3 : seam + 2].max() <= np.quantile(bend, 0.99)
    assert np.abs(wet.sound[:, 0] - wet.sound[:, 1]).max() > 0


@given(st.integers(3, 40), st.integers(90, 400), st.integers(90, 400))
def test_a_period_keeps_its_notes_whatever_its_samples(cycles: int, before: int, after: int) -> None:
    def wave(samples: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return np.sin(2 * np.pi * cycles * np.arange(samples) / samples)[:, None].astype(np.float32)

    np.testing.assert_allclose(stretched(wave(before), after), wave(after), atol=1e-5)


# --- in time


@pytest.mark.parametrize(("struck", "least", "most"), [(16.0, 0.9, 1.0), (16.5, 0.0, 0.6), (15.5, 0.0, 0.6)])
def test_half_a_beat_more_or_less_is_another_tempo(struck: float, least: float, most: float) -> None:
    """Strokes that die away on halves of so many beats, in a loop of sixteen, with some noise."""
    curve = 0.05 * np.random.default_rng(3).normal(size=(400, 4))
    for stroke in np.arange(0, struck, 0.5):
        at = round(stroke * len(curve) / struck)
        curve[at : at + 4] += np.array([[3.0], [2.0], [1.0], [0.5]])
    assert least <= in_time(curve, Bars(4, 120.0)) <= most


def test_a_model_that_follows_a_score_is_told_the_beat_and_the_loop_begins_on_its_bar(tmp_path: Path) -> None:
    """Its takes are those of streams that are told of the clock, and it is as many frames as the clock has."""
    model = MusicGen.load(str(scored(tiny_checkpoint(tmp_path / "told"))), backend="torch")
    bars = Bars(2, 250.0)
    clock = Clock(bars, 96)
    loop = make(model, lambda number: model.stream("slow piano", seed=number), bars, 1, rate=model.sample_rate)
    assert loop.frames.shape[1] == 96
    assert loop.bent == 1.0
    starts = []
    for seed in range(1, 1 + TAKES):
        stream = model.stream("slow piano", seed=seed)
        stream.set_score(clock)
        take = np.stack([stream.next_frame() for _ in range(250)], axis=1)
        starts += [at for at in range(250 - 40) if np.array_equal(take[:, at : at + 40], loop.frames[:, :40])]
    (start,) = starts
    first = -loop.seam % len(loop.sound) / model.hop  # frames from where the tokens begin
    assert (start + first) % 48 == pytest.approx(0, abs=1e-3)


def test_the_clock_counts_quarters_and_bars() -> None:
    told = Clock(Bars(2, 90.0, 6, 8), 160).fields(0, 160)
    known = dict(zip(FIELDS, told.T, strict=True))
    assert [frame for frame in range(160) if known["bar"][frame] == 0] == [0, 80]
    assert [frame for frame in range(80) if known["beat"][frame] < 1e-6] == [0]
    assert np.diff(known["beat"][:26]) == pytest.approx(6 / 160)
    assert (known["bpm"] == 90).all()
    assert np.isnan(known["energy"]).all()
    early = Clock(Bars(2, 90.0, 6, 8), 160, early=0.45).fields(0, 160)
    assert early[:, FIELDS.index("beat")] == pytest.approx((known["beat"] + 0.45 * 6 / 160) % 1, abs=1e-5)
