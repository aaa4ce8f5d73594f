"""From a name to a model, or to one sentence that says what to do."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import EncodecConfig, MusicgenDecoderConfig

from musicgen import ModelError, MusicGen, Sampling
from musicgen.codec.seanet import DEFAULTS as CODEC_DEFAULTS
from musicgen.load.tensors import Tensors, stored
from tests.musicgen.tiny import tiny_checkpoint


@pytest.fixture
def copy(tiny_model_dir: Path, tmp_path: Path) -> Path:
    """A checkpoint to break."""
    return Path(shutil.copytree(tiny_model_dir, tmp_path / "copy"))


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def refusal(name: str | Path, **options: Any) -> str:
    with pytest.raises(ModelError) as caught:
        MusicGen.load(str(name), **options)
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence
    return sentence


def test_a_name_that_is_no_model() -> None:
    assert "nano" in refusal("mozart")
    assert "nano" in refusal("./no/such/folder")
    assert "nano" in refusal("")


def test_a_hub_model_that_is_not_here_while_offline() -> None:
    assert "go online" in refusal("facebook/musicgen-no-such-model")


def test_a_hub_that_cannot_be_reached(tmp_path: Path) -> None:
    code = """
from musicgen import ModelError, MusicGen
try: MusicGen.load("facebook/musicgen-small")
except ModelError as error: print(error)
"""
    environment = {**os.environ, "HF_ENDPOINT": "http://127.0.0.1:9", "HF_HUB_OFFLINE": "0", "HF_HOME": str(tmp_path)}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert "the hub cannot be reached" in result.stdout, result.stderr


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    assert "no MusicGen checkpoint" in refusal(tmp_path)


def test_a_checkpoint_of_another_kind(copy: Path) -> None:
    edit(copy / "config.json", model_type="t5")
    assert "no MusicGen checkpoint" in refusal(copy)


def test_a_config_that_is_not_json(copy: Path) -> None:
    (copy / "config.json").write_text("{")
    assert "JSON" in refusal(copy)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_not_be_read(copy: Path) -> None:
    copy.chmod(0)
    try:
        assert "permissions" in refusal(copy)
    finally:
        copy.chmod(0o700)


def test_weights_that_are_missing(copy: Path) -> None:
    (copy / "model.safetensors").unlink()
    assert "model.safetensors" in refusal(copy)


def test_weights_that_are_cut_short(copy: Path) -> None:
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    assert "model.safetensors" in refusal(copy)


def test_weights_of_another_size(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config["decoder"]["num_hidden_layers"] += 1
    (copy / "config.json").write_text(json.dumps(config))
    assert "incomplete" in refusal(copy)
    config["decoder"]["num_hidden_layers"] -= 1
    config["decoder"]["ffn_dim"] += 1
    (copy / "config.json").write_text(json.dumps(config))
    assert "do not fit its configuration" in refusal(copy)


def test_a_tokenizer_that_is_missing(copy: Path) -> None:
    (copy / "tokenizer.json").unlink()
    assert "tokenizer" in refusal(copy)


@pytest.mark.parametrize(
    "streaming", [{"policy": "sinks"}, {"keep": 90, "max_position": 100}, {"horizon": 3}, 7, {"keep": "many"}]
)
def test_a_streaming_policy_that_cannot_work(copy: Path, streaming: Any) -> None:
    edit(copy / "generation_config.json", streaming=streaming)
    assert "streaming" in refusal(copy)


def test_a_policy_beyond_the_models_positions(copy: Path) -> None:
    edit(copy / "generation_config.json", streaming={"keep": 600, "max_position": 4000})
    assert "max_position" in refusal(copy)


@pytest.mark.parametrize(
    "pattern",
    [
        {"codebook_delays": [0, 1]},
        {"codebook_delays": [0, 1, 2, 0.5]},
        {"codebook_delays": [0, 1, 2, -3]},
        {"codebook_delays": 7},
        {"codebook_turns": [0, 2, 3, 4]},
    ],
)
def test_a_pattern_that_cannot_be(copy: Path, pattern: dict[str, Any]) -> None:
    edit(copy / "generation_config.json", **pattern)
    assert "codebook_delays" in refusal(copy)


def test_a_policy_that_breaks_frames_apart(copy: Path) -> None:
    edit(copy / "generation_config.json", codebook_turns=[0, 1, 2, 3], streaming={"keep": 8, "max_position": 30})
    assert "whole frames" in refusal(copy)


def test_a_device_that_is_not_here(tiny_model_dir: Path) -> None:
    assert "cpu" in refusal(tiny_model_dir, device="cuda:99")
    assert "cpu" in refusal(tiny_model_dir, device="gramophone")


def test_defaults_come_from_the_card(copy: Path) -> None:
    assert MusicGen.load(str(copy)).defaults == Sampling(temperature=1.0, top_k=250, top_p=1.0, guidance=3.0)
    edit(copy / "generation_config.json", temperature=0.9, top_k=100, top_p=0.95, guidance_scale=2.5)
    model = MusicGen.load(str(copy))
    assert model.defaults == Sampling(temperature=0.9, top_k=100, top_p=0.95, guidance=2.5)
    stream = model.stream(top_k=3)
    assert stream.sampling == Sampling(temperature=0.9, top_k=3, top_p=0.95, guidance=2.5)
    stream.sampling.guidance = 9
    assert model.defaults.guidance == 2.5


@pytest.mark.parametrize(
    ("card", "licence"),
    [
        (None, "unknown"),
        ("# A model\nlicense: mit\n", "unknown"),
        ("---\ntags:\n- music\nlicense: mit\n---\n# A model\n", "MIT"),
        ("---\nlicense: cc-by-nc-4.0\n---\n", "CC-BY-NC-4.0"),
        ("---\nlicense: other\n---\n", "unknown"),
    ],
)
def test_the_licence_is_read_from_the_card(copy: Path, card: str | None, licence: str) -> None:
    if card is not None:
        (copy / "README.md").write_text(card)
    assert MusicGen.load(str(copy)).licence == licence


def test_metas_weights_are_not_for_commercial_use(copy: Path) -> None:
    edit(copy / "config.json", _name_or_path="facebook/musicgen-small")
    assert MusicGen.load(str(copy)).licence == "CC-BY-NC-4.0"


def test_loading_says_nothing(tiny_model_dir: Path, capfd: pytest.CaptureFixture[str]) -> None:
    MusicGen.load(str(tiny_model_dir))
    assert capfd.readouterr() == ("", "")


def played(folder: Path) -> np.ndarray[Any, Any]:
    return np.concatenate(list(MusicGen.load(str(folder), backend="torch").stream("deep house", seed=1).audio(0.5)))


def test_weights_in_several_files_play_the_same(copy: Path) -> None:
    expected = played(copy)
    weights = load_file(copy / "model.safetensors")
    names = sorted(weights)
    places = {name: f"model-{index % 2}.safetensors" for index, name in enumerate(names)}
    for file in set(places.values()):
        save_file({name: weights[name] for name in names if places[name] == file}, copy / file)
    (copy / "model.safetensors").unlink()
    (copy / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    np.testing.assert_array_equal(played(copy), expected)
    (copy / "model-1.safetensors").unlink()
    assert "model.safetensors" in refusal(copy)


def test_metas_older_names_play_the_same(copy: Path) -> None:
    """Of weight norm, and positions that are computed here."""
    expected = played(copy)
    encoded = MusicGen.load(str(copy)).encode(expected)
    weights = load_file(copy / "model.safetensors")
    old = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    assert any(name.endswith(tuple(old)) for name in weights)
    for new, before in old.items():
        weights = {name.replace(new, before): tensor for name, tensor in weights.items()}
    save_file(
        weights | {"decoder.model.decoder.embed_positions.weights": torch.zeros(2048, 64)}, copy / "model.safetensors"
    )
    np.testing.assert_array_equal(played(copy), expected)
    np.testing.assert_array_equal(MusicGen.load(str(copy)).encode(expected), encoded)


def test_what_a_configuration_leaves_out_is_what_transformers_takes(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    expected = played(copy)
    for part, usual in (("decoder", MusicgenDecoderConfig()), ("audio_encoder", EncodecConfig())):
        defaults = usual.to_dict()
        config[part] = {
            name: value
            for name, value in config[part].items()
            if name == "model_type" or name not in defaults or value != defaults[name]
        }
        assert len(config[part]) < 15
    edit(copy / "config.json", **config)
    np.testing.assert_array_equal(played(copy), expected)
    for name, value in CODEC_DEFAULTS.items():
        theirs = EncodecConfig().to_dict()[name]
        assert name == "codebook_dim" or (list(theirs) if isinstance(theirs, tuple) else theirs) == value


@pytest.mark.parametrize("change", [{"num_filters": "many"}, {"upsampling_ratios": 7}, {"norm_type": "none"}])
def test_a_codec_that_cannot_be(copy: Path, change: dict[str, Any]) -> None:
    config = json.loads((copy / "config.json").read_text())
    edit(copy / "config.json", audio_encoder=config["audio_encoder"] | change)
    refusal(copy)


def test_half_precision_files_load(tmp_path: Path, tiny_model_dir: Path) -> None:
    """As nano is stored."""
    from transformers import MusicgenForConditionalGeneration

    cast(Any, MusicgenForConditionalGeneration.from_pretrained(tiny_model_dir)).half().save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        shutil.copy(tiny_model_dir / name, tmp_path)
    model = MusicGen.load(str(tmp_path))
    assert model.stream().past.state.memory.dtype.itemsize == 4
    assert len(next(model.stream("deep house").audio(0.1))) > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64, torch.bfloat16])
def test_a_table_that_stays_in_its_file_is_the_table(tmp_path: Path, dtype: torch.dtype) -> None:
    """Behind others, of whatever type; a file that is replaced meanwhile changes nothing of it."""
    weights = {name: torch.randn(3 + place, 5).to(dtype) for place, name in enumerate(("before", "table", "z"))}
    path = tmp_path / "model.safetensors"
    save_file(weights, path, metadata={"format": "pt"})
    table = Tensors(stored(tmp_path)).take("table", 4, 5, mapped=True)
    if sys.platform != "win32":  # which keeps files that are mapped
        path.unlink()
        save_file({name: 0 * weight for name, weight in weights.items()}, path)
    np.testing.assert_array_equal(table, weights["table"].double().numpy())
    assert table.flags.writeable == (dtype == torch.bfloat16)  # which numpy lacks: that one is a copy


def test_a_damaged_table_is_refused_though_it_stays_in_its_file(tmp_path: Path) -> None:
    save_file({"table": torch.full((4, 5), torch.nan)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="no numbers, NaN or infinity"):
        Tensors(stored(tmp_path)).take("table", 4, 5, mapped=True)


def test_a_checkpoint_without_sub_models_sizes_plays(tmp_path: Path) -> None:
    """Another frame rate and sample rate than MusicGen's own."""
    folder = tiny_checkpoint(tmp_path, sampling_rate=24000, ratios=(8, 5, 4, 3))
    model = MusicGen.load(str(folder))
    assert (model.sample_rate, model.hop, model.frame_rate) == (24000, 480, 50.0)


def test_nano_comes_with_the_package_and_plays() -> None:
    model = MusicGen.load("nano")
    assert (model.name, model.licence, model.frame_rate) == ("nano", "MIT", 50.0)
    audio = np.concatenate(list(model.stream("lo-fi piano, rain", seed=1).audio(1.0)))
    assert audio.shape == (model.sample_rate, model.channels)
    assert audio.std() > 1e-4
