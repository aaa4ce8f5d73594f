"""Loudness is that of other meters, at any rate and length."""

from __future__ import annotations

import math

import numpy as np
import pyloudnorm
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.sound.meter import Recent, integrated_loudness


def noise(rate: int, seconds: float, channels: int, seed: int) -> NDArray[np.float32]:
    """Reddish, with loud and quiet passages, so that both gates have something to hold back."""
    random = np.random.default_rng(seed)
    white = random.standard_normal((round(rate * seconds), channels))
    level = 10.0 ** (random.uniform(-4, 0, (len(white) // (rate // 4) + 1, 1)).repeat(rate // 4, axis=0)[: len(white)])
    red = np.cumsum(white, axis=0)
    made: NDArray[np.float32] = (0.2 * level * (white + 0.05 * (red - red.mean(0)))).astype(np.float32)
    return made


@settings(max_examples=60)
@given(
    rate=st.sampled_from([8000, 16000, 22050, 32000, 44100, 48000, 96000]),
    tenths=st.integers(4, 85),
    channels=st.sampled_from([1, 2]),
    seed=st.integers(0, 99),
)
def test_it_is_pyloudnorms(rate: int, tenths: int, channels: int, seed: int) -> None:
    sound = noise(rate, tenths / 10, channels, seed)
    expected = pyloudnorm.Meter(rate).integrated_loudness(sound.astype(np.float64))
    assert integrated_loudness(sound, rate) == pytest.approx(expected, abs=2e-3)


@settings(max_examples=30)
@given(
    rate=st.sampled_from([16000, 32000, 44100]),
    tenths=st.lists(st.integers(1, 30), min_size=1, max_size=6),
    channels=st.sampled_from([1, 2]),
    seed=st.integers(0, 99),
)
def test_a_sound_in_pieces_is_as_loud_as_in_one(rate: int, tenths: list[int], channels: int, seed: int) -> None:
    pieces = [4, *tenths]
    sound = noise(rate, sum(pieces) / 10, channels, seed)
    ends = [rate * sum(pieces[: number + 1]) // 10 for number in range(len(pieces))]
    recent = Recent(rate, channels, 3.0)
    heard = [recent.hear(sound[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
    for end, loudness in zip(ends, heard, strict=True):
        assert loudness == pytest.approx(Recent(rate, channels, 3.0).hear(sound[:end]), abs=1e-4)
        if end <= 3 * rate:
            assert loudness == pytest.approx(integrated_loudness(sound[:end], rate), abs=1e-4)


@pytest.mark.parametrize("seconds", [0.41, 1.234, 3.0, 3.26, 10.55])
def test_what_fills_no_whole_block_at_the_end_does_not_count(seconds: float) -> None:
    rate = 32_000
    sound = noise(rate, seconds, 1, 1)
    whole = math.floor(round(10 * seconds, 6)) * rate // 10
    assert integrated_loudness(sound, rate) == pytest.approx(integrated_loudness(sound[:whole], rate), abs=1e-6)


def test_a_sine_at_full_scale_is_where_the_norm_puts_it() -> None:
    sine = np.sin(2 * np.pi * 997 * np.arange(96_000) / 48_000).astype(np.float32)[:, None]
    assert integrated_loudness(sine, 48_000) == pytest.approx(-3.01, abs=0.05)
    assert integrated_loudness(np.repeat(sine, 2, axis=1), 48_000) == pytest.approx(0.0, abs=0.05)


def test_silence_has_no_loudness() -> None:
    assert integrated_loudness(np.zeros((32_000, 2), np.float32), 32_000) == -math.inf
    assert integrated_loudness(np.full((32_000, 1), 1e-6, np.float32), 32_000) == -math.inf
