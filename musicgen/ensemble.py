"""Streams of one model, stepped in one batch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from musicgen.codec import decode_many
from musicgen.delay import Tokens
from musicgen.errors import NotANumber

if TYPE_CHECKING:
    from musicgen.score import Fields
    from musicgen.stream import Stream

Audio = NDArray[np.float32]  # (samples, channels)
Logits = NDArray[np.float32]


class Ensemble:
    """Streams of one model that are stepped in one batch, which reads the model's weights once for all of them.

    Streams join and leave between any two calls: a stream's music does not depend on its neighbours. Belongs to one
    thread.

    Parameters
    ----------
    streams
        Different streams of one model.

    Raises
    ------
    ValueError
        They are not of one model, or one of them comes twice.
    """

    def __init__(self, streams: Iterable[Stream] = ()) -> None:
        self._streams: list[Stream] = []
        for stream in streams:
            self.join(stream)

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Its members, in the order in which they joined."""
        return tuple(self._streams)

    def join(self, stream: Stream) -> None:
        """Play a stream with the others from now on.

        Raises
        ------
        ValueError
            It is of another model than they are, or plays with them already.
        """
        if self._streams and stream.model is not self._streams[0].model:
            raise ValueError("only streams of one model can be stepped together")
        if stream in self._streams:
            raise ValueError("a stream can join only once")
        self._streams.append(stream)

    def leave(self, stream: Stream) -> None:
        """Play a stream with the others no more. It may go on alone, or elsewhere.

        Raises
        ------
        ValueError
            It is no member.
        """
        if stream not in self._streams:
            raise ValueError("the stream has not joined")
        self._streams.remove(stream)

    def next_frames(self) -> list[Tokens]:
        """The next frame of every stream, (K,) int64 each.

        Those that have just begun take as many steps more as their largest delay; the others wait for them.

        Raises
        ------
        NotANumber
            The model computed none for some of the streams. The others lose nothing: they go on without those.
        """
        return _next_frames(self._streams)

    def next_chunks(self, frames: int) -> list[Audio]:
        """The next frames of every stream as :meth:`Stream.next_chunk` gives them, computed together where possible.

        Raises
        ------
        NotANumber
            The model computed none for some of the streams. The others lose nothing: they go on without those.
        """
        streams = self._streams
        while waiting := [stream for stream in streams if stream.kept < frames]:
            for stream, frame in zip(waiting, _next_frames(waiting), strict=True):
                stream.keep(frame)
        sounds = decode_many([stream.decoder for stream in streams], [stream.let_go(frames) for stream in streams])
        return [stream.joined(sound) for stream, sound in zip(streams, sounds, strict=True)]


def _next_frames(streams: Sequence[Stream]) -> list[Tokens]:
    while waiting := [stream for stream in streams if stream.steps_next]:
        for stream, own in zip(waiting, step(waiting), strict=True):
            stream.take(own)
    return [stream.give() for stream in streams]


def step(streams: Sequence[Stream], told: Sequence[Fields | None] | None = None) -> Logits:
    """Logits of the next step, (streams, 2, K, V). Nothing has moved where they are no numbers.

    told: for each stream the score of the frame that the step begins to draw, see :meth:`Stream.asked` otherwise.
    """
    model = streams[0].model
    for stream in streams:
        stream.renew()
    columns = [stream.past.columns() for stream in streams]
    told = [stream.asked() for stream in streams] if told is None else told
    added = [stream.past.tell(fields) for stream, fields in zip(streams, told, strict=True)]
    states, prompts = [stream.past.state for stream in streams], [stream.conditions.kv for stream in streams]
    logits = model.backend.step(states, columns, prompts, added)
    with np.errstate(all="ignore"):
        whole = math.isfinite(float(logits.sum()))
    if not whole:
        broken = [stream for stream, own in zip(streams, logits, strict=True) if not np.isfinite(own).all()]
        raise NotANumber(model.name, broken)
    return logits
