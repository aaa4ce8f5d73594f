"""LoRA adapters as PEFT saves them, over their base model; PEFT's own merge is the oracle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from musicgen import Ensemble, ModelError, MusicGen  # before peft, and transformers with it
from musicgen.load.lora import FIELDS
from tests.musicgen.load.test_audiocraft import our_logits
from tests.musicgen.oracle import Oracle
from tests.musicgen.tiny import tiny_checkpoint

# isort: split
import peft
from peft.tuners.lora import LoraLayer

ATTENTION = ["q_proj", "v_proj"]
EVERYWHERE = [
    *("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2", "enc_to_dec_proj", "audio_enc_to_dec_proj"),
    *(f"{name}.{k}" for name in ("lm_heads", "embed_tokens") for k in range(4)),
]
ADAPTERS: dict[str, dict[str, Any]] = {
    "attention": {"r": 4, "lora_alpha": 8, "target_modules": ATTENTION},
    "everywhere": {"r": 3, "lora_alpha": 16, "target_modules": EVERYWHERE, "use_rslora": True},
    "patterns": {
        **{"r": 4, "lora_alpha": 8, "target_modules": ["q_proj", "fc1", "fc2"]},
        **{"rank_pattern": {"fc1": 2}, "alpha_pattern": {"layers.1.fc2": 32, "q_proj": 3}},
    },
    "saved whole": {"r": 4, "lora_alpha": 4, "target_modules": ATTENTION, "modules_to_save": ["enc_to_dec_proj"]},
    "text encoder": {"r": 2, "lora_alpha": 8, "target_modules": ["q", "v", "wo", *ATTENTION]},
}


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Path]:
    """Without and with a melody; heads of 64, so that the native backend takes them."""
    base = tmp_path_factory.mktemp("lora")
    shape: dict[str, Any] = {"hidden": 128, "heads": 2}
    return {melody: tiny_checkpoint(base / f"base-{melody}", melody=melody, **shape) for melody in (False, True)}


def save_adapter(base: Path, folder: Path, seed: int = 0, **config: Any) -> Any:
    """An adapter with matrices that do something; returns PEFT's model."""
    torch.manual_seed(seed)
    settings = peft.LoraConfig(**config)
    adapted = cast(Any, peft.get_peft_model(Oracle(base).model, settings))
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_" in name or "modules_to_save" in name:
                weight.normal_(0, 0.2)
    adapted.peft_config["default"].base_model_name_or_path = str(base)
    adapted.save_pretrained(folder)
    return adapted.eval()


def load(folder: Path, backend: str = "torch") -> MusicGen:
    return MusicGen.load(str(folder), backend=backend, threads=1)


COLUMNS = np.random.default_rng(0).integers(0, 65, (10, 4))


def merged(adapted: Any, folder: Path, base: Path, strength: float) -> Path:
    """PEFT's merge at a strength, as a model of its own."""
    shutil.copytree(base, folder)
    for module in adapted.modules():
        if isinstance(module, LoraLayer):  # not by scale_layer, which passes over embeddings
            module.scaling["default"] *= strength
    adapted.merge_and_unload().save_pretrained(folder)
    return folder


@pytest.mark.parametrize("melody", [False, True])
@pytest.mark.parametrize("name", ADAPTERS)
def test_it_plays_what_peft_merges(bases: dict[bool, Path], tmp_path: Path, name: str, melody: bool) -> None:
    base = bases[melody]
    adapted = save_adapter(base, tmp_path / "adapter", **ADAPTERS[name])
    model, plain = load(tmp_path / "adapter"), our_logits(load(base), "deep house", COLUMNS)
    expected = our_logits(load(merged(adapted, tmp_path / "merged", base, 1.0)), "deep house", COLUMNS)
    heard = our_logits(model, "deep house", COLUMNS)
    assert (heard - plain).abs().max() > 0.05
    assert (heard - expected).abs().max() <= 1e-4
    model.set_lora_strength(0.0)
    assert (our_logits(model, "deep house", COLUMNS) - plain).abs().max() <= 1e-5


@pytest.mark.parametrize("strength", [0.3, 1.5])
def test_strength_is_a_factor_of_what_is_added(bases: dict[bool, Path], tmp_path: Path, strength: float) -> None:
    adapted = save_adapter(bases[False], tmp_path / "adapter", **ADAPTERS["everywhere"])
    model = load(tmp_path / "adapter")
    model.set_lora_strength(strength)
    assert model.lora_strength == strength
    expected = our_logits(load(merged(adapted, tmp_path / "merged", bases[False], strength)), "jazz", COLUMNS)
    assert (our_logits(model, "jazz", COLUMNS) - expected).abs().max() <= 1e-4


def tokens(stream: Any, count: int) -> np.ndarray[Any, Any]:
    return np.stack([stream.next_frame() for _ in range(count)], 1)


@pytest.mark.parametrize("backend", ["torch", "native"])
@pytest.mark.parametrize("melody", [False, True])
def test_strength_changes_while_streams_play(
    bases: dict[bool, Path], tmp_path: Path, backend: str, melody: bool
) -> None:
    """At strength 0 they go on exactly as the base model would from there; the batch is told as a whole."""
    save_adapter(bases[melody], tmp_path / "adapter", **ADAPTERS["everywhere"])
    model = load(tmp_path / "adapter", backend)
    model.set_lora_strength(0)
    base, streams = load(bases[melody], backend), [model.stream("deep house", seed=seed) for seed in (1, 2)]
    alone = base.stream("deep house", seed=1)
    np.testing.assert_array_equal(tokens(streams[0], 12), tokens(alone, 12))
    tokens(streams[1], 3)
    model.prepare_lora(1.0)
    model.set_lora_strength(1.0)
    heard = [np.stack(frames, 1) for frames in zip(*(Ensemble(streams).next_frames() for _ in range(20)), strict=True)]
    assert (heard[0] != tokens(alone, 20)).any()
    always = load(tmp_path / "adapter", backend).stream("deep house", seed=1)
    assert (tokens(always, 32)[:, 12:] != heard[0]).any()  # the past is the base model's
    streams[0].reset(1)
    fresh = load(tmp_path / "adapter", backend).stream("deep house", seed=1)
    np.testing.assert_array_equal(tokens(streams[0], 20), tokens(fresh, 20))


def test_a_prepared_strength_is_taken_over_without_a_pause(bases: dict[bool, Path], tmp_path: Path) -> None:
    save_adapter(bases[False], tmp_path / "adapter", **ADAPTERS["attention"])
    model = load(tmp_path / "adapter")
    model.prepare_lora(0.5)
    calls: list[float] = []
    model._adapted = calls.append  # type: ignore[assignment]
    model.set_lora_strength(0.5)
    assert calls == [] and model.lora_strength == 0.5


# --------------------------------------------------------------------------------------------------------- refused


def test_a_model_without_an_adapter_says_so(tiny_model: MusicGen) -> None:
    assert tiny_model.lora_strength is None
    with pytest.raises(ModelError, match="has no LoRA adapter"):
        tiny_model.set_lora_strength(0.5)


@pytest.mark.parametrize("strength", [-0.1, 1.6, float("nan")])
def test_a_strength_out_of_range_is_refused(bases: dict[bool, Path], tmp_path: Path, strength: float) -> None:
    save_adapter(bases[False], tmp_path / "adapter", **ADAPTERS["attention"])
    with pytest.raises(ValueError, match="strength"):
        load(tmp_path / "adapter").set_lora_strength(strength)


def test_a_backend_that_keeps_its_weights_says_so(bases: dict[bool, Path], tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    save_adapter(bases[False], tmp_path / "adapter", **ADAPTERS["attention"])
    model = load(tmp_path / "adapter", "onnx")
    with pytest.raises(ModelError, match="choose the backend native or torch"):
        model.set_lora_strength(0.5)


@pytest.fixture
def adapter(bases: dict[bool, Path], tmp_path: Path) -> Path:
    save_adapter(bases[False], tmp_path / "adapter", **ADAPTERS["attention"])
    return tmp_path / "adapter"


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load(folder)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence
    return sentence


@pytest.mark.parametrize(
    "changes",
    [
        {"peft_type": "IA3"},
        {"use_dora": True},
        {"bias": "all"},
        {"init_lora_weights": "pissa"},
        {"layer_replication": [[0, 2]]},
        {"fan_in_fan_out": True},
        {"r": 0},
        {"r": 10**9},
        {"lora_alpha": "much"},
        {"base_model_name_or_path": "./nowhere"},
        {"base_model_name_or_path": None},
        {"a_method_of_the_future": 1},
    ],
)
def test_what_is_no_plain_lora_is_refused(adapter: Path, changes: dict[str, Any]) -> None:
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    name, value = next(iter(changes.items()))
    assert name in refusal(adapter) or str(value) in refusal(adapter)


def test_every_field_of_peft_has_a_rule() -> None:
    fields = cast(Any, peft.LoraConfig()).to_dict().keys()
    assert len(fields) > 20
    assert sorted(fields - FIELDS.keys()) == []


def edit(adapter: Path, change: Any) -> None:
    weights: dict[str, Tensor] = load_file(adapter / "adapter_model.safetensors")
    save_file(change(weights), adapter / "adapter_model.safetensors")


def test_an_adapter_of_another_model_is_refused(adapter: Path) -> None:
    edit(adapter, lambda weights: {name.replace("layers.1", "layers.7"): value for name, value in weights.items()})
    assert "another model's" in refusal(adapter)


def test_an_adapter_of_another_size_is_refused(adapter: Path) -> None:
    edit(
        adapter,
        lambda weights: {
            name: value[:, :-1].contiguous() if "lora_A" in name else value for name, value in weights.items()
        },
    )
    assert "does not fit its base model" in refusal(adapter)


def test_an_adapter_that_lacks_a_half_is_refused(adapter: Path) -> None:
    edit(
        adapter,
        lambda weights: {name: value for name, value in weights.items() if "0.self_attn.q_proj.lora_B" not in name},
    )
    assert "is missing" in refusal(adapter)


def test_an_adapter_of_the_codec_is_refused(adapter: Path) -> None:
    edit(
        adapter,
        lambda weights: {
            name.replace("model.decoder.model", "model.audio_encoder"): value for name, value in weights.items()
        },
    )
    assert "stays as it is" in refusal(adapter)


def test_an_adapter_with_nan_is_refused(adapter: Path) -> None:
    edit(adapter, lambda weights: {name: value * torch.nan for name, value in weights.items()})
    assert "no numbers" in refusal(adapter)


def test_a_base_model_beside_the_adapter_is_found(bases: dict[bool, Path], adapter: Path) -> None:
    shutil.copytree(bases[False], adapter / "mine")
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "base_model_name_or_path": "mine"}))
    assert load(adapter).lora_strength == 1.0
