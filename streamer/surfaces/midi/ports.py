"""MIDI ports: those that are there and those that come and go, and one of our own where the system has such."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Any

import rtmidi

from streamer.errors import UserError
from streamer.reporting import Say
from streamer.threads import lasting

NAME = "MusicGen Streamer"
"""Of our own ports."""
LOOK_SECONDS = 0.25
"""Between two looks at which ports there are."""
OWN = "own"
"""The choice of no other port than our own."""

Hear = Callable[[str, Sequence[int]], None]


class Ports:
    """Hears all MIDI inputs with a name like the one asked for, and speaks to all such outputs.

    Parameters
    ----------
    choice : str
        A part of the names, of any case; "all" for every port, `OWN` for none but our own.
    hear : callable
        Takes a port's name and the bytes of one message, on a thread of the system's.
    say
        Takes sentences about ports that come and go.

    Raises
    ------
    UserError
        This system has no MIDI.
    """

    def __init__(self, choice: str, hear: Hear, say: Say) -> None:
        self._choice = choice.strip().lower()
        self._hear = hear
        self._say = say
        self._api, self._looking = _working()
        self._inputs: dict[str, Any] = {}
        self._outputs: dict[str, Any] = {}
        self._refused: set[str] = set()
        self._closing = threading.Event()
        self._speaking = threading.Lock()
        self._own = self._make_own()
        self._watcher = lasting("MIDI ports", self._watch, say)

    def start(self) -> None:
        """Open what is there, and look for what comes."""
        self.look()
        self._watcher.start()

    def names(self) -> tuple[list[str], list[str]]:
        """Inputs and outputs that are open, our own left out."""
        return list(self._inputs), list(self._outputs)

    def send(self, data: Sequence[int]) -> None:
        """Send a message to all outputs; one that has gone is the watcher's business."""
        with self._speaking:
            for port in (*self._outputs.values(), *self._own[1:]):
                with contextlib.suppress(rtmidi.RtMidiError):
                    port.send_message(list(data))

    def close(self) -> None:
        """Let go of all ports."""
        self._closing.set()
        if self._watcher.is_alive():
            self._watcher.join()
        with self._speaking:
            for port in (*self._inputs.values(), *self._outputs.values(), *self._own, *self._looking):
                _end(port)
            self._inputs, self._outputs, self._own = {}, {}, []

    # ---- coming and going

    def _watch(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            self.look()

    def look(self) -> None:
        """Open what has come, and let go of what has gone."""
        ins, outs = ({name: at for at, name in enumerate(port.get_ports())} for port in self._looking)
        for kind, there, opened in ((rtmidi.MidiIn, ins, self._inputs), (rtmidi.MidiOut, outs, self._outputs)):
            for name in [name for name in opened if name not in there]:
                with self._speaking:
                    _end(opened.pop(name))
                self._say(f"The MIDI port {name} has gone: the music goes on, and it is taken up when it is back.")
            for name in [name for name in there if name not in opened and self._wanted(name)]:
                self._open(kind, name, there[name], opened)
        self._refused &= ins.keys() | outs.keys()

    def _wanted(self, name: str) -> bool:
        if NAME in name or self._choice == OWN:
            return False
        return self._choice == "all" or self._choice in name.lower()

    def _open(self, kind: Any, name: str, index: int, opened: dict[str, Any]) -> None:
        try:
            port = self._made(kind, name)
            port.open_port(index, "in" if kind is rtmidi.MidiIn else "out")
        except (rtmidi.RtMidiError, ValueError) as error:
            if name not in self._refused:
                self._refused.add(name)
                self._say(f"The MIDI port {name} cannot be opened ({error}): perhaps another program has it.")
            return
        with self._speaking:
            opened[name] = port

    def _made(self, kind: Any, name: str) -> Any:
        port = kind(self._api, NAME)
        if kind is rtmidi.MidiIn:
            port.ignore_types(sysex=True, timing=False, active_sense=True)
            port.set_callback(lambda event, _: self._take(name, event[0]))
        return port

    def _take(self, name: str, data: Sequence[int]) -> None:
        try:
            self._hear(name, data)
        except Exception as error:  # nothing that comes down a cable may end the system's thread
            self._say(f"What came from the MIDI port {name} could not be taken in ({error}): all else goes on.")

    def _make_own(self) -> list[Any]:
        """An input and an output of our own, that other programs can connect to; none where the system has none."""
        made: list[Any] = []
        try:
            for kind in (rtmidi.MidiIn, rtmidi.MidiOut):
                made.append(self._made(kind, NAME))
                made[-1].open_virtual_port("in" if kind is rtmidi.MidiIn else "out")
        except (rtmidi.RtMidiError, NotImplementedError):
            for port in made:
                _end(port)
            return []
        return made


def _working() -> tuple[int, tuple[Any, Any]]:
    """The first way to MIDI on this system that works, and what lists its ports.

    Raises
    ------
    UserError
        None works.
    """
    for api in rtmidi.get_compiled_api():
        with contextlib.suppress(rtmidi.RtMidiError, RuntimeError):
            looking = rtmidi.MidiIn(api, NAME), rtmidi.MidiOut(api, NAME)
            return api, looking
    raise UserError("This system has no MIDI: on Linux it takes ALSA's sequencer (modprobe snd-seq) or JACK.")


def _end(port: Any) -> None:
    with contextlib.suppress(rtmidi.RtMidiError):
        port.cancel_callback() if isinstance(port, rtmidi.MidiIn) else None
        port.close_port()
        port.delete()
