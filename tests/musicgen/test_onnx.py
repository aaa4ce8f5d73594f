"""The 8-bit backend in ONNX Runtime: close to the reference whatever is done to its streams, and safe on disk."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

pytest.importorskip("onnxruntime", minversion="1.28", reason="it is there for Python 3.11 and newer")
# isort: split
import musicgen
from musicgen.backends import Backend, Prompts
from musicgen.backends.onnx_export import BLOCK, quantise_matrix
from musicgen.backends.onnx_step import OnnxBackend
from musicgen.backends.torch_step import TorchBackend
from musicgen.cache import State, StreamingPolicy
from musicgen.checkpoint import load_checkpoint
from musicgen.decoder import DecoderWeights
from musicgen.errors import ModelError
from tests.musicgen.random_decoder import random_decoder

NANO = Path(musicgen.__file__).parent / "models" / "nano"
POLICY = StreamingPolicy(keep=7, max_position=20)
CLOSE = 0.995  # cosine of the logits of one codebook; 8 bits in narrow random matrices. Trained weights come closer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where decoders are prepared once for all tests here."""
    return tmp_path_factory.mktemp("checkpoint")


class Pair:
    """A stream in the reference and in the backend under test, played with the same columns."""

    def __init__(self, reference: Backend, backend: Backend, policy: StreamingPolicy = POLICY) -> None:
        self.backends = (reference, backend)
        self.states: tuple[State, State] = (reference.new_state(policy), backend.new_state(policy))
        self.set_prompts(None, None)

    def set_prompts(self, first: Tensor | None, second: Tensor | None) -> None:
        """Of the conditional and the null row."""
        self.prompts: list[Prompts] = [(row(backend, first), row(backend, second)) for backend in self.backends]


def row(backend: Backend, states: Tensor | None) -> Any:
    return None if states is None else backend.prompt(states)


def play(pairs: Sequence[Pair], steps: int, rng: np.random.Generator) -> float:
    """Step them all in one batch with random columns; the smallest cosine between the two's logits."""
    worst = 1.0
    for _ in range(steps):
        tokens = [rng.integers(0, 64, 64) for _ in pairs]
        expected, found = (_step(pairs, side, tokens) for side in (0, 1))
        worst = min(worst, cosine(expected, found))
        for pair in pairs:
            for state in pair.states:
                state.advance()
    return worst


def _step(pairs: Sequence[Pair], side: int, tokens: list[NDArray[np.int64]]) -> Tensor:
    backend: Any = pairs[0].backends[side]
    states = [pair.states[side] for pair in pairs]
    codebooks = backend.exported.codebooks if side else backend.weights.codebooks
    columns = [
        given[: codebooks * len(state.lanes)].reshape(-1, codebooks)
        for given, state in zip(tokens, states, strict=True)
    ]
    logits: Tensor = backend.step(states, columns, [pair.prompts[side] for pair in pairs])
    return logits


def cosine(expected: Tensor, found: Tensor) -> float:
    """The smallest over rows and codebooks."""
    return float(torch.cosine_similarity(expected, found, dim=-1).min())


def both(weights: DecoderWeights, folder: Path) -> tuple[TorchBackend, OnnxBackend]:
    """The reference and the backend under test."""
    return TorchBackend(weights), OnnxBackend(weights, folder, threads=1)


def prompt(length: int, seed: int = 0) -> Tensor:
    return torch.randn(length, 64, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    "shape", [{}, {"codebooks": 8, "activation": "relu"}, {"cross": False, "activation": "silu"}, {"hidden": 192}]
)
def test_a_stream_plays_on_across_swaps_as_in_the_reference(folder: Path, shape: dict[str, Any]) -> None:
    weights = random_decoder(**shape)
    pair = Pair(*both(weights, folder))
    if weights.layers[0].cross is not None:
        pair.set_prompts(torch.randn(5, weights.hidden), None)
    assert play([pair], 3 * POLICY.max_position, np.random.default_rng(0)) > CLOSE


def test_streams_join_leave_and_differ_in_prompts_and_policies(folder: Path) -> None:
    sides = both(random_decoder(), folder)
    rng = np.random.default_rng(1)
    one, two, three = (Pair(*sides, StreamingPolicy(keep, most)) for keep, most in ((7, 20), (4, 9), (12, 40)))
    one.set_prompts(prompt(5), None)
    two.set_prompts(prompt(2), prompt(11))
    for batch in ([one], [two, one], [one, two, three], [three, two], [two, three], [one]):
        assert play(batch, 9, rng) > CLOSE


def test_a_prompt_changes_in_the_middle_of_a_stream(folder: Path) -> None:
    pair = Pair(*both(random_decoder(), folder))
    rng = np.random.default_rng(2)
    for prompts in ((prompt(5), None), (prompt(9, seed=1), None), (None, None), (None, prompt(3)), (prompt(5), None)):
        pair.set_prompts(*prompts)
        assert play([pair], 6, rng) > CLOSE


def test_a_stream_starts_anew_after_a_reset(folder: Path) -> None:
    """Its past must not sound through: the logits are those of a fresh stream, to the bit."""
    _, backend = both(random_decoder(), folder)
    state, fresh = backend.new_state(POLICY), backend.new_state(POLICY)
    columns = np.random.default_rng(3).integers(0, 64, (30, 1, 4))
    for column in columns[:17]:  # the shadow is at work here
        backend.step([state], [column.repeat(len(state.lanes), 0)], [(None, None)])
        state.advance()
    state.reset()
    for column in columns[:12]:
        found, expected = (backend.step([one], [column], [(None, None)]) for one in (state, fresh))
        torch.testing.assert_close(found, expected, atol=0, rtol=0)
        state.advance()
        fresh.advance()


def test_a_row_without_a_prompt_gets_exactly_nothing_from_cross_attention(folder: Path) -> None:
    """The null row beside a prompt is the null row beside none, to the bit."""
    _, backend = both(random_decoder(), folder)
    states = [backend.new_state(POLICY) for _ in range(2)]
    prompts = [(backend.prompt(prompt(5)), None), (None, None)]
    for column in np.random.default_rng(4).integers(0, 64, (8, 1, 4)):
        beside, alone = (backend.step([state], [column], [pair]) for state, pair in zip(states, prompts, strict=True))
        torch.testing.assert_close(beside[0, 1], alone[0, 1], atol=0, rtol=0)
        assert not torch.allclose(beside[0, 0], alone[0, 0])
        for state in states:
            state.advance()


@pytest.mark.parametrize("parts", [(1,), (9,), (4, 5), (1, 6)])
def test_many_inputs_at_once_are_those_inputs_one_by_one(folder: Path, parts: tuple[int, ...]) -> None:
    weights = random_decoder()
    pair = Pair(*both(weights, folder))
    pair.set_prompts(prompt(5), None)
    inputs = torch.randn(2, sum(parts), weights.hidden, generator=torch.Generator().manual_seed(5))
    for part in torch.split(inputs, list(parts), dim=1):
        logits = [
            backend.prefill(state, part, prompts)
            for backend, state, prompts in zip(pair.backends, pair.states, pair.prompts, strict=True)
        ]
        assert cosine(*logits) > CLOSE
        assert pair.states[1].positions == pair.states[0].positions
    assert play([pair], 20, np.random.default_rng(5)) > CLOSE


def test_a_prefill_into_the_shadows_time_is_refused(folder: Path) -> None:
    _, backend = both(random_decoder(), folder)
    with pytest.raises(ValueError, match="too long"):
        backend.prefill(backend.new_state(POLICY), torch.zeros(2, 14, 64), (None, None))


def test_nothing_but_its_own_position_is_written(folder: Path) -> None:
    """Keys and values stay where they are: what a step has not read or written does not change."""
    _, backend = both(random_decoder(), folder)
    state = backend.new_state(POLICY)
    state.memory.past[:] = 77
    address = state.memory.past.ctypes.data
    for position in range(5):
        backend.step([state], [np.zeros((1, 4), np.int64)], [(None, None)])
        past = state.memory.past
        assert past.ctypes.data == address
        assert (past[:, :, :2, :, position] != 77).all()
        assert (past[:, :, :2, :, position + 1 :] == 77).all() and (past[:, :, 2:] == 77).all()
        state.advance()


def test_nano_plays_with_its_own_tokens(folder: Path) -> None:
    """Under teacher forcing with what the reference samples: nearly the same logits, and mostly the same favourite."""
    checkpoint = load_checkpoint("nano")
    sides: tuple[Backend, Backend] = both(checkpoint.decoder, folder)
    states = [side.new_state(StreamingPolicy(keep=20, max_position=60)) for side in sides]
    text = checkpoint.prompts.states("deep house with warm bass and piano")
    prompts: Any = [(side.prompt(text), None) for side in sides]
    generator = torch.Generator().manual_seed(6)
    column = np.full(checkpoint.decoder.codebooks, checkpoint.pad)
    closest, agreed = [], []
    for _ in range(120):
        expected, found = (
            side.step([state], [np.stack([column] * len(state.lanes))], [pair])[0]
            for side, state, pair in zip(sides, states, prompts, strict=True)
        )
        closest.append(cosine(expected, found))
        agreed.append((expected.argmax(-1) == found.argmax(-1)).float().mean())
        guided = expected[1] + 3 * (expected[0] - expected[1])
        column = torch.multinomial(guided.softmax(-1), 1, generator=generator)[:, 0].numpy()
        for state in states:
            state.advance()
    assert min(closest) > 0.999
    assert np.mean(agreed) > 0.95


@pytest.mark.parametrize("size", [64, 128, 200])
def test_a_quantised_matrix_is_the_matrix_within_half_a_level(size: int) -> None:
    matrix = torch.randn(size, 24, generator=torch.Generator().manual_seed(7))
    matrix[:, 3] = 0
    weight, scales = quantise_matrix(matrix)
    back = ((weight.float() - 128) * scales[:, :, None]).view(24, -1)
    steps = scales.repeat_interleave(BLOCK, 1)
    assert ((back[:, :size].t() - matrix).abs() <= 0.5001 * steps[:, :size].t()).all()
    assert (back[:, size:] == 0).all()


def stored(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.safetensors"))


def prepare(weights: DecoderWeights, folder: Path | None) -> tuple[OnnxBackend, list[tuple[int, int]]]:
    """The backend and what its preparation told of its progress."""
    told: list[tuple[int, int]] = []
    return OnnxBackend(weights, folder, threads=1, progress=lambda done, total: told.append((done, total))), told


def first_logits(backend: OnnxBackend) -> Tensor:
    return backend.step([backend.new_state(POLICY)], [np.zeros((1, 4), np.int64)], [(None, None)])


def test_a_decoder_is_prepared_once_and_found_again(tmp_path: Path) -> None:
    weights = random_decoder()
    first, told = prepare(weights, tmp_path)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert told[-1] == (weights.step_size, weights.step_size)
    files = stored(tmp_path)
    again, told = prepare(weights, tmp_path)
    assert told == [] and stored(tmp_path) == files and len(files) == 1
    torch.testing.assert_close(first_logits(again), first_logits(first), atol=0, rtol=0)


def test_other_weights_are_prepared_anew(tmp_path: Path) -> None:
    weights = random_decoder()
    prepare(weights, tmp_path)
    changed = replace(weights, heads=weights.heads.clone())
    changed.heads[5, 7] += 0.5
    backend, told = prepare(changed, tmp_path)
    assert told and len(stored(tmp_path)) == 2
    assert cosine(first_logits(backend), first_logits(prepare(weights, tmp_path)[0])) < 1


@pytest.mark.parametrize("damage", ["flip", "header", "cut", "empty", "text"])
def test_a_damaged_file_is_made_anew(tmp_path: Path, damage: str) -> None:
    weights = random_decoder()
    expected = first_logits(prepare(weights, tmp_path)[0])
    (path,) = stored(tmp_path)
    whole = path.read_bytes()
    half = len(whole) // 2
    damaged = {
        "flip": whole[:half] + bytes([whole[half] ^ 16]) + whole[half + 1 :],
        "header": whole.replace(b'"heads\\":2', b'"heads\\":4').replace(b'heads\\": 2', b'heads\\": 4'),
        "cut": whole[:-100],
        "empty": b"",
        "text": b"{" * 5000,
    }[damage]
    assert damaged != whole
    path.unlink()  # the mapped one stays as it was
    path.write_bytes(damaged)
    backend, told = prepare(weights, tmp_path)
    assert told
    torch.testing.assert_close(first_logits(backend), expected, atol=0, rtol=0)
    assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("musicgen.backends.onnx_export.HF_HOME", str(tmp_path / "cache"))
    blocked = tmp_path / "file"
    blocked.write_text("")  # where a folder is asked for: not even the superuser can write into it
    prepare(random_decoder(), blocked)
    assert len(stored(tmp_path / "cache")) == 1


def test_a_model_of_the_package_is_prepared_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("musicgen.backends.onnx_export.HF_HOME", str(tmp_path))
    prepare(random_decoder(), NANO)
    assert len(stored(tmp_path)) == 1 and stored(NANO) == sorted(NANO.glob("model*.safetensors"))


def test_nothing_is_left_behind_where_there_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(tensors: dict[str, Tensor], path: str, metadata: dict[str, str]) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("musicgen.backends.onnx_export.HF_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("musicgen.backends.onnx_export.save_file", full)
    with pytest.raises(ModelError, match="make room"):
        prepare(random_decoder(), tmp_path / "checkpoint")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
