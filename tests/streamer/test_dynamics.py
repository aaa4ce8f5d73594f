"""Loudness, fades and the limiter: how they sound, and that cutting the stream differently changes nothing."""

from __future__ import annotations

import numpy as np
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from streamer.sound.dynamics import REFERENCE, Fader, Limiter, Loudness, Samples, amplitude

RATE = 16_000


def noise(seconds: float, level_db: float, *, channels: int = 1, seed: int = 0) -> Samples:
    wave = np.random.default_rng(seed).standard_normal((round(seconds * RATE), channels))
    return (wave * amplitude(level_db)).astype(np.float32)


def pieces(samples: Samples, cuts: list[int]) -> list[Samples]:
    return np.split(samples, sorted(cut % (len(samples) + 1) for cut in cuts))


cuts = st.lists(st.integers(0, 10**6), max_size=12)


# Limiter


@given(
    npst.arrays(np.float32, st.tuples(st.integers(0, 700), st.just(2)), elements=st.floats(width=32)),
    cuts,
    st.sampled_from([8_000, 44_100, 48_000]),
)
def test_nothing_gets_over_the_ceiling_and_nothing_that_is_no_number_gets_through(
    samples: Samples, where: list[int], rate: int
) -> None:
    limiter = Limiter(rate, 2, ceiling_db=-1.0)
    out = np.concatenate([limiter.process(piece) for piece in pieces(samples, where)])
    assert out.dtype == np.float32
    assert np.isfinite(out).all()
    assert np.abs(out).max(initial=0.0) <= 10 ** (-1 / 20)
    assert 0 <= len(samples) - len(out) <= limiter.latency


@given(st.integers(0, 2**32), st.floats(-20, 40), cuts)
@settings(max_examples=50)
def test_the_limiter_does_not_care_how_the_sound_is_cut(seed: int, level: float, where: list[int]) -> None:
    samples = noise(0.2, level, channels=2, seed=seed)
    whole, cut = Limiter(RATE, 2), Limiter(RATE, 2)
    parts = np.concatenate([cut.process(piece) for piece in pieces(samples, where)])
    np.testing.assert_array_equal(parts, whole.process(samples))


def test_sound_below_the_ceiling_passes_untouched() -> None:
    samples = np.clip(noise(1.0, -12.0), -0.8, 0.8)
    out = Limiter(RATE, 1).process(samples)
    np.testing.assert_array_equal(out, samples[: len(out)])


@pytest.mark.parametrize("rate", [16_000, 32_000, 44_100, 48_000, 96_000])
def test_the_limiter_holds_back_at_most_five_milliseconds(rate: int) -> None:
    limiter = Limiter(rate, 1)
    assert limiter.latency <= 0.005 * rate
    held = [0]
    for size in (1, 7, 100, 3, 480) * 20:
        held.append(held[-1] + size - len(limiter.process(np.ones((size, 1), np.float32))))
    assert max(held) <= limiter.latency


def test_both_channels_are_turned_down_together() -> None:
    """Otherwise the picture would move to the side at every loud note."""
    left = noise(0.5, 6.0)
    out = Limiter(RATE, 2).process(np.concatenate([left, left * 0.25], axis=1))
    np.testing.assert_allclose(out[:, 1], out[:, 0] * 0.25, atol=1e-6)


def test_a_peak_is_ramped_around_not_cut_off() -> None:
    """A steady tone shows the gain: it falls and rises without steps, and is back soon after the peak."""
    tone = np.full((RATE, 1), 0.5, np.float32)
    tone[RATE // 4] = 4.0
    out = Limiter(RATE, 1).process(tone)
    gain = out[:, 0] / tone[: len(out), 0]
    assert gain[RATE // 4] == pytest.approx(10 ** (-1 / 20) / 4.0, rel=1e-3)
    assert np.abs(np.diff(gain)).max() < 0.02
    assert gain[: RATE // 4 - 100].min() == 1.0
    assert gain[RATE // 4 + RATE // 2 :].min() > 0.995


# Fader


@given(
    st.lists(st.one_of(st.tuples(st.just("to"), st.floats(0, 4)), st.tuples(st.just("play"), st.integers(0, 700)))),
    st.integers(1, 640),
)
def test_however_the_fader_is_moved_the_gain_never_jumps(moves: list[tuple[str, float | int]], ramp: int) -> None:
    fader = Fader(ramp, 1.0)
    gains = [np.ones(1, np.float32)]
    for what, how in moves:
        if what == "to":
            fader.to(float(how))
        else:
            gains.append(fader.process(np.ones((int(how), 1), np.float32))[:, 0])
    # The steepest place of a raised cosine from 0 to 4.
    assert np.abs(np.diff(np.concatenate(gains))).max(initial=0.0) <= 4 * np.pi / 2 / ramp + 1e-6


def test_a_fade_is_over_after_its_length_exactly() -> None:
    fader = Fader(100, 1.0)
    fader.to(0.0)
    parts = np.concatenate([fader.process(np.ones((n, 1), np.float32)) for n in (30, 1, 68, 1, 50)])
    assert parts[98, 0] > 0
    assert not parts[99:].any()


# Loudness


@pytest.mark.parametrize(("level", "seconds"), [(-34.0, 15), (-3.0, 5), (-14.0, 5)])
@pytest.mark.parametrize("channels", [1, 2])
def test_music_comes_to_the_reference_loudness(level: float, seconds: int, channels: int) -> None:
    loudness = Loudness(RATE, channels)
    out = loudness.process(noise(seconds + 3, level, channels=channels))
    assert pyloudnorm.Meter(RATE).integrated_loudness(out[seconds * RATE :]) == pytest.approx(REFERENCE, abs=0.5)


@pytest.mark.parametrize("level", [-26.0, -18.0, -8.0])
def test_the_first_second_is_not_far_off(level: float) -> None:
    out = Loudness(RATE, 1).process(noise(1.0, level))
    assert abs(pyloudnorm.Meter(RATE).integrated_loudness(out) - REFERENCE) < 10.0


def test_the_gain_follows_a_quiet_passage_only_slowly() -> None:
    loudness = Loudness(RATE, 1)
    loudness.process(noise(10, -16.0))
    before = loudness.gain_db
    loudness.process(noise(5, -40.0))
    assert before < loudness.gain_db <= before + 5.0


def test_silence_holds_the_gain() -> None:
    loudness = Loudness(RATE, 1)
    loudness.process(noise(8, -22.0))
    before = loudness.gain_db
    loudness.process(np.zeros((30 * RATE, 1), np.float32))
    assert loudness.gain_db == pytest.approx(before, abs=2.0)
    held = loudness.gain_db
    loudness.process(np.zeros((30 * RATE, 1), np.float32))
    assert loudness.gain_db == held


def test_a_whisper_is_not_blown_up_without_end() -> None:
    loudness = Loudness(RATE, 1)
    loudness.process(noise(60, -55.0))
    assert loudness.gain_db == Loudness.MOST


def test_the_gain_never_jumps() -> None:
    steady = Loudness(RATE, 1).process(np.full((6 * RATE, 1), 0.01, np.float32))
    loud = np.concatenate([noise(2, -40.0), noise(2, 0.0), noise(4, -50.0)])
    gain = Loudness(RATE, 1).process(loud)[:, 0] / loud[:, 0]
    assert np.abs(np.diff(gain)).max() < 20 / RATE
    assert np.abs(np.diff(steady[:, 0])).max() < 1e-4


@given(cuts)
@settings(max_examples=10, deadline=None)
def test_loudness_does_not_care_how_the_sound_is_cut(where: list[int]) -> None:
    samples = np.concatenate([noise(2.5, -30.0), noise(2.5, -6.0)])
    whole, cut = Loudness(RATE, 1), Loudness(RATE, 1)
    parts = np.concatenate([cut.process(piece) for piece in pieces(samples, where)])
    np.testing.assert_array_equal(parts, whole.process(samples))
