"""What transformers' own MusicGen does with a checkpoint: what ours is held against."""

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoTokenizer,
    MusicgenForConditionalGeneration,
    MusicgenMelodyFeatureExtractor,
    MusicgenMelodyForConditionalGeneration,
)
from transformers.modeling_outputs import BaseModelOutput


class Oracle:
    """A checkpoint in transformers."""

    def __init__(self, folder: Path) -> None:
        self.follows_melody = AutoConfig.from_pretrained(folder).model_type == "musicgen_melody"
        kind: Any = MusicgenMelodyForConditionalGeneration if self.follows_melody else MusicgenForConditionalGeneration
        self.model = kind.from_pretrained(folder).eval()
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.folder = folder

    def generate(
        self,
        prompt: str,
        steps: int,
        *,
        seed: int = 0,
        random_state: NDArray[np.uint8] | None = None,
        frames: NDArray[np.int64] | None = None,
        negative: str = "",
        melody: NDArray[np.float32] | Tensor | None = None,
        **options: Any,
    ) -> NDArray[np.int64]:
        """Tokens (K, frames) of ``generate``; those that its padding at the end may change are left out.

        Parameters
        ----------
        random_state
            Of torch's global generator, instead of a seed.
        frames
            (K, F) to continue.
        melody
            Mono sound at the model's sample rate, to follow, or its chroma (frames, 12).
        """
        caught: list[Tensor] = []
        encoder = self.model.audio_encoder
        decode = encoder.decode

        def catch(codes: Tensor, *arguments: Any, **keywords: Any) -> Any:
            caught.append(codes[0, 0])
            return decode(codes, *arguments, **keywords)

        encoder.decode = catch
        if negative and self.follows_melody:
            self.model._prepare_encoder_hidden_states_kwargs_for_generation = self._with_negative_prefix(negative)
        elif negative:
            self.model._prepare_text_encoder_kwargs_for_generation = self._with_negative(negative)
        if frames is not None:
            options["decoder_input_ids"] = torch.from_numpy(frames)
        torch.manual_seed(seed)
        if random_state is not None:
            torch.set_rng_state(torch.from_numpy(random_state.copy()))
        try:
            tokens = self.tokenizer([prompt], return_tensors="pt")
            if melody is not None:
                tokens["input_features"] = melody[None] if isinstance(melody, Tensor) else self.chroma(melody)
            self.model.generate(**tokens, max_new_tokens=steps, do_sample=True, **options)
        finally:
            del encoder.decode
            self.model.__dict__.pop("_prepare_text_encoder_kwargs_for_generation", None)
            self.model.__dict__.pop("_prepare_encoder_hidden_states_kwargs_for_generation", None)
        # stereo decodes left, then right: interleaved again
        whole = caught[0] if len(caught) == 1 else torch.stack(caught, 1).flatten(0, 1)
        delay = len(caught[0]) - 1
        return whole[:, : whole.shape[1] - delay].numpy()

    def chroma(self, melody: NDArray[np.float32]) -> Tensor:
        """What transformers' feature extractor hears in a mono sound at the model's rate, (1, frames, 12)."""
        extractor = cast(Any, MusicgenMelodyFeatureExtractor).from_pretrained(self.folder)
        features: Tensor = extractor(melody, sampling_rate=extractor.sampling_rate, return_tensors="pt")[
            "input_features"
        ]
        return features

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

    def _with_negative_prefix(self, negative: str) -> Any:
        """The same for a melody model: there the text stands behind the chroma."""
        original = type(self.model)._prepare_encoder_hidden_states_kwargs_for_generation

        def prepare(*arguments: Any) -> Any:
            kwargs = original(self.model, *arguments)
            states, chroma = kwargs["encoder_hidden_states"], self.model.config.chroma_length
            other = self.model.text_encoder(**self.tokenizer([negative], return_tensors="pt")).last_hidden_state[0]
            if hasattr(self.model, "enc_to_dec_proj"):
                other = self.model.enc_to_dec_proj(other)
            both = states.new_zeros(2, max(states.shape[1], chroma + len(other)), states.shape[2])
            both[:, : states.shape[1]] = states
            both[1, chroma : chroma + len(other)] = other
            return {**kwargs, "encoder_hidden_states": both}

        return prepare

    @torch.no_grad()
    def logits(self, prompt: str, columns: NDArray[np.int64]) -> Tensor:
        """Logits (steps, 2, K, V), prompt and null row, of a whole sequence of input columns (steps, K) at once."""
        tokens = self.tokenizer([prompt], return_tensors="pt")
        decoder_input_ids = torch.from_numpy(columns.T).repeat(2, 1)
        mask = torch.cat([tokens["attention_mask"], torch.zeros_like(tokens["attention_mask"])])
        given: dict[str, Any] = {"attention_mask": mask, "decoder_input_ids": decoder_input_ids}
        if self.follows_melody:  # without one; masked text is zero there
            given["input_ids"] = tokens["input_ids"].repeat(2, 1)
        else:
            states = self.model.text_encoder(**tokens).last_hidden_state
            both = torch.cat([states, torch.zeros_like(states)])
            given["encoder_outputs"] = BaseModelOutput(last_hidden_state=both)
        logits: Tensor = self.model(**given).logits[:, -len(columns) :]
        return logits.view(2, columns.shape[1], len(columns), -1).permute(2, 0, 1, 3)
