"""What a stream remembers: the columns it sampled, and the keys and values that its backend made of them."""

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from musicgen.decoder import Embedding, Prompts
from musicgen.delay import DelayLine, Tokens
from musicgen.past.state import State


class Conditions(Protocol):
    """What the past is consumed under, see :class:`musicgen.conditions.Conditions`."""

    @property
    def kv(self) -> Prompts:
        """Keys and values of what is asked for now."""

    def prefix(self, begin: int) -> Tensor:
        """The inputs (2, P, d) float32, conditional and null, of a lane that begins with the stream's frame so."""


class Prefills(Protocol):
    """What a past asks of a backend."""

    def prefill(self, state: State, inputs: Tensor, prompts: Prompts) -> Any:
        """See :meth:`musicgen.backends.Backend.prefill`."""


class Past(Protocol):
    """What a stream remembers, bounded for ever.

    Attributes
    ----------
    state
        What its backend steps.
    line
        What it sampled last.
    """

    state: State
    line: DelayLine

    def columns(self) -> NDArray[np.int64]:
        """What the next step consumes, (lanes, K). To be asked once before each step: the past may prepare for it."""

    def push(self, column: Tokens) -> Tokens | None:
        """After a step: take the column (K,) that was sampled; return the frame (K,) it completes, if it does."""

    def replay(self, columns: NDArray[np.int64]) -> None:
        """Make these sampled columns (T, K), and nothing else, the past: as if they had been played up to here.

        T is at most the policy's life less what it keeps.
        """

    def change(self) -> None:
        """What is asked for has changed."""

    def reset(self) -> None:
        """Forget everything."""


class BasePast:
    """What all pasts have in common.

    Parameters
    ----------
    remembered
        Sampled columns that it keeps.
    """

    def __init__(
        self,
        backend: Prefills,
        state: State,
        line: DelayLine,
        embedding: Embedding,
        conditions: Conditions,
        remembered: int,
    ) -> None:
        self.state = state
        self.line = line
        self._backend = backend
        self._embedding = embedding
        self._conditions = conditions
        self._sampled = np.zeros((remembered, len(line.delays)), np.int64)

    def columns(self) -> NDArray[np.int64]:
        """See :meth:`Past.columns`."""
        state = self.state
        return np.stack([self.line.column(state.positions[lane] - state.starts[lane]) for lane in state.lanes])

    def change(self) -> None:
        """See :meth:`Past.change`. Nothing is to be done where prompts are beside the past, not in it."""

    def reset(self) -> None:
        """See :meth:`Past.reset`."""
        self.state.reset()
        self.line.reset()

    def _remember(self, column: Tokens) -> Tokens | None:
        frame = self.line.push(column)
        self._sampled[(self.line.steps - 1) % len(self._sampled)] = column
        return frame

    def _inputs(self, begin: int, done: int, until: int) -> Tensor:
        """What a lane whose first frame is step ``begin`` consumes at its frames done .. until - 1, (1, T, d)."""
        own = np.arange(done, until)
        sampled = self._sampled[(begin + own - 1) % len(self._sampled)]
        return self._embedding(self.line.masked(own, sampled))[None]

    def _consume(self, count: int) -> None:
        """Let the empty live lane see the last ``count`` columns at once, as if one after the other."""
        if count:
            with torch.inference_mode():
                inputs = self._inputs(self.line.steps - count, 0, count).expand(2, -1, -1)
                self._backend.prefill(self.state, inputs, self._conditions.kv)
