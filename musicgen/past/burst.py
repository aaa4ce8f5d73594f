"""A past of one lane, which is emptied when it is used up and consumes the last columns again at once.

Half the memory of a shadow's, and each step computes one lane alone; the burst takes as long as some steps.
"""

import numpy as np
from numpy.typing import NDArray

from musicgen.decoder import Embedding
from musicgen.delay import DelayLine, Tokens
from musicgen.past.base import BasePast, Conditions, Prefills
from musicgen.past.state import State
from musicgen.score import Fields


class BurstPast(BasePast):
    """See :class:`musicgen.past.base.Past` and this module."""

    def __init__(
        self, backend: Prefills, state: State, line: DelayLine, embedding: Embedding, conditions: Conditions
    ) -> None:
        super().__init__(backend, state, line, embedding, conditions, state.policy.life)

    def push(self, column: Tokens) -> Tokens | None:
        """See :meth:`musicgen.past.base.Past.push`."""
        self.state.count()
        frame = self._remember(column)
        if self.state.used_up:
            self.state.reset()
            self._consume(self.state.policy.keep)
            for step in range(self.line.steps - self.state.policy.keep, self.line.steps):
                self._scenes[step % len(self._scenes)] = self._conditions.scene
        return frame

    def replay(self, columns: NDArray[np.int64], fields: Fields | None = None) -> None:
        """See :meth:`musicgen.past.base.Past.replay`."""
        self.reset()
        self._remember_all(columns, fields)
        self._consume(len(columns))
