"""What is said of a model before it is loaded is true."""

import re
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from transformers import (
    EncodecConfig,
    MusicgenConfig,
    MusicgenDecoderConfig,
    MusicgenForConditionalGeneration,
    MusicgenMelodyConfig,
    T5Config,
)
from transformers.models.musicgen_melody.configuration_musicgen_melody import MusicgenMelodyDecoderConfig
from transformers.models.musicgen_melody.modeling_musicgen_melody import MusicgenMelodyForConditionalGeneration

import musicgen.models.nano as nano_files
from musicgen import MusicGen
from musicgen.models.table import RELEASED, Card, nano


def in_transformers(card: Card) -> Any:
    """The model without memory for its weights."""
    text = T5Config(d_model=768, d_kv=64, d_ff=3072, num_layers=12, num_heads=12, vocab_size=32128)
    codec = EncodecConfig(
        sampling_rate=32000,
        upsampling_ratios=[8, 5, 4, 4],
        num_filters=64,
        codebook_size=2048,
        target_bandwidths=[2.2],
        use_causal_conv=False,
        use_conv_shortcut=False,
    )
    shape: dict[str, Any] = {
        "num_hidden_layers": card.layers,
        "hidden_size": card.hidden,
        "ffn_dim": 4 * card.hidden,
        "num_attention_heads": card.hidden // 64,
        "num_codebooks": 4 * card.channels,
        "audio_channels": card.channels,
    }
    parts: dict[str, Any] = {"text_encoder": text, "audio_encoder": codec}
    with torch.device("meta"):
        if card.melody:
            decoder: Any = MusicgenMelodyDecoderConfig(**shape)
            return cast(Any, MusicgenMelodyForConditionalGeneration)(MusicgenMelodyConfig(**parts, decoder=decoder))
        decoder = MusicgenDecoderConfig(**shape)
        return cast(Any, MusicgenForConditionalGeneration)(MusicgenConfig(**parts, decoder=decoder))


@pytest.mark.parametrize("card", RELEASED, ids=lambda card: card.name)
def test_sizes_are_those_of_transformers(card: Card) -> None:
    whole = in_transformers(card)
    assert card.text_encoder == sum(weight.numel() for weight in whole.text_encoder.parameters())
    assert card.codec == sum(weight.numel() for weight in whole.audio_encoder.parameters())
    rest = sum(weight.numel() for weight in whole.parameters()) - card.text_encoder - card.codec
    assert card.decoder == rest


def test_there_are_ten_and_half_of_them_are_stereo() -> None:
    assert len({card.name for card in RELEASED}) == 10
    assert sum(card.channels == 2 for card in RELEASED) == 5
    assert [card.name for card in RELEASED if card.melody] == [
        "facebook/musicgen-melody",
        "facebook/musicgen-melody-large",
        "facebook/musicgen-stereo-melody",
        "facebook/musicgen-stereo-melody-large",
    ]


def test_nano_is_what_its_files_say() -> None:
    card, model = nano(), MusicGen.load("nano")
    assert (card.channels, card.licence) == (model.channels, model.licence)
    assert card.positions == model.policy.max_position
    stored = sum(path.stat().st_size for folder in nano_files.__path__ for path in Path(folder).glob("*.safetensors"))
    assert stored == pytest.approx(2 * (card.decoder + card.text_encoder + card.codec), rel=0.1)


def test_memory_counts_both_lanes_of_the_cache() -> None:
    """A stream's cache in the reference backend, and what a model takes beside it."""
    card, model = nano(), MusicGen.load("nano", backend="torch")
    memory = model.stream().past.state.memory
    assert card.memory() - 4 * (card.decoder + card.text_encoder + card.codec) == memory.nbytes


@pytest.mark.parametrize("card", [nano(), *RELEASED], ids=lambda card: card.name)
def test_the_documentation_says_the_same(card: Card) -> None:
    document = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    row = next(line for line in document.splitlines() if line.startswith(f"| {card.name} |"))
    size = f"{card.decoder / 1e9:.2f} B" if card.decoder >= 1e8 else f"{card.decoder / 1e6:.0f} M"
    memory = [f"{card.memory(size) / 1e9:.1f} GB" for size in (4, 2)]
    for fact in (f"{card.layers} / {card.hidden}", size, ", ".join(card.abilities), *memory, card.licence):
        assert f"| {fact} |" in row


def test_the_tests_that_the_documentation_names_exist() -> None:
    root = Path(__file__).parents[2]
    document = (root / "docs" / "models.md").read_text(encoding="utf-8")
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", document)
    assert len(named) > 10
    for file, test in named:
        places = [place.read_text(encoding="utf-8") for place in (root / "tests").rglob(file)]
        assert any(f"def {test}(" in text for text in places), f"{file}::{test}"
