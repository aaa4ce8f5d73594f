"""What transformers' own MusicGen does with a checkpoint: what ours is held against."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import AutoTokenizer, MusicgenForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput


class Oracle:
    """A checkpoint in transformers."""

    def __init__(self, folder: Path) -> None:
        self.model = cast(Any, MusicgenForConditionalGeneration).from_pretrained(folder).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)

    def generate(
        self,
        prompt: str,
        steps: int,
        *,
        seed: int = 0,
        random_state: Tensor | None = None,
        frames: NDArray[np.int64] | None = None,
        negative: str = "",
        **options: Any,
    ) -> NDArray[np.int64]:
        """Tokens (K, frames) of ``generate``; those that its padding at the end may change are left out.

        Parameters
        ----------
        random_state
            Of torch's global generator, instead of a seed.
        frames
            (K, F) to continue.
        """
        caught: list[Tensor] = []
        encoder = self.model.audio_encoder
        decode = encoder.decode

        def catch(codes: Tensor, *arguments: Any, **keywords: Any) -> Any:
            caught.append(codes[0, 0])
            return decode(codes, *arguments, **keywords)

        encoder.decode = catch
        if negative:
            self.model._prepare_text_encoder_kwargs_for_generation = self._with_negative(negative)
        if frames is not None:
            options["decoder_input_ids"] = torch.from_numpy(frames)
        torch.manual_seed(seed)
        if random_state is not None:
            torch.set_rng_state(random_state)
        try:
            tokens = self.tokenizer([prompt], return_tensors="pt")
            self.model.generate(**tokens, max_new_tokens=steps, do_sample=True, **options)
        finally:
            del encoder.decode
            self.model.__dict__.pop("_prepare_text_encoder_kwargs_for_generation", None)
        # stereo decodes left, then right: interleaved again
        whole = caught[0] if len(caught) == 1 else torch.stack(caught, 1).flatten(0, 1)
        delay = len(caught[0]) - 1
        return whole[:, : whole.shape[1] - delay].numpy()

    def _with_negative(self, negative: str) -> Any:
        """The text encoder's step of ``generate``, with a negative prompt's states in the null row."""
        original = type(self.model)._prepare_text_encoder_kwargs_for_generation

        def prepare(*arguments: Any) -> Any:
            kwargs = original(self.model, *arguments)
            states, mask = kwargs["encoder_outputs"].last_hidden_state, kwargs["attention_mask"]
            tokens = self.tokenizer([negative], return_tensors="pt")
            other = self.model.text_encoder(**tokens).last_hidden_state[0]
            length = max(states.shape[1], len(other))
            both = states.new_zeros(2, length, states.shape[2])
            both_masks = mask.new_zeros(2, length)
            both[0, : states.shape[1]], both_masks[0, : states.shape[1]] = states[0], 1
            both[1, : len(other)], both_masks[1, : len(other)] = other, 1
            return {**kwargs, "encoder_outputs": BaseModelOutput(last_hidden_state=both), "attention_mask": both_masks}

        return prepare

    @torch.no_grad()
    def logits(self, prompt: str, columns: NDArray[np.int64]) -> Tensor:
        """Logits (steps, 2, K, V), prompt and null row, of a whole sequence of input columns (steps, K) at once."""
        tokens = self.tokenizer([prompt], return_tensors="pt")
        states = self.model.text_encoder(**tokens).last_hidden_state
        decoder_input_ids = torch.from_numpy(columns.T).repeat(2, 1)
        mask = tokens["attention_mask"]
        output = self.model(
            encoder_outputs=BaseModelOutput(last_hidden_state=torch.cat([states, torch.zeros_like(states)])),
            attention_mask=torch.cat([mask, torch.zeros_like(mask)]),
            decoder_input_ids=decoder_input_ids,
        )
        logits: Tensor = output.logits
        return logits.view(2, columns.shape[1], len(columns), -1).permute(2, 0, 1, 3)
