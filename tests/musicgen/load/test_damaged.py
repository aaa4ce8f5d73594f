"""Model files that are damaged, absurd or hostile: one sentence, at once, and nothing big is built on the way."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import struct
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import Tensor

from musicgen import ModelError, MusicGen
from musicgen.load.with_transformers import read_files
from tests.musicgen.audiocraft_files import audiocraft_twin
from tests.musicgen.load.test_audiocraft import repack
from tests.musicgen.tiny import tiny_checkpoint

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n"
FILES = ("config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("damaged")
    shape: dict[str, Any] = {"layers": 1, "hidden": 32, "ffn": 64, "vocab": 16, "latent": 8, "text_hidden": 16}
    return {kind: tiny_checkpoint(base / kind, text_encoder=kind, **shape) for kind in ("t5", "bert")}


@pytest.fixture
def copy(sources: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(sources["t5"], tmp_path / "copy"))


@pytest.fixture
def audiocraft(sources: dict[str, Path], tmp_path: Path) -> Path:
    return audiocraft_twin(sources["t5"], tmp_path / "audiocraft")


def load(folder: Path) -> MusicGen:
    return MusicGen.load(str(folder), backend="torch", threads=1)


def refusal(folder: Path, how: Callable[[Path], Any] = load) -> str:
    with pytest.raises(ModelError) as caught:
        how(folder)
    sentence = str(caught.value)
    assert sentence.endswith(".") and sentence.isprintable() and len(sentence) < 700, sentence
    return sentence


def edit_json(path: Path, change: Callable[[Any], Any]) -> None:
    path.write_text(json.dumps(change(json.loads(path.read_text()))))


def edit_weights(folder: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]]) -> None:
    save_file(change(load_file(folder / "model.safetensors")), folder / "model.safetensors")


# ------------------------------------------------------------------------------------------------------------ absurd

MANY: tuple[Any, ...] = (10**9, 10**30, 0, -3, 2.5, "many", None, True, [4], {}, float("inf"))
SIZES = [
    *(("decoder", name) for name in ("num_codebooks", "num_hidden_layers", "num_attention_heads", "hidden_size")),
    *(("decoder", name) for name in ("ffn_dim", "vocab_size", "audio_channels", "max_position_embeddings")),
    *(("audio_encoder", name) for name in ("num_filters", "hidden_size", "num_lstm_layers", "num_residual_layers")),
    *(("audio_encoder", name) for name in ("codebook_size", "kernel_size", "compress", "audio_channels")),
    *(("text_encoder", name) for name in ("d_model", "num_layers", "num_heads", "vocab_size", "d_kv", "d_ff")),
]


def peak_memory() -> int:
    """Of this process, in bytes, where the system tells."""
    path = Path("/proc/self/status")
    if not path.exists():
        return 0
    return 1024 * int(next(line.split()[1] for line in path.read_text().splitlines() if line.startswith("VmPeak")))


@pytest.mark.parametrize(("part", "name"), SIZES)
def test_absurd_sizes_are_one_sentence_at_once(copy: Path, part: str, name: str) -> None:
    """10^9 codebooks, 10^6 channels, no layers, -3, 2.5, "many": none of it is built, here or by transformers."""
    original = (copy / "config.json").read_text()
    load(copy)  # imports are not what is measured
    before = peak_memory()
    for value in MANY:
        config = json.loads(original)
        config[part][name] = value
        (copy / "config.json").write_text(json.dumps(config))
        for how in (load, read_files):
            start = time.process_time()
            if value is None or (value is True and name == "audio_channels"):
                with pytest.raises(ModelError) if value else _whatever():
                    how(copy)
            else:
                assert name in refusal(copy, how)
            assert time.process_time() - start < 1.0
    assert peak_memory() - before < 1 << 30


class _whatever:
    """null is what a file says that leaves a field to its default: then the weights may fit it or not."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        return kind is None or issubclass(kind, ModelError)


@pytest.mark.parametrize(
    "changes",
    [
        {"codebook_delays": [0, 1, 2, 10**9]},
        {"codebook_delays": [0] * 10**5},
        {"codebook_turns": [0, 0, 0, 10**9]},
        {"streaming": {"keep": 10**9, "max_position": 2 * 10**9}},
        {"streaming": {"keep": -1, "max_position": 10}},
        {"streaming": {"keep": 2.5, "max_position": 10}},
        {"streaming": {"keep": True, "max_position": 10}},
        {"max_length": -5},
        {"max_length": "long"},
    ],
)
def test_absurd_cards_are_one_sentence_at_once(copy: Path, changes: dict[str, Any]) -> None:
    edit_json(copy / "generation_config.json", lambda card: card | changes)
    start = time.process_time()
    assert next(iter(changes)) in refusal(copy)
    assert time.process_time() - start < 1.0


@pytest.mark.parametrize("name", FILES[:-1])
@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "9" * 5000, "nul", "\x00", "[]", '"x"', ""])
def test_json_that_is_deep_long_or_none(copy: Path, name: str, text: str) -> None:
    (copy / name).write_text(text)
    if (name, text) != ("tokenizer_config.json", ""):
        refusal(copy)


def test_a_policy_of_more_memory_than_there_is(copy: Path) -> None:
    edit_json(
        copy / "config.json",
        lambda config: config | {"decoder": config["decoder"] | {"max_position_embeddings": 10**7}},
    )
    assert "max_position_embeddings" in refusal(copy)


# ---------------------------------------------------------------------------------------------------------- the index


@pytest.mark.parametrize(
    "name", ["../base/model.safetensors", "/etc/passwd", "sub/model.safetensors", "..", "", "a\\b", "c:x", 7, None]
)
@pytest.mark.parametrize("how", [load, read_files])
def test_an_index_that_leaves_its_folder_is_refused(copy: Path, name: Any, how: Callable[[Path], Any]) -> None:
    weights = load_file(copy / "model.safetensors")
    shutil.copytree(copy, copy.parent / "base")
    (copy / "model.safetensors").unlink()
    (copy / "model.safetensors.index.json").write_text(json.dumps({"weight_map": dict.fromkeys(weights, name)}))
    sentence = refusal(copy, how)
    assert "outside its folder" in sentence or "no index" in sentence


# --------------------------------------------------------------------------------------------------------- the weights


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize(
    "part", ["decoder.model.decoder.layers.0.fc1.weight", "text_encoder.shared.weight", "audio_encoder.decoder"]
)
def test_weights_that_are_no_numbers_are_one_sentence(copy: Path, value: float, part: str) -> None:
    def poison(weights: dict[str, Tensor]) -> dict[str, Tensor]:
        name = next(name for name in sorted(weights) if name.startswith(part))
        weights[name].view(-1)[weights[name].numel() // 2] = value
        return weights

    edit_weights(copy, poison)
    assert "no numbers, NaN or infinity" in refusal(copy)


def test_weights_that_are_no_numbers_in_audiocrafts_files(audiocraft: Path) -> None:
    def poison(package: dict[str, Any]) -> None:
        package["best_state"]["transformer.layers.0.linear1.weight"][3, 5] = torch.nan

    repack(audiocraft / "state_dict.bin", poison)
    assert "no numbers" in refusal(audiocraft)


@pytest.mark.parametrize("kind", [torch.int32, torch.int8, torch.bool, torch.uint8])
@pytest.mark.parametrize(
    "part", ["decoder.model.decoder.embed_tokens.0.weight", "enc_to_dec_proj.weight", "text_encoder.shared.weight"]
)
def test_embeddings_of_whole_numbers_are_refused(copy: Path, part: str, kind: torch.dtype) -> None:
    edit_weights(copy, lambda weights: weights | {part: weights[part].to(kind)})
    assert f"holds {str(kind).removeprefix('torch.')}" in refusal(copy)


@pytest.mark.parametrize("name", [*FILES, "state_dict.bin", "compression_state_dict.bin"])
def test_a_git_lfs_pointer_is_called_what_it_is(copy: Path, audiocraft: Path, name: str) -> None:
    folder = audiocraft if name.endswith(".bin") else copy
    (folder / name).write_text(POINTER)
    sentence = refusal(folder)
    assert "git-LFS pointer" in sentence and name in sentence and "git lfs pull" in sentence


@pytest.mark.parametrize("wrap", ["module.{}", "_orig_mod.{}", "model.{}", "_fsdp_wrapped_module.module.{}"])
def test_what_training_wraps_a_model_in_is_taken_off(copy: Path, wrap: str) -> None:
    expected = load(copy).stream("deep house", seed=1).next_chunk(4)
    edit_weights(copy, lambda weights: {wrap.format(name): tensor for name, tensor in weights.items()})
    assert (load(copy).stream("deep house", seed=1).next_chunk(4) == expected).all()


# ----------------------------------------------------------------------------------------- a structure-aware mutator

odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**12), 10**12),
    st.sampled_from(
        [0, 1, -1, 2**31, 2**63, 10**400, 0.5, float("nan"), float("inf"), "", "gelu", "../x", [], {}, [[]]]
    ),
    st.text(max_size=5),
    st.lists(st.integers(-3, 3), max_size=5),
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to everything in a JSON value."""
    if path:
        yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from places(part, (*path, key))


@st.composite
def mutations(draw: st.DrawFn, content: Any) -> Any:
    """A JSON value with a few of its parts changed, removed, doubled or moved."""
    content = json.loads(json.dumps(content))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(places(content))))
        inner = content
        for key in path[:-1]:
            inner = inner[key]
        how = draw(st.sampled_from(["change", "change", "remove", "add", "scale", "swap"]))
        if how == "remove":
            del inner[path[-1]]
        elif how == "add" and isinstance(inner, dict):
            inner[draw(st.text(max_size=8))] = deepcopy(draw(odd))
        elif how == "scale" and isinstance(inner[path[-1]], (int, float)):
            factor = draw(st.sampled_from([2, 3, 10, 1000, -1, 0.5]))
            with contextlib.suppress(OverflowError):  # 10^400 has no half
                inner[path[-1]] *= factor
        elif how == "swap" and isinstance(inner, dict):
            other = draw(st.sampled_from(sorted(inner)))
            inner[path[-1]], inner[other] = inner[other], inner[path[-1]]
        else:
            inner[path[-1]] = deepcopy(draw(odd))
        if not list(places(content)):
            break
    return content


def plays_or_refuses(folder: Path) -> None:
    """A second of music, or one sentence; nothing else comes out."""
    try:
        model = load(folder)
        model.stream("deep house", seed=1).next_chunk(2)
    except ModelError as error:
        sentence = str(error)
        assert sentence.endswith(".") and sentence.isprintable() and len(sentence) < 900, sentence


EXAMPLES = int(os.environ.get("DAMAGED_EXAMPLES", "40"))
hard = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.mark.parametrize("kind", ["t5", "bert"])
@pytest.mark.parametrize("name", FILES[:-1])
@hard
@given(data=st.data())
def test_a_mutated_file_plays_or_is_one_sentence(
    sources: dict[str, Path], tmp_path: Path, kind: str, name: str, data: st.DataObject
) -> None:
    source, folder = sources[kind], tmp_path / "mutated"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(source, folder)
    content = data.draw(mutations(json.loads((source / name).read_text())))
    (folder / name).write_text(json.dumps(content))
    plays_or_refuses(folder)


@hard
@given(data=st.data())
def test_mutated_weights_play_or_are_one_sentence(
    sources: dict[str, Path], tmp_path: Path, data: st.DataObject
) -> None:
    """In the header: names, types, shapes and places; then bytes anywhere, or an end."""
    folder = tmp_path / "mutated"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sources["bert"], folder)
    raw = (folder / "model.safetensors").read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    header, body = json.loads(raw[8 : 8 + size]), raw[8 + size :]
    how = data.draw(st.sampled_from(["header", "bytes", "cut", "length"]))
    if how == "header":
        written = json.dumps(data.draw(mutations(header))).encode()
        raw = struct.pack("<Q", len(written)) + written + body
    elif how == "bytes":
        changed = bytearray(raw)
        for _ in range(data.draw(st.integers(1, 8))):
            changed[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
        raw = bytes(changed)
    elif how == "cut":
        raw = raw[: data.draw(st.integers(0, len(raw)))]
    else:
        raw = struct.pack("<Q", data.draw(st.integers(0, 2**64 - 1))) + raw[8:]
    (folder / "model.safetensors").write_bytes(raw)
    plays_or_refuses(folder)


@hard
@given(data=st.data())
def test_a_mutated_xp_cfg_plays_or_is_one_sentence(
    sources: dict[str, Path], tmp_path: Path, data: st.DataObject
) -> None:
    import yaml

    folder = tmp_path / "audiocraft"
    if not folder.exists():
        audiocraft_twin(sources["t5"], folder)
        shutil.copytree(folder, tmp_path / "whole")
    name = data.draw(st.sampled_from(["state_dict.bin", "compression_state_dict.bin"]))
    for file in ("state_dict.bin", "compression_state_dict.bin"):
        shutil.copy(tmp_path / "whole" / file, folder / file)
    content = yaml.safe_load(torch.load(folder / name, weights_only=True)["xp.cfg"])
    text = yaml.safe_dump(data.draw(mutations(content)))
    repack(folder / name, lambda package: package.update({"xp.cfg": text}))
    plays_or_refuses(folder)
