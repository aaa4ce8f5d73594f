"""MIDI at the instrument: the clock of others and our own, knobs that turn, notes that call prompts and snapshots."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from osc.command import Answer, Asker, Deed
from osc.values import BadValue, Value
from streamer.control.controls import Controls
from streamer.control.knobs import can_be_target, read_map, write_map
from streamer.control.media import MIDI
from streamer.control.pulse import Place
from streamer.control.table import ACTION_NAMES, SLOTS, TABLE
from streamer.errors import UserError
from streamer.reporting import Say
from streamer.surfaces.midi.clock import CONTINUE, POSITION, START, STEP, STOP, TICK, ClockOut
from streamer.surfaces.midi.hands import Hands, Touch
from streamer.surfaces.midi.keyboard import Keyboard
from streamer.surfaces.midi.pll import AWAY, Pll
from streamer.surfaces.midi.ports import Ports

SNAPSHOT, PROMPT = "snapshot/", "prompt/"
MOST_HANDS = 64
"""Ports whose knobs are remembered."""


class Midi:
    """Steers the controls, and is a source of time (see `streamer.surfaces.sync`).

    Parameters
    ----------
    choice : str
        Which ports, see `Ports`.
    controls
        What is steered; `knobs` among them is the map, `clock` whether ours is sent, `keyboard` the channel whose held
        keys are the chord, and `melody` whether they are the tune, then of any channel where none was named.
    load : callable
        Takes the name of a snapshot to load; raises `UserError` where there is none.
    place, playing : callable
        Of our own beat, see `ClockOut`.
    say
        Takes sentences for a person.

    Raises
    ------
    UserError
        This system has no MIDI.
    """

    def __init__(
        self,
        choice: str,
        controls: Controls,
        load: Callable[[str], None],
        place: Callable[[float], Place | None],
        playing: Callable[[], bool],
        say: Say,
    ) -> None:
        self._controls = controls
        self._load = load
        self._say = say
        self._pll = Pll()
        self._clocked_by, self._ticked = "", 0.0
        self._running: bool | None = None
        self._hands: dict[str, Hands] = {}
        self._keyboard = Keyboard()
        self._lock = threading.Lock()  # every port has a thread of its own
        self._learning = ""
        self._ports = Ports(choice, self.hear, say)
        self._clock = ClockOut(place, playing, self._ports.send, say)
        controls.listen(self._note)

    def start(self) -> None:
        """Hear and speak."""
        self._ports.start()
        self._clock.switch(bool(self._controls.get("clock")))
        self._clock.start()

    def ports(self) -> tuple[list[str], list[str]]:
        """Inputs and outputs that are open, our own left out."""
        return self._ports.names()

    def close(self) -> None:
        """Hear and speak no more."""
        self._clock.close()
        self._ports.close()

    def _note(self, changed: dict[str, Value], origin: object) -> None:
        if "clock" in changed:
            self._clock.switch(bool(changed["clock"]))
        if changed.keys() & {"keyboard", "melody"}:
            with self._lock:
                held = bool(self._keyboard.notes)
                self._keyboard.let_go()
            if held:  # what is held on another channel is not heard of any more
                self._controls.apply([("notes", "")], self)

    # ---- what comes in

    def hear(self, port: str, data: Sequence[int]) -> None:
        """Take in one message of a port."""
        if not data:
            return
        if data[0] >= POSITION:
            self._keep_time(port, data)
            return
        with self._lock:
            if port not in self._hands and len(self._hands) >= MOST_HANDS:
                self._hands.clear()
            touches = self._hands.setdefault(port, Hands()).read(data)
        for touch in touches:
            if not self._touched(touch):
                self._play(port, touch)

    def _keep_time(self, port: str, data: Sequence[int]) -> None:
        """One clock at a time: another may come in where that has gone."""
        now = time.monotonic()
        if port != self._clocked_by:
            if now - self._ticked < AWAY or data[0] not in (TICK, START, CONTINUE):
                return
            self._clocked_by, self._running = port, None
        if data[0] == TICK:
            self._ticked = now
            self._pll.tick(now)
        elif data[0] in (START, CONTINUE, STOP):
            self._running = data[0] != STOP
            if data[0] == START:
                self._pll.locate(0)
        elif data[0] == POSITION and len(data) == 3:
            self._pll.locate(STEP * (data[1] % 128 + 128 * (data[2] % 128)))

    # ---- as a source of time

    def place(self, now: float) -> Place | None:
        """As `Source.place`."""
        return self._pll.place(now)

    def playing(self) -> bool | None:
        """As `Source.playing`."""
        return self._running

    def offer(self, bpm: float | None = None, playing: bool | None = None) -> None:
        """Whoever follows a clock does not set it."""

    def leave(self) -> None:
        """The ports are heard for their knobs all the same."""

    # ---- hands

    def _touched(self, touch: Touch) -> bool:
        """Whether the map has a use for it."""
        if self._learning and (touch.value > 0 or not touch.knob.startswith("note")):
            target, self._learning = self._learning, ""
            self._bind(touch.knob, target)
            return True
        target = read_map(str(self._controls.get("knobs"))).get(touch.knob, "")
        if not target:
            return False
        try:
            self._turn(target, touch)
        except (UserError, ValueError) as error:
            self._say(f"{touch.knob} turns {target}: {error}.")
        return True

    def _play(self, port: str, touch: Touch) -> None:
        """Keys that are held are the chord, or the tune, where the channel is theirs."""
        channel = int(self._controls.get("keyboard"))
        every = not channel and self._controls.get("melody") == MIDI
        with self._lock:
            before = self._keyboard.notes
            if not self._keyboard.play(port, None if every else channel, touch):
                return
            notes = self._keyboard.notes
        if notes != before:
            self._controls.apply([("notes", notes)], self)

    def _turn(self, target: str, touch: Touch) -> None:
        """Do what a knob or a note is for; a note's end does nothing, and a knob has to come to its upper half."""
        note = touch.knob.startswith("note")
        parameter = _parameter(target)
        if parameter and not (note and touch.value == 0):
            own = TABLE[parameter]
            toggles = note and own.kind == "bool"
            value = not self._controls.get(parameter) if toggles else own.from_norm(touch.value)
            self._controls.apply([(parameter, value)], self)
        if parameter or touch.value < (1 / 127 if note else 0.5):
            return
        if target in ACTION_NAMES:
            self._controls.act(target)
        elif target.startswith(SNAPSHOT):
            self._load(target.removeprefix(SNAPSHOT))
        elif (slot := _slot(target)) is not None:
            self._controls.apply([(weight, float(at == slot)) for at, weight in enumerate(SLOTS.values())], self)

    def _bind(self, knob: str, target: str) -> None:
        known = read_map(str(self._controls.get("knobs")))
        kept = {own: to for own, to in known.items() if to != target and own != knob}
        self._controls.apply([("knobs", write_map(kept | {knob: target}))])

    # ---- commands

    def learn(self, arguments: Sequence[Value], asker: Asker) -> Deed:
        """The next knob that moves, or note that is played, is for this."""
        target = _target(str(arguments[0]))

        def arm() -> list[Answer]:
            self._learning = target
            return []

        return arm

    def forget(self, arguments: Sequence[Value], asker: Asker) -> Deed:
        """Nothing is for this any more."""
        target = _target(str(arguments[0]))

        def drop() -> list[Answer]:
            self._learning = ""
            known = read_map(str(self._controls.get("knobs")))
            self._controls.apply([("knobs", write_map({knob: to for knob, to in known.items() if to != target}))])
            return []

        return drop


def _target(asked: str) -> str:
    """What a knob is to be for, as a map has it.

    Raises
    ------
    BadValue
        It can be for no such thing.
    """
    parts = asked.strip("/").split("/")
    for skipped in range(len(parts) if asked.startswith("/") else 1):
        name = "/".join(parts[skipped:])
        known = TABLE[name].path if name in TABLE else name
        fits = _parameter(known) or known in ACTION_NAMES or _slot(known) is not None or known.startswith(SNAPSHOT)
        if fits and can_be_target(known) and known != SNAPSHOT:
            return known
    raise BadValue(
        f"turns a number, a switch, an action, prompt/1 to prompt/{len(SLOTS)} or snapshot/NAME, not {asked[:40]!r}"
    )


def _parameter(target: str) -> str:
    """The name of the number or switch at a path; empty for none."""
    return next((n for n, own in TABLE.items() if own.path == target and own.kind in ("float", "int", "bool")), "")


def _slot(target: str) -> int | None:
    """Which of the slots ``prompt/N`` means, from 0 on."""
    number = target.removeprefix(PROMPT)
    known = {str(at + 1): at for at in range(len(SLOTS))}
    return known.get(number) if target.startswith(PROMPT) else None
