"""What a stream remembers: the columns it sampled, and the keys and values that its backend made of them."""

from collections.abc import Hashable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from musicgen.decoder import Embedding, Prompts
from musicgen.delay import DelayLine, Tokens
from musicgen.past.state import State


class Conditions(Protocol):
    """What the past is consumed under, see :class:`musicgen.conditions.Conditions`."""

    @property
    def kv(self) -> Prompts:
        """Keys and values of what is asked for now."""

    @property
    def scene(self) -> Hashable:
        """What is asked for now."""

    def encoded(self, scene: Any) -> Prompts:
        """Keys and values of what was asked for."""

    def prefix(self, begin: int) -> NDArray[np.float32]:
        """The inputs (2, P, d), conditional and null, of a lane that begins with the stream's frame so."""


class Prefills(Protocol):
    """What a past asks of a backend."""

    def prefill(self, state: State, inputs: NDArray[np.float32], prompts: Prompts) -> Any:
        """See :meth:`musicgen.backends.Backend.prefill`."""


@dataclass(frozen=True)
class Remembered:
    """What a past is made of: enough to consume it anew, in another process, to the same keys and values.

    Attributes
    ----------
    steps
        Columns sampled so far.
    columns
        (T, K) int64: the last of them.
    scenes
        For each of these the scene that its step was made under, as (index of the first, scene) where it changes.
    lanes
        Frames' positions that each active lane has consumed, the live one first; at most T.
    """

    steps: int
    columns: NDArray[np.int64]
    scenes: tuple[tuple[int, Any], ...]
    lanes: tuple[int, ...]


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

    def follow(self, columns: NDArray[np.int64]) -> None:
        """Append these sampled columns (T, K), as if they had been played: a replay piece by piece, after a reset."""

    def change(self) -> None:
        """What is asked for has changed."""

    def retract(self, steps: int) -> NDArray[np.int64]:
        """Forget the last steps; see :meth:`musicgen.delay.DelayLine.retract` for how many, and for what it returns.

        It forgets none, and returns (0, K), where the live lane has no more positions than that, or what is asked for
        is a part of the past: then steps that are made anew would be made as before.
        """

    def reset(self) -> None:
        """Forget everything."""

    def remembered(self) -> Remembered:
        """What it is made of."""

    def remember(self, remembered: Remembered) -> None:
        """Make this the past, by consuming it anew: keys and values as they were, to the backend's rounding."""


class BasePast:
    """What all pasts have in common.

    Parameters
    ----------
    kept
        Sampled columns that it keeps.
    """

    def __init__(
        self,
        backend: Prefills,
        state: State,
        line: DelayLine,
        embedding: Embedding,
        conditions: Conditions,
        kept: int,
    ) -> None:
        self.state = state
        self.line = line
        self._backend = backend
        self._embedding = embedding
        self._conditions = conditions
        kept = max(kept, line.depth)
        self._sampled = np.zeros((kept, len(line.delays)), np.int64)
        self._scenes: list[Hashable] = [None] * kept

    def columns(self) -> NDArray[np.int64]:
        """See :meth:`Past.columns`."""
        state = self.state
        return np.stack([self.line.column(state.positions[lane] - state.starts[lane]) for lane in state.lanes])

    def follow(self, columns: NDArray[np.int64]) -> None:
        """See :meth:`Past.follow`."""
        done = self.state.position
        for column in columns:
            self._remember(column)
        if len(columns):
            inputs = self._inputs(self.line.steps - done - len(columns), done, done + len(columns))
            self._prefill(self.state, inputs, self._conditions.kv)

    def change(self) -> None:
        """See :meth:`Past.change`. Nothing is to be done where prompts are beside the past, not in it."""

    def retract(self, steps: int) -> NDArray[np.int64]:
        """See :meth:`Past.retract`."""
        if self.state.position < steps:
            steps = 0
        self.state.retract(steps)
        return self.line.retract(steps)

    def reset(self) -> None:
        """See :meth:`Past.reset`."""
        self.state.reset()
        self.line.reset()

    def remembered(self) -> Remembered:
        """See :meth:`Past.remembered`."""
        state, kept, steps = self.state, len(self._sampled), self.line.steps
        lanes = tuple(state.positions[lane] - state.starts[lane] for lane in state.lanes)
        count = min(steps, max(*lanes, self.line.depth))
        places = [step % kept for step in range(steps - count, steps)]
        scenes = [self._scenes[place] for place in places]
        changes = [index for index, scene in enumerate(scenes) if index == 0 or scene != scenes[index - 1]]
        return Remembered(steps, self._sampled[places], tuple((index, scenes[index]) for index in changes), lanes)

    def remember(self, remembered: Remembered) -> None:
        """See :meth:`Past.remember`."""
        self._take_in(remembered)
        for lane, count in enumerate(remembered.lanes):
            self._consume_again(self.state.only(lane), count)
        self.state.lanes = list(range(len(remembered.lanes)))

    def _take_in(self, remembered: Remembered) -> None:
        """The columns and their scenes alone: every lane is empty."""
        self.reset()
        count = len(remembered.columns)
        self.line.reset(remembered.steps - count)
        lengths = np.diff([*(index for index, _ in remembered.scenes), count])
        scenes = [scene for (_, scene), length in zip(remembered.scenes, lengths, strict=True) for _ in range(length)]
        for column, scene in zip(remembered.columns, scenes, strict=True):
            self._keep(column, scene)

    def _consume_again(self, state: State, count: int) -> None:
        """Let an empty lane see the last ``count`` columns, each under its own scene."""
        begin = self.line.steps - count
        scenes = [self._scenes[step % len(self._scenes)] for step in range(begin, self.line.steps)]
        done = 0
        for scene, group in groupby(scenes):
            until = done + len(list(group))
            self._prefill(state, self._inputs(begin, done, until), self._conditions.encoded(scene))
            done = until

    def _keep(self, column: Tokens, scene: Hashable) -> Tokens | None:
        place = self.line.steps % len(self._sampled)
        self._sampled[place], self._scenes[place] = column, scene
        return self.line.push(column)

    def _remember(self, column: Tokens) -> Tokens | None:
        return self._keep(column, self._conditions.scene)

    def _inputs(self, begin: int, done: int, until: int) -> NDArray[np.float32]:
        """What a lane whose first frame is step ``begin`` consumes at its frames done .. until - 1, (1, T, d)."""
        own = np.arange(done, until)
        sampled = self._sampled[(begin + own - 1) % len(self._sampled)]
        return self._embedding(self.line.masked(own, sampled))[None]

    def _consume(self, count: int) -> None:
        """Let the empty live lane see the last ``count`` columns at once, as if one after the other."""
        if count:
            self._prefill(self.state, self._inputs(self.line.steps - count, 0, count), self._conditions.kv)

    def _prefill(self, state: State, inputs: NDArray[np.float32], prompts: Prompts) -> None:
        self._backend.prefill(state, inputs.repeat(2, 0), prompts)
