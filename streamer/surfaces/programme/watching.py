"""A programme's file, looked at again and again: what is changed in it is played without a gap."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from streamer.errors import UserError
from streamer.reporting import Say
from streamer.surfaces.programme.entries import Programme
from streamer.surfaces.programme.outputs import read_outputs
from streamer.surfaces.programme.reading import open_page, read_programme


class Watched:
    """A programme, and its file.

    Parameters
    ----------
    path : Path
    say
        Takes a sentence about what was taken over, or cannot be.

    Attributes
    ----------
    programme : Programme
    outputs : Outputs
        As they were at the start: others take a new start.

    Raises
    ------
    UserError
        It cannot be understood: which line, and what to do.
    """

    def __init__(self, path: Path, say: Say) -> None:
        self._path = path
        self._say = say
        self._seen = self._stamp()
        page = open_page(path)
        self.programme, self.outputs = read_programme(page), read_outputs(page)

    def look(self, follow: Callable[[Programme], None]) -> None:
        """Hand on what the file says now, if that is something else; while it cannot be read all stays as it was."""
        stamp = self._stamp()
        if stamp == self._seen or stamp is None:  # an editor may be about to put another in its place
            return
        self._seen = stamp
        try:
            page = open_page(self._path)
            programme, outputs = read_programme(page), read_outputs(page)
        except UserError as error:
            self._say(f"The programme goes on as it was: {error}.")
            return
        if outputs != self.outputs:
            self._say("The programme names other outputs now: start it again to have them.")
        if programme != self.programme:
            self.programme = programme
            follow(programme)
            self._say(f"The programme was read again: {len(programme.entries)} entries.")

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino
