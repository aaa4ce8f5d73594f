"""A past whose live lane hands over to a shadow.

Positions are added to a step's input, so cached keys and values carry them and cannot be moved, and a model is good
only at the positions it was trained on. So a second lane, the shadow, starts at position 0 while the first still plays,
is fed the same frames in the same batch, and takes over when the first has used up its positions: a re-anchor that
costs no burst. docs/streaming.md has the other ways, and what each costs.
"""

import numpy as np
from numpy.typing import NDArray

from musicgen.decoder import Embedding
from musicgen.delay import DelayLine, Tokens
from musicgen.past.base import BasePast, Conditions, Prefills
from musicgen.past.state import State
from musicgen.score import Fields


class ShadowPast(BasePast):
    """See :class:`musicgen.past.base.Past` and this module."""

    def __init__(
        self, backend: Prefills, state: State, line: DelayLine, embedding: Embedding, conditions: Conditions
    ) -> None:
        super().__init__(backend, state, line, embedding, conditions, state.policy.life)

    def push(self, column: Tokens) -> Tokens | None:
        """See :meth:`musicgen.past.base.Past.push`."""
        advance(self.state)
        return self._remember(column)

    def replay(self, columns: NDArray[np.int64], fields: Fields | None = None) -> None:
        """See :meth:`musicgen.past.base.Past.replay`."""
        self.reset()
        self._remember_all(columns, fields)
        self._consume(len(columns))
        start_shadow(self.state)

    def follow(self, columns: NDArray[np.int64], fields: Fields | None = None) -> None:
        """See :meth:`musicgen.past.base.Past.follow`."""
        super().follow(columns, fields)
        start_shadow(self.state)


def advance(state: State) -> None:
    """After a step: count it, swap where the live lane is used up, start the shadow where it is due."""
    state.count()
    if state.used_up:
        state.lanes = state.lanes[1:]
    start_shadow(state)


def start_shadow(state: State) -> None:
    """A shadow needs nothing but to be there from its moment on."""
    if state.position == state.policy.max_position - state.policy.keep:
        shadow = 1 - state.lanes[0]
        state.positions[shadow] = 0
        state.lanes = [state.lanes[0], shadow]
