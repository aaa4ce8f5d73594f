"""The native backend computes what torch does, to the tolerance of its 8, 6 or 4 bits, on all kernels that run here."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from musicgen import ModelError, StreamingPolicy
from musicgen.backends import Backend, native_step, native_weights
from musicgen.backends.native_step import NativeBackend
from musicgen.backends.torch_step import TorchBackend
from musicgen.decoder import DecoderWeights, Embedding, Prompts
from musicgen.library import library_path
from musicgen.load.checkpoint import load_checkpoint
from musicgen.past import State
from musicgen.past.shadow import advance, start_shadow
from tests.musicgen.backend_parity import check_a_blend, check_a_blend_is_its_prompts, normal, prompt
from tests.musicgen.tiny import tiny_checkpoint

if library_path() is None:
    pytest.skip("the native backend was not built: no C++ compiler", allow_module_level=True)

KERNELS = native_step.kernels()
POLICY = StreamingPolicy(keep=20, max_position=48)
# Measured on the checkpoints below: 8 bits 0.9993 at the lowest and 0.9998 in the mean, 4 bits 0.93 and 0.989.
LOWEST = {8: 0.998, 6: 0.99, 4: 0.9}  # nano's lowest is 0.9986
MEAN = {8: 0.9995, 6: 0.998, 4: 0.98}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> DecoderWeights:
    return tiny_weights(tmp_path_factory.mktemp("tiny"))


def tiny_weights(folder: Path, channels: int = 1, hidden: int = 256, heads: int = 4, layers: int = 3) -> DecoderWeights:
    folder = tiny_checkpoint(folder, channels=channels, hidden=hidden, heads=heads, layers=layers, max_positions=1100)
    return load_checkpoint(str(folder)).decoder


def test_a_light_decoder_takes_one_thread_unless_it_is_told_otherwise(tiny: DecoderWeights) -> None:
    """Whatever a busy machine would measure: a process without threads of its own can be forked."""
    assert NativeBackend(tiny).threads == 1
    assert NativeBackend(tiny, threads=2).threads == 2


def random_states(weights: DecoderWeights, size: int, seed: int = 0) -> NDArray[np.float32]:
    return prompt(size, weights.hidden, seed)


def random_columns(weights: DecoderWeights, lanes: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, weights.vocabulary + 1, (lanes, weights.codebooks))


def play(backend: Backend, weights: DecoderWeights, steps: int, prompts: Prompts, state: State | None = None) -> Tensor:
    """Teacher forcing: logits (steps, 2, K, V) after random columns, the same for every backend."""
    state = state or backend.new_state(POLICY)
    logits = []
    for index in range(steps):
        columns = random_columns(weights, len(state.lanes), index)
        logits.append(backend.step([state], [columns], [prompts])[0])
        advance(state)
    return torch.from_numpy(np.stack(logits))


def cosines(a: Tensor, b: Tensor) -> Tensor:
    """Of the logits of each step, row and codebook."""
    return F.cosine_similarity(a.double(), b.double(), dim=-1)


def assert_close(logits: Tensor, expected: Tensor, bits: int) -> None:
    close = cosines(logits, expected)
    assert close.min() > LOWEST[bits] and close.mean() > MEAN[bits]


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("bits", [8, 6, 4])
def test_steps_of_every_kernel_agree_with_torch(tiny: DecoderWeights, kernels: str, bits: int) -> None:
    """Over two swaps of lanes, with a prompt for the conditional row, then with one for each."""
    reference, native = TorchBackend(tiny), NativeBackend(tiny, bits=bits, threads=1, kernels=kernels)
    state, expected_state = native.new_state(POLICY), reference.new_state(POLICY)
    for sizes in ([13, None], [1, 40]):
        states = [None if size is None else random_states(tiny, size) for size in sizes]
        logits = play(native, tiny, 50, prompts_of(native, states), state)
        expected = play(reference, tiny, 50, prompts_of(reference, states), expected_state)
        assert_close(logits, expected, bits)


def prompts_of(backend: Backend, states: Sequence[NDArray[np.float32] | None]) -> Prompts:
    conditional, null = (None if state is None else backend.prompt(state) for state in states)
    return conditional, null


@pytest.mark.parametrize("bits", [8, 6, 4])
def test_kernels_agree_with_each_other(tiny: DecoderWeights, bits: int) -> None:
    """Sums of products are whole numbers and exact; only the order of a norm's sums differs."""
    outputs = []
    for kernels in KERNELS:
        native = NativeBackend(tiny, bits=bits, threads=1, kernels=kernels)
        outputs.append(play(native, tiny, 20, (native.prompt(random_states(tiny, 13)), None)))
    for logits in outputs[1:]:
        assert cosines(logits, outputs[0]).min() > 0.9997  # where a sum rounds an input the other way


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize(("bits", "error"), [(8, 0.012), (6, 0.03), (4, 0.12)])
@pytest.mark.parametrize(
    ("rows", "inputs", "outputs"), [(1, 64, 64), (2, 1024, 192), (7, 128, 320), (43, 128, 128), (64, 256, 64)]
)
def test_a_product_is_off_by_its_rounding_alone(
    tiny: DecoderWeights, kernels: str, bits: int, error: float, rows: int, inputs: int, outputs: int
) -> None:
    native = NativeBackend(tiny, bits=bits, threads=1, kernels=kernels)
    generator = torch.Generator().manual_seed(rows)
    matrix = torch.randn(inputs, outputs, generator=generator)
    x = torch.randn(rows, inputs, generator=generator)
    expected = x @ matrix
    assert (product(native, matrix, x) - expected).norm() < error * expected.norm()


def product(native: NativeBackend, matrix: Tensor, x: Tensor) -> Tensor:
    return torch.from_numpy(native.product(matrix, x.numpy()))


@pytest.mark.parametrize("kernels", KERNELS)
def test_a_product_of_what_the_bits_hold_is_exact(tiny: DecoderWeights, kernels: str) -> None:
    """Extremes of both operands: nothing saturates."""
    native = NativeBackend(tiny, threads=1, kernels=kernels)
    generator = torch.Generator().manual_seed(0)
    matrix = torch.randint(0, 2, (128, 64), generator=generator) * 254.0 - 127.0
    x = torch.randint(0, 2, (3, 128), generator=generator) * 254.0 - 127.0
    torch.testing.assert_close(product(native, matrix, x), x @ matrix, rtol=1e-6, atol=0.01)
    extreme = torch.full((2, 128), 127.0)
    wide = extreme.T.repeat(1, 32)
    torch.testing.assert_close(product(native, wide, extreme), extreme @ wide)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize(("bits", "top"), [(6, 31.0), (4, 7.0)])
def test_the_largest_small_weights_do_not_saturate(tiny: DecoderWeights, kernels: str, bits: int, top: float) -> None:
    """Two products of these share 16 bits in some kernels."""
    native = NativeBackend(tiny, bits=bits, threads=1, kernels=kernels)
    matrix = torch.full((128, 64), top)
    for x in (torch.full((3, 128), 127.0), torch.full((3, 128), -127.0)):
        torch.testing.assert_close(product(native, matrix, x), x @ matrix, rtol=1e-6, atol=0.01)


def test_every_layer_agrees_with_torch(tiny: DecoderWeights) -> None:
    for depth in range(1, len(tiny.layers) + 1):
        weights = replace(tiny, layers=tiny.layers[:depth])
        reference, native = TorchBackend(weights), NativeBackend(weights, threads=1)
        states = [random_states(weights, 9), None]
        logits = play(native, weights, 10, prompts_of(native, states))
        assert_close(logits, play(reference, weights, 10, prompts_of(reference, states)), 8)


def test_nano_agrees_with_torch() -> None:
    """On music of its own, as the reference plays it: cosines, and how often both would choose the same token."""
    weights = load_checkpoint("nano").decoder
    reference, native = TorchBackend(weights), NativeBackend(weights, threads=1)
    states = [random_states(weights, 9), None]
    prompts, expected_prompts = prompts_of(native, states), prompts_of(reference, states)
    state, expected_state = native.new_state(POLICY), reference.new_state(POLICY)
    generator = torch.Generator().manual_seed(0)
    columns = np.full((1, weights.codebooks), weights.vocabulary)
    logits, expected = [], []
    for _ in range(100):
        columns = np.repeat(columns[:1], len(state.lanes), 0)
        logits.append(native.step([state], [columns], [prompts])[0])
        expected.append(reference.step([expected_state], [columns], [expected_prompts])[0])
        advance(state)
        advance(expected_state)
        likely = torch.from_numpy(expected[-1][0]).softmax(-1)
        columns = torch.multinomial(likely, 1, generator=generator).numpy().T
    ours, theirs = torch.from_numpy(np.stack(logits)), torch.from_numpy(np.stack(expected))
    assert_close(ours, theirs, 8)
    assert (ours.argmax(-1) == theirs.argmax(-1)).float().mean() > 0.9


def test_a_long_past_and_a_long_prompt_agree_with_torch(tiny: DecoderWeights) -> None:
    reference, native = TorchBackend(tiny), NativeBackend(tiny, threads=1)
    policy = StreamingPolicy(1, 1100)
    inputs = normal(2, 1000, tiny.hidden, seed=0)
    states = [random_states(tiny, 512), None]
    logits = native.prefill(native.new_state(policy), inputs, prompts_of(native, states))
    expected = reference.prefill(reference.new_state(policy), inputs, prompts_of(reference, states))
    assert_close(torch.from_numpy(logits), torch.from_numpy(expected), 8)


@pytest.mark.parametrize("kernels", KERNELS)
@pytest.mark.parametrize("cross", [True, False])
@pytest.mark.parametrize("bits", [8, 6, 4])
def test_a_prefill_is_as_many_steps(tiny: DecoderWeights, kernels: str, cross: bool, bits: int) -> None:
    """To the bit, around the borders of the blocks that it works in, with prompts and as the melody models have none.

    Whatever follows is equal too.
    """
    weights = tiny if cross else replace(tiny, layers=tuple(replace(layer, cross=None) for layer in tiny.layers))
    native = NativeBackend(weights, bits=bits, threads=1, kernels=kernels)
    block = native_step.library().native_max_rows() // 2
    counts = (1, 7, 8, 9, block - 1, block, block + 1, 2 * block + 10)
    policy = StreamingPolicy(8, 2 * block + 40)
    prompts = prompts_of(native, [random_states(weights, 5), random_states(weights, 2)]) if cross else (None, None)
    columns = np.concatenate([random_columns(weights, 1, seed) for seed in range(max(counts))])
    inputs = Embedding(weights.embed, weights.offsets)(columns)[None].repeat(2, 0)
    slow = native.new_state(policy)
    stepped = []
    for column in columns:
        stepped.append(native.step([slow], [column[None]], [prompts])[0])
        advance(slow)
    for count in counts:
        burst = native.new_state(policy)
        np.testing.assert_array_equal(native.prefill(burst, inputs[:, :count], prompts), stepped[count - 1])
        start_shadow(burst)
    assert (burst.lanes, burst.positions) == (slow.lanes, slow.positions)
    after = [play(native, weights, 5, prompts, state) for state in (burst, slow)]
    assert torch.equal(*after)


@pytest.mark.parametrize("threads", [2, 3])
def test_threads_change_nothing(tiny: DecoderWeights, threads: int) -> None:
    alone, shared = NativeBackend(tiny, threads=1), NativeBackend(tiny, threads=threads)
    outputs = [play(native, tiny, 60, (native.prompt(random_states(tiny, 13)), None)) for native in (alone, shared)]
    assert torch.equal(*outputs)


def test_a_stream_never_hears_its_neighbours(tiny: DecoderWeights) -> None:
    """Streams at other positions, with other prompts, that come and go; 80 rows are more than one call takes."""
    native = NativeBackend(tiny, threads=1)
    prompts = [prompts_of(native, [random_states(tiny, 3 + index), None]) for index in range(20)]
    alone = play(native, tiny, 60, prompts[0])
    states = [native.new_state(POLICY) for _ in prompts]
    together = []
    for step in range(60):
        count = 1 + (7 * step) % len(states)
        columns = [random_columns(tiny, len(state.lanes), step + index) for index, state in enumerate(states[:count])]
        together.append(native.step(states[:count], columns, prompts[:count])[0])
        for state in states[:count]:
            advance(state)
    assert torch.equal(torch.from_numpy(np.stack(together)), alone)


def test_a_reset_state_is_a_fresh_one(tiny: DecoderWeights) -> None:
    native = NativeBackend(tiny, threads=1)
    prompts = prompts_of(native, [random_states(tiny, 13), None])
    state = native.new_state(POLICY)
    first = play(native, tiny, 40, prompts, state)
    state.reset()
    assert torch.equal(play(native, tiny, 40, prompts, state), first)


def test_a_new_prompt_acts_on_the_next_step(tiny: DecoderWeights) -> None:
    reference, native = TorchBackend(tiny), NativeBackend(tiny, threads=1)
    outputs = []
    for backend in (native, reference):
        state = backend.new_state(POLICY)
        parts = []
        for size in (5, 17, None):
            states = [None if size is None else random_states(tiny, size, seed=size), None]
            parts.append(play(backend, tiny, 10, prompts_of(backend, states), state))
        outputs.append(torch.cat(parts))
    assert_close(outputs[0], outputs[1], 8)


@pytest.mark.parametrize("kernels", KERNELS)
def test_a_blend_is_that_of_torch(tiny: DecoderWeights, kernels: str) -> None:
    """On every kernel: prompts of any lengths side by side, with weights that change while it plays."""
    prepare = partial(NativeBackend, threads=1, kernels=kernels)
    check_a_blend(tiny, prepare, LOWEST[8])
    check_a_blend_is_its_prompts(tiny, prepare, 0.9995)


def test_a_decoder_without_cross_attention(tiny: DecoderWeights) -> None:
    weights = replace(tiny, layers=tuple(replace(layer, cross=None) for layer in tiny.layers))
    native = NativeBackend(weights, threads=1)
    outputs = [play(backend, weights, 50, (None, None)) for backend in (native, TorchBackend(weights))]
    assert_close(outputs[0], outputs[1], 8)


def test_stereo_has_eight_codebooks(tmp_path: Path) -> None:
    weights = tiny_weights(tmp_path, channels=2, hidden=128, heads=2)
    assert weights.codebooks == 8
    native, reference = NativeBackend(weights, threads=1), TorchBackend(weights)
    states = [random_states(weights, 13), None]
    outputs = [play(backend, weights, 50, prompts_of(backend, states)) for backend in (native, reference)]
    assert_close(outputs[0], outputs[1], 8)


def test_what_it_cannot_run_is_refused(tmp_path: Path, tiny: DecoderWeights, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModelError, match="heads of size 64, this decoder's have 32"):
        NativeBackend(tiny_weights(tmp_path, hidden=64, heads=2))
    with pytest.raises(ModelError, match="no activation but the exact gelu"):
        NativeBackend(replace(tiny, activation="relu"))
    with pytest.raises(ModelError, match=r"cannot run the kernels 'sse9': it has .*portable"):
        NativeBackend(tiny, kernels="sse9")
    native_step.library.cache_clear()
    monkeypatch.setattr(native_step, "_Row", native_weights.Layer)
    with pytest.raises(ModelError, match="of another version than this package: build it again"):
        NativeBackend(tiny)
    monkeypatch.undo()
    monkeypatch.setattr("musicgen.library.NEWEST", "native_of_tomorrow")
    with pytest.raises(ModelError, match="of another version than this package: build it again"):
        NativeBackend(tiny)
    monkeypatch.setattr("musicgen.library.library_path", lambda: None)
    with pytest.raises(ModelError, match=r"not built: install a C\+\+ compiler"):
        NativeBackend(tiny)


def test_threads_are_chosen_by_measurement(tiny: DecoderWeights, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_step, "LIGHT", 0)
    native = NativeBackend(tiny)
    assert native.threads >= 1
    assert native.read_rate(1 << 22) > 0
    assert native_step.read_rate(1, 1 << 22) > 0
