"""What every backend is held to: the reference's logits under teacher forcing, through everything a stream does.

The reference is torch in float32, which tests/musicgen/test_tokens.py holds against transformers.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from musicgen import StreamingPolicy
from musicgen.arrays import as_numpy
from musicgen.backends import Backend
from musicgen.backends.torch_step import TorchBackend
from musicgen.decoder import DecoderWeights, Embedding
from musicgen.load.checkpoint import load_checkpoint
from musicgen.past import State
from musicgen.past.shadow import advance, start_shadow
from tests.musicgen.random_decoder import random_decoder

Floats = NDArray[np.float32]
Prepare = Callable[[DecoderWeights], Backend]

SHAPES: dict[str, dict[str, Any]] = {
    "mono": {"hidden": 128, "layers": 3, "heads": 2},
    "stereo": {"hidden": 192, "layers": 2, "heads": 3, "codebooks": 8, "vocabulary": 128},
    "without cross-attention": {"hidden": 128, "heads": 2, "cross": False},
}
POLICY = StreamingPolicy(keep=7, max_position=20)


@dataclass(frozen=True)
class Agreement:
    """Of two backends' logits, over steps and codebooks.

    Attributes
    ----------
    cosine
        The least, over steps, of the similarity of all logits of a row.
    top
        Share of codebooks whose likeliest token is the same.
    """

    cosine: float
    top: float


@dataclass
class Twin:
    """One stream on two backends: the reference and another."""

    backends: tuple[Backend, Backend]
    states: tuple[State, State]
    prompts: list[tuple[Any, Any]]

    def set_prompts(self, conditional: Floats | None, null: Floats | None) -> None:
        """From states (S, d); None for no prompt."""
        for index, backend in enumerate(self.backends):
            rows = [None if states is None else backend.prompt(states) for states in (conditional, null)]
            self.prompts[index] = (rows[0], rows[1])

    def reset(self) -> None:
        for state in self.states:
            state.reset()

    def prefill(self, inputs: Floats) -> tuple[Floats, Floats]:
        first, second = (
            backend.prefill(state, inputs, prompts)
            for backend, state, prompts in zip(self.backends, self.states, self.prompts, strict=True)
        )
        for state in self.states:
            start_shadow(state)
        return first, second


def twins(weights: DecoderWeights, prepare: Prepare, policies: Sequence[StreamingPolicy] = (POLICY,)) -> list[Twin]:
    """New streams without prompts."""
    backends = (TorchBackend(weights, threads=1), prepare(weights))
    made = []
    for policy in policies:
        states = (backends[0].new_state(policy), backends[1].new_state(policy))
        made.append(Twin(backends, states, [(None, None), (None, None)]))
    return made


def agree(expected: Floats, found: Floats) -> Agreement:
    """Of logits (..., 2, K, V)."""
    assert found.shape == expected.shape
    assert found.dtype == np.float32
    rows, others = (torch.from_numpy(logits).flatten(-2) for logits in (expected, found))
    cosine = torch.cosine_similarity(rows, others, dim=-1).min()
    return Agreement(float(cosine), float((expected.argmax(-1) == found.argmax(-1)).mean()))


def play(batch: Sequence[Twin], steps: int, random: np.random.Generator) -> Agreement:
    """Step some streams in one batch with random columns, and what is added to some of them."""
    results = []
    for _ in range(steps):
        columns = [_columns(twin, random) for twin in batch]
        added = [_added(twin, random) for twin in batch]
        expected, found = (
            batch[0]
            .backends[side]
            .step([twin.states[side] for twin in batch], columns, [twin.prompts[side] for twin in batch], added)
            for side in (0, 1)
        )
        results.append(agree(expected, found))
        for twin in batch:
            for state in twin.states:
                advance(state)
    return _worst(results)


def _columns(twin: Twin, random: np.random.Generator) -> NDArray[np.int64]:
    """One for each lane; as in a stream, both lanes mostly get the same."""
    backend = twin.backends[0]
    assert isinstance(backend, TorchBackend)
    weights = backend.weights
    lanes = len(twin.states[0].lanes)
    return random.integers(0, weights.vocabulary + 1, (1, weights.codebooks)).repeat(lanes, 0)


def _added(twin: Twin, random: np.random.Generator) -> Floats | None:
    backend = twin.backends[0]
    assert isinstance(backend, TorchBackend)
    return random.normal(size=backend.weights.hidden).astype(np.float32) if random.random() < 0.5 else None


def _worst(results: Sequence[Agreement]) -> Agreement:
    return Agreement(min(one.cosine for one in results), float(np.mean([one.top for one in results])))


def prompt(size: int, hidden: int, seed: int = 0) -> Floats:
    """States (size, hidden) of a prompt that nobody wrote."""
    return normal(size, hidden, seed=seed)


def normal(*shape: int, seed: int) -> Floats:
    """Random numbers."""
    numbers: Floats = torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).numpy()
    return numbers


# --- what a backend's tests call, each with the backend's tolerance -------------------------------------------------


def check_a_stream_through_its_life(weights: DecoderWeights, prepare: Prepare, cosine: float, top: float = 0.0) -> None:
    """From the start through several shadows, with prompts that come, go and change in the middle, and a reset."""
    (twin,) = twins(weights, prepare)
    random, d = np.random.default_rng(0), weights.hidden
    changes: list[tuple[Floats | None, Floats | None]] = [(None, None)]
    if weights.layers[0].cross is not None:
        changes += [(prompt(5, d), None), (prompt(9, d, 1), prompt(3, d, 2)), (None, prompt(4, d, 3)), (None, None)]
    results = []
    for conditional, null in changes:
        twin.set_prompts(conditional, null)
        results.append(play([twin], 11, random))
    twin.reset()
    results.append(play([twin], 30, random))
    worst = _worst(results)
    assert worst.cosine > cosine, worst
    assert worst.top >= top, worst


def check_streams_that_join_and_leave(weights: DecoderWeights, prepare: Prepare, cosine: float) -> None:
    """In one batch, each with prompts, a past and a shadow of its own, in any order."""
    policies = [StreamingPolicy(keep, 3 * keep + 1) for keep in (3, 5, 8)]
    one, two, three = twins(weights, prepare, policies)
    random, d = np.random.default_rng(1), weights.hidden
    if weights.layers[0].cross is not None:
        one.set_prompts(prompt(6, d), None)
        three.set_prompts(prompt(2, d, 1), prompt(7, d, 2))
    for batch in ([one], [two, one], [one, two, three], [three, two], [two, three], [one]):
        worst = play(batch, 9, random)
        assert worst.cosine > cosine, worst


def check_a_neighbour_changes_nothing(weights: DecoderWeights, prepare: Prepare, cosine: float) -> None:
    """A stream's logits in a batch are its logits alone."""
    backend, d = prepare(weights), weights.hidden
    states = [backend.new_state(POLICY) for _ in range(3)]
    prompts: list[tuple[Any, Any]] = [(None, None)] * 3
    if weights.layers[0].cross is not None:
        prompts = [(backend.prompt(prompt(5, d)), None)] * 2 + [(backend.prompt(prompt(8, d, 1)), None)]
    random = np.random.default_rng(2)
    for _ in range(25):
        column = random.integers(0, weights.vocabulary, (1, weights.codebooks))
        own = column.repeat(len(states[0].lanes), 0)
        alone = backend.step(states[:1], [own], prompts[:1])
        other = random.integers(0, weights.vocabulary, own.shape)
        together = backend.step(states[1:], [own, other], prompts[1:])
        assert agree(alone[0], together[0]).cosine > cosine
        for state in states:
            advance(state)


def check_a_prefill_is_its_steps(weights: DecoderWeights, prepare: Prepare, cosine: float) -> None:
    """Many inputs at once are the same inputs one by one, for the logits and for what comes after them."""
    random, d = np.random.default_rng(3), weights.hidden
    for parts in ((1,), (9,), (4, 5)):
        (twin,) = twins(weights, prepare)
        if weights.layers[0].cross is not None:
            twin.set_prompts(prompt(5, d), prompt(2, d, 1))
        results = [play([twin], 2, random)]
        inputs = normal(2, sum(parts), d, seed=4)
        for part in np.split(inputs, np.cumsum(parts)[:-1], axis=1):
            results.append(agree(*twin.prefill(part)))
            assert twin.states[1].positions == twin.states[0].positions
        results.append(play([twin], 25, random))
        assert _worst(results).cosine > cosine, results


def check_a_reset_forgets_everything(weights: DecoderWeights, prepare: Prepare) -> None:
    """To the bit."""
    backend = prepare(weights)
    used, fresh = backend.new_state(POLICY), backend.new_state(POLICY)
    columns = np.random.default_rng(5).integers(0, weights.vocabulary, (30, 1, weights.codebooks))
    for column in columns[:17]:  # the shadow is at work here
        backend.step([used], [column.repeat(len(used.lanes), 0)], [(None, None)])
        advance(used)
    used.reset()
    for column in columns[:12]:
        found, expected = (backend.step([state], [column], [(None, None)]) for state in (used, fresh))
        np.testing.assert_array_equal(found, expected)
        advance(used)
        advance(fresh)


def check_a_prefill_that_has_no_room_is_refused(weights: DecoderWeights, prepare: Prepare) -> None:
    backend = prepare(weights)
    state, inputs = backend.new_state(POLICY), np.zeros((2, POLICY.max_position + 1, weights.hidden), np.float32)
    with pytest.raises(ValueError, match="too long"):
        backend.prefill(state, inputs, (None, None))
    state.lanes = [0, 1]
    with pytest.raises(ValueError, match="too long"):
        backend.prefill(state, inputs[:, :1], (None, None))


def check_a_blend(weights: DecoderWeights, prepare: Prepare, cosine: float) -> None:
    """The reference's blends: of any lengths, with nothing in them, with other weights while they play, in a batch."""
    if weights.layers[0].cross is None:
        return
    one, other = twins(weights, prepare, [POLICY, StreamingPolicy(5, 17)])
    random, d = np.random.default_rng(6), weights.hidden
    states = [prompt(5, d), None, prompt(20, d, 1), prompt(1, d, 2)]
    blends = [
        backend.blend([None if own is None else backend.prompt(own) for own in states]) for backend in one.backends
    ]
    other.set_prompts(prompt(7, d, 3), None)
    for shares in ([0.25, 0.25, 0.25, 0.25], [1e-9, 0.1, 0.2, 0.7], [0.9, 1e-3, 0.098, 1e-3]):
        for index, (backend, blend) in enumerate(zip(one.backends, blends, strict=True)):
            one.prompts[index] = (backend.weigh(blend, shares), None)
        worst = play([one, other], 9, random)
        assert worst.cosine > cosine, worst
    inputs = normal(2, 3, d, seed=4)
    one.reset()
    assert agree(*one.prefill(inputs)).cosine > cosine


def check_a_blend_is_its_prompts(weights: DecoderWeights, prepare: Prepare, cosine: float) -> None:
    """Twice as much of one as of another is the prompt that has the first one's states twice."""
    if weights.layers[0].cross is None:
        return
    backend, d = prepare(weights), weights.hidden
    first, second = prompt(5, d), prompt(18, d, 1)
    blend = backend.blend([backend.prompt(first), backend.prompt(second)])
    pairs = [
        (backend.weigh(blend, [2.0, 1.0]), backend.prompt(np.concatenate([first, first, second]))),
        (backend.weigh(blend, [1.0, 1.0]), backend.prompt(np.concatenate([first, second]))),
        (backend.weigh(blend, [1.0, 1e-30]), backend.prompt(first)),
        (backend.weigh(backend.blend([backend.prompt(first)] * 3), [0.2, 0.5, 0.3]), backend.prompt(first)),
    ]
    random = np.random.default_rng(7)
    for blended, same in pairs:
        states = [backend.new_state(POLICY) for _ in range(2)]
        for _ in range(12):
            column = random.integers(0, weights.vocabulary, (1, weights.codebooks)).repeat(len(states[0].lanes), 0)
            found, expected = (
                backend.step([state], [column], [(kv, None)]) for state, kv in zip(states, (blended, same), strict=True)
            )
            assert agree(expected, found).cosine > cosine
            for state in states:
                advance(state)


def check_what_is_added_is_consumed(weights: DecoderWeights, prepare: Prepare, cosine: float) -> None:
    """In a stream's own conditional rows, as if the columns had been embedded so; no other row hears of it."""
    backend, random = prepare(weights), np.random.default_rng(8)
    embedding = Embedding(as_numpy(weights.embed), as_numpy(weights.offsets))
    states = [backend.new_state(POLICY) for _ in range(4)]
    alone, consumed, *pair = states
    nothing = (None, None)
    for number in range(25):
        column = random.integers(0, weights.vocabulary, (1, weights.codebooks))
        added = 3 * normal(weights.hidden, seed=number)
        own = column.repeat(len(alone.lanes), 0)
        expected = backend.step([alone], [own], [nothing], [added])[0]
        first, second = backend.step(pair, [own, own], [nothing, nothing], [None, added])
        assert agree(expected, second).cosine > cosine
        assert agree(expected[1], first[1]).cosine > cosine
        assert agree(expected[0], first[0]).cosine < 0.95
        if number < POLICY.max_position - POLICY.keep:  # a shadow would have to see it too
            inputs = embedding(column).repeat(2, 0)[:, None]
            inputs[0] += added
            found = backend.prefill(consumed, inputs, nothing)
            assert agree(expected, found).cosine > cosine
        for state in (alone, *pair):
            advance(state)


def check_everything(weights: DecoderWeights, prepare: Prepare, cosine: float) -> None:
    """All of the above."""
    check_a_stream_through_its_life(weights, prepare, cosine)
    check_streams_that_join_and_leave(weights, prepare, cosine)
    check_a_neighbour_changes_nothing(weights, prepare, cosine)
    check_a_prefill_is_its_steps(weights, prepare, cosine)
    check_what_is_added_is_consumed(weights, prepare, cosine)
    check_a_reset_forgets_everything(weights, prepare)
    check_a_prefill_that_has_no_room_is_refused(weights, prepare)
    check_a_blend(weights, prepare, cosine)
    check_a_blend_is_its_prompts(weights, prepare, cosine)


def nano_agreement(prepare: Prepare, steps: int = 120) -> Agreement:
    """On nano, through two shadows, with the tokens that the reference samples: guidance 3, no other filter."""
    checkpoint = load_checkpoint("nano")
    (twin,) = twins(checkpoint.decoder, prepare, [StreamingPolicy(keep=20, max_position=60)])
    twin.set_prompts(checkpoint.prompts.states("deep house with warm bass and piano"), None)
    generator = torch.Generator().manual_seed(6)
    column = np.full(checkpoint.decoder.codebooks, checkpoint.pad)
    results = []
    for _ in range(steps):
        expected, found = (
            backend.step([state], [column[None].repeat(len(state.lanes), 0)], [prompts])[0]
            for backend, state, prompts in zip(twin.backends, twin.states, twin.prompts, strict=True)
        )
        results.append(agree(expected, found))
        guided = torch.from_numpy(expected[1] + 3 * (expected[0] - expected[1]))
        column = torch.multinomial(guided.softmax(-1), 1, generator=generator)[:, 0].numpy()
        for state in twin.states:
            advance(state)
    return _worst(results)


def shapes() -> dict[str, DecoderWeights]:
    """Decoders of every kind, small."""
    return {name: random_decoder(**shape) for name, shape in SHAPES.items()}
