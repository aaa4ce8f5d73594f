"""A past whose live lane hands over to a shadow.

Positions are added to a step's input, so cached keys and values carry them and cannot be moved, and a model is good
only at the positions it was trained on. So a second lane, the shadow, starts at position 0 while the first still plays,
is fed the same frames in the same batch, and takes over when the first has used up its positions: a re-anchor that
costs no burst. docs/streaming.md has the other ways, and what each costs.

What follows an anchor may differ from what went before. Where frames are told where the bar is, the shadow starts some
time earlier and takes over where a bar begins: that is where listeners expect something new.
"""

import math

import numpy as np
from numpy.typing import NDArray

from musicgen.decoder import Embedding
from musicgen.delay import DelayLine, Tokens
from musicgen.past.base import BasePast, Conditions, Prefills
from musicgen.past.state import State
from musicgen.score import FIELDS, Fields

BAR = FIELDS.index("bar")


class ShadowPast(BasePast):
    """See :class:`musicgen.past.base.Past` and this module."""

    def __init__(
        self, backend: Prefills, state: State, line: DelayLine, embedding: Embedding, conditions: Conditions
    ) -> None:
        super().__init__(backend, state, line, embedding, conditions, state.policy.life)

    def push(self, column: Tokens) -> Tokens | None:
        """See :meth:`musicgen.past.base.Past.push`."""
        frame = self._remember(column)
        before, last = (float(self._fields[(self.line.steps - ago) % len(self._fields), BAR]) for ago in (2, 1))
        advance(self.state, told=not math.isnan(last), begins=last + (last - before) % 1 >= 1)
        return frame

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


def advance(state: State, *, told: bool = False, begins: bool = False) -> None:
    """After a step: count it, swap where the live lane is used up, start the shadow where it is due.

    told, begins: whether frames are told where the bar is, and whether the next one begins a bar.
    """
    state.count()
    ready = len(state.lanes) > 1 and state.positions[state.lanes[1]] >= state.policy.keep
    if state.used_up or (ready and begins):
        state.lanes = state.lanes[1:]
    start_shadow(state, told=told)


def start_shadow(state: State, *, told: bool = False) -> None:
    """A shadow needs nothing but to be there from its moment on, which comes earlier where a bar is waited for."""
    due = state.policy.max_position - state.policy.keep
    if len(state.lanes) == 1 and state.position in (due, due - told * state.policy.patience):
        shadow = 1 - state.lanes[0]
        state.positions[shadow] = 0
        state.lanes = [state.lanes[0], shadow]
