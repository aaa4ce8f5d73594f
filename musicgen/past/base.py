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
from musicgen.score import Fields, unknown


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
    fields
        (T, fields) float32: for each of these columns the score that its step was told, see `Past.tell`.
    """

    steps: int
    columns: NDArray[np.int64]
    scenes: tuple[tuple[int, Any], ...]
    lanes: tuple[int, ...]
    fields: Fields


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

    def tell(self, fields: Fields | None) -> NDArray[np.float32] | None:
        """Before a step, after `columns`: the score (fields,) of the frame that it begins to draw, None for none.

        Returns
        -------
        NDArray or None
            (d,) float32: what is added to what the step consumes, in the conditional row of every lane.
        """

    def told(self, step: int) -> Fields:
        """The score (fields,) that one of the last steps was told, as many as it takes to make a frame whole."""

    def push(self, column: Tokens) -> Tokens | None:
        """After a step: take the column (K,) that was sampled; return the frame (K,) it completes, if it does."""

    def replay(self, columns: NDArray[np.int64], fields: Fields | None = None) -> None:
        """Make these sampled columns (T, K), and nothing else, the past: as if they had been played up to here.

        T is at most the policy's life less what it keeps. fields: what their steps were told, (T, fields).
        """

    def follow(self, columns: NDArray[np.int64], fields: Fields | None = None) -> None:
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
        self._reach = 2 * line.depth - line.turns_a_frame  # makes a frame whole, also after the longest retraction
        kept = max(kept, self._reach)
        self._sampled = np.zeros((kept, len(line.delays)), np.int64)
        self._scenes: list[Hashable] = [None] * kept
        self._fields = unknown(kept)
        self._known = 0  # how many of them are there
        self._nothing = unknown(1)[0]
        self._told = self._nothing  # the next step

    def columns(self) -> NDArray[np.int64]:
        """See :meth:`Past.columns`."""
        state = self.state
        return np.stack([self.line.column(state.positions[lane] - state.starts[lane]) for lane in state.lanes])

    def tell(self, fields: Fields | None) -> NDArray[np.float32] | None:
        """See :meth:`Past.tell`."""
        self._told = self._nothing if fields is None else np.asarray(fields, np.float32)
        score = self._embedding.score
        return None if fields is None or score is None else score.vector(self._told)

    def told(self, step: int) -> Fields:
        """See :meth:`Past.told`."""
        fields: Fields = self._fields[step % len(self._fields)].copy()
        return fields

    def follow(self, columns: NDArray[np.int64], fields: Fields | None = None) -> None:
        """See :meth:`Past.follow`."""
        done = self.state.position
        self._remember_all(columns, fields)
        if len(columns):
            inputs = self._inputs(self.line.steps - done - len(columns), done, done + len(columns))
            self._backend.prefill(self.state, inputs, self._conditions.kv)

    def change(self) -> None:
        """See :meth:`Past.change`. Nothing is to be done where prompts are beside the past, not in it."""

    def retract(self, steps: int) -> NDArray[np.int64]:
        """See :meth:`Past.retract`."""
        if self.state.position < steps:
            steps = 0
        self.state.retract(steps)
        self._known -= steps
        return self.line.retract(steps)

    def reset(self) -> None:
        """See :meth:`Past.reset`."""
        self.state.reset()
        self.line.reset()
        self._known = 0
        self._told = self._nothing

    def remembered(self) -> Remembered:
        """See :meth:`Past.remembered`."""
        state, kept, steps = self.state, len(self._sampled), self.line.steps
        lanes = tuple(state.positions[lane] - state.starts[lane] for lane in state.lanes)
        count = min(self._known, max(*lanes, self._reach))
        places = [step % kept for step in range(steps - count, steps)]
        scenes = [self._scenes[place] for place in places]
        changes = [index for index, scene in enumerate(scenes) if index == 0 or scene != scenes[index - 1]]
        told = tuple((index, scenes[index]) for index in changes)
        return Remembered(steps, self._sampled[places], told, lanes, self._fields[places])

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
        for column, scene, fields in zip(remembered.columns, scenes, remembered.fields, strict=True):
            self._keep(column, scene, fields)

    def _consume_again(self, state: State, count: int) -> None:
        """Let an empty lane see the last ``count`` columns, each under its own scene."""
        begin = self.line.steps - count
        scenes = [self._scenes[step % len(self._scenes)] for step in range(begin, self.line.steps)]
        done = 0
        for scene, group in groupby(scenes):
            until = done + len(list(group))
            self._backend.prefill(state, self._inputs(begin, done, until), self._conditions.encoded(scene))
            done = until

    def _keep(self, column: Tokens, scene: Hashable, fields: Fields) -> Tokens | None:
        place = self.line.steps % len(self._sampled)
        self._sampled[place], self._scenes[place], self._fields[place] = column, scene, fields
        self._known = min(self._known + 1, len(self._sampled))
        return self.line.push(column)

    def _remember(self, column: Tokens) -> Tokens | None:
        fields, self._told = self._told, self._nothing
        return self._keep(column, self._conditions.scene, fields)

    def _remember_all(self, columns: NDArray[np.int64], fields: Fields | None) -> None:
        for column, own in zip(columns, unknown(len(columns)) if fields is None else fields, strict=True):
            self._keep(column, self._conditions.scene, own)

    def _inputs(self, begin: int, done: int, until: int) -> NDArray[np.float32]:
        """What a lane whose first frame is step ``begin`` consumes at its frames done .. until - 1.

        (2, T, d): conditional and null, which is told no score.
        """
        own = np.arange(done, until)
        sampled = self._sampled[(begin + own - 1) % len(self._sampled)]
        inputs = self._embedding(self.line.masked(own, sampled))[None].repeat(2, 0)
        if self._embedding.score is not None:
            self._embedding.score.add(inputs[0], self._fields[(begin + own) % len(self._fields)])
        return inputs

    def _consume(self, count: int) -> None:
        """Let the empty live lane see the last ``count`` columns at once, as if one after the other."""
        if count:
            self._backend.prefill(self.state, self._inputs(self.line.steps - count, 0, count), self._conditions.kv)
