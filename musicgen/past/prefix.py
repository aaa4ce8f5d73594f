"""A past behind a prefix, as the melody models have it.

The prefix stands in front of the frames, and everything behind it depends on it: a new prompt or melody cannot replace
it in the cache. So the other lane is built anew while the live one plays on: the new prefix, then the last frames, some
positions before each step, until it has caught up and takes over at once. A re-anchor is built in the same way, without
frames, and takes over when the live lane is used up.
"""

import numpy as np
from numpy.typing import NDArray

from musicgen.decoder import Embedding
from musicgen.delay import DelayLine, Tokens
from musicgen.past.base import BasePast, Conditions, Prefills, Remembered
from musicgen.past.state import State
from musicgen.score import Fields

CATCH_UP = 32
"""Positions of a new lane that are consumed before each step: a prefix of 250 and the last 600 frames then need 28
steps, half a second. A fixed number, so that the same changes at the same frames give the same music on any machine."""


class PrefixPast(BasePast):
    """See :class:`musicgen.past.base.Past` and this module. Its policy has room for the longest prefix."""

    def __init__(
        self, backend: Prefills, state: State, line: DelayLine, embedding: Embedding, conditions: Conditions
    ) -> None:
        super().__init__(backend, state, line, embedding, conditions, state.policy.life + state.policy.keep)
        self._forget()

    def _forget(self) -> None:
        self._wanted = 0  # counts the changes of the prefix
        self._made_of = [-1, -1]  # which of them each lane has
        self._begins = [0, 0]  # the step that each lane's first frame is
        self._building: int | None = None
        self._rest: NDArray[np.float32] | None = None  # what is left of the prefix, of the lane that is being built
        self._takes_over = False  # as soon as it is built
        self._first = 0  # the step that the first lane begins with

    @property
    def up_to_date(self) -> bool:
        """Whether the live lane has taken in the last change."""
        return self._made_of[self.state.lanes[0]] == self._wanted

    def columns(self) -> NDArray[np.int64]:
        """See :meth:`musicgen.past.base.Past.columns`."""
        self._prepare()
        return super().columns()

    def push(self, column: Tokens) -> Tokens | None:
        """See :meth:`musicgen.past.base.Past.push`."""
        self.state.count()
        if self.state.used_up:
            self.state.lanes = self.state.lanes[1:]
        return self._remember(column)

    def replay(self, columns: NDArray[np.int64], fields: Fields | None = None) -> None:
        """See :meth:`musicgen.past.base.Past.replay`. The lane is built before the next step, behind its prefix."""
        self.reset()
        self._remember_all(columns, fields)

    def follow(self, columns: NDArray[np.int64], fields: Fields | None = None) -> None:
        """See :meth:`musicgen.past.base.Past.follow`. The lane is built before the next step, as after a replay."""
        self._remember_all(columns, fields)

    def remember(self, remembered: Remembered) -> None:
        """See :meth:`musicgen.past.base.Past.remember`. The prefix is that of now, whatever it was then.

        Of many frames it takes the last ones, so that there is time to build the next lane.
        """
        self._take_in(remembered)
        policy = self.state.policy
        self._first = remembered.steps - min(remembered.lanes[0], policy.life - policy.keep)

    def change(self) -> None:
        """See :meth:`musicgen.past.base.Past.change`."""
        self._wanted += 1

    def retract(self, steps: int) -> NDArray[np.int64]:
        """See :meth:`musicgen.past.base.Past.retract`: what is asked for is the prefix of a lane."""
        return self.line.retract(0)

    def reset(self) -> None:
        """See :meth:`musicgen.past.base.Past.reset`."""
        super().reset()
        self._forget()

    def _prepare(self) -> None:
        """Before a step: start a lane where one is due, and build on."""
        state, policy = self.state, self.state.policy
        live = state.lanes[0]
        if state.position == 0:  # frames that a stream continues are there already
            self._start(live, self._first)
            self._build(None)
            return
        if not self.up_to_date and not self._takes_over:
            state.lanes = [live]
            self._start(1 - live, self.line.steps - min(policy.keep, self.line.steps))
            self._takes_over = True
        elif self._building is None and len(state.lanes) == 1 and state.frames >= policy.life - policy.keep:
            self._start(1 - live, self.line.steps)
        if self._building is not None:
            last = state.frames == policy.life - 1  # the live lane can take one step more
            self._build(None if last else CATCH_UP)

    def _start(self, lane: int, begin: int) -> None:
        state, turns = self.state, self.line.turns_a_frame
        begin -= begin % turns  # a lane begins with the first turn of a frame
        self._building, self._rest = lane, self._conditions.prefix(begin // turns)
        self._begins[lane], self._made_of[lane] = begin, self._wanted
        state.positions[lane], state.starts[lane] = 0, self._rest.shape[1]

    def _build(self, most: int | None) -> None:
        """Consume so many positions, or all; where none are left, the lane takes part from the next step on."""
        lane, state = self._building, self.state
        assert lane is not None and self._rest is not None
        done = max(0, state.positions[lane] - state.starts[lane])
        until = self.line.steps - self._begins[lane]
        inputs = self._rest[:, :most]
        self._rest = self._rest[:, inputs.shape[1] :]
        if most is not None:
            until = min(until, done + most - inputs.shape[1])
        frames = self._inputs(self._begins[lane], done, until)
        inputs = np.concatenate([inputs, frames], 1)
        if inputs.shape[1]:
            self._backend.prefill(state.only(lane), inputs, (None, None))
        if state.positions[lane] - state.starts[lane] == self.line.steps - self._begins[lane]:
            state.lanes = [lane] if self._takes_over or lane == state.lanes[0] else [state.lanes[0], lane]
            self._building, self._takes_over = None, False
