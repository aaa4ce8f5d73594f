"""The 8-bit backend in ONNX Runtime: close to the reference whatever is done to its streams, and safe on disk."""

import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

pytest.importorskip("onnxruntime", minversion="1.28", reason="it is there for Python 3.11 and newer")
# isort: split
import musicgen
from musicgen.backends.onnx_export import BLOCK, quantise_matrix
from musicgen.backends.onnx_step import OnnxBackend
from musicgen.decoder import DecoderWeights
from musicgen.errors import ModelError
from tests.musicgen.backend_parity import (
    POLICY,
    SHAPES,
    agree,
    check_a_stream_through_its_life,
    check_everything,
    nano_agreement,
    prompt,
    shapes,
)
from tests.musicgen.random_decoder import random_decoder

NANO = Path(musicgen.__file__).parent / "models" / "nano"
CLOSE = 0.998  # cosine of a row's logits; 8 bits in narrow random matrices. Trained weights come closer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where decoders are prepared once for all tests here."""
    return tmp_path_factory.mktemp("checkpoint")


def backend(weights: DecoderWeights, folder: Path) -> OnnxBackend:
    return OnnxBackend(weights, folder, threads=1)


@pytest.mark.parametrize("shape", SHAPES)
def test_it_does_what_the_reference_does(folder: Path, shape: str) -> None:
    check_everything(shapes()[shape], partial(backend, folder=folder), CLOSE)


@pytest.mark.parametrize("activation", ["relu", "silu"])
def test_it_knows_every_activation(folder: Path, activation: str) -> None:
    check_a_stream_through_its_life(random_decoder(activation=activation), partial(backend, folder=folder), CLOSE)


def test_nano_plays_with_its_own_tokens(folder: Path) -> None:
    """Under teacher forcing: nearly the same logits, and mostly the same favourite."""
    agreement = nano_agreement(partial(backend, folder=folder))
    assert agreement.cosine > 0.997
    assert agreement.top > 0.95


def test_a_row_without_a_prompt_gets_exactly_nothing_from_cross_attention(folder: Path) -> None:
    """The null row beside a prompt is the null row beside none, to the bit."""
    onnx = backend(random_decoder(), folder)
    states = [onnx.new_state(POLICY) for _ in range(2)]
    prompts = [(onnx.prompt(prompt(5, 64)), None), (None, None)]
    for column in np.random.default_rng(4).integers(0, 64, (8, 1, 4)):
        beside, alone = (onnx.step([state], [column], [pair]) for state, pair in zip(states, prompts, strict=True))
        np.testing.assert_array_equal(beside[0, 1], alone[0, 1])
        assert not np.allclose(beside[0, 0], alone[0, 0])
        for state in states:
            state.count()


def test_nothing_but_its_own_position_is_written(folder: Path) -> None:
    """Keys and values stay where they are: a step changes its own ones, in the same memory."""
    onnx = backend(random_decoder(), folder)
    state = onnx.new_state(POLICY)
    past = state.memory.past
    past[:] = 77
    for position in range(5):
        onnx.step([state], [np.zeros((1, 4), np.int64)], [(None, None)])
        assert state.memory.past is past
        assert (past[:, :, :2, :, position] != 77).any(axis=-1).all()
        assert (past[:, :, :2, :, position + 1 :] == 77).all() and (past[:, :, 2:] == 77).all()
        state.count()


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


def first_logits(backend: OnnxBackend) -> NDArray[np.float32]:
    return backend.step([backend.new_state(POLICY)], [np.zeros((1, 4), np.int64)], [(None, None)])


def test_a_decoder_is_prepared_once_and_found_again(tmp_path: Path) -> None:
    weights = random_decoder()
    first, told = prepare(weights, tmp_path)
    assert [done for done, _ in told] == sorted({done for done, _ in told})
    assert told[-1] == (weights.step_size, weights.step_size)
    files = stored(tmp_path)
    again, told = prepare(weights, tmp_path)
    assert told == [] and stored(tmp_path) == files and len(files) == 1
    np.testing.assert_array_equal(first_logits(again), first_logits(first))


def test_other_weights_are_prepared_anew(tmp_path: Path) -> None:
    weights = random_decoder()
    prepare(weights, tmp_path)
    changed = replace(weights, heads=weights.heads.clone())
    changed.heads[5, 7] += 0.5
    backend, told = prepare(changed, tmp_path)
    assert told and len(stored(tmp_path)) == 2
    assert agree(first_logits(backend), first_logits(prepare(weights, tmp_path)[0])).cosine < 1


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
    np.testing.assert_array_equal(first_logits(backend), expected)
    assert path.read_bytes() == whole


def test_a_folder_that_cannot_be_written_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("musicgen.backends.onnx_export.HF_HOME", str(tmp_path / "cache"))
    blocked = tmp_path / "file"
    blocked.write_text("")  # where a folder is asked for: not even the superuser can write into it
    prepare(random_decoder(), blocked)
    assert len(stored(tmp_path / "cache")) == 1


def test_a_model_of_the_package_is_prepared_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("musicgen.backends.onnx_export.HF_HOME", str(tmp_path))
    shipped = [*NANO.glob("model*.safetensors"), NANO / "score.safetensors"]
    prepare(random_decoder(), NANO)
    assert len(stored(tmp_path)) == 1 and stored(NANO) == sorted(shipped)


def test_nothing_is_left_behind_where_there_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(tensors: dict[str, Tensor], path: str, metadata: dict[str, str]) -> None:
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("musicgen.backends.onnx_export.HF_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("musicgen.backends.onnx_export.save_file", full)
    with pytest.raises(ModelError, match="make room"):
        prepare(random_decoder(), tmp_path / "checkpoint")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_what_a_killed_preparation_left_is_cleared_away_in_time(tmp_path: Path) -> None:
    weights = random_decoder()
    prepare(weights, tmp_path)
    (path,) = stored(tmp_path)
    path.unlink()
    old, young = (path.with_name(f"{path.name}.{name}.part") for name in ("old", "young"))
    for part in (old, young):
        part.write_bytes(b"half")
    os.utime(old, (0, 0))
    prepare(weights, tmp_path)
    assert path.exists() and young.exists() and not old.exists()
