"""A step as one captured CUDA graph: on a GPU, launching a step's many small kernels costs more than they do.

The shapes never change: both lanes of every stream are computed, attention runs over all positions behind a mask, and
cross-attention over the longest prompt. Tokens, positions and prompts are tensors that are written before a replay, so
nothing live needs another capture; only another set of streams does. What is captured, :func:`static_step`, is plain
torch and runs on any device, uncaptured, which is how it is tested where there is no GPU; the capture itself has not
been. Sampling stays outside, so its values need no tensors.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from musicgen.backends.torch_step import ACTIVATIONS, TorchBackend, TorchPrompt, embed, on_host
from musicgen.decoder import CrossWeights, DecoderWeights, LayerWeights, Prompts
from musicgen.past.policy import StreamingPolicy
from musicgen.past.state import State
from musicgen.text.conditioning import LONGEST_PROMPT

SETS_KEPT = 4  # captured sets of streams
WARM_UPS = 3  # runs before a capture, as torch.cuda.graphs asks for: libraries allocate in the first ones


@dataclass
class Slots:
    """What a step reads and writes of a set of streams, at addresses that stay. N: streams.

    Attributes
    ----------
    memories
        Of each stream: (layers, 2 keys and values, 4 rows, heads, max_position, head size); rows: lane 0 conditional
        and null, lane 1 likewise.
    tokens
        (N, 2 lanes, K) int64; what stands in a lane at rest does not matter.
    positions
        (N, 2 lanes) int64.
    live
        (N,) int64: the live lanes.
    added
        (N, 2 conditional and null, d) to what columns are embedded as; the null row's is zero always.
    cross
        (layers, 2 keys and values, 4 N, heads, longest prompt, head size).
    cross_bias
        (4 N, 1, 1, longest prompt), added to the scores: -inf where there is nothing to attend to. A row without a
        prompt attends to a value of zero, so that cross-attention adds exactly nothing.
    """

    memories: list[Tensor]
    tokens: Tensor
    positions: Tensor
    live: Tensor
    added: Tensor
    cross: Tensor
    cross_bias: Tensor


@dataclass
class _Set:
    """A set of streams that are stepped together."""

    slots: Slots
    prompts: list[Prompts]
    added: bool = False  # whether anything is
    graph: torch.cuda.CUDAGraph | None = None
    logits: Tensor = field(default_factory=lambda: torch.empty(0))


class CudaBackend(TorchBackend):
    """See :class:`musicgen.backends.Backend`. On another device than a GPU nothing is captured."""

    name = "cuda"

    def __init__(self, weights: DecoderWeights) -> None:
        super().__init__(weights, threads=torch.get_num_threads())
        self._sets: OrderedDict[tuple[int, ...], _Set] = OrderedDict()

    def new_state(self, policy: StreamingPolicy) -> State:
        """Its memory: :attr:`Slots.memories`' layout behind the reference's order of dimensions."""
        weights = self.weights
        size = weights.hidden // weights.head_count
        shape = (len(weights.layers), 2, 2, 2, weights.head_count, policy.max_position, size)
        # zeros: what is masked is multiplied by zero, which must not meet a NaN
        return State(
            policy, torch.zeros(shape, device=weights.device, dtype=weights.dtype).permute(2, 0, 1, 3, 4, 5, 6)
        )

    @torch.inference_mode()
    def step(
        self,
        states: Sequence[State],
        columns: Sequence[NDArray[np.int64]],
        prompts: Sequence[Prompts],
        added: Sequence[NDArray[np.float32] | None] | None = None,
    ) -> NDArray[np.float32]:
        """See :meth:`musicgen.backends.Backend.step`."""
        together = self._together(states, self._room(prompts))
        slots = together.slots
        tokens = np.zeros(tuple(slots.tokens.shape), np.int64)
        for own, state, column in zip(tokens, states, columns, strict=True):
            own[state.lanes] = column
        last = [[min(position, state.policy.max_position - 1) for position in state.positions] for state in states]
        slots.tokens.copy_(torch.from_numpy(tokens))
        slots.positions.copy_(torch.tensor(last))
        slots.live.copy_(torch.tensor([state.lanes[0] for state in states]))
        for index, pair in enumerate(prompts):
            self._set_prompts(together, index, pair)
        _set_added(together, added or ())
        if not self.weights.device.startswith("cuda"):
            return on_host(static_step(self.weights, slots))
        if together.graph is None:
            self._capture(together)
        assert together.graph is not None
        together.graph.replay()
        return on_host(together.logits)

    def _room(self, prompts: Sequence[Prompts]) -> int:
        """Positions of cross-attention. Any prompt fits into the first room; a blend that does not doubles it."""
        if self.weights.layers[0].cross is None:
            return 1
        longest = max((sum(prompt.sizes) for pair in prompts for prompt in pair if prompt), default=1)
        room = LONGEST_PROMPT
        while room < longest:
            room *= 2
        return room

    def _together(self, states: Sequence[State], longest: int) -> _Set:
        key = (longest, *(state.memory.data_ptr() for state in states))
        if key not in self._sets:
            self._sets[key] = self._new_set(states, longest)
            if len(self._sets) > SETS_KEPT:
                self._sets.popitem(last=False)
        self._sets.move_to_end(key)
        return self._sets[key]

    def _new_set(self, states: Sequence[State], longest: int) -> _Set:
        weights, count = self.weights, len(states)
        size = weights.hidden // weights.head_count
        device = weights.device
        bias = torch.full((4 * count, 1, 1, longest), -torch.inf, dtype=weights.dtype, device=device)
        bias[..., 0] = 0
        slots = Slots(
            memories=[state.memory.permute(1, 2, 0, 3, 4, 5, 6).flatten(2, 3) for state in states],
            tokens=torch.zeros(count, 2, weights.codebooks, dtype=torch.int64, device=device),
            positions=torch.zeros(count, 2, dtype=torch.int64, device=device),
            live=torch.zeros(count, dtype=torch.int64, device=device),
            added=torch.zeros(count, 2, weights.hidden, dtype=weights.dtype, device=device),
            cross=torch.zeros(
                (len(weights.layers), 2, 4 * count, weights.head_count, longest, size),
                device=device,
                dtype=weights.dtype,
            ),
            cross_bias=bias,
        )
        return _Set(slots, [(None, None)] * count)

    def _set_prompts(self, together: _Set, index: int, pair: Prompts) -> None:
        """Write a stream's prompts where they have changed."""
        for row, (new, old) in enumerate(zip(pair, together.prompts[index], strict=True)):
            if new is not old:
                known = new is not None and old is not None and new.keys is old.keys
                for lane in (0, 1):
                    _write_prompt(together.slots, 4 * index + 2 * lane + row, new, weights_alone=known)
        together.prompts[index] = pair

    def _capture(self, together: _Set) -> None:
        """Record the step. A run before the capture writes the same keys and values that the replay writes again."""
        aside = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        aside.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(aside):
            for _ in range(WARM_UPS):
                static_step(self.weights, together.slots)
        torch.cuda.current_stream().wait_stream(aside)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            together.logits = static_step(self.weights, together.slots)
        together.graph = graph


def _set_added(together: _Set, added: Sequence[NDArray[np.float32] | None]) -> None:
    """Write what is added to the streams' columns, where anything is or was."""
    if together.added:
        together.slots.added[:, 0] = 0
    together.added = False
    for place, vector in zip(together.slots.added, added, strict=False):
        if vector is not None:
            place[0] = torch.from_numpy(vector).to(place)
            together.added = True


def _write_prompt(slots: Slots, row: int, prompt: TorchPrompt | None, *, weights_alone: bool) -> None:
    size = 1 if prompt is None else sum(prompt.sizes)
    if not weights_alone:
        slots.cross[:, :, row] = 0
        slots.cross_bias[row] = -torch.inf
        for layer, (keys, values) in zip(slots.cross, () if prompt is None else prompt.keys, strict=prompt is not None):
            layer[0, row, :, :size], layer[1, row, :, :size] = keys[0], values[0]
    slots.cross_bias[row, ..., :size] = 0 if prompt is None or prompt.bias is None else prompt.bias


def static_step(weights: DecoderWeights, slots: Slots) -> Tensor:
    """One step of all streams, with shapes that depend on nothing that is live; see :class:`Slots`.

    Returns
    -------
    Tensor
        Logits of the live lanes, (N, 2, K, V) float32.
    """
    streams, hidden = len(slots.memories), (weights.hidden,)
    x = embed(weights, slots.tokens)[:, :, None] + slots.added[:, None]
    x = x + weights.positions[slots.positions][:, :, None]
    x = x.reshape(4 * streams, -1)  # rows: stream, lane, conditional and null
    positions = slots.positions.repeat_interleave(2, 1)  # (N, 4)
    seen = [
        (torch.arange(memory.shape[4], device=x.device) <= own[:, None])[:, None, None]
        for memory, own in zip(slots.memories, positions.unbind(0), strict=True)
    ]
    for index, layer in enumerate(weights.layers):
        attended = _self_attention(layer, weights.head_count, slots, positions, seen, index, x)
        x = torch.addmm(x, attended, layer.self_out)
        if layer.cross is not None:
            x = torch.addmm(x, _cross_attention(layer.cross, slots, index, x), layer.cross.out)
        fed = ACTIVATIONS[weights.activation](torch.mm(torch.layer_norm(x, hidden, *layer.feed_norm), layer.feed_in))
        x = torch.addmm(x, fed, layer.feed_out)
    live = x.view(streams, 2, 2, -1)[torch.arange(streams, device=x.device), slots.live].flatten(0, 1)
    logits = torch.mm(torch.layer_norm(live, hidden, *weights.norm), weights.heads)
    return logits.view(streams, 2, weights.codebooks, -1).float()


def _self_attention(
    layer: LayerWeights, heads: int, slots: Slots, positions: Tensor, seen: list[Tensor], index: int, x: Tensor
) -> Tensor:
    """(4 N, d) in and out."""
    rows, hidden = x.shape
    qkv = torch.mm(torch.layer_norm(x, (hidden,), *layer.self_norm), layer.qkv).view(-1, 4, 3, heads, hidden // heads)
    every = torch.arange(4, device=x.device)
    outputs = []
    for memory, new, position, mask in zip(slots.memories, qkv, positions, seen, strict=True):
        query, keys, values = new.unbind(1)  # (4, heads, head size) each
        past = memory[index]
        past[0][every, :, position] = keys
        past[1][every, :, position] = values
        outputs.append(F.scaled_dot_product_attention(query[:, :, None], past[0], past[1], mask))
    return torch.cat(outputs).view(rows, hidden)


def _cross_attention(cross: CrossWeights, slots: Slots, index: int, x: Tensor) -> Tensor:
    """(4 N, d) in and out."""
    rows, hidden = x.shape
    keys, values = slots.cross[index]
    query = torch.mm(torch.layer_norm(x, (hidden,), *cross.norm), cross.q).view(rows, keys.shape[1], 1, -1)
    return F.scaled_dot_product_attention(query, keys, values, slots.cross_bias).view(rows, hidden)
