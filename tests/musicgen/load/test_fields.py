"""No field of a checkpoint's configurations is passed over: it has a rule, and the rule is true."""

from __future__ import annotations

import inspect
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from transformers import (
    AutoConfig,
    BertConfig,
    EncodecConfig,
    GenerationConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    MusicgenMelodyConfig,
    MusicgenMelodyFeatureExtractor,
    PreTrainedConfig,
    T5Config,
)
from transformers.models.musicgen_melody.configuration_musicgen_melody import MusicgenMelodyDecoderConfig

from musicgen import ModelError, MusicGen, Sampling, StreamingPolicy
from musicgen.load import audiocraft_fields
from musicgen.load.fields import BERT, CHROMA, CODEC, DECODER, GENERATION, MUSICGEN, T5, TABLES
from musicgen.load.page import page
from musicgen.load.rules import FLAG, Kind, Number, OneOf, Rule, Several, Whole
from tests.musicgen.oracle import Oracle
from tests.musicgen.tiny import tiny_checkpoint

PARTS = ("text_encoder", "audio_encoder", "decoder")
ROOT = Path(__file__).parents[3]
CLASSES: dict[str, tuple[Any, Mapping[str, Rule]]] = {
    "musicgen": (MusicgenConfig, MUSICGEN),
    "melody": (MusicgenMelodyConfig, MUSICGEN),
    "decoder": (MusicgenDecoderConfig, DECODER),
    "melody decoder": (MusicgenMelodyDecoderConfig, DECODER),
    "codec": (EncodecConfig, CODEC),
    "t5": (T5Config, T5),
    "bert": (BertConfig, BERT),
    "generation": (GenerationConfig, GENERATION),
    "chroma": (MusicgenMelodyFeatureExtractor, CHROMA),
}


def fields(kind: Any) -> dict[str, Any]:
    """What a class of transformers can be told, and what it writes into a file, with its defaults."""
    told = {
        name: parameter.default
        for name, parameter in inspect.signature(kind.__init__).parameters.items()
        if name not in ("self", "args", "kwargs") and parameter.kind is not parameter.VAR_KEYWORD
    }
    try:
        written = kind().to_dict()
    except ValueError:  # MusicGen's has no defaults for its parts
        written = {}
    return {name: value for name, value in {**told, **written}.items() if not name.startswith("_")}


@pytest.mark.parametrize("name", CLASSES)
def test_every_field_of_transformers_has_a_rule(name: str) -> None:
    kind, table = CLASSES[name]
    assert len(fields(kind)) > 10
    assert sorted(fields(kind).keys() - table.keys()) == []


@pytest.mark.parametrize("name", ["decoder", "melody decoder", "codec", "t5", "bert"])
def test_what_is_not_said_means_what_it_means_to_transformers(name: str) -> None:
    kind, table = CLASSES[name]
    theirs = {name: list(value) if isinstance(value, tuple) else value for name, value in fields(kind).items()}
    derived = {"model_type", "codebook_dim", "bos_token_id", "dense_act_fn", "is_gated_act"}  # null: it follows
    ours = {field: rule.default for field, rule in table.items() if rule.use == "used" and field not in derived}
    assert len(ours) > 8
    assert {field: theirs[field] for field in ours} == ours
    for field, rule in table.items():
        if rule.use == "must" and field in theirs and field not in ("model_type",):
            assert theirs[field] in rule, field


# ---------------------------------------------------------------------------------- the rules are true, field by field


def others(rule: Rule, now: Any) -> Iterator[Any]:
    """Values that a field does not have now, some of which it may not have."""
    values = rule.values
    if isinstance(values, OneOf) and values is not FLAG and rule.use == "used":
        yield from (value for value in values.values if value != now)
    elif isinstance(now, bool) or values is FLAG:
        yield not now
    elif isinstance(now, int) or isinstance(values, Whole):
        yield (now or 0) + 1
        yield 2 * (now or 1)
    elif isinstance(now, float) or isinstance(values, Number):
        yield (now or 0) + 0.25
    elif isinstance(now, list) or isinstance(values, Several):
        yield [*now[1:], now[0]] if now and len(set(now)) > 1 else [3.0]
    elif now is None or isinstance(now, str):
        yield from (3, "reflect", "gelu_new")


def parts() -> list[tuple[str, str, str, Any]]:
    """Text encoder, part, field, and transformers' default."""
    found = []
    for kind, part, name in (
        ("t5", "decoder", "decoder"),
        ("t5", "audio_encoder", "codec"),
        ("t5", "text_encoder", "t5"),
        ("bert", "text_encoder", "bert"),
    ):
        theirs, table = CLASSES[name]
        defaults = fields(theirs)
        # return_dict changes what transformers returns, and so what this test reads
        skipped = {
            "return_dict",
            "model_type",
            "architectures",
            "transformers_version",
            "dtype",
            "id2label",
            "label2id",
        }
        found += [(kind, part, field, defaults[field]) for field in table if field in defaults.keys() - skipped]
    return found


def table_of(kind: str, part: str) -> Mapping[str, Rule]:
    return {"decoder": DECODER, "audio_encoder": CODEC, "text_encoder": {"t5": T5, "bert": BERT}[kind]}[part]


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    base = tmp_path_factory.mktemp("fields")
    shape: dict[str, Any] = {"layers": 1, "hidden": 32, "ffn": 64, "vocab": 16, "latent": 8, "text_hidden": 16}
    return {kind: tiny_checkpoint(base / kind, text_encoder=kind, **shape) for kind in ("t5", "bert")}


def altered(folder: Path, part: str, changes: dict[str, Any], target: Path) -> bool:
    """Save a model of random weights with fields altered; whether transformers can make one."""
    config = json.loads((folder / "config.json").read_text())
    config[part] |= changes
    if part == "decoder" and "vocab_size" in changes:
        entries = changes["vocab_size"]
        config[part] |= {"pad_token_id": entries, "bos_token_id": entries}
        config["audio_encoder"]["codebook_size"] = entries
    if part == "audio_encoder" and "hidden_size" in changes:
        config[part]["codebook_dim"] = changes["hidden_size"]
    shutil.copytree(folder, target)
    torch.manual_seed(3)
    try:
        made: dict[str, Any] = {name: AutoConfig.for_model(**config[name]) for name in PARTS}
        model = MusicgenForConditionalGeneration(config=MusicgenConfig(**made))
        with torch.no_grad():
            for weight in [*model.parameters(), *model.buffers()]:
                if weight.is_floating_point():
                    weight.normal_(0, 0.2 if weight.ndim > 1 else 0.5)
        model.save_pretrained(target)
    except Exception:  # any: it is for transformers to say
        (target / "config.json").write_text(json.dumps(config))
        return False
    written = json.loads((target / "config.json").read_text())
    for name in PARTS:  # as somebody's file may say it, not as it was just made
        written[name] = config[name]
    (target / "config.json").write_text(json.dumps(written))
    return True


ALTERED = [case for case in parts() if table_of(*case[:2])[case[2]].use != "harmless"]


@pytest.mark.parametrize(("kind", "part", "field", "default"), ALTERED)
def test_a_field_is_honoured_or_refused(
    twins: dict[str, Path], tmp_path: Path, kind: str, part: str, field: str, default: Any
) -> None:
    """Whatever else it says, what is heard is what transformers computes from the same file."""
    now = json.loads((twins[kind] / "config.json").read_text())[part].get(field, default)
    tried = 0
    for number, value in enumerate(others(table_of(kind, part)[field], now)):
        folder, tried = tmp_path / str(number), tried + 1
        there = altered(twins[kind], part, {field: value}, folder)
        try:
            model = MusicGen.load(str(folder), backend="torch")
        except ModelError as error:
            assert str(error).endswith(".")
            continue
        assert there, f"transformers makes no such model: {field} = {value}"
        if value != "time_group_norm":  # which only the codec mode "overlap" decodes, without being exact
            agree(model, Oracle(folder))
    assert tried


@pytest.mark.parametrize(("kind", "part"), sorted({case[:2] for case in parts()}))
def test_what_is_harmless_is(twins: dict[str, Path], tmp_path: Path, kind: str, part: str) -> None:
    """All of it altered at once, transformers plays as before, and so do we."""
    theirs = json.loads((twins[kind] / "config.json").read_text())[part]
    changes = {}
    for own, place, field, default in parts():
        rule = table_of(own, place)[field]
        if (own, place) == (kind, part) and rule.use == "harmless":
            changes[field] = next(others(rule, theirs.get(field, default)))
    # what transformers itself takes no such value for
    changes = {field: value for field, value in changes.items() if field not in ("problem_type", "classifier_dropout")}
    assert len(changes) > 3
    assert altered(twins[kind], part, changes, tmp_path / "altered")
    assert altered(twins[kind], part, {}, tmp_path / "plain")
    for folder in ("altered", "plain"):
        agree(MusicGen.load(str(tmp_path / folder), backend="torch"), Oracle(tmp_path / folder))
    weights = [(tmp_path / folder / "model.safetensors").read_bytes() for folder in ("altered", "plain")]
    assert len(weights[0]) == len(weights[1])


@torch.inference_mode()
def agree(model: MusicGen, oracle: Oracle) -> None:
    """States of a prompt, logits and sound."""
    text = "deep house with piano"
    tokens = oracle.tokenizer(text, return_tensors="pt")
    read = oracle.model.text_encoder(**tokens)[0]
    if hasattr(oracle.model, "enc_to_dec_proj"):
        read = oracle.model.enc_to_dec_proj(read)
    np.testing.assert_allclose(model.prompts.states(text), read[0], atol=2e-4, rtol=2e-3)
    random = np.random.default_rng(0)
    columns = random.integers(0, model.pattern.pad + 1, (8, model.codebooks))
    state, prompts = model.backend.new_state(StreamingPolicy(4, 16)), (model.encode_prompt(text).kv, None)
    rows = []
    for column in columns:
        rows.append(model.backend.step([state], [column[None]], [prompts])[0])
        state.count()
    np.testing.assert_allclose(np.stack(rows), oracle.logits(text, columns), atol=2e-4, rtol=2e-3)
    codec = oracle.model.audio_encoder
    frames = random.integers(0, model.pattern.pad, (model.codebooks, 6))
    stream = model.stream()
    sound = np.concatenate([stream.decoder.decode(frames), stream.decoder.flush()])
    sides = [frames[side :: model.channels] for side in range(model.channels)]
    theirs = torch.cat([codec.decode(torch.from_numpy(side)[None, None], [None]).audio_values[0] for side in sides])
    np.testing.assert_allclose(sound, theirs.T.numpy(), atol=2e-4, rtol=2e-3)


# --------------------------------------------------------------------------------------------------- what cards may say


@pytest.fixture
def copy(tiny_model_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_model_dir, tmp_path / "copy"))


def card(folder: Path, **changes: Any) -> None:
    path = folder / "generation_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        MusicGen.load(str(folder), backend="torch")
    sentence = str(caught.value)
    assert sentence.endswith(".") and "\n" not in sentence and len(sentence) < 600
    return sentence


def test_do_sample_false_takes_the_likeliest_token(copy: Path) -> None:
    card(copy, do_sample=False, top_k=50)
    model = MusicGen.load(str(copy), backend="torch")
    assert model.defaults == Sampling(top_k=1)
    one, other = (model.stream("deep house", seed=seed).next_frame() for seed in (1, 2))
    np.testing.assert_array_equal(one, other)


def test_max_length_8_is_not_the_length_of_training(copy: Path) -> None:
    """A stream would hear nothing but its last 80 ms."""
    usual = MusicGen.load(str(copy), backend="torch").policy
    card(copy, max_length=8)
    assert MusicGen.load(str(copy), backend="torch").policy == usual == StreamingPolicy(600, 1200)
    card(copy, max_length=500)
    assert MusicGen.load(str(copy), backend="torch").policy == StreamingPolicy(250, 500)


def test_a_list_as_generation_config_is_refused(copy: Path) -> None:
    (copy / "generation_config.json").write_text("[1, 2]")
    assert "no JSON object" in refusal(copy)


@pytest.mark.parametrize(
    "changes",
    [
        {"num_beams": 4},
        {"repetition_penalty": 1.2},
        {"no_repeat_ngram_size": 3},
        {"suppress_tokens": [7]},
        {"min_p": 0.1},
        {"temperature": 0},
        {"temperature": "warm"},
        {"temperature": float("nan")},
        {"guidance_scale": float("inf")},
        {"top_k": -1},
        {"top_k": True},
        {"top_p": 1.5},
        {"pad_token_id": 0},
        {"decoder_start_token_id": 3},
        {"a_sampler_of_the_future": 0.3},
    ],
)
def test_a_card_that_asks_for_what_a_stream_does_not_do_is_refused(copy: Path, changes: dict[str, Any]) -> None:
    card(copy, **changes)
    sentence = refusal(copy)
    assert next(iter(changes)) in sentence and "generation_config.json" in sentence


@pytest.mark.parametrize("rate", [0, -1, -32000, 2.5, True, "32k"])
def test_a_sampling_rate_that_is_none_is_refused(copy: Path, rate: Any) -> None:
    config = json.loads((copy / "config.json").read_text())
    config["audio_encoder"]["sampling_rate"] = rate
    (copy / "config.json").write_text(json.dumps(config))
    assert "audio_encoder.sampling_rate" in refusal(copy)


def test_a_text_encoders_folder_without_tokenizer_files_is_refused(copy: Path) -> None:
    """transformers makes a tokenizer of it for which all prompts are the same."""
    for path in [*copy.glob("tokenizer*"), *copy.glob("special_tokens*")]:
        path.unlink()
    assert "tokenizer" in refusal(copy)


def test_a_tokenizer_of_another_model_is_refused(copy: Path) -> None:
    tokenizer = json.loads((copy / "tokenizer.json").read_text())
    tokenizer["model"]["vocab"] |= {f"word{number}": number for number in range(1000, 1100)}
    (copy / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert "more tokens than the text encoder" in refusal(copy)


@pytest.mark.parametrize("changes", [{"hop_length": 2048}, {"n_fft": 8192}])
def test_how_a_melody_is_heard_is_what_the_file_says(tmp_path: Path, changes: dict[str, Any]) -> None:
    folder = tiny_checkpoint(tmp_path / "melody", melody=True)
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    sound = np.random.default_rng(0).normal(0, 0.1, 64_000).astype(np.float32)
    heard = MusicGen.load(str(folder), backend="torch").melody(sound, 32_000).chroma
    extractor = cast(Any, MusicgenMelodyFeatureExtractor).from_pretrained(folder)
    theirs = extractor(sound, sampling_rate=32_000, max_length=len(sound), return_tensors="pt")["input_features"][0]
    np.testing.assert_allclose(heard, theirs, atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [{"sampling_rate": 16_000}, {"num_chroma": 24}, {"stem_indices": [0]}, {"padding_value": 0.5}, {"hop_length": 0}],
)
def test_a_melody_that_would_be_heard_otherwise_is_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    folder = tiny_checkpoint(tmp_path / "melody", melody=True)
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    assert next(iter(changes)) in refusal(folder)


def test_a_config_as_older_transformers_wrote_it_loads(copy: Path) -> None:
    """With every field that all of its configurations had, in each part."""
    generic: dict[str, Any] = {
        **{"_name_or_path": "", "add_cross_attention": False, "architectures": None, "bad_words_ids": None},
        **{"begin_suppress_tokens": None, "bos_token_id": None, "chunk_size_feed_forward": 0},
        **{"cross_attention_hidden_size": None, "decoder_start_token_id": None, "diversity_penalty": 0.0},
        **{"do_sample": False, "early_stopping": False, "encoder_no_repeat_ngram_size": 0, "eos_token_id": None},
        **{"exponential_decay_length_penalty": None, "finetuning_task": None, "forced_bos_token_id": None},
        **{"forced_eos_token_id": None, "id2label": {"0": "LABEL_0"}, "is_decoder": False, "is_encoder_decoder": False},
        **{"label2id": {"LABEL_0": 0}, "length_penalty": 1.0, "max_length": 20, "min_length": 0},
        **{"no_repeat_ngram_size": 0, "num_beam_groups": 1, "num_beams": 1, "num_return_sequences": 1},
        **{"output_attentions": False, "output_hidden_states": False, "output_scores": False, "prefix": None},
        **{"problem_type": None, "pruned_heads": {}, "remove_invalid_values": False, "repetition_penalty": 1.0},
        **{"return_dict": True, "return_dict_in_generate": False, "sep_token_id": None, "suppress_tokens": None},
        **{"task_specific_params": None, "temperature": 1.0, "tf_legacy_loss": False, "tie_encoder_decoder": False},
        **{"tokenizer_class": None, "top_k": 50, "top_p": 1.0, "torch_dtype": None, "torchscript": False},
        **{"transformers_version": "4.31.0", "typical_p": 1.0, "use_bfloat16": False},
    }
    config = json.loads((copy / "config.json").read_text())
    for part in PARTS:
        config[part] = {**generic, **config[part]}
    config["text_encoder"] |= {"n_positions": 512, "output_past": True, "tie_word_embeddings": True}
    config["audio_encoder"] |= {"tie_word_embeddings": True, "pad_token_id": None}
    (copy / "config.json").write_text(json.dumps({**generic, **config}))
    assert MusicGen.load(str(copy), backend="torch").codebooks == 4


def test_an_unknown_field_is_refused_by_name(copy: Path) -> None:
    config = json.loads((copy / "config.json").read_text())
    config["decoder"]["rotary_positions"] = True
    (copy / "config.json").write_text(json.dumps(config))
    assert '"decoder.rotary_positions", which is not known here' in refusal(copy)


# ------------------------------------------------------------------------------------------------------------- the page


def test_the_page_lists_every_field_of_every_table() -> None:
    written = page()
    assert (ROOT / "docs" / "configs.md").read_text(encoding="utf-8") == written, "write it anew: make docs"
    for _, table in (*TABLES.values(), *audiocraft_fields.TABLES.values()):
        assert all(f"`{field}`" in written for field in table)


def test_values_that_are_not_their_kind_are_told_apart() -> None:
    assert True not in Whole(0, 9) and 3.0 not in Whole(0, 9) and 10 not in Whole(0, 9)
    assert float("nan") not in Number(0, 9) and 0 not in Number(0, 9, above=True) and True not in Number(0, 9)
    assert 1 not in FLAG and True not in OneOf((1, 2)) and 1.0 in OneOf((1, 2))
    assert (
        [1, 2] in Several(Whole(0, 9), 1, 2)
        and [] not in Several(Whole(0, 9), 1, 2)
        and 7 not in Several(Whole(0, 9), 1, 2)
    )
    assert {} in Kind(dict, "an object")


def test_transformers_own_classes_are_walked() -> None:
    """Not a copy of their fields that ages."""
    assert all(
        issubclass(kind, (PreTrainedConfig, GenerationConfig, MusicgenMelodyFeatureExtractor))
        for kind, _ in CLASSES.values()
    )
