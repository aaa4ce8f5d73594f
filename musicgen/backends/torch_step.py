"""The reference: one step in torch, on any of its devices, in the dtype of the weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from musicgen.backends.threads import best_threads, cores
from musicgen.decoder import CrossWeights, DecoderWeights, LayerWeights, Prompts
from musicgen.past.policy import StreamingPolicy
from musicgen.past.state import State

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"gelu": F.gelu, "relu": F.relu, "silu": F.silu}
"""Of feed-forward layers, by their names in transformers' configurations."""

Keys = tuple[tuple[Tensor, Tensor], ...]
"""A prompt's keys and values in every layer, (1, heads, S, head size) each."""


@dataclass(frozen=True)
class TorchPrompt:
    """A prompt, or a blend of some.

    Attributes
    ----------
    keys
        Of all of them, side by side.
    sizes
        Positions of each.
    bias
        (S,) added to the scores; None in a prompt by itself.
    """

    keys: Keys
    sizes: tuple[int, ...]
    bias: Tensor | None = None


class TorchBackend:
    """See :class:`musicgen.backends.Backend`.

    Parameters
    ----------
    threads
        Of torch, in the whole process. None to measure: one core is left free then, since torch's threads spin while
        they wait for each other, and collapse beside a busy neighbour.
    """

    name = "torch"

    def __init__(self, weights: DecoderWeights, threads: int | None = None) -> None:
        self.weights = in_torch(weights)
        if threads is not None:
            torch.set_num_threads(threads)
        elif weights.device == "cpu":
            self._measure_threads()

    def _measure_threads(self) -> None:
        state = self.new_state(StreamingPolicy(1, 2))
        column = np.zeros((1, self.weights.codebooks), np.int64)
        best_threads(torch.set_num_threads, lambda: self.step([state], [column], [(None, None)]), cores() - 1)

    @property
    def threads(self) -> int:
        """Torch's, of the whole process."""
        return torch.get_num_threads()

    def prompt(self, states: NDArray[np.float32]) -> TorchPrompt:
        """See :meth:`musicgen.backends.Backend.prompt`."""
        return TorchPrompt(prompt_kv(self.weights, torch.from_numpy(states)), (len(states),))

    def blend(self, prompts: Sequence[TorchPrompt | None]) -> TorchPrompt:
        """See :meth:`musicgen.backends.Backend.blend`."""
        weights = self.weights
        nothing = torch.zeros(1, weights.head_count, 1, weights.hidden // weights.head_count).to(weights.embed)
        none: Keys = ((nothing, nothing),) * len(weights.layers)
        parts = [none if prompt is None else prompt.keys for prompt in prompts]
        keys = tuple(
            (torch.cat([keys for keys, _ in layer], 2), torch.cat([values for _, values in layer], 2))
            for layer in zip(*parts, strict=True)
        )
        sizes = tuple(keys[0][0].shape[2] for keys in parts)
        return self.weigh(TorchPrompt(keys, sizes), [1.0] * len(sizes))

    def weigh(self, blend: TorchPrompt, weights: Sequence[float]) -> TorchPrompt:
        """See :meth:`musicgen.backends.Backend.weigh`."""
        return replace(blend, bias=torch.from_numpy(spread(weights, blend.sizes)).to(self.weights.embed))

    def new_state(self, policy: StreamingPolicy) -> State:
        """Its memory: (lanes, layers, 2 keys and values, 2 conditional and null, heads, max_position, head size)."""
        weights = self.weights
        size = weights.hidden // weights.head_count
        shape = (policy.lanes, len(weights.layers), 2, 2, weights.head_count, policy.max_position, size)
        return State(policy, torch.empty(shape, device=weights.device, dtype=weights.dtype))

    def step(
        self,
        states: Sequence[State],
        columns: Sequence[NDArray[np.int64]],
        prompts: Sequence[Prompts],
        added: Sequence[NDArray[np.float32] | None] | None = None,
    ) -> NDArray[np.float32]:
        """See :meth:`musicgen.backends.Backend.step`."""
        return on_host(step(self.weights, states, columns, prompts, added))

    def take_over(self, other: TorchBackend) -> None:
        """Go on with the weights of another one of the same shape; pasts stay. Between two steps."""
        self.weights = other.weights

    def prefill(self, state: State, inputs: NDArray[np.float32], prompts: Prompts) -> NDArray[np.float32]:
        """See :meth:`musicgen.backends.Backend.prefill`."""
        return on_host(prefill(self.weights, state, torch.from_numpy(inputs), prompts))


def tensors(device: str, dtype: torch.dtype) -> Callable[[NDArray[np.generic]], Tensor]:
    """What makes a tensor of its own, contiguous, of an array, which may be a view in any order."""

    def tensor(array: NDArray[np.generic]) -> Tensor:
        return torch.from_numpy(array).to(device, dtype).contiguous()

    return tensor


def in_torch(weights: DecoderWeights) -> DecoderWeights:
    """A decoder's weights as tensors where they are numpy's arrays, whose memory is shared."""
    made: DecoderWeights = _in_torch(weights, weights.device)
    return made


def _in_torch(part: Any, device: str) -> Any:
    if isinstance(part, np.ndarray):
        return torch.from_numpy(part).to(device)
    if isinstance(part, tuple):
        return tuple(_in_torch(own, device) for own in part)
    if is_dataclass(part) and not isinstance(part, type):
        return replace(part, **{field.name: _in_torch(getattr(part, field.name), device) for field in fields(part)})
    return part


def on_host(logits: Tensor) -> NDArray[np.float32]:
    """Logits as numpy's, where tokens are drawn."""
    array: NDArray[np.float32] = logits.cpu().numpy()
    return array


def embed(weights: DecoderWeights, columns: Tensor) -> Tensor:
    """What columns (..., K) int64 are to the decoder, without positions: (..., d)."""
    return F.embedding(columns + weights.offsets, weights.embed).sum(-2)


@torch.inference_mode()
def prompt_kv(weights: DecoderWeights, states: Tensor) -> Keys:
    """Keys and values of a prompt's states (S, d)."""
    states = states.to(weights.device, weights.dtype)
    layers = []
    for layer in weights.layers:
        assert layer.cross is not None
        kv = torch.mm(states, layer.cross.kv).view(len(states), 2, 1, weights.head_count, -1)
        keys, values = kv.permute(1, 2, 3, 0, 4).contiguous().unbind(0)
        layers.append((keys, values))
    return tuple(layers)


def spread(weights: Sequence[float], sizes: Sequence[int]) -> NDArray[np.float32]:
    """What is added to the scores of a blend's positions: the logarithm of each prompt's weight, all over it."""
    bias: NDArray[np.float32] = np.repeat(np.log(np.asarray(weights, np.float64)), sizes).astype(np.float32)
    return bias


@dataclass(frozen=True)
class _Run:
    """Neighbouring rows that attend to prompts: from ``start`` on, ``counts[i]`` of them to ``prompts[i]``."""

    start: int
    counts: list[int]
    prompts: list[TorchPrompt]


def _runs(lanes: Sequence[int], prompts: Sequence[Prompts]) -> list[_Run]:
    """As few runs as the order of the rows allows: each reads the weights of cross-attention once."""
    runs: list[_Run] = []
    start = end = 0
    for row in (0, 1):
        for count, pair in zip(lanes, prompts, strict=True):
            prompt = pair[row]
            if prompt is not None:
                if not runs or end < start:
                    runs.append(_Run(start, [], []))
                runs[-1].counts.append(count)
                runs[-1].prompts.append(prompt)
                end = start + count
            start += count
    return runs


@torch.inference_mode()
def step(
    weights: DecoderWeights,
    states: Sequence[State],
    columns: Sequence[NDArray[np.int64]],
    prompts: Sequence[Prompts],
    added: Sequence[NDArray[np.float32] | None] | None = None,
) -> Tensor:
    """See :meth:`musicgen.backends.Backend.step`. Rows: the conditional lanes of every stream, then the null ones."""
    lanes = [len(state.lanes) for state in states]
    positions = [state.positions[lane] for state in states for lane in state.lanes]
    pasts = [state.memory[lane].unbind(0) for state in states for lane in state.lanes]
    runs = _runs(lanes, prompts)
    size = (weights.hidden,)

    tokens = torch.from_numpy(np.concatenate(columns)).to(weights.device)
    x = embed(weights, tokens).repeat(2, 1)
    for start, lane_count, vector in zip(np.cumsum([0, *lanes[:-1]]), lanes, added or (), strict=False):
        if vector is not None:
            x[start : start + lane_count] += torch.from_numpy(vector).to(x)
    x = x + torch.stack([weights.positions[position] for position in positions]).repeat(2, 1)
    for index, layer in enumerate(weights.layers):
        x = torch.addmm(x, _self_attention(layer, weights.head_count, pasts, positions, index, x), layer.self_out)
        for run in runs:
            assert layer.cross is not None
            _add_cross_attention(layer.cross, index, run, x)
        fed = ACTIVATIONS[weights.activation](torch.mm(torch.layer_norm(x, size, *layer.feed_norm), layer.feed_in))
        x = torch.addmm(x, fed, layer.feed_out)
    if len(x) > 2 * len(states):  # shadows need no logits
        live = np.cumsum([0, *lanes[:-1]])
        x = x.view(2, -1, weights.hidden)[:, torch.from_numpy(live).to(weights.device)].flatten(0, 1)
    logits = torch.mm(torch.layer_norm(x, size, *weights.norm), weights.heads)
    return logits.view(2, len(states), weights.codebooks, -1).transpose(0, 1).float()


def _self_attention(
    layer: LayerWeights, heads: int, pasts: list[tuple[Tensor, ...]], positions: list[int], index: int, x: Tensor
) -> Tensor:
    """(2 * lanes, d) in and out; every lane attends to its own past and to itself."""
    rows, hidden = x.shape
    qkv = torch.mm(torch.layer_norm(x, (hidden,), *layer.self_norm), layer.qkv)
    qkv = qkv.view(2, rows // 2, 3, heads, 1, hidden // heads).permute(1, 2, 0, 3, 4, 5)  # lane, then q, k, v
    outputs = []
    for past, position, new in zip(pasts, positions, qkv.unbind(0), strict=True):
        memory = past[index]
        memory.narrow(3, position, 1).copy_(new.narrow(0, 1, 2))
        keys, values = memory.narrow(3, 0, position + 1).unbind(0)
        outputs.append(F.scaled_dot_product_attention(new[0], keys, values))
    return torch.stack(outputs, 1).view(rows, hidden)


def _add_cross_attention(cross: CrossWeights, index: int, run: _Run, x: Tensor) -> None:
    """Let a run of rows of x (rows, d) attend to its prompts, in place."""
    hidden, start, attended = x.shape[1], 0, []
    rows = x.narrow(0, run.start, sum(run.counts))
    queries = torch.mm(torch.layer_norm(rows, (hidden,), *cross.norm), cross.q)
    for count, prompt in zip(run.counts, run.prompts, strict=True):
        keys, values = prompt.keys[index]
        query = queries.narrow(0, start, count).view(1, count, keys.shape[1], -1).transpose(1, 2)
        bias = None if prompt.bias is None else prompt.bias.expand(count, -1)
        outputs = F.scaled_dot_product_attention(query, keys, values, bias)
        attended.append(outputs.transpose(1, 2).reshape(count, hidden))
        start += count
    rows.addmm_(attended[0] if len(attended) == 1 else torch.cat(attended), cross.out)


@torch.inference_mode()
def prefill(weights: DecoderWeights, state: State, inputs: Tensor, prompts: Prompts) -> Tensor:
    """See :meth:`musicgen.backends.Backend.prefill`. Rows: the conditional inputs, then the null ones."""
    lane, start, count = state.lanes[0], state.position, inputs.shape[1]
    state.skip(count)
    until, size, heads = start + count, (weights.hidden,), weights.head_count
    mask = torch.ones(count, until, dtype=torch.bool, device=weights.device).tril(start)
    runs = _runs([count], [prompts])
    x = inputs.to(weights.device, weights.dtype) + weights.positions[start:until]
    x = x.view(2 * count, -1)
    for index, (layer, memory) in enumerate(zip(weights.layers, state.memory[lane], strict=True)):
        qkv = torch.mm(torch.layer_norm(x, size, *layer.self_norm), layer.qkv)
        qkv = qkv.view(2, count, 3, heads, -1).permute(2, 0, 3, 1, 4)  # q, k, v, then row, head, time
        memory[:, :, :, start:until] = qkv[1:]
        keys, values = memory[:, :, :, :until].unbind(0)
        attended = F.scaled_dot_product_attention(qkv[0], keys, values, mask)
        x = torch.addmm(x, attended.transpose(1, 2).reshape(2 * count, -1), layer.self_out)
        for run in runs:
            assert layer.cross is not None
            _add_cross_attention(layer.cross, index, run, x)
        fed = ACTIVATIONS[weights.activation](torch.mm(torch.layer_norm(x, size, *layer.feed_norm), layer.feed_in))
        x = torch.addmm(x, fed, layer.feed_out)
    last = x.view(2, count, -1)[:, -1]
    logits = torch.mm(torch.layer_norm(last, size, *weights.norm), weights.heads)
    return logits.view(2, weights.codebooks, -1).float()
