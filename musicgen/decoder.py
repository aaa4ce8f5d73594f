"""The transformer's weights, laid out for single steps: numpy's arrays, or tensors where torch is to compute.

The architecture is transformers' ``MusicgenForCausalLM`` (pre-norm, sinusoidal positions, self-attention,
cross-attention to the prompt, feed-forward; biases only in the norms). What computes with it is a backend, see
:mod:`musicgen.backends`.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicgen.arrays import Array
from musicgen.score import ScoreEmbedding

Prompt = Any
"""What cross-attention needs of a prompt in every layer, as the backend that made it keeps it."""

Prompts = tuple[Prompt | None, Prompt | None]
"""Of the conditional and the null row. None: no prompt. Its keys and values would be zero, and so would be what
cross-attention adds: it is skipped. Decoders without cross-attention have (None, None)."""

ACTIVATIONS = ("gelu", "relu", "silu")
"""Of feed-forward layers, as transformers' configurations call them."""


@dataclass(frozen=True)
class CrossWeights:
    """One layer's cross-attention to the prompt. d: hidden size."""

    norm: tuple[Array, Array]  # scale (d,), shift (d,)
    q: Array  # (d, d)
    kv: Array  # (d, 2 d): keys and values of a prompt's states
    out: Array  # (d, d)


@dataclass(frozen=True)
class LayerWeights:
    """One layer. d: hidden size, f: feed-forward size."""

    self_norm: tuple[Array, Array]  # scale (d,), shift (d,)
    qkv: Array  # (d, 3 d): queries, keys, values
    self_out: Array  # (d, d)
    cross: CrossWeights | None  # None in a decoder that is conditioned by a prefix, as the melody models' are
    feed_norm: tuple[Array, Array]
    feed_in: Array  # (d, f)
    feed_out: Array  # (f, d)


@dataclass(frozen=True)
class DecoderWeights:
    """A MusicGen decoder. Immutable. Matrices are (in, out).

    All of it is numpy's, float32, or all of it tensors, of the device and the type that it is to compute on.

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
        Of the feed-forward layers, one of :data:`ACTIVATIONS`.
    head_count
        Attention heads.
    """

    embed: Array
    offsets: Array
    positions: Array
    layers: tuple[LayerWeights, ...]
    norm: tuple[Array, Array]
    heads: Array
    activation: str
    head_count: int

    @property
    def hidden(self) -> int:
        """The hidden size d."""
        return int(self.embed.shape[1])

    @property
    def codebooks(self) -> int:
        """K."""
        return int(self.offsets.shape[0])

    @property
    def vocabulary(self) -> int:
        """V, without the padding token."""
        return int(self.heads.shape[1]) // self.codebooks

    @property
    def step_size(self) -> int:
        """Elements of the matrices that every step reads: what bounds its speed on a CPU."""
        layer = self.layers[0]
        parts = [layer.qkv, layer.self_out, layer.feed_in, layer.feed_out]
        if layer.cross is not None:
            parts += [layer.cross.q, layer.cross.out]
        return int(len(self.layers) * sum(math.prod(part.shape) for part in parts)) + self.heads_size

    @property
    def heads_size(self) -> int:
        """Those of the heads among them."""
        return int(math.prod(self.heads.shape))

    @property
    def device(self) -> str:
        """Where the weights are, as torch names it: "cpu", "cuda:0"."""
        return str(getattr(self.embed, "device", "cpu"))

    @property
    def dtype(self) -> Any:
        """Of the weights, numpy's or torch's."""
        return self.embed.dtype


@dataclass(frozen=True)
class Embedding:
    """What columns and scores are to a decoder, without positions, wherever its steps are computed.

    Attributes
    ----------
    table
        As in :class:`DecoderWeights`, float32.
    offsets
        See :class:`DecoderWeights`.
    score
        What is added for a score; None in a model that follows none.
    """

    table: NDArray[np.float32]
    offsets: NDArray[np.int64]
    score: ScoreEmbedding | None = None

    def __call__(self, columns: NDArray[np.int64]) -> NDArray[np.float32]:
        """Columns (..., K) to (..., d)."""
        embedded: NDArray[np.float32] = self.table[columns + self.offsets].sum(-2)
        return embedded


def sinusoids(count: int, size: int, scale: float = 1.0, period: float = 10_000.0) -> NDArray[np.float32]:
    """Position embeddings (count, size), float32: ``[cos | sin]`` with frequencies ``period ** (-i / (half - 1))``.

    To be cast only after it is built: in half precision the angles themselves would be wrong. The exponents and the
    angles are rounded to float32, as in transformers: the models were trained so. Scale and period are the published
    models'; AudioCraft can train others.
    """
    half = size // 2
    exponents = np.arange(half, dtype=np.float32) * np.float32(-(math.log(period) / (half - 1)))
    frequencies = np.exp(exponents.astype(np.float64)).astype(np.float32)
    angles = (np.arange(count, dtype=np.float32)[:, None] * frequencies).astype(np.float64)
    waves = np.concatenate([np.cos(angles), np.sin(angles), np.zeros((count, size % 2))], axis=1)
    embeddings: NDArray[np.float32] = waves.astype(np.float32) * np.float32(scale)
    return embeddings
