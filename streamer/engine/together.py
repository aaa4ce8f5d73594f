"""Several engines of one model, their streams stepped in one batch.

An `Ensemble` steps streams; what is due before a frame is each engine's own, and so is what it makes of the sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from streamer.engine.core import Core
from streamer.sound.dynamics import Samples


def read_together(engines: Sequence[Core], samples: int) -> list[Samples]:
    """The next block of every engine, as `Core.read` gives it.

    Parameters
    ----------
    engines
        Different ones, of one `musicgen.MusicGen`.
    """
    while waiting := [engine for engine in engines if engine.ready < samples]:
        advance(waiting)
    return [engine.read(samples) for engine in engines]


def advance(engines: Sequence[Core]) -> None:
    """Make what comes next in every engine, in one batch: as a rule a frame each, now and then only a turn.

    Parameters
    ----------
    engines
        Different ones, of one `musicgen.MusicGen`.
    """
    from musicgen import Ensemble, NotANumber

    due = {engine: frames for engine in engines if (frames := engine.due())}
    for engine in [engine for engine in due if engine.opening]:
        engine.play(due.pop(engine))
    if not due:
        return
    frames = min(due.values())
    streams = [cast(Any, engine.stream) for engine in due]
    try:
        chunks = Ensemble(streams).next_chunks(frames)
    except NotANumber as error:  # the others' frames are kept for the next round
        for engine in due:
            if engine.stream in error.streams:
                engine.mend(error)
        return
    for engine, chunk in zip(due, chunks, strict=True):
        engine.hear(chunk, frames)
