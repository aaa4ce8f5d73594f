"""Half precision: which codecs decode faster in it, on which machines, and how they get there."""

from __future__ import annotations

import torch

from musicgen.codec.matrix import multiplies_natively
from musicgen.codec.tensors import in_torch
from musicgen.codec.weights import CodecWeights, size_in_bytes

# Bytes of float32 weights. Smaller ones fit the caches, and half precision only adds conversions: nano has 5 MiB, the
# 32 kHz codec of Meta's checkpoints 108.
LARGE = 64 * 1024 * 1024


def fastest(weights: CodecWeights) -> CodecWeights:
    """The same codec in float16 where that decodes faster here, else as it is.

    The answer depends on the codec and the processor alone, never on a measurement, so that a seed gives the same
    samples every time. That a processor multiplies float16 is not enough: with AVX-512 alone a frame takes up to 1.5
    times as long as in float32, see docs/codec.md.
    """
    large = size_in_bytes(weights) >= LARGE
    usual = weights.device == "cpu" and weights.table.dtype == torch.float32
    return in_half(weights) if large and usual and has_tiles() and multiplies_natively(torch.float16) else weights


def has_tiles() -> bool:
    """Whether the processor multiplies whole tiles of float16 at once (AMX-FP16)."""
    ask = getattr(torch.cpu, "_is_amx_fp16_supported", None)  # torch has it since 2.7
    return bool(ask is not None and ask())


def in_half(weights: CodecWeights) -> CodecWeights:
    """The same codec in float16, its last layer excepted, see :func:`musicgen.codec.tensors.in_torch`."""
    return in_torch(weights, weights.device, torch.float16)
