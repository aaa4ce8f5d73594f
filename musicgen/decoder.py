"""The transformer's weights, laid out for single steps.

The architecture is transformers' ``MusicgenForCausalLM`` (pre-norm, sinusoidal positions, self-attention,
cross-attention to the prompt, feed-forward; biases only in the norms). What computes with it is a backend, see
:mod:`musicgen.backends`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

Prompt = Any
"""What cross-attention needs of a prompt in every layer, as the backend that made it keeps it."""

Prompts = tuple[Prompt | None, Prompt | None]
"""Of the conditional and the null row. None: no prompt. Its keys and values would be zero, and so would be what
cross-attention adds: it is skipped. Decoders without cross-attention have (None, None)."""

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"gelu": F.gelu, "relu": F.relu, "silu": F.silu}
"""Of feed-forward layers, by their names in transformers' configurations."""


@dataclass(frozen=True)
class CrossWeights:
    """One layer's cross-attention to the prompt. d: hidden size."""

    norm: tuple[Tensor, Tensor]  # scale (d,), shift (d,)
    q: Tensor  # (d, d)
    kv: Tensor  # (d, 2 d): keys and values of a prompt's states
    out: Tensor  # (d, d)


@dataclass(frozen=True)
class LayerWeights:
    """One layer. d: hidden size, f: feed-forward size."""

    self_norm: tuple[Tensor, Tensor]  # scale (d,), shift (d,)
    qkv: Tensor  # (d, 3 d): queries, keys, values
    self_out: Tensor  # (d, d)
    cross: CrossWeights | None  # None in a decoder that is conditioned by a prefix, as the melody models' are
    feed_norm: tuple[Tensor, Tensor]
    feed_in: Tensor  # (d, f)
    feed_out: Tensor  # (f, d)


@dataclass(frozen=True)
class DecoderWeights:
    """A MusicGen decoder. Immutable. Matrices are (in, out).

    Attributes
    ----------
    embed
        (K * (V + 1), d): the codebooks' embeddings one below the other, the padding token last in each.
    offsets
        (K,) int64: the first row of each codebook in ``embed``.
    positions
        (P, d), see :func:`sinusoids`.
    layers
        Of the transformer.
    norm
        Scale and shift of the last norm.
    heads
        (d, K * V): the codebooks' output layers side by side.
    activation
        Of the feed-forward layers.
    head_count
        Attention heads.
    """

    embed: Tensor
    offsets: Tensor
    positions: Tensor
    layers: tuple[LayerWeights, ...]
    norm: tuple[Tensor, Tensor]
    heads: Tensor
    activation: Callable[[Tensor], Tensor]
    head_count: int

    @property
    def hidden(self) -> int:
        """The hidden size d."""
        return self.embed.shape[1]

    @property
    def codebooks(self) -> int:
        """K."""
        return self.offsets.shape[0]

    @property
    def vocabulary(self) -> int:
        """V, without the padding token."""
        return self.heads.shape[1] // self.codebooks

    @property
    def step_size(self) -> int:
        """Elements of the matrices that every step reads: what bounds its speed on a CPU."""
        layer = self.layers[0]
        parts = [layer.qkv, layer.self_out, layer.feed_in, layer.feed_out]
        if layer.cross is not None:
            parts += [layer.cross.q, layer.cross.out]
        return len(self.layers) * sum(part.numel() for part in parts) + self.heads.numel()

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embed.device

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights."""
        return self.embed.dtype


@dataclass(frozen=True)
class Embedding:
    """What columns are to a decoder, without positions. The tables are the decoder's own.

    Attributes
    ----------
    table, offsets
        See :class:`DecoderWeights`.
    """

    table: Tensor
    offsets: Tensor

    def __call__(self, columns: NDArray[np.int64]) -> Tensor:
        """Columns (..., K) to (..., d)."""
        return F.embedding(torch.from_numpy(columns).to(self.table.device) + self.offsets, self.table).sum(-2)


def embed(weights: DecoderWeights, columns: Tensor) -> Tensor:
    """What columns (..., K) int64 are to the decoder, without positions: (..., d)."""
    return F.embedding(columns + weights.offsets, weights.embed).sum(-2)


def sinusoids(count: int, size: int, scale: float = 1.0, period: float = 10_000.0) -> Tensor:
    """Position embeddings (count, size), float32: ``[cos | sin]`` with frequencies ``period ** (-i / (half - 1))``.

    To be cast only after it is built: in half precision the angles themselves would be wrong. Scale and period are the
    published models'; AudioCraft can train others.
    """
    half = size // 2
    frequencies = torch.exp(torch.arange(half).float() * -(math.log(period) / (half - 1)))
    angles = torch.arange(count).float()[:, None] * frequencies
    return F.pad(scale * torch.cat([angles.cos(), angles.sin()], dim=1), (0, size % 2))
