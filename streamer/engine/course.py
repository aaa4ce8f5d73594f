"""Where the music goes: on by itself, into a passage of a file, or back to what was played; and the fades between.

A turn takes its time: a second stream comes to where the music is to go on, a bit in every frame, so that no frame
costs much more than any other. Then the two trade places, and the one that played fades out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from streamer.engine.beginning import SHORTEST, Beginning, join
from streamer.engine.model import Model, Stream, Trading
from streamer.engine.trail import REMEMBERED, Played, Trail, untold
from streamer.errors import UserError
from streamer.sound.dynamics import Crossfade, Samples

CROSSFADE_FRAMES = 10
"""That the old music goes on for where the music turns elsewhere."""
TURN_FRAMES = 16
"""From the frame at which a turn is asked for to the one at which it is heard."""
_HEARD = 1.0  # seconds that are decoded again of what is gone on from: as far back as a codec's memory goes


@dataclass
class _Turn:
    """A turn that is under way."""

    other: Any  # the stream that will play
    parts: Iterator[Samples]
    past: Played  # what it goes on from
    back: int | None  # how long ago that was played, frames; None: it was not
    beginning: Beginning | None = None  # what is heard before it goes on
    sound: list[Samples] | None = None  # of its past, decoded so far


class Course:
    """What a stream plays, and what is heard in its place or beside it.

    Parameters
    ----------
    model
        Of the stream.
    stream
        That plays.
    told
        Takes every stream that sets out for somewhere else, before it does: it is to be told a score.

    Attributes
    ----------
    trail : Trail
        What was played.
    """

    def __init__(self, model: Model, stream: Stream, told: Callable[[Stream], None] = lambda stream: None) -> None:
        self._told = told
        self._model = model
        self._stream = stream
        self._fps = model.sample_rate / model.hop
        self.trail = Trail(round(REMEMBERED * self._fps))
        self._opening = np.zeros((0, model.channels), np.float32)  # of a passage, not played yet
        self._leaving: Crossfade | None = None  # from the music that was
        self._latest = self._opening  # the last chunk that was played
        self._turn: _Turn | None = None
        self._left = 0  # frames until it is heard

    # ---- chunk by chunk

    @property
    def opening(self) -> bool:
        """Whether the next frames come from a passage, and not from the stream."""
        return bool(len(self._opening))

    @property
    def turn_in(self) -> int | None:
        """How many frames are to be played until a turn is heard, see `turn`; None where none is under way."""
        return None if self._turn is None else self._left

    def passage(self, frames: int) -> Samples:
        """The next frames of the passage."""
        chunk = self._crossed(self._take(frames * self._model.hop))
        self._approach(frames)
        return chunk

    def hear(self, chunk: Samples, frames: int) -> Samples:
        """What is heard when the stream has made a chunk of so many frames."""
        trace = self._stream.trace
        self.trail.append(Played(trace.frames, trace.fields))
        if self._turn is not None and self._turn.back is not None:
            self._turn.back += frames
        chunk = self._crossed(chunk)
        self._approach(frames)
        return chunk

    def _take(self, count: int) -> Samples:
        chunk, self._opening = self._opening[:count], self._opening[count:]
        return chunk

    def _crossed(self, chunk: Samples) -> Samples:
        if self._leaving is not None:
            chunk = self._leaving.process(chunk)
            self._leaving = None if self._leaving.over else self._leaving
        self._latest = chunk
        return chunk

    def _approach(self, frames: int) -> None:
        """Do a part of a turn for each frame."""
        if self._turn is not None:
            for _ in range(min(frames, self._left)):
                sound = next(self._turn.parts)
                if self._turn.sound is not None:
                    self._turn.sound.append(sound)
            self._left = max(0, self._left - frames)

    # ---- a turn

    def check(self, seconds: float) -> None:
        """Whether the music can go back by so many seconds.

        Raises
        ------
        UserError
            No: how many are known.
        """
        known = (self._there - SHORTEST * self._fps) / self._fps
        if seconds > known:
            raise UserError(
                f"only the last {max(0.0, math.floor(10 * known) / 10):g} s of the music are known, and {seconds:g} s "
                "were asked for: go back less far"
            )

    def rewind(self, seconds: float, seed: int) -> None:
        """Set out for the music of so many seconds ago, see `check`."""
        at = max(1, self._there - round(seconds * self._fps))
        self._set_out(_Turn(None, iter(()), self.trail.until(at), len(self.trail) - at), seed)

    def enter(self, beginning: Beginning, seed: int) -> None:
        """Set out for a passage, and for what goes on from it."""
        self._set_out(_Turn(None, iter(()), untold(beginning.frames), None, beginning, []), seed)

    def _set_out(self, turn: _Turn, seed: int) -> None:
        turn.other = cast(Trading, self._stream).another()
        self._told(turn.other)
        past = turn.past
        turn.parts = turn.other.approach(past.frames, seed, TURN_FRAMES, self._heard(past), past.fields)
        self._turn, self._left = turn, TURN_FRAMES

    def turn(self) -> tuple[Played, int | None]:
        """Turn, when its time has come.

        Returns
        -------
        tuple
            What the music goes on from, and how many frames ago that was played; None where it was not.
        """
        turn, self._turn = self._turn, None
        assert turn is not None
        old = _of(self._opening) if self.opening else self._fading(turn.other)
        cast(Trading, self._stream).trade(turn.other, turn.back)
        self._leave(CROSSFADE_FRAMES * self._model.hop, old)
        if turn.beginning is not None and turn.sound is not None:
            self._begin(turn.beginning, np.concatenate(turn.sound), self._heard(turn.past))
        elif turn.back is not None:
            self._opening = self._opening[:0]
            self.trail.cut(max(1, len(self.trail) - turn.back))
        return turn.past, turn.back

    def _heard(self, past: Played) -> int:
        return min(len(past), round(_HEARD * self._fps))

    def _fading(self, other: Any) -> Callable[[int], Samples]:
        """How what plays now would go on: the other stream plays it, once they have traded places."""
        made = self._latest[:0]

        def take(count: int) -> Samples:
            nonlocal made
            try:
                while len(made) < count:
                    made = np.concatenate([made, other.next_chunk(1)])
            except FloatingPointError:  # there is no more of it
                made = np.concatenate([made, np.zeros((count, made.shape[1]), np.float32)])
            taken, made = made[:count], made[count:]
            return taken

        return take

    # ---- at once

    def open(self, beginning: Beginning, seed: int) -> None:
        """Begin with a passage, and go on from it."""
        decoded = self._stream.continue_from(beginning.frames, seed)
        self._begin(beginning, decoded, beginning.frames.shape[1])

    def begin_anew(self, seed: int) -> None:
        """The stream begins with nothing."""
        self._opening = self._opening[:0]
        self._stream.reset(seed)
        self.trail.begin()

    def reanchor(self, past: Played, seed: int) -> None:
        """The stream goes on from this in place of its last frames; the sound goes on without a seam."""
        self._stream.reanchor(past.frames, seed, past.fields)
        self.trail.begin()

    def leave(self, old: Samples) -> None:
        """Fade out what plays. old: how it would go on."""
        self._leave(len(old), _of(np.array(old)))

    def backwards(self) -> Samples:
        """The last chunk, from its end: joins without a click where there is no more of the music to fade out."""
        return self._latest[::-1]

    def stay(self) -> None:
        """Turn no more, and fade nothing out."""
        self._turn = self._leaving = None

    def _begin(self, beginning: Beginning, decoded: Samples, heard: int) -> None:
        """Play a passage, of which so many frames at its end were decoded."""
        start = len(beginning.sound) - heard * self._model.hop
        self._opening = join(beginning.sound, decoded, start, self._model.sample_rate)
        if len(beginning.sound) > beginning.frames.shape[1] * self._model.hop:
            self.trail.forget()  # of what comes before, a part would be missing
        self.trail.begin()
        self.trail.append(untold(beginning.frames))

    def _leave(self, samples: int, old: Callable[[int], Samples]) -> None:
        """Fade out what plays, whose own beginning may still be fading in."""
        before = self._leaving
        self._leaving = Crossfade(samples, old if before is None else lambda count: before.process(old(count)))

    @property
    def _there(self) -> int:
        """Frames of the trail that have been played: of a passage all are in it from its start."""
        return len(self.trail) - math.ceil(len(self._opening) / self._model.hop)


def _of(sound: Samples) -> Callable[[int], Samples]:
    """Gives a sound away, so many samples at a time."""
    left = sound

    def take(count: int) -> Samples:
        nonlocal left
        taken, left = left[:count], left[count:]
        return taken

    return take
