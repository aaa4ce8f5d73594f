"""Prompts to what the decoder attends to."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from musicgen.backends import Prompt

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

LONGEST_PROMPT = 256  # tokens; what stands behind is ignored, so that a step's cost stays bounded


@dataclass(frozen=True)
class Conditioning:
    """An encoded prompt.

    Attributes
    ----------
    text
        The prompt; "" for none.
    kv
        Its keys and values in the decoder's cross-attention, as the model's backend keeps them; None for "", and in
        models without cross-attention.
    states
        (S, d) float32, of models that have it in front of the frames; None for "", and in the others.
    """

    text: str
    kv: Prompt | None
    states: Tensor | None = None


class PromptEncoder:
    """Encodes prompts. May be called from any thread.

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
    ) -> None:
        self._tokenizer = tokenizer
        self._text_encoder = text_encoder
        self._projection = projection
        self.longest = min(LONGEST_PROMPT, tokenizer.model_max_length)
        """Tokens that are heard of a prompt."""

    @torch.inference_mode()
    def states(self, text: str) -> Tensor:
        """The prompt's states at the decoder's size, (S, d) float32."""
        tokens = self._tokenizer(text, truncation=True, max_length=self.longest, return_tensors="pt")
        tokens = tokens.to(self._text_encoder.device)
        # the mask is all ones for a single text; token types, where a tokenizer has them, are all zeros
        states: Tensor = self._text_encoder(tokens["input_ids"], attention_mask=tokens["attention_mask"])[0][0]
        return states if self._projection is None else F.linear(states, *self._projection)
