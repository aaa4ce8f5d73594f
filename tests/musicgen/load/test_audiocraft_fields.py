"""AudioCraft's configurations: every field that its modules are built from is honoured, refused, or harmless."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from musicgen import ModelError, MusicGen, StreamingPolicy
from musicgen.load.audiocraft_fields import CODEC, LANGUAGE_MODEL
from musicgen.load.rules import OneOf
from musicgen.load.with_transformers import convert, read_files
from tests.musicgen.audiocraft_files import audiocraft_twin
from tests.musicgen.load.test_audiocraft import (
    AudioCraftModel,
    load,
    our_logits,
    refusal,
    repack,
    set_config,
)
from tests.musicgen.tiny import tiny_checkpoint

Change = tuple[str, Any]


@pytest.fixture(scope="module")
def melody_twin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("melody") / "twin", melody=True)


@pytest.fixture
def folder(tiny_model_dir: Path, tmp_path: Path) -> Path:
    return audiocraft_twin(tiny_model_dir, tmp_path / "audiocraft")


@pytest.fixture
def melody(melody_twin: Path, tmp_path: Path) -> Path:
    return audiocraft_twin(melody_twin, tmp_path / "melody")


def set_codec(folder: Path, path: str, value: Any) -> None:
    set_config(folder, path, value, "compression_state_dict.bin")


def belongs_to_melody(path: str) -> bool:
    return path.startswith("conditioners.self_wav")


def other_than(values: Any) -> Any:
    """A value that a rule does not allow."""
    assert isinstance(values, OneOf)
    first = values.values[0]
    if isinstance(first, bool):
        return not first
    if isinstance(first, list):
        return ["description"]
    return {"eps": 1} if isinstance(first, dict) else "another" if isinstance(first, str) else 7


MUST = [path for path, rule in LANGUAGE_MODEL.items() if rule.use == "must"]
HARMLESS = [path for path, rule in LANGUAGE_MODEL.items() if rule.use == "harmless"]


@pytest.mark.parametrize("path", MUST)
def test_what_musicgen_does_not_do_is_refused_by_name(
    folder: Path, melody_twin: Path, tmp_path: Path, path: str
) -> None:
    if belongs_to_melody(path):
        folder = audiocraft_twin(melody_twin, tmp_path / "melody")
    set_config(folder, path, other_than(LANGUAGE_MODEL[path].values))
    assert f"{path} = " in refusal(folder)


def test_what_is_harmless_changes_no_logit(folder: Path) -> None:
    columns = np.random.default_rng(0).integers(0, 64, (12, 4))
    expected = our_logits(load(folder), "deep house", columns)
    changed = [path for path in HARMLESS if not belongs_to_melody(path)]
    assert len(changed) > 20
    for path in changed:
        set_config(folder, path, {"anything": 3})
    assert torch.equal(our_logits(load(folder), "deep house", columns), expected)


@pytest.mark.parametrize("path", [path for path, rule in CODEC.items() if rule.use == "must"])
def test_a_codec_that_encodec_is_not_is_refused_by_name(folder: Path, path: str) -> None:
    set_codec(folder, path, other_than(CODEC[path].values))
    assert f"{path} = " in refusal(folder)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("transformer_lm.rotary", True),
        ("fuser.film", ["description"]),
        ("conditioners.description.t5.prefix", "music: "),
        ("codebooks_pattern.delay.jitter", 2),
        ("conditioners.style", {"model": "style"}),
    ],
)
def test_a_field_that_nobody_knows_is_refused_by_name(folder: Path, path: str, value: Any) -> None:
    set_config(folder, path, value)
    assert path in refusal(folder)


def test_sections_about_training_may_hold_anything(folder: Path) -> None:
    for path in ("optim.adam.betas", "schedule.cosine.warmup", "slurm.gpus", "a_solver_of_the_future.x"):
        set_config(folder, path, [1, {"deep": None}])
    assert load(folder).codebooks == 4


# ------------------------------------------------------------------------------------------------ what is honoured


def positions(count: int, size: int, scale: float, period: float) -> Tensor:
    """As AudioCraft's transformer computes them, written as a formula for each number."""
    half = size // 2
    rows = []
    for position in range(count):
        phases = [position / period ** (index / (half - 1)) for index in range(half)]
        rows.append([scale * math.cos(phase) for phase in phases] + [scale * math.sin(phase) for phase in phases])
    return torch.tensor(rows)


@pytest.mark.parametrize(("scale", "period"), [(0.5, 10_000.0), (1.0, 500.0), (0.0, 10_000.0), (2.0, 100)])
def test_positional_scale_and_max_period_are_honoured(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scale: float, period: float
) -> None:
    torch.manual_seed(1)
    files = read_files(folder)
    reference = AudioCraftModel(files.model.config).eval()
    repack(folder / "state_dict.bin", lambda package: package.update(best_state=reference.state_dict()))
    set_config(folder, "transformer_lm.num_layers", 3)
    columns = np.random.default_rng(0).integers(0, 65, (30, 4))
    plain = our_logits(load(folder), "calm piano", columns)
    set_config(folder, "transformer_lm.positional_scale", scale)
    set_config(folder, "transformer_lm.max_period", period)
    monkeypatch.setattr(
        "tests.musicgen.load.test_audiocraft.sinusoids", lambda count, size: positions(count, size, scale, period)
    )
    with torch.no_grad():
        text = files.model.text_encoder(**files.tokenizer("calm piano", return_tensors="pt"))[0][0]
    expected = reference(torch.from_numpy(columns), text)
    heard = our_logits(load(folder), "calm piano", columns)
    assert (heard[:, 0] - expected).abs().max() <= 5e-5
    assert (heard - plain).abs().max() > 0.05
    convert(str(folder), tmp_path / "saved")  # and they are not lost on the way
    assert (our_logits(load(tmp_path / "saved"), "calm piano", columns) - heard).abs().max() <= 1e-5


def test_a_melodys_window_is_honoured(melody: Path, tmp_path: Path) -> None:
    set_config(melody, "conditioners.self_wav.chroma_stem.radix2_exp", 12)
    model = load(melody)
    assert model.melodies is not None and model.melodies.length == 1 + 30 * 32_000 // 1024
    sound = np.random.default_rng(0).normal(0, 0.1, 102_400).astype(np.float32)
    assert len(model.melody(sound, 32_000).chroma) == 101
    convert(str(melody), tmp_path / "saved")
    assert json.loads((tmp_path / "saved/preprocessor_config.json").read_text())["n_fft"] == 4096


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("fuser.prepend", ["description"]),
        ("fuser.cross", ["description", "description"]),
        ("fuser.cross", []),
        ("fuser.sum", ["description"]),
    ],
)
def test_a_text_that_is_fused_otherwise_is_refused(folder: Path, path: str, value: Any) -> None:
    set_config(folder, path, value)
    assert path in refusal(folder)


def test_a_melody_behind_its_text_is_refused(melody: Path) -> None:
    set_config(melody, "fuser.prepend", ["description", "self_wav"])
    assert "fuser.prepend" in refusal(melody)


# ------------------------------------------------------------------------------------------------------ the codec


def test_a_codec_without_lstm_is_refused_with_the_reason(folder: Path) -> None:
    set_codec(folder, "seanet.lstm", 0)
    sentence = refusal(folder)
    assert "seanet.lstm = 0" in sentence and "without one is refused" in sentence


@pytest.mark.parametrize("parameters", [{"alpha": 0.5}, {"alpha": 1.0, "inplace": True}])
def test_another_activation_alpha_is_refused(folder: Path, parameters: dict[str, Any]) -> None:
    set_codec(folder, "seanet.activation_params", parameters)
    assert "alpha must be 1" in refusal(folder)


@pytest.mark.parametrize("side", ["decoder", "encoder"])
def test_a_side_of_the_codec_that_is_built_otherwise_is_refused(folder: Path, side: str) -> None:
    set_codec(folder, "seanet.activation_params", {"alpha": 1.0})
    set_codec(folder, f"seanet.{side}.n_filters", 4)  # as seanet says
    assert load(folder).codebooks == 4
    set_codec(folder, f"seanet.{side}.n_filters", 8)
    assert f"seanet.{side}.n_filters" in refusal(folder)


@pytest.mark.parametrize("change", [("sample_rate", 0), ("sample_rate", -32_000), ("seanet.causal", True)])
def test_a_codec_that_contradicts_itself_is_refused(folder: Path, change: Change) -> None:
    set_codec(folder, *change)
    assert change[0] in refusal(folder)


# --------------------------------------------------------------------------------------------------------- wrappers

WRAPPERS: dict[str, Callable[[str], str]] = {
    "ddp": lambda name: f"module.{name}",
    "dora": lambda name: f"model.{name}",
    "compile": lambda name: f"_orig_mod.{name}",
    "fsdp": lambda name: name.replace("layers.", "_fsdp_wrapped_module.layers.").replace(
        ".self_attn.", "._fsdp_wrapped_module.self_attn."
    ),
    "all of them": lambda name: f"module.model._orig_mod._fsdp_wrapped_module.{name}",
}


@pytest.mark.parametrize("name", WRAPPERS)
def test_what_training_wraps_a_model_in_is_taken_off(folder: Path, name: str) -> None:
    def played() -> Any:
        return np.concatenate(list(load(folder).stream("deep house", seed=3).audio(0.3)))

    def wrap(package: dict[str, Any]) -> None:
        package["best_state"] = {WRAPPERS[name](key): tensor for key, tensor in package["best_state"].items()}

    expected = played()
    repack(folder / "state_dict.bin", wrap)
    repack(folder / "compression_state_dict.bin", wrap)
    np.testing.assert_array_equal(played(), expected)


def test_weights_as_dora_leaves_them_load(folder: Path) -> None:
    repack(folder / "state_dict.bin", lambda package: package.update(best_state={"model": package["best_state"]}))
    assert load(folder).codebooks == 4


def test_a_weight_in_two_wrappers_is_refused(folder: Path) -> None:
    def double(package: dict[str, Any]) -> None:
        package["best_state"]["module.emb.0.weight"] = package["best_state"]["emb.0.weight"] + 1

    repack(folder / "state_dict.bin", double)
    assert "twice" in refusal(folder)


# ----------------------------------------------------------------------------------------------------------- absurd


@pytest.mark.parametrize(
    "change",
    [
        ("transformer_lm.n_q", 10**9),
        ("transformer_lm.num_layers", 0),
        ("transformer_lm.num_layers", -3),
        ("transformer_lm.num_layers", 2.5),
        ("transformer_lm.num_heads", 0),
        ("transformer_lm.dim", "many"),
        ("transformer_lm.hidden_scale", 1e300),
        ("transformer_lm.card", 10**12),
        ("codebooks_pattern.delay.delays", [0, 1, 2, 10**9]),
        ("dataset.segment_duration", 1e12),
        ("transformer_lm.dim", "${transformer_lm.dim}"),
        ("transformer_lm.dim", "${a}"),
    ],
)
def test_absurd_sizes_are_refused_by_name(folder: Path, change: Change) -> None:
    set_config(folder, "a", "${b}")
    set_config(folder, "b", "${a}")
    set_config(folder, *change)
    assert change[0] in refusal(folder)


def test_yaml_that_means_far_more_than_it_says_is_refused(folder: Path) -> None:
    lines = ["a0: &a0 {x: 1, y: 2, z: 3}"]
    lines += [f"a{n}: &a{n} {{x: *a{n - 1}, y: *a{n - 1}, z: *a{n - 1}}}" for n in range(1, 25)]
    bomb = "\n".join([*lines, "conditioners: *a24", "fuser: *a24"])
    repack(folder / "state_dict.bin", lambda package: package.update({"xp.cfg": bomb}))
    refusal(folder)
    repack(folder / "state_dict.bin", lambda package: package.update({"xp.cfg": "[" * 100_000}))
    refusal(folder)


def test_the_positions_reach_every_backend(folder: Path) -> None:
    """They are weights, not something that each backend computes."""
    set_config(folder, "transformer_lm.positional_scale", 0.0)
    model = load(folder)
    stream = model.stream("deep house", policy=StreamingPolicy(8, 16))
    assert stream.next_frame().shape == (4,)
    with pytest.raises(ModelError):
        MusicGen.load(str(folder / "nowhere"))
