"""Everybody that the instrument plays with: MIDI, Ableton Link, a DAW, and whose beat is followed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from osc.command import Command, Handler
from streamer.control.controls import Controls
from streamer.control.pulse import Place, Pulse
from streamer.errors import UserError
from streamer.reporting import Say
from streamer.surfaces.commands import FORGET, HOST, LEARN, without_midi
from streamer.surfaces.host import Host
from streamer.surfaces.link import Link
from streamer.surfaces.sync import Source, Sync

if TYPE_CHECKING:
    from streamer.surfaces.midi.surface import Midi


class Company:
    """Joins them.

    Parameters
    ----------
    controls
        What they steer.
    midi : str or None
        Which MIDI ports, see `streamer.surfaces.midi.ports.Ports`; None for no MIDI.
    load : callable
        Takes the name of a snapshot to load.
    place, playing : callable
        Our own beat at a moment (monotonic seconds), and whether the sound is let through.
    lead : callable
        Tells the engine whose beat to count by, see `Sync`.
    say
        Takes sentences for a person. What cannot be had is one, and the music plays without.

    Attributes
    ----------
    midi : Midi or None
    """

    def __init__(
        self,
        controls: Controls,
        midi: str | None,
        load: Callable[[str], None],
        place: Callable[[float], Place | None],
        playing: Callable[[], bool],
        lead: Callable[[Pulse, float], None],
        say: Say,
    ) -> None:
        self.midi: Midi | None = None
        self._say, self._lacks = say, ""  # said at the start: before that nobody may listen
        try:
            self.midi = None if midi is None else _midi(midi, controls, load, place, playing, say)
        except UserError as error:
            self._lacks = str(error)
        self._host = Host()
        self._sources: dict[str, Source] = {"link": Link(say), "host": self._host}
        if self.midi is not None:
            self._sources["midi"] = self.midi
        self._sync = Sync(controls, self._sources, lead, say)

    @property
    def source(self) -> str:
        """Where the beat comes from now."""
        return self._sync.source

    def ports(self) -> tuple[list[str], list[str]]:
        """MIDI inputs and outputs that are open, our own left out."""
        return ([], []) if self.midi is None else self.midi.ports()

    def commands(self) -> list[tuple[Command, Handler]]:
        """What can be asked of them, and what does it."""
        midi = (without_midi, without_midi) if self.midi is None else (self.midi.learn, self.midi.forget)
        return [*zip((LEARN, FORGET), midi, strict=True), (HOST, self._host.hear)]

    def start(self) -> None:
        """Begin to hear and be heard."""
        if self._lacks:
            self._say(self._lacks)
        if self.midi is not None:
            self.midi.start()
        self._sync.start()

    def renew(self) -> None:
        """Another engine plays."""
        self._sync.renew()

    def close(self) -> None:
        """Part."""
        self._sync.close()
        if self.midi is not None:
            self.midi.close()


def _midi(
    choice: str,
    controls: Controls,
    load: Callable[[str], None],
    place: Callable[[float], Place | None],
    playing: Callable[[], bool],
    say: Say,
) -> Midi:
    missing = [name for name in ("mido", "rtmidi") if find_spec(name) is None]
    if missing:
        packages = "mido python-rtmidi"
        raise UserError(f"MIDI needs mido and python-rtmidi: run `{sys.executable} -m pip install {packages}`.")
    from streamer.surfaces.midi.surface import Midi

    return Midi(choice, controls, load, place, playing, say)
