"""A small random CLAP, saved as transformers saves the released ones: real architecture, no download."""

from pathlib import Path
from typing import Any

import musicgen  # noqa: F401  (first: it makes transformers importable beside any torchaudio)

# isort: split
import tokenizers
import torch
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel, PreTrainedTokenizerFast

WORDS = "[PAD] [UNK] lo-fi piano rain drums techno deep house calm bright"


def tiny_clap(folder: Path, *, fusion: bool = False) -> Path:
    """Save it, with tokenizer and feature extractor, and return its folder."""
    torch.manual_seed(0)
    audio: dict[str, Any] = {
        "patch_embeds_hidden_size": 32,
        "hidden_size": 64,
        "depths": [1, 1],
        "num_attention_heads": [2, 2],
        "num_hidden_layers": 2,
        "num_classes": 4,
        "enable_fusion": fusion,
    }
    text: dict[str, Any] = {
        "vocab_size": 16,
        "hidden_size": 16,
        "intermediate_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": 80,
        "pad_token_id": 0,
    }
    model: Any = ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=8))
    model.save_pretrained(folder)
    words = {word: number for number, word in enumerate(WORDS.split())}
    inner = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    inner.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer: Any = PreTrainedTokenizerFast
    tokenizer(tokenizer_object=inner, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(folder)
    extractor: Any = ClapFeatureExtractor(truncation="fusion" if fusion else "rand_trunc")
    extractor.save_pretrained(folder)
    return folder
