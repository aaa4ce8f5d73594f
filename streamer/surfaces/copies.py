"""Copies of what is heard that are asked for while it plays: recordings, and the broadcast."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from osc.command import Answer, Asker, Command, Deed, Handler
from osc.values import BadValue, Value
from streamer.audio.playback import Playback
from streamer.audio.recorder import Recorder
from streamer.errors import UserError
from streamer.process.broadcast import Broadcast
from streamer.surfaces.commands import BROADCAST, RECORD

NAME = re.compile(r"[\w][\w \-]{0,99}")
"""What a recording may be called."""


class Copies:
    """Begins and ends them.

    Parameters
    ----------
    playback
        What is heard; the broadcast is attached to it.
    recorder
        What records.
    record : callable
        Begins a recording in a folder; raises UserError.
    recordings
        Where they go, each into a folder of its own.
    """

    def __init__(
        self, playback: Playback, recorder: Recorder, record: Callable[[Path], None], recordings: Path
    ) -> None:
        self._playback = playback
        self._recorder = recorder
        self._record = record
        self._recordings = recordings

    def commands(self) -> list[tuple[Command, Handler]]:
        """The commands, and what does them."""
        return [(RECORD, self._on_record), (BROADCAST, self._on_broadcast)]

    def close(self) -> None:
        """Broadcast no more; a recording is its recorder's to end."""
        if self._playback.broadcast is not None:
            self._playback.broadcast.close()

    def _on_record(self, arguments: Sequence[Value], asker: Asker) -> Deed:
        """A name begins a recording, 0 ends it."""
        name = str(arguments[0])
        if name == "0":
            return self._end
        if not NAME.fullmatch(name):
            raise BadValue(f"{name!r} cannot be a recording's name: use letters, digits, spaces, - and _; 0 ends it")

        def begin() -> list[Answer]:
            try:
                self._record(self._recordings / name)
            except UserError as error:
                raise BadValue(str(error)) from None
            return [("record", (name,))]

        return begin

    def _end(self) -> list[Answer]:
        ended = self._recorder.stop()
        return [("record", ("" if ended is None else ended.name,))]

    def _on_broadcast(self, arguments: Sequence[Value], asker: Asker) -> Deed:
        """Who asks first has the broadcast begun; it lasts as long as the instrument."""
        if not asker.origin.trusted:
            raise BadValue("is for clients on the instrument's own machine")

        def begin() -> list[Answer]:
            if self._playback.broadcast is None:
                try:
                    self._playback.broadcast = Broadcast(self._playback.rate, self._playback.ring.channels)
                except UserError as error:
                    raise BadValue(str(error)) from None
            place = self._playback.broadcast.place
            return [("broadcast", (place.name, place.rate, place.channels, place.capacity))]

        return begin
