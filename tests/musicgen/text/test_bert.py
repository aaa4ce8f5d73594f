"""Our BERT and the tokenizer in front of it give what transformers' own do."""

import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import musicgen  # noqa: F401  (first: it makes transformers importable beside any torchaudio)

# isort: split
from transformers import AutoTokenizer, BertConfig, BertModel, MusicgenForConditionalGeneration

from musicgen import ModelError, MusicGen
from musicgen.load.hub import NANO
from musicgen.load.tensors import Tensors
from musicgen.text.bert import DEFAULTS, bert_states, is_plain, read_bert
from musicgen.text.conditioning import TextEncoder
from tests.musicgen.tiny import tiny_checkpoint


@pytest.fixture(scope="module")
def nano() -> TextEncoder:
    """nano's text encoder as it is loaded here."""
    return MusicGen.load("nano", backend="torch").prompts._text_encoder


@pytest.fixture(scope="module")
def nano_of_transformers() -> BertModel:
    whole: Any = MusicgenForConditionalGeneration.from_pretrained(NANO, dtype=torch.float32)
    return cast(BertModel, whole.text_encoder)


@torch.no_grad()
def expected_states(model: BertModel, tokens: torch.Tensor) -> torch.Tensor:
    states: torch.Tensor = model(tokens[None], attention_mask=torch.ones_like(tokens)[None])[0][0]
    return states


def test_nanos_states_are_those_of_transformers_at_every_length(
    nano: TextEncoder, nano_of_transformers: BertModel
) -> None:
    generator = torch.Generator().manual_seed(0)
    for length in range(1, nano.longest + 1):
        tokens = torch.randint(1000, 30_000, (length,), generator=generator)
        expected = expected_states(nano_of_transformers, tokens)
        assert expected.std() > 0.1
        np.testing.assert_allclose(nano.states(tokens.numpy()), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("activation", ["gelu", "relu", "silu"])
@pytest.mark.parametrize(("size", "layers", "heads"), [(32, 1, 2), (48, 3, 4), (64, 2, 1)])
def test_any_plain_bert_gives_transformers_states(size: int, layers: int, heads: int, activation: str) -> None:
    torch.manual_seed(size)
    config = BertConfig(
        vocab_size=100,
        hidden_size=size,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=3 * size,
        hidden_act=activation,
        layer_norm_eps=1e-5,
        max_position_embeddings=40,
    )
    model: Any = cast(Any, BertModel)(config).eval().requires_grad_(False)
    for name, weight in model.named_parameters():
        weight.normal_(float(name.endswith("LayerNorm.weight")), 0.2)
    assert is_plain(config.to_dict())
    tokens = torch.randint(0, 100, (40,))
    states = bert_states(read_bert(config.to_dict(), Tensors(model.state_dict())), tokens.numpy())
    np.testing.assert_allclose(states, expected_states(model, tokens), atol=1e-5, rtol=0)


def test_what_a_configuration_leaves_out_is_what_transformers_takes() -> None:
    assert {name: getattr(BertConfig(), name) for name in DEFAULTS} == DEFAULTS


words = st.lists(st.sampled_from(["Lo-Fi", "PIANO,", "122", "bpm!", "naïve", "音楽", "[SEP]", "rain"]), max_size=100)


@settings(max_examples=200)
@given(text=st.one_of(st.text(), words.map(" ".join)))
def test_nanos_tokens_are_those_of_transformers(nano: TextEncoder, text: str) -> None:
    assert nano.tokenize(text) == transformers_tokenizer()(text, truncation=True, max_length=64)["input_ids"]


@cache
def transformers_tokenizer() -> Any:
    return cast(Any, AutoTokenizer).from_pretrained(NANO, local_files_only=True)


@pytest.mark.parametrize(
    "change", [{"hidden_act": "gelu_new"}, {"position_embedding_type": "relative_key"}, {"model_type": "roberta"}]
)
def test_an_unusual_one_is_left_to_transformers(change: dict[str, Any]) -> None:
    assert not is_plain(BertConfig().to_dict() | change)


@pytest.mark.parametrize("prompt", ["house in {} minor", "{} minor, 120 bpm"])
def test_nano_reads_a_sharp_however_it_is_typed(nano: TextEncoder, prompt: str) -> None:
    names = ["c#", "c sharp", "f#", "f sharp", "c", "d", "e", "f", "g", "a", "b", "e flat", "b flat"]
    heard = [nano.states(np.array(nano.tokenize(prompt.format(name)))).mean(0) for name in names]
    meant = torch.from_numpy(np.stack(heard))
    meant = torch.nn.functional.normalize(meant - meant.mean(0), dim=1)
    alike = (meant @ meant.T).fill_diagonal_(-1)
    nearest = {name: names[int(row.argmax())] for name, row in zip(names, alike, strict=True)}
    assert (nearest["c#"], nearest["c sharp"]) == ("c sharp", "c#")
    assert (nearest["f#"], nearest["f sharp"]) == ("f sharp", "f#")


def test_nano_plays_without_torch_transformers_and_scipy() -> None:
    code = """
import sys
for name in ("torch", "transformers", "scipy"):
    sys.modules[name] = None  # to import it is an error now
from musicgen import MusicGen
sound = MusicGen.load("nano").stream("lo-fi piano", seed=1).next_chunk(5)
assert sound.shape == (3200, 1), sound.shape
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_a_damaged_tokenizer(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path, text_encoder="bert")
    (folder / "tokenizer.json").write_text("{")
    with pytest.raises(ModelError, match=r"tokenizer\.json cannot be read: download"):
        MusicGen.load(str(folder))
