"""A step in ONNX Runtime with 8-bit weights: fast on any CPU, and no compiler is needed.

One call of ONNX Runtime steps every row of every stream, from the embedding to the logits. Keys and values stay where
they are: the graph is bound to the streams' own memory, so a step writes one position and reads the past, no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from numpy.typing import NDArray

from musicgen.backends.onnx_export import PARTS, Exported, Progress, export
from musicgen.backends.onnx_graph import build
from musicgen.backends.torch_step import in_torch, spread
from musicgen.decoder import DecoderWeights, Prompts
from musicgen.past.policy import StreamingPolicy
from musicgen.past.state import State

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

OUT_OF_HEARING = -1e30  # a score that nothing is left of
SESSIONS_KEPT = 4  # each holds the matrices once more, laid out for this CPU


@dataclass(eq=False)
class Memory:
    """Keys and values of one stream.

    Attributes
    ----------
    past
        (layers, 2 keys and values, 4 rows, heads, max_position, head size): lane 0 conditional and null, lane 1
        likewise.
    batch
        The batch that was last stepped with this stream in front, which the next one mostly repeats.
    """

    past: NDArray[np.int8]
    batch: "Batch | None" = None


@dataclass(frozen=True, eq=False)
class OnnxPrompt:
    """A prompt, or a blend of some.

    Attributes
    ----------
    keys
        And values, of all of them side by side: (layers, 2, heads, S, head size).
    sizes
        Positions of each.
    bias
        (S,) added to the scores; None in a prompt by itself.
    """

    keys: Floats
    sizes: tuple[int, ...]
    bias: Floats | None = None


Member = tuple[NDArray[np.int8], tuple[int, ...], Prompts]  # of a batch: a stream's past, active lanes and prompts


@dataclass(eq=False)
class Batch:
    """Streams bound to a session, and the arrays that every step fills anew.

    Attributes
    ----------
    members
        Past, active lanes and prompts of every stream.
    columns
        For every row, which of the streams' columns it consumes.
    feeds
        The graph's inputs but keys and values, see :func:`musicgen.backends.onnx_graph.build`.
    logits
        (2 * streams, K * V).
    """

    members: list[Member]
    columns: Integers
    feeds: dict[str, NDArray[Any]]
    logits: Floats
    session: Any
    binding: Any


class OnnxBackend:
    """See :class:`musicgen.backends.Backend`.

    Parameters
    ----------
    weights
        What is not needed any more is not held.
    folder
        Of the checkpoint, see :func:`musicgen.backends.onnx_export.export`.
    threads
        That a step uses; None for as many as torch does.
    progress
        Told how far the preparation is, where there is something to prepare.

    Raises
    ------
    ModelError
        The prepared weights can be stored nowhere.
    """

    name = "onnx"

    def __init__(
        self,
        weights: DecoderWeights,
        folder: Path | None = None,
        *,
        threads: int | None = None,
        progress: Progress | None = None,
    ) -> None:
        weights = in_torch(weights)
        self.exported = export(weights, folder, progress)
        self.threads = threads or torch.get_num_threads()
        self._offsets: Integers = weights.offsets.cpu().numpy()
        self._prompt_weights = [layer.cross.kv for layer in weights.layers if layer.cross is not None]
        self._session = lru_cache(SESSIONS_KEPT)(self._open)
        self._session(1)

    def _open(self, streams: int) -> Any:
        """A session for so many streams at once."""
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        # a thread that spins takes the core that another program, or the audio callback, is waiting for
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        folder = str(self.exported.path.parent)
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", folder)
        return ort.InferenceSession(build(self.exported, streams), options, providers=["CPUExecutionProvider"])

    @torch.inference_mode()
    def prompt(self, states: Floats) -> OnnxPrompt:
        """See :meth:`musicgen.backends.Backend.prompt`."""
        exported, given = self.exported, torch.from_numpy(states)
        kv = torch.stack([given.to(matrix) @ matrix for matrix in self._prompt_weights]).float().cpu()
        kv = kv.view(exported.layers, len(states), 2, exported.heads, exported.head_size)
        return OnnxPrompt(kv.permute(0, 2, 3, 1, 4).contiguous().numpy(), (len(states),))

    def blend(self, prompts: Sequence[OnnxPrompt | None]) -> OnnxPrompt:
        """See :meth:`musicgen.backends.Backend.blend`."""
        exported = self.exported
        nothing = np.zeros((exported.layers, 2, exported.heads, 1, exported.head_size), np.float32)
        parts = [nothing if prompt is None else prompt.keys for prompt in prompts]
        sizes = tuple(part.shape[3] for part in parts)
        return self.weigh(OnnxPrompt(np.concatenate(parts, axis=3), sizes), [1.0] * len(sizes))

    def weigh(self, blend: OnnxPrompt, weights: Sequence[float]) -> OnnxPrompt:
        """See :meth:`musicgen.backends.Backend.weigh`."""
        return replace(blend, bias=spread(weights, blend.sizes))

    def new_state(self, policy: StreamingPolicy) -> State:
        """See :class:`Memory`."""
        exported = self.exported
        shape = (exported.layers, 2, 2 * policy.lanes, exported.heads, policy.max_position, exported.head_size)
        return State(policy, Memory(np.empty(shape, np.int8)))

    def step(
        self,
        states: Sequence[State],
        columns: Sequence[Integers],
        prompts: Sequence[Prompts],
        added: Sequence[Floats | None] | None = None,
    ) -> Floats:
        """See :meth:`musicgen.backends.Backend.step`."""
        batch = self._batch(states, prompts)
        positions = np.concatenate([[state.positions[lane] for lane in state.lanes] for state in states])
        batch.feeds["tokens"][:, 0] = (np.concatenate(columns) + self._offsets)[batch.columns]
        batch.feeds["positions"][:, 0] = positions[batch.columns]
        vectors = [None] * len(states) if added is None else added
        start = 0
        for stream, ((_, lanes, _), vector) in enumerate(zip(batch.members, vectors, strict=True)):
            end = start + 2 * len(lanes)
            batch.feeds["extra"][start:end:2, 0] = 0 if vector is None else vector
            batch.feeds[f"last.{stream}"][:] = batch.feeds["positions"][start:end, 0]
            batch.feeds[f"total.{stream}"][:] = batch.feeds[f"last.{stream}"].max() + 1
            start = end
        batch.session.run_with_iobinding(batch.binding)
        shape = (len(states), 2, self.exported.codebooks, self.exported.vocabulary)
        logits: Floats = batch.logits.reshape(shape).copy()
        return logits

    def _batch(self, states: Sequence[State], prompts: Sequence[Prompts]) -> Batch:
        """The last batch where nothing but tokens and positions has changed, otherwise a new one."""
        members = [(state.memory.past, tuple(state.lanes), pair) for state, pair in zip(states, prompts, strict=True)]
        front: Memory = states[0].memory
        if front.batch is None or not _same(front.batch.members, members):
            front.batch = self._bind_batch(members)
        elif "cross_bias" in front.batch.feeds:
            _write_bias(front.batch.feeds["cross_bias"], _rows(members))
        return front.batch

    def _bind_batch(self, members: list[Member]) -> Batch:
        columns: list[int] = []
        wanted: list[int] = []
        for _, lanes, _ in members:
            first = len(columns) // 2
            ranks = [lanes.index(lane) for lane in sorted(lanes)]  # rows lie in the memory's order, the live one or not
            wanted += [len(columns) + 2 * ranks.index(0) + row for row in (0, 1)]
            columns += [first + rank for rank in ranks for _ in (0, 1)]
        feeds: dict[str, NDArray[Any]] = {
            "tokens": np.zeros((len(columns), 1, self.exported.codebooks), np.int64),
            "positions": np.zeros((len(columns), 1), np.int64),
            "extra": np.zeros((len(columns), 1, self.exported.hidden), np.float32),
            "wanted": np.array(wanted, np.int64),
        }
        for stream, (_, lanes, _) in enumerate(members):
            feeds[f"last.{stream}"] = np.zeros(2 * len(lanes), np.int32)
            feeds[f"total.{stream}"] = np.zeros(1, np.int32)
        if len(members) > 1:
            feeds["sections"] = np.array([2 * len(lanes) for _, lanes, _ in members], np.int64)
        feeds |= _cross_feeds(self.exported, _rows(members), 1)
        pasts = [past[:, :, 2 * min(lanes) : 2 * max(lanes) + 2] for past, lanes, _ in members]
        session = self._session(len(members))
        logits = np.zeros((len(wanted), self.exported.codebooks * self.exported.vocabulary), np.float32)
        return Batch(members, np.array(columns), feeds, logits, session, _bind(session, feeds, pasts, logits))

    def prefill(self, state: State, inputs: Floats, prompts: Prompts) -> Floats:
        """See :meth:`musicgen.backends.Backend.prefill`."""
        exported, session = self.exported, self._session(1)
        lane, start, count = state.lanes[0], state.position, inputs.shape[1]
        state.skip(count)
        nothing = exported.entries["embedding_table"].shape[0] - 1
        logits = np.zeros((2, exported.codebooks * exported.vocabulary), np.float32)
        for row, prompt in enumerate(prompts):  # one by one: behind a past, attention takes many inputs of one row only
            feeds = {
                "tokens": np.full((1, count, exported.codebooks), nothing, np.int64),
                "positions": np.arange(start, start + count, dtype=np.int64)[None],
                "extra": np.ascontiguousarray(inputs[row : row + 1]),
                "wanted": np.array([count - 1], np.int64),
                "last.0": np.array([start + count - 1], np.int32),
                "total.0": np.array([start + count], np.int32),
                **_cross_feeds(exported, [prompt], count),
            }
            first = 2 * lane + row
            past = state.memory.past[:, :, first : first + 1]
            session.run_with_iobinding(_bind(session, feeds, [past], logits[row : row + 1]))
        return logits.reshape(2, exported.codebooks, exported.vocabulary)


def _same(old: list[Member], new: list[Member]) -> bool:
    """Whether these are the same streams with the same lanes and prompts, however blended."""
    return len(old) == len(new) and all(
        one[0] is other[0] and one[1] == other[1] and all(map(_alike, one[2], other[2]))
        for one, other in zip(old, new, strict=True)
    )


def _alike(old: OnnxPrompt | None, new: OnnxPrompt | None) -> bool:
    return old is new or (old is not None and new is not None and old.keys is new.keys)


def _rows(members: Sequence[Member]) -> list[OnnxPrompt | None]:
    """The prompts of all rows."""
    return [prompt for _, lanes, pair in members for _ in lanes for prompt in pair]


def _write_bias(place: Floats, prompts: Sequence[OnnxPrompt | None]) -> None:
    """What rows with these prompts add to their scores, (rows, 1, T, longest prompt)."""
    place[:] = OUT_OF_HEARING
    for row, prompt in zip(place, prompts, strict=True):
        row[..., : 1 if prompt is None else sum(prompt.sizes)] = (
            0 if prompt is None or prompt.bias is None else prompt.bias
        )


def _cross_feeds(exported: Exported, prompts: Sequence[OnnxPrompt | None], inputs: int) -> dict[str, NDArray[Any]]:
    """Inputs of cross-attention for rows with these prompts, of so many inputs each.

    A row without a prompt attends to a single value of zero: what it gets is exactly zero, and so is what is added.
    """
    if not exported.cross:
        return {}
    longest = max(1 if prompt is None else sum(prompt.sizes) for prompt in prompts)
    kv = np.zeros((exported.layers, 2, len(prompts), exported.heads, longest, exported.head_size), np.float32)
    for row, prompt in enumerate(prompts):
        if prompt is not None:
            kv[:, :, row, :, : sum(prompt.sizes)] = prompt.keys
    feeds: dict[str, NDArray[Any]] = {"cross_bias": np.zeros((len(prompts), 1, inputs, longest), np.float32)}
    _write_bias(feeds["cross_bias"], prompts)
    for layer, parts in enumerate(kv):
        feeds |= {f"cross.{layer}.{part}": values for part, values in zip(PARTS, parts, strict=True)}
    return feeds


def _bind(session: Any, feeds: dict[str, NDArray[Any]], pasts: Sequence[NDArray[np.int8]], logits: Floats) -> Any:
    """Tie a session to these arrays; each stream's past (layers, 2, rows, heads, P, head size) is written in place."""
    binding = session.io_binding()
    for name, array in feeds.items():
        binding.bind_ortvalue_input(name, ort.OrtValue.ortvalue_from_numpy(array))
    for stream, past in enumerate(pasts):
        for layer, parts in enumerate(past):
            for part, values in zip(PARTS, parts, strict=True):
                shared = ort.OrtValue.ortvalue_from_numpy(values)
                binding.bind_ortvalue_input(f"past.{stream}.{layer}.{part}", shared)
                binding.bind_ortvalue_output(f"present.{stream}.{layer}.{part}", shared)
    binding.bind_ortvalue_output("logits", ort.OrtValue.ortvalue_from_numpy(logits))
    return binding
