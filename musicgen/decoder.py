"""The transformer: one 50 Hz step, a function of weights, cache, column and prompt.

The architecture is transformers' ``MusicgenForCausalLM`` (pre-norm, sinusoidal positions, self-attention,
cross-attention to the prompt, feed-forward; biases only in the norms), with the weights laid out for single steps.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from musicgen.cache import Cache, StreamingPolicy


@dataclass(frozen=True)
class LayerWeights:
    """One layer. d: hidden size, f: feed-forward size."""

    self_norm: tuple[Tensor, Tensor]  # scale (d,), shift (d,)
    qkv: Tensor  # (d, 3 d): queries, keys, values
    self_out: Tensor  # (d, d)
    cross_norm: tuple[Tensor, Tensor]
    cross_q: Tensor  # (d, d)
    cross_out: Tensor  # (d, d)
    feed_norm: tuple[Tensor, Tensor]
    feed_in: Tensor  # (d, f)
    feed_out: Tensor  # (f, d)


@dataclass(frozen=True)
class DecoderWeights:
    """A MusicGen decoder. Immutable, shared by any number of streams. Matrices are (in, out).

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
    cross_kv
        (layers, d, 2 d): keys and values of a prompt, see :func:`prompt_kv`.
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
    cross_kv: Tensor
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
    def step_size(self) -> int:
        """Elements of the matrices that every step reads: what bounds its speed on a CPU."""
        layer = self.layers[0]
        parts = (layer.qkv, layer.self_out, layer.cross_q, layer.cross_out, layer.feed_in, layer.feed_out)
        return len(self.layers) * sum(part.numel() for part in parts) + self.heads.numel()

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.embed.device


def sinusoids(count: int, size: int) -> Tensor:
    """Position embeddings (count, size), float32: ``[cos | sin]`` with frequencies ``10000 ** (-i / (half - 1))``.

    To be cast only after it is built: in half precision the angles themselves would be wrong.
    """
    half = size // 2
    frequencies = torch.exp(torch.arange(half).float() * -(math.log(10000) / (half - 1)))
    angles = torch.arange(count).float()[:, None] * frequencies
    return F.pad(torch.cat([angles.cos(), angles.sin()], dim=1), (0, size % 2))


def new_cache(weights: DecoderWeights, policy: StreamingPolicy) -> Cache:
    """An empty cache for one stream of this decoder."""
    heads = weights.head_count
    size = weights.hidden // heads
    return Cache(len(weights.layers), heads, size, policy, device=weights.device, dtype=weights.embed.dtype)


@torch.inference_mode()
def prompt_kv(weights: DecoderWeights, states: Tensor) -> Tensor:
    """Keys and values that a prompt's states have in every layer's cross-attention, computed once a prompt.

    Parameters
    ----------
    states
        (S, d)

    Returns
    -------
    Tensor
        (layers, 2, 1, heads, S, head size)
    """
    layers = weights.cross_kv.shape[0]
    kv = torch.matmul(states.to(weights.device, weights.embed.dtype), weights.cross_kv)
    kv = kv.view(layers, states.shape[0], 2, 1, weights.head_count, -1)
    return kv.permute(0, 2, 3, 4, 1, 5).contiguous()


def step(weights: DecoderWeights, cache: Cache, columns: Tensor, prompts: Sequence[Tensor | None]) -> Tensor:
    """One step: consume a column in every active lane of the cache, write its keys and values, predict the next.

    The cache is written at its positions; :meth:`Cache.advance` is the caller's.

    Parameters
    ----------
    columns
        (lanes, K) int64, for the active lanes in the cache's order.
    prompts
        For the conditional and the null row: keys and values from :func:`prompt_kv`, or None for no prompt. Without
        one, keys and values would be zero, and so would be what cross-attention adds: it is skipped.

    Returns
    -------
    Tensor
        Logits of the live lane, (2, K, V) float32: conditional, null.
    """
    lanes, size = len(cache.lanes), (weights.hidden,)
    x = F.embedding(columns + weights.offsets, weights.embed).sum(1)
    x = x + torch.stack([weights.positions[cache.positions[lane]] for lane in cache.lanes])
    x = x.repeat(2, 1)  # rows: conditional lanes, null lanes
    for index, layer in enumerate(weights.layers):
        x = torch.addmm(x, _self_attention(layer, weights.head_count, cache, index, x), layer.self_out)
        for row, prompt in enumerate(prompts):
            if prompt is not None:
                rows = x.narrow(0, row * lanes, lanes)
                rows.addmm_(_cross_attention(layer, rows, prompt[index]), layer.cross_out)
        fed = weights.activation(torch.mm(torch.layer_norm(x, size, *layer.feed_norm), layer.feed_in))
        x = torch.addmm(x, fed, layer.feed_out)
    live = torch.layer_norm(x[::lanes], size, *weights.norm)
    return torch.mm(live, weights.heads).view(2, weights.codebooks, -1).float()


def _self_attention(layer: LayerWeights, heads: int, cache: Cache, index: int, x: Tensor) -> Tensor:
    """(2 * lanes, d) in and out; every lane attends to its own past and to itself."""
    rows, hidden = x.shape
    qkv = torch.mm(torch.layer_norm(x, (hidden,), *layer.self_norm), layer.qkv)
    qkv = qkv.view(2, rows // 2, 3, heads, 1, hidden // heads).permute(1, 2, 0, 3, 4, 5)  # lane, then q, k, v
    outputs = []
    for lane, new in zip(cache.lanes, qkv.unbind(0), strict=True):
        memory, position = cache.views[lane][index], cache.positions[lane]
        memory.narrow(3, position, 1).copy_(new.narrow(0, 1, 2))
        keys, values = memory.narrow(3, 0, position + 1).unbind(0)
        outputs.append(F.scaled_dot_product_attention(new[0], keys, values))
    return torch.stack(outputs, 1).view(rows, hidden)


def _cross_attention(layer: LayerWeights, x: Tensor, prompt: Tensor) -> Tensor:
    """(lanes, d) in and out; keys and values (2, 1, heads, S, head size)."""
    lanes, hidden = x.shape
    keys, values = prompt.unbind(0)
    query = torch.mm(torch.layer_norm(x, (hidden,), *layer.cross_norm), layer.cross_q)
    query = query.view(1, lanes, keys.shape[1], -1).transpose(1, 2)
    return F.scaled_dot_product_attention(query, keys, values).transpose(1, 2).reshape(lanes, hidden)
