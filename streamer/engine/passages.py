"""Passages of sound files that the music is to go on from: read and encoded beside the music."""

from __future__ import annotations

import threading
from pathlib import Path

from streamer.control.moves import Passage
from streamer.engine.beginning import Beginning, Excerpt, read_beginning
from streamer.engine.model import Encoder
from streamer.errors import UserError

_MOST = 2  # that wait at a time: each may hold minutes of sound


class Passages:
    """Prepares passages on one thread, and hands them out on another.

    Parameters
    ----------
    model
        For which.
    """

    def __init__(self, model: Encoder) -> None:
        self._model = model
        self._lock = threading.Lock()
        self._prepared: dict[str, Beginning] = {}

    def prepare(self, text: str) -> None:
        """Read and encode a passage, see `streamer.control.moves.Passage.text`; from any thread.

        A file is read again each time it is asked for: it may be another one by now.

        Raises
        ------
        UserError
            It cannot be gone on from: why, and what to do.
        """
        passage = Passage.of(text)
        try:
            path = Path(passage.path).expanduser()
        except RuntimeError as error:  # the home of nobody
            raise UserError(f"the file {passage.path[:80]!r} cannot be looked for: {error}") from None
        made = read_beginning(Excerpt(path, passage.start, passage.end), self._model)
        with self._lock:
            self._prepared.pop(text, None)
            self._prepared[text] = made
            while len(self._prepared) > _MOST:
                del self._prepared[next(iter(self._prepared))]

    def check(self, text: str) -> None:
        """Prepare a passage that nobody has prepared.

        Raises
        ------
        UserError
            See `prepare`.
        """
        with self._lock:
            missing = text not in self._prepared
        if missing:
            self.prepare(text)

    def take(self, text: str) -> Beginning:
        """What was prepared; it is let go of."""
        self.check(text)
        with self._lock:
            return self._prepared.pop(text)
