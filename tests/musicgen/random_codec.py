"""EnCodec models with random weights that any error of a streaming decoder shows on, and the whole decode as oracle."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized
from transformers import EncodecConfig, EncodecModel

# The codecs of the MusicGen checkpoints and of nano, and EnCodec's own two, in everything but the numbers of features.
FRAMES_50HZ: dict[str, Any] = {"sampling_rate": 32000, "upsampling_ratios": [8, 5, 4, 4], "target_bandwidths": [2.0]}
MUSICGEN_32KHZ: dict[str, Any] = {**FRAMES_50HZ, "use_causal_conv": False, "use_conv_shortcut": False}
NANO: dict[str, Any] = {**FRAMES_50HZ, "use_causal_conv": True, "pad_mode": "constant", "num_lstm_layers": 1}
ENCODEC_24KHZ: dict[str, Any] = {"sampling_rate": 24000, "upsampling_ratios": [8, 5, 4, 2], "target_bandwidths": [3.0]}
ENCODEC_48KHZ: dict[str, Any] = {
    "sampling_rate": 48000,
    "upsampling_ratios": [8, 5, 4, 2],
    "target_bandwidths": [3.0],
    "audio_channels": 2,
    "chunk_length_s": 1.0,
    "overlap": 0.01,
    "normalize": True,
    "norm_type": "time_group_norm",
    "use_causal_conv": False,
}
SMALL: dict[str, Any] = {"num_filters": 2, "hidden_size": 8}


def random_codec(
    seed: int = 0, *, forget_bias: float = 0.0, dtype: torch.dtype = torch.float32, **config: Any
) -> EncodecModel:
    """An EnCodec whose activations stay between 1 and 5 in every layer, so that each one's ELU, edges and memory count.

    transformers' own initialisation leaves the codebooks at zero. ``forget_bias`` is added to the LSTM's forget gates:
    +1 makes its memory several times longer.
    """
    torch.manual_seed(seed)
    model: Any = EncodecModel(EncodecConfig(**config))
    model.eval().requires_grad_(False)
    for quantizer in model.quantizer.layers:
        quantizer.codebook.embed.normal_(std=len(model.quantizer.layers) ** -0.5)
    for module in (*model.decoder.modules(), *model.encoder.modules()):
        if isinstance(module, nn.Conv1d | nn.ConvTranspose1d):
            _randomise(module)
        elif isinstance(module, nn.LSTM):
            _sharpen(module, forget_bias)
        elif isinstance(module, nn.GroupNorm):
            module.weight.uniform_(0.5, 1.5)
            module.bias.normal_(0, 0.1)
    result: EncodecModel = model.to(dtype)
    return result


def _randomise(conv: Any) -> None:
    stride = conv.stride[0] if isinstance(conv, nn.ConvTranspose1d) else 1
    weight = torch.randn_like(conv.weight)
    weight *= stride**0.5 / weight.flatten(1).norm(dim=1)[:, None, None]
    if is_parametrized(conv, "weight"):
        conv.weight = weight  # weight norm takes it apart
    else:
        conv.weight.copy_(weight)
    conv.bias.normal_(0, 0.1)


def _sharpen(lstm: nn.LSTM, forget_bias: float) -> None:
    size = lstm.hidden_size
    for layer in range(lstm.num_layers):
        getattr(lstm, f"weight_ih_l{layer}").mul_(2)
        getattr(lstm, f"bias_ih_l{layer}")[size : 2 * size] += forget_bias


def random_codes(model: EncodecModel, frames: int, *, channels: int = 1, seed: int = 0) -> Tensor:
    """int64 (channels * codebooks, frames)."""
    generator = torch.Generator().manual_seed(seed)
    shape = (channels * len(model.quantizer.layers), frames)
    return torch.randint(0, model.config.codebook_size, shape, generator=generator)


@torch.no_grad()
def whole_decode(model: EncodecModel, codes: Tensor) -> Tensor:
    """transformers' decode of a clip in one piece: (codebooks, frames) -> (samples, channels)."""
    decode: Any = model.decode
    audio: Tensor = decode(codes[None, None], [None]).audio_values[0].mT
    return audio


def relative_error(audio: Tensor, expected: Tensor) -> float:
    """The largest difference, relative to the RMS of what is expected."""
    assert audio.shape == expected.shape
    return float((audio - expected).abs().max() / expected.square().mean().sqrt())
