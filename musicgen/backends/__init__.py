"""Where a step is computed: a decoder's weights in a layout of their own, and how to step them.

Every backend does the same as the reference, :mod:`musicgen.backends.torch_step`, to the tolerance that its tests
state. What they share is the bookkeeping, :class:`musicgen.cache.State`; sampling is the stream's.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from musicgen.cache import State, StreamingPolicy
from musicgen.decoder import DecoderWeights

Prompt = Any
"""A prompt's keys and values in every layer's cross-attention, as the backend that made it keeps them."""

Prompts = tuple[Prompt | None, Prompt | None]
"""Of the conditional and the null row. None: no prompt. Its keys and values would be zero, and so would be what
cross-attention adds: it is skipped. Decoders without cross-attention have (None, None)."""


class Backend(Protocol):
    """A decoder, ready to step. Immutable, shared by any number of streams.

    K: codebooks, V: vocabulary, d: hidden size.
    """

    @property
    def name(self) -> str:
        """As it is chosen by."""

    def prompt(self, states: Tensor) -> Prompt:
        """What cross-attention needs of a prompt, computed once a prompt. From any thread.

        Parameters
        ----------
        states
            (S, d) float32, see :meth:`musicgen.conditioning.PromptEncoder.states`.
        """

    def new_state(self, policy: StreamingPolicy) -> State:
        """An empty past for one stream, its memory allocated once."""

    def step(self, states: Sequence[State], columns: Sequence[NDArray[np.int64]], prompts: Sequence[Prompts]) -> Tensor:
        """One step of every stream at once: the weights are read once for all of them.

        Consumes a column in every active lane, writes its keys and values at the lane's position, predicts the next.
        :meth:`musicgen.cache.State.advance` is the caller's.

        Parameters
        ----------
        states
            One a stream, all different.
        columns
            For each stream (lanes, K), for the active lanes in the state's order.
        prompts
            For each stream.

        Returns
        -------
        Tensor
            Logits of the live lanes, (streams, 2, K, V) float32: conditional, null.
        """

    def prefill(self, state: State, inputs: Tensor, prompts: Prompts) -> Tensor:
        """Consume many inputs at once, in the live lane alone, and count them with :meth:`State.skip`.

        Parameters
        ----------
        state
            Of one stream, without a shadow at work.
        inputs
            (2, T, d) float32, T >= 1: embedded columns or a prefix, for the conditional and the null row, without
            positions.
        prompts
            Of the stream.

        Returns
        -------
        Tensor
            Logits after the last input, (2, K, V) float32: conditional, null.

        Raises
        ------
        ValueError
            T is more than the positions left before the shadow.
        """


def prepare(weights: DecoderWeights, name: str = "torch") -> Backend:
    """Lay a decoder out for a backend."""
    from musicgen.backends.torch_step import TorchBackend

    return TorchBackend(weights)
