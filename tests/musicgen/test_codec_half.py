"""The codec in half precision: chosen where it is faster, near the reference, exact with the torch backend."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from musicgen import MusicGen
from musicgen.backends import obstacle
from musicgen.codec import codec_weights, fastest, in_half, open_decoder
from musicgen.codec.weights import Conv
from tests.musicgen.random_codec import ENCODEC_24KHZ, MUSICGEN_32KHZ, NANO, random_codec
from tests.musicgen.tiny import tiny_checkpoint

LARGE = {**MUSICGEN_32KHZ, "num_filters": 64, "hidden_size": 128}


@pytest.fixture
def tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor that multiplies tiles of float16."""
    monkeypatch.setattr("musicgen.codec.half.has_tiles", lambda: True)
    monkeypatch.setattr("musicgen.codec.half.multiplies_natively", lambda dtype: True)


def test_the_large_codec_is_decoded_in_half_precision_where_that_is_faster(tiles: None) -> None:
    weights = fastest(codec_weights(random_codec(**LARGE)))
    assert weights.table.dtype == torch.float16
    last = weights.layers[-1]
    assert isinstance(last, Conv) and last.matrix.weight.dtype == torch.float32  # samples are not rounded


def test_elsewhere_it_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("musicgen.codec.half.has_tiles", lambda: False)
    weights = codec_weights(random_codec(**LARGE))
    assert fastest(weights) is weights


def test_a_small_codec_stays_as_it_is(tiles: None) -> None:
    weights = codec_weights(random_codec(**NANO, num_filters=16, hidden_size=64))
    assert fastest(weights) is weights
    double = codec_weights(random_codec(**LARGE, dtype=torch.float64))
    assert fastest(double) is double


@pytest.mark.parametrize("config", [MUSICGEN_32KHZ, ENCODEC_24KHZ, NANO], ids=["musicgen", "24 kHz", "nano"])
def test_it_is_the_codec_that_was_laid_out_in_half_precision(config: dict[str, Any]) -> None:
    model = random_codec(**{**config, "num_filters": 8, "hidden_size": 32})
    given, expected = in_half(codec_weights(model)), codec_weights(model, dtype=torch.float16)
    codes = torch.randint(0, expected.codebook_size, (expected.codebooks, 30))
    np.testing.assert_array_equal(open_decoder(given).decode(codes), open_decoder(expected).decode(codes))


@pytest.mark.skipif(bool(obstacle("native")), reason="needs the native backend")
def test_fast_backends_take_it_and_torch_stays_exact(
    tmp_path: Path, tiles: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the native library cannot decode the codec. The same frames through both: 50 dB apart at the least."""
    monkeypatch.setattr("musicgen.model.native_refusal", lambda weights: "not here")
    folder = tiny_checkpoint(tmp_path, filters=64, heads=1, hidden=64)
    exact, fast = (MusicGen.load(str(folder), backend=name) for name in ("torch", "native"))
    assert (exact.codec.table.dtype, fast.codec.table.dtype) == (torch.float32, torch.float16)
    frames = np.random.default_rng(0).integers(0, 64, (4, 50))
    reference, heard = (open_decoder(model.codec).decode(frames) for model in (exact, fast))
    noise = heard - reference
    assert 10 * np.log10(np.square(reference).mean() / np.square(noise).mean()) >= 50
