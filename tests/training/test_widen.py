"""A widened codec has the same codes and plays the same, and learns with all of its channels."""

import numpy as np
import torch

from musicgen import MusicGen  # noqa: F401 (before transformers)

# isort: split
from transformers import EncodecModel

from training import codec
from training.widen import widen


def test_the_same_codes_the_same_sound_and_twice_the_channels() -> None:
    torch.manual_seed(0)
    old = EncodecModel(codec.codec_config(4)).train(False)
    for book in codec.codebooks(old):
        book.embed.normal_()
    new = widen(old)
    audio = torch.from_numpy(np.random.default_rng(0).normal(0, 0.1, (2, 20 * codec.HOP)).astype(np.float32))
    codes = codec.encode(old, audio)
    assert torch.equal(codec.encode(new, audio), codes)
    before = codec.decode(old, codes)
    torch.testing.assert_close(codec.decode(new, codes), before, atol=1e-5 * float(before.abs().max()), rtol=1e-4)
    assert new.config.num_filters == 8
    played = codec.run(new.decoder.layers, codec.look_up(new, codes).mT)
    torch.autograd.backward(played.square().mean())
    kernels = [
        p.grad for name, p in new.decoder.named_parameters() if name.endswith("original1") and p.grad is not None
    ]
    halves = [g.chunk(2, 1) for g in kernels if g.shape[1] % 2 == 0]
    assert halves and all(not torch.allclose(a, b) for a, b in halves), "twins that learn the same stay twins"


def test_all_of_it_is_finite() -> None:
    """Where a kernel is zero, its weight norm has no direction."""
    new = widen(EncodecModel(codec.codec_config(4)).train(False))
    parameters = [value for value in new.state_dict().values() if value.is_floating_point()]
    assert all(bool(value.isfinite().all()) for value in parameters)
    weights = [m.weight for m in new.encoder.modules() if isinstance(m, torch.nn.Conv1d)]
    assert all(bool(weight.isfinite().all()) for weight in weights)
