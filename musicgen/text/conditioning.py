"""Prompts to what the decoder attends to."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicgen.decoder import Prompt
from musicgen.errors import ModelError, is_failure

Projection = tuple[NDArray[np.float32], NDArray[np.float32]]
"""Weight (d, size) and bias (d,) of a linear layer."""

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
    states: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class TextEncoder:
    """Reads prompts, in its own size.

    Attributes
    ----------
    tokenize
        A text to its tokens' numbers, the first ``longest`` of them.
    states
        Tokens (S,) int64 to states (S, size) float32.
    size
        Of a state.
    known
        Tokens that it knows, numbered from 0.
    longest
        Tokens that are heard of a prompt, ``LONGEST_PROMPT`` at the most.
    cuts
        Whether a text has more tokens than that.
    """

    tokenize: Callable[[str], list[int]]
    states: Callable[[NDArray[np.int64]], NDArray[np.float32]]
    size: int
    known: int
    longest: int
    cuts: Callable[[str], bool]


class PromptEncoder:
    """Encodes prompts. May be called from any thread.

    Parameters
    ----------
    text_encoder
        Of the checkpoint.
    projection
        Weight (d, text size) and bias (d,) from its states to the decoder's size, None where sizes agree.
    """

    def __init__(self, text_encoder: TextEncoder, projection: Projection | None) -> None:
        self._text_encoder = text_encoder
        self._projection = projection
        self.longest = text_encoder.longest
        """Tokens that are heard of a prompt."""

    def cuts(self, text: str) -> bool:
        """Whether the end of a prompt is not heard: it has more than `longest` tokens."""
        try:
            return self._text_encoder.cuts(text)
        except BaseException as error:  # of any kind, see `states`, which says what is wrong
            if not is_failure(error):
                raise
            return False

    def states(self, text: str) -> NDArray[np.float32]:
        """The prompt's states at the decoder's size, (S, d) float32.

        Raises
        ------
        ModelError
            The model's tokenizer cannot read it.
        """
        try:
            tokens = np.array(self._text_encoder.tokenize(text), np.int64)
        except BaseException as error:  # of any kind: a checkpoint's tokenizer is read by a library
            if not is_failure(error):
                raise
            raise ModelError(
                "The model's tokenizer cannot read this prompt: use other words, or another model."
            ) from error
        if len(tokens) and not 0 <= int(tokens.min()) <= int(tokens.max()) < self._text_encoder.known:
            raise ModelError("The model's tokenizer makes tokens that its text encoder does not know: export it again.")
        if not len(tokens):
            raise ModelError("The model's tokenizer finds nothing in this prompt: use other words, or another model.")
        return projected(self._text_encoder.states(tokens), self._projection)


def projected(states: NDArray[np.float32], projection: Projection | None) -> NDArray[np.float32]:
    """States (S, size) at the decoder's size, (S, d)."""
    if projection is None:
        return states
    weight, bias = projection
    brought: NDArray[np.float32] = states @ weight.T + bias
    return brought
