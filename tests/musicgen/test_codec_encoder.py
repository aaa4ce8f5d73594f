"""The encoder in the native library hears what transformers' does, whatever the chunks."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from transformers import EncodecModel

from musicgen import MusicGen
from musicgen.backends import native_step
from musicgen.codec import NativeEncoder, read_encoder
from musicgen.library import library_path
from musicgen.load.tensors import Tensors
from tests.musicgen.codec_schedules import configs
from tests.musicgen.random_codec import MUSICGEN_32KHZ, NANO, random_codec
from tests.musicgen.tiny import tiny_checkpoint

if library_path() is None:
    pytest.skip("the native backend was not built: no C++ compiler", allow_module_level=True)

KERNELS = native_step.kernels()
FULL: dict[str, dict[str, Any]] = {
    "musicgen": {**MUSICGEN_32KHZ, "num_filters": 64, "hidden_size": 128},
    "nano": {**NANO, "num_filters": 32, "hidden_size": 64},
}

Floats = NDArray[np.float32]


def encoder_of(model: EncodecModel, kernels: str | None = None) -> NativeEncoder:
    weights = read_encoder(model.config.to_dict(), Tensors(model.state_dict()), len(model.quantizer.layers))
    return NativeEncoder(weights, kernels=kernels)


def noise(model: EncodecModel, frames: int) -> Floats:
    """A sound of so many frames."""
    samples = frames * int(np.prod(model.config.upsampling_ratios))
    return np.random.default_rng(frames).normal(size=samples).astype(np.float32)


def heard_whole(model: EncodecModel, sound: Floats) -> Floats:
    """By transformers: (frames, features)."""
    with torch.inference_mode():
        heard: Floats = model.encoder(torch.from_numpy(sound)[None, None])[0].T.numpy()
    return heard


def heard(encoder: NativeEncoder, sound: Floats, schedule: list[int]) -> Floats:
    """In chunks of so many samples, what is left over as the last one."""
    state = encoder.new_state()
    bounds = [0, *(min(bound, len(sound)) for bound in itertools.accumulate(schedule))]
    parts = [encoder.hear(state, sound[start:end]) for start, end in itertools.pairwise(bounds)]
    return np.concatenate([*parts, encoder.hear(state, sound[bounds[-1] :], final=True)])


@settings(max_examples=100, deadline=None)
@given(
    config=configs(),
    frames=st.integers(1, 12),
    schedule=st.lists(st.integers(0, 400), max_size=6),
    kernels=st.sampled_from(KERNELS),
    seed=st.integers(0, 99),
)
def test_any_encoder_in_any_chunks_hears_what_the_whole_clip_is(
    config: dict[str, Any], frames: int, schedule: list[int], kernels: str, seed: int
) -> None:
    model = random_codec(seed, **{**config, "audio_channels": 1})
    sound, encoder = noise(model, frames), encoder_of(model, kernels)
    expected, own = heard_whole(model, sound), heard(encoder, sound, schedule)
    assert own.shape == expected.shape
    level = max(0.1, float(np.sqrt(np.square(expected).mean())))
    assert np.abs(own - expected).max() <= 2e-5 * level
    np.testing.assert_array_equal(heard(encoder, sound, []), own)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("name", FULL)
def test_encoders_of_full_size_are_exact(name: str, kernels: str) -> None:
    model = random_codec(**FULL[name])
    sound = noise(model, 10)
    expected, own = heard_whole(model, sound), heard(encoder_of(model, kernels), sound, [100, 4000])
    assert np.abs(own - expected).max() <= 2e-5 * np.sqrt(np.square(expected).mean())


def test_each_code_is_the_nearest_to_what_those_before_it_left() -> None:
    model = random_codec(**NANO, num_filters=4, hidden_size=24)
    sound, encoder = noise(model, 60), encoder_of(model)
    codes, rest = encoder.encode(sound[:, None]), heard_whole(model, sound).astype(np.float64)
    assert codes.shape == (len(model.quantizer.layers), 60)
    quantizers: Any = model.quantizer.layers
    for own, quantizer in zip(codes, quantizers, strict=True):
        table = quantizer.codebook.embed.numpy().astype(np.float64)
        distances = np.linalg.norm(rest[:, None] - table, axis=2)
        chosen = distances[np.arange(60), own]
        assert (chosen <= distances.min(1) * (1 + 1e-4)).all()
        rest = rest - table[own]


@pytest.mark.parametrize("channels", [1, 2])
def test_a_native_model_hears_the_frames_that_the_reference_hears(tmp_path: Path, channels: int) -> None:
    """The last frame is filled up with silence."""
    folder = str(tiny_checkpoint(tmp_path, channels=channels, heads=1))
    native, reference = (MusicGen.load(folder, backend=name, threads=1) for name in ("native", "torch"))
    time = np.arange(20 * native.hop + 7)[:, None] / native.sample_rate
    sound = (0.3 * np.sin(2 * np.pi * 220 * time) * [1.0, 0.7][:channels]).astype(np.float32)
    own, expected = native.encode(sound), reference.encode(sound)
    assert own.shape == expected.shape == (native.codebooks, 21)
    assert (own == expected).mean() > 0.95  # where two entries are as near, rounding may choose
    filled = np.concatenate([sound, np.zeros((native.hop - 7, channels), np.float32)])
    np.testing.assert_array_equal(native.encode(filled), own)


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="only Linux says what a process maps")
def test_what_was_read_of_the_file_of_weights_is_given_back(tmp_path: Path) -> None:
    model = MusicGen.load(str(tiny_checkpoint(tmp_path, heads=1)), backend="native", threads=1)

    def mapped() -> int:
        return Path("/proc/self/maps").read_text(encoding="utf-8").count(str(tmp_path))

    before = mapped()
    model.encode(np.zeros((4 * model.hop, 1), np.float32))
    assert mapped() == before
