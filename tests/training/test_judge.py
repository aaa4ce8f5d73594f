"""How the evaluation listens: to signals whose tempo, notes and likeness are known."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from training import judge
from training.codec import RATE

Audio = NDArray[np.float32]


def clicks(bpm: float, seconds: float = 10.0) -> Audio:
    """A short burst of noise on every beat, a soft one between."""
    rng = np.random.default_rng(0)
    audio = 0.001 * rng.standard_normal(int(seconds * RATE))
    for beat in np.arange(0, seconds - 0.1, 30 / bpm):
        start = round(beat * RATE)
        loud = 0.5 if round(beat * bpm / 30) % 2 == 0 else 0.1
        audio[start : start + 800] += loud * rng.standard_normal(800) * np.exp(-np.arange(800) / 200)
    return audio.astype(np.float32)


def chord(pitches: tuple[int, ...], seconds: float = 4.0) -> Audio:
    t = np.arange(int(seconds * RATE)) / RATE
    tones = [np.sin(2 * np.pi * 440 * 2 ** ((p - 69) / 12) * t) for p in pitches]
    mixed: Audio = (0.1 * np.sum(tones, 0)).astype(np.float32)
    return mixed


@settings(max_examples=12)
@given(st.floats(60, 177))  # the composer's fastest beat is 176.5; at 180 every third beat is a tempo of the grid too
def test_hears_the_tempo_of_a_click_track(bpm: float) -> None:
    assert judge.same_tempo(judge.tempo_of(clicks(bpm)), bpm)


@pytest.mark.parametrize(("estimate", "right"), [(120, True), (60, True), (240, True), (116, True), (110, False)])
def test_tempo_counts_within_four_percent_and_an_octave_off(estimate: float, right: bool) -> None:
    assert judge.same_tempo(estimate, 120) is right


def test_a_beat_is_stronger_than_none() -> None:
    noise = np.random.default_rng(1).standard_normal(10 * RATE).astype(np.float32) * 0.1
    assert judge.pulse(clicks(100)) > 0.6
    assert judge.pulse(noise) < 0.3


def test_chroma_names_the_notes_of_each_register() -> None:
    low, high = judge.chroma(chord((45, 60, 64, 67)))  # A2 below, C major above
    assert int(low.argmax()) == 9
    assert sorted(high.topk(3).indices.tolist()) == [0, 4, 7]


def test_key_profiles_learnt_in_some_keys_know_the_others() -> None:
    major, minor = (48, 60, 64, 67, 65, 71), (48, 60, 63, 67, 65, 70)
    examples = [judge.chroma(chord(tuple(p + tonic for p in scale))) for scale in (major, minor) for tonic in (0, 4, 9)]
    profiles = judge.fit_key(torch.stack(examples), torch.tensor([0, 4, 9, 12, 16, 21]))
    unheard = [judge.chroma(chord(tuple(p + 6 for p in scale))) for scale in (major, minor)]
    assert profiles(torch.stack(unheard)).argmax(1).tolist() == [6, 18]


def test_a_network_tells_what_it_was_fitted_to_tell() -> None:
    generator = torch.Generator().manual_seed(0)
    examples = torch.randn(400, 20, generator=generator)
    classes = (examples[:, 0] > 0).long() + 2 * (examples[:, 1] > 0).long()
    present = (examples[:, :3] > 0).float()
    fresh = torch.randn(200, 20, generator=generator)
    right = (fresh[:, 0] > 0).long() + 2 * (fresh[:, 1] > 0).long()
    one = judge.fit(examples, classes, 4, 0)
    assert float((one(fresh).argmax(1) == right).float().mean()) > 0.8
    many = judge.fit(examples, present, 3, 0)
    assert float(((many(fresh) > 0) == (fresh[:, :3] > 0)).float().mean()) > 0.8


def test_frechet_distance_of_known_gaussians() -> None:
    generator = torch.Generator().manual_seed(0)
    standard = torch.randn(20000, 3, generator=generator)
    shifted = 2 * torch.randn(20000, 3, generator=generator) + torch.tensor([3.0, 0.0, 0.0])
    assert judge.frechet(standard, standard) == pytest.approx(0, abs=1e-6)
    # |mean|^2 + sum of (sigma_a - sigma_b)^2 = 9 + 3
    assert judge.frechet(standard, shifted) == pytest.approx(12, rel=0.03)
