"""Lanes of a decoder that is conditioned by a prefix, as the melody models are.

The prefix stands in front of the frames, and everything behind it depends on it: a new prompt or melody cannot replace
it in the cache. So the other lane is built anew while the live one plays on: the new prefix, then the last frames, some
positions before each step, until it has caught up and takes over at once. A re-anchor is built in the same way, without
frames, and takes over when the live lane is used up.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from musicgen.backends import Backend
from musicgen.cache import State
from musicgen.delay import DelayLine

CATCH_UP = 32
"""Positions of a new lane that are consumed before each step: a prefix of 250 and the last 600 frames then need 28
steps, half a second. A fixed number, so that the same changes at the same frames give the same music on any machine."""

Prefix = Callable[[int], Tensor]
"""The inputs (2, P, d) float32, conditional and null, of a lane whose first frame is the stream's frame number so."""


class PrefixLanes:
    """Keeps the lanes of one stream in order. Its state's policy has room for the longest prefix.

    Parameters
    ----------
    line
        The stream's.
    embedding
        The decoder's table and offsets, see :class:`musicgen.decoder.DecoderWeights`.
    """

    def __init__(self, backend: Backend, state: State, line: DelayLine, embedding: tuple[Tensor, Tensor]) -> None:
        self._backend = backend
        self._state = state
        self._line = line
        self._embedding = embedding
        self._columns = np.zeros((state.policy.life + state.policy.keep, len(line.delays)), np.int64)
        self.reset()

    def reset(self) -> None:
        """Forget the past, as the state and the delay line do."""
        self._wanted = 0  # counts the changes of the prefix
        self._made_of = [-1, -1]  # which of them each lane has
        self._begins = [0, 0]  # the step that each lane's first frame is
        self._building: int | None = None
        self._rest: Tensor | None = None  # what is left of the prefix, of the lane that is being built
        self._takes_over = False  # as soon as it is built

    def change(self) -> None:
        """The prefix is another one now."""
        self._wanted += 1

    def pushed(self, column: NDArray[np.int64]) -> None:
        """Remember what the step sampled that the delay line has counted last."""
        self._columns[(self._line.steps - 1) % len(self._columns)] = column

    def prepare(self, prefix: Prefix) -> None:
        """Before a step: start a lane where one is due, and build on."""
        state, policy = self._state, self._state.policy
        live = state.lanes[0]
        if state.position == 0:  # frames that a stream continues are there already
            self._start(live, 0, prefix)
            self._build(None)
            return
        if self._made_of[live] != self._wanted and not self._takes_over:
            state.lanes = [live]
            self._start(1 - live, self._line.steps - min(policy.keep, self._line.steps), prefix)
            self._takes_over = True
        elif self._building is None and len(state.lanes) == 1 and state.frames >= policy.life - policy.keep:
            self._start(1 - live, self._line.steps, prefix)
        if self._building is not None:
            last = state.frames == policy.life - 1  # the live lane can take one step more
            self._build(None if last else CATCH_UP)

    def _start(self, lane: int, begin: int, prefix: Prefix) -> None:
        state, turns = self._state, self._line.turns_a_frame
        begin -= begin % turns  # a lane begins with the first turn of a frame
        self._building, self._rest = lane, prefix(begin // turns)
        self._begins[lane], self._made_of[lane] = begin, self._wanted
        state.positions[lane], state.starts[lane] = 0, self._rest.shape[1]

    def _build(self, most: int | None) -> None:
        """Consume so many positions, or all; where none are left, the lane takes part from the next step on."""
        lane, state = self._building, self._state
        assert lane is not None and self._rest is not None
        done = max(0, state.positions[lane] - state.starts[lane])
        inputs = self._rest[:, :most]
        self._rest = self._rest[:, inputs.shape[1] :]
        room = None if most is None else most - inputs.shape[1]
        frames = self._frames(self._begins[lane], done, room)
        inputs = torch.cat([inputs, self._embed(frames).to(inputs).expand(2, -1, -1)], 1)
        if inputs.shape[1]:
            self._backend.prefill(state.only(lane), inputs, (None, None))
        if state.positions[lane] - state.starts[lane] == self._line.steps - self._begins[lane]:
            state.lanes = [lane] if self._takes_over or lane == state.lanes[0] else [state.lanes[0], lane]
            self._building, self._takes_over = None, False

    def _embed(self, columns: Tensor) -> Tensor:
        table, offsets = self._embedding
        return F.embedding(columns.to(table.device) + offsets, table).sum(1)

    def _frames(self, begin: int, done: int, most: int | None) -> Tensor:
        """The next columns (T, K) of a lane that begins at a step and has consumed some, up to the coming step's."""
        count = self._line.steps - begin - done
        own = np.arange(done, done + (count if most is None else min(count, most)))
        columns = self._columns[(begin + own - 1) % len(self._columns)]
        return torch.from_numpy(self._line.masked(own, columns))
