"""The codec's training forward is the shipped model's own, causal, and its codebooks come alive."""

from typing import Any

import numpy as np
import pytest
import torch
from transformers import EncodecModel

from training import codec


@pytest.fixture(scope="module")
def model() -> Any:
    torch.manual_seed(0)
    model: Any = EncodecModel(codec.codec_config(8)).train(False)
    for book in codec.codebooks(model):
        book.embed.normal_()
    return model


@torch.no_grad()
@pytest.mark.parametrize("samples", [640, 20480, 20483])
def test_fast_forward_equals_transformers(model: Any, samples: int) -> None:
    audio = torch.randn(2, 1, samples)
    latents = codec.run(model.encoder.layers, audio)
    torch.testing.assert_close(latents, model.encoder(audio), atol=1e-5, rtol=1e-4)
    hidden = torch.randn(2, codec.WIDTH, latents.shape[-1])
    torch.testing.assert_close(codec.run(model.decoder.layers, hidden), model.decoder(hidden), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_codes_and_audio_equal_transformers(model: Any) -> None:
    codes = torch.randint(codec.CODES, (2, codec.CODEBOOKS, 9))
    theirs = model.decode(codes[None], [None]).audio_values[:, 0]
    torch.testing.assert_close(codec.decode(model, codes), theirs, atol=1e-5, rtol=1e-4)
    audio = torch.randn(2, 6400) * 0.1
    same = codec.encode(model, audio) == model.encode(audio[:, None]).audio_codes[0]
    assert same[:, 0].float().mean() > 0.9  # bfloat16 may move a latent across a border, no more


@torch.no_grad()
@pytest.mark.parametrize("frames", [1, 200, 401])
def test_encoding_by_blocks_changes_nothing(model: Any, frames: int) -> None:
    audio = torch.randn(2, frames * codec.HOP - 7)
    whole = codec.run(model.encoder.layers, audio[:, None])
    torch.testing.assert_close(codec.latents(model, audio), whole, atol=1e-4, rtol=1e-3)


@torch.no_grad()
def test_no_future_frame_changes_a_sample(model: Any) -> None:
    codes = torch.randint(codec.CODES, (1, codec.CODEBOOKS, 12))
    other = codes.clone()
    other[..., 8:] = torch.randint(codec.CODES, (1, codec.CODEBOOKS, 4))
    whole, changed = codec.decode(model, codes), codec.decode(model, other)
    torch.testing.assert_close(whole[:, : 8 * codec.HOP], changed[:, : 8 * codec.HOP])
    assert not torch.equal(whole, changed)


def test_quantizer_learns_clusters_and_revives_dead_codes(model: Any) -> None:
    generator = torch.Generator().manual_seed(0)
    centres = torch.randn(500, codec.WIDTH, generator=generator) * 3

    def latents() -> torch.Tensor:
        picked = centres[torch.randint(500, (8 * 64,), generator=generator)]
        return (picked + 0.05 * torch.randn(picked.shape, generator=generator)).view(8, 64, codec.WIDTH).mT

    quantizer = codec.Quantizer(model)
    quantizer.start(torch.cat([latents().mT.reshape(-1, codec.WIDTH) for _ in range(8)]), seed=0)
    all_stages = torch.full((8,), codec.CODEBOOKS)
    quantizer.books[0].embed_avg[:400] = 100.0
    quantizer.books[0].embed[:400] = 100.0
    quantizer.books[0].cluster_size[:400] = 0.0
    for _ in range(30):
        x = latents()
        y, _, _ = quantizer(x, all_stages, generator)
    assert float((y - x).pow(2).mean() / x.pow(2).mean()) < 0.05
    assert float(quantizer.books[0].embed.abs().max()) < 50


def test_gradients_pass_straight_through(model: Any) -> None:
    quantizer = codec.Quantizer(model)
    x = torch.randn(2, codec.WIDTH, 5, requires_grad=True)
    y, _, _ = quantizer(x, torch.tensor([1, 4]), torch.Generator().manual_seed(0))
    torch.autograd.backward(y.sum())
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), 1.0)


def test_a_turned_crop_sounds_the_same_and_looks_different() -> None:
    t = torch.arange(codec.CROP) / codec.RATE
    audio = torch.stack([torch.sin(2 * torch.pi * hertz * t) for hertz in (55.0, 440.0, 3000.0)])
    turned = codec.turn(audio, np.random.default_rng(3))
    magnitudes, others = (torch.fft.rfft(x).abs() for x in (audio, turned))
    torch.testing.assert_close(others[:, 1:-1], magnitudes[:, 1:-1], atol=1e-2, rtol=1e-3)
    assert float((turned - audio).abs().mean()) > 0.1


def test_training_draws_the_latents_of_turned_crops_together() -> None:
    torch.manual_seed(0)
    model = EncodecModel(codec.codec_config(4)).train()
    opts, quantizer = codec.optimizers(model), codec.Quantizer(model)
    audio = 0.3 * torch.randn(4, codec.CROP)
    unsteady = []
    for step in range(12):
        for optimizer in opts:
            optimizer.zero_grad()
        parts = codec.train_step(model, quantizer, audio, np.random.default_rng(step), quantize=False)
        unsteady.append(float(parts["unsteady"]))
        for optimizer in opts:
            optimizer.step()
    assert np.mean(unsteady[-3:]) < 0.5 * np.mean(unsteady[:3])
