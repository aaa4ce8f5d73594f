"""Prompts to what the decoder attends to."""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from musicgen.decoder import DecoderWeights, prompt_kv

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

PROMPTS_KEPT = 32  # encoded prompts; one of musicgen-small takes 0.2 MB a token
LONGEST_PROMPT = 256  # tokens; what stands behind is ignored, so that a step's cost stays bounded


@dataclass(frozen=True)
class Conditioning:
    """An encoded prompt.

    Attributes
    ----------
    text
        The prompt; "" for none.
    kv
        Its keys and values in the decoder's cross-attention (see :func:`musicgen.decoder.prompt_kv`), None for "".
    """

    text: str
    kv: Tensor | None


class PromptEncoder:
    """Encodes prompts and keeps the last ones. May be called from any thread.

    Parameters
    ----------
    tokenizer, text_encoder
        Of the checkpoint; the encoder in float32.
    projection
        Weight (d, text hidden) and bias (d,) from the encoder's states to the decoder's size, None where sizes agree.
    """

    def __init__(
        self,
        tokenizer: "PreTrainedTokenizerBase",
        text_encoder: "PreTrainedModel",
        projection: tuple[Tensor, Tensor] | None,
        weights: DecoderWeights,
    ) -> None:
        self._tokenizer = tokenizer
        self._text_encoder = text_encoder
        self._projection = projection
        self._weights = weights
        # lru_cache answers for known prompts at once, also while another thread is encoding a new one
        self.encode = lru_cache(maxsize=PROMPTS_KEPT)(self._encode)

    def _encode(self, text: str) -> Conditioning:
        if not text:
            return Conditioning("", None)
        return Conditioning(text, prompt_kv(self._weights, self.states(text)))

    @torch.inference_mode()
    def states(self, text: str) -> Tensor:
        """The prompt's states at the decoder's size, (S, d) float32."""
        longest = min(LONGEST_PROMPT, self._tokenizer.model_max_length)
        tokens = self._tokenizer(text, truncation=True, max_length=longest, return_tensors="pt")
        tokens = tokens.to(self._weights.device)
        # the mask is all ones for a single text; token types, where a tokenizer has them, are all zeros
        states: Tensor = self._text_encoder(tokens["input_ids"], attention_mask=tokens["attention_mask"])[0][0]
        return states if self._projection is None else F.linear(states, *self._projection)
