"""Levels of a finished piece, against the definitions of AudioCraft's `audio_write`."""

from __future__ import annotations

import musicgen  # noqa: F401  (first: it makes torchaudio importable beside any torch)

# isort: split
import numpy as np
import pytest
import torch
import torchaudio
from hypothesis import given
from hypothesis import strategies as st

from streamer.sound.dynamics import Samples
from streamer.sound.normalise import STRATEGIES, clip, loudness, none, peak, rms

RATE = 32_000


def music(level: float, channels: int = 2, seconds: float = 1.0) -> Samples:
    """Noise with a beat, louder left than right."""
    time = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(0).standard_normal((len(time), channels))
    beat = 0.2 + np.abs(np.sin(2 * np.pi * time))[:, None]
    return (level * noise * beat * np.linspace(1.0, 0.5, channels)).astype(np.float32)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("level", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("compressor", [False, True])
def test_loudness_is_that_of_torchaudios_meter(channels: int, level: float, compressor: bool) -> None:
    """AudioCraft: gain to -14 LKFS by torchaudio's Loudness, tanh with the compressor, then clipping."""
    sound = torch.from_numpy(music(level, channels).T)
    measured = torchaudio.transforms.Loudness(RATE)(sound).item()
    expected = sound * 10 ** ((-14 - measured) / 20)
    expected = (torch.tanh(expected) if compressor else expected).clamp(-1, 1)
    np.testing.assert_allclose(loudness(music(level, channels), RATE, compressor), expected.numpy().T, atol=0.005)


def test_what_is_nearly_silent_is_not_blown_up() -> None:
    np.testing.assert_array_equal(loudness(music(0.001), RATE), music(0.001))


@pytest.mark.parametrize("level", [1e-4, 0.1, 3.0])
def test_the_peak_is_1_db_below_full_scale(level: float) -> None:
    shaped = peak(music(level), RATE)
    assert np.abs(shaped).max() == pytest.approx(10 ** (-1 / 20), rel=1e-5)
    np.testing.assert_allclose(shaped / np.abs(shaped).max(), music(level) / np.abs(music(level)).max(), atol=1e-6)


def test_the_root_mean_square_of_the_mono_mix_is_18_db_below_full_scale() -> None:
    shaped = rms(music(0.01), RATE)
    assert np.sqrt(np.mean(shaped.mean(axis=1) ** 2)) == pytest.approx(10 ** (-18 / 20), rel=1e-3)


def test_clip_cuts_at_1_db_below_full_scale_and_changes_nothing_else() -> None:
    sound, limit = music(0.3), 10 ** (-1 / 20)
    np.testing.assert_allclose(clip(sound, RATE), np.clip(sound, -limit, limit), atol=1e-7)
    np.testing.assert_array_equal(none(music(0.1), RATE), music(0.1))


@given(st.sampled_from(sorted(STRATEGIES)), st.integers(0, 3000), st.sampled_from([0.0, 1e-6, 0.5, 40.0]))
def test_any_sound_ends_up_within_full_scale(name: str, samples: int, level: float) -> None:
    """Silence, a few samples and nothing at all too."""
    shaped = STRATEGIES[name](music(level, seconds=samples / RATE), RATE)
    assert shaped.shape == (samples, 2)
    assert shaped.dtype == np.float32
    assert np.isfinite(shaped).all()
    assert np.abs(shaped).max(initial=0.0) <= 1.0
