"""One instance of the plug-in, as the engine sees it: its values, its music, and how much of it the host has asked for.

Messages are taken in in their order: what comes behind a credit takes effect behind the samples of that credit. So a
bounce is the same every time, whatever the threads do meanwhile.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np

from osc.parameter import TEXTS
from osc.values import BadValue, Value
from streamer.control.change import Change, Frame, Wall
from streamer.control.controls import Controls
from streamer.control.glides import can_glide
from streamer.control.pulse import PULSE, Pulse
from streamer.control.table import GATE, HOSTED, JUMPS, SYNCS, TABLE, TURNS
from streamer.control.tempo import FASTEST, SLOWEST
from streamer.engine.core import Core, defaults
from streamer.engine.events import Collapsed, Event, Noted, Refused
from streamer.engine.model import Model
from streamer.engine.prompts import encode_beginning
from streamer.engine.standing import Standing
from streamer.errors import UserError
from streamer.process.intake import SLOW
from streamer.reporting import explained
from streamer.sound.dynamics import Fader
from streamer.surfaces.bridge import wire
from streamer.surfaces.bridge.wire import Broken, Kind

PLUGIN = "the plug-in"
"""The origin of its changes: it is not told of them again."""
HOST = "host"
"""The `sync` of an instance that plays on its host's beat; for any other it counts by itself."""
GLIDE_SECONDS = 0.04
"""In which a number that the host automates is reached: hosts send steps."""
MOST_WAITING = 1000
"""Messages of a client that wait; until they are fewer no more are read."""
_FADE_SECONDS = 0.01

Prepare = Callable[[Callable[[], None]], None]
"""Has something slow done beside the music, in the order in which it was asked for."""


class Line(Protocol):
    """The connection to the plug-in; from any thread."""

    def send(self, message: bytes) -> None:
        """Send a whole message, without waiting."""


class Session:
    """Values and music of one instance. `put`, `controls` and `close` are for any thread, all else is for one.

    Parameters
    ----------
    model : musicgen.MusicGen
    line : Line
    rate, channels : int
        Of its sound.
    number : int
        From 1 on; shown in its window, and part of its OSC prefix.
    prepare : callable
        See `Prepare`.
    wake : callable
        Makes the engine look again.
    standing : bytes
        Where an engine that died had come to with this instance; b"" for nowhere.

    Attributes
    ----------
    controls : Controls
    owed : int
        Samples that the host has asked for and not got.
    made : int
        Samples that it has got, in all.
    closed : bool
    """

    def __init__(
        self,
        model: Model,
        line: Line,
        rate: int,
        channels: int,
        number: int,
        prepare: Prepare,
        wake: Callable[[], None],
        standing: bytes = b"",
    ) -> None:
        self.controls = Controls()
        self.number = number
        self.rate = rate
        self.owed = self.made = 0
        self.closed = False
        self._model, self._line, self._channels = model, line, channels
        self._prepare, self._wake = prepare, wake
        self._standing = standing
        self._core: Core | None = None
        self._read = 0  # samples of it
        self._epoch = 0
        self._offline = False
        self._playing = True
        self._fader = Fader(max(1, round(_FADE_SECONDS * rate)), 1.0)
        self._lock = threading.Lock()
        self._inbox: deque[tuple[Kind, bytes]] = deque()
        self._begins = 0  # that wait in the inbox: what is owed until then is owed no more
        self._ready: tuple[int, Mapping[str, Value], bytes] | None = None  # what a BEGIN has had prepared
        self._busy = 0  # slow things that the next message waits for
        self._slow: list[Change] = []  # to be prepared, in order
        self._timed: list[tuple[float, int, Change]] = []
        self._order = itertools.count()
        self.controls.adopt(**defaults(model))
        self.controls.follow(self._follow)
        self.controls.listen(self._show)

    # ---- for the connection

    def put(self, kind: Kind, body: bytes) -> None:
        """Take in a message."""
        with self._lock:
            self._begins += kind is Kind.BEGIN
            self._inbox.append((kind, body))

    @property
    def full(self) -> bool:
        """Whether so much waits that no more should be read."""
        return len(self._inbox) > MOST_WAITING

    def close(self) -> None:
        """The plug-in has gone."""
        self.closed = True

    # ---- for the engine

    @property
    def core(self) -> Core | None:
        """What plays, where the host has asked for samples and nothing slow is in between."""
        return self._core if self.owed and not self._busy else None

    @property
    def holds(self) -> bool:
        """Whether it is stopped, so that silence is owed and no music is made."""
        return not self._playing and not self._fader.moving

    def take_in(self) -> None:
        """Do what was asked for, up to the next samples.

        Raises
        ------
        Broken
            It cannot be understood.
        """
        self._take_timed()
        while not self._busy:
            with self._lock:
                if self._begins:
                    self.owed = 0
                if self.owed or not self._inbox:
                    return
                kind, body = self._inbox.popleft()
                self._begins -= kind is Kind.BEGIN
                stale = self._begins > 0
            if not (stale and kind in (Kind.CREDIT, Kind.BEGIN)):
                self._obey(kind, body)

    def deliver(self) -> None:
        """Send what is made and owed."""
        core = self.core
        if core is None:
            return
        if self.holds:
            samples = np.zeros((self.owed, self._channels), np.float32)
        else:
            samples = core.read(min(self.owed, core.ready))
            self._read += len(samples)
            if not self._playing or self._fader.moving:
                samples = self._fader.process(samples)
        if len(samples):
            self.owed -= len(samples)
            self.made += len(samples)
            self._line.send(wire.audio(self._epoch, samples))

    def state(self) -> bytes:
        """Where its music stands, for the successor of an engine that dies; b"" before it has any."""
        return self._core.state() if self._core is not None and self._core.frames_done else b""

    def tell(self, sentence: str) -> None:
        """Have its window show a sentence."""
        self._line.send(wire.packed(Kind.ERROR, sentence.encode(errors="replace")))

    # ---- messages

    def _obey(self, kind: Kind, body: bytes) -> None:
        match kind:
            case Kind.CREDIT:
                samples = wire.read_count(body)
                if samples > wire.CREDIT_SECONDS * self.rate:
                    raise Broken(f"{samples} samples are more than can be owed at a time")
                self.owed = samples if self._core is not None else 0
            case Kind.SET:
                self._set(*wire.read_number(body))
            case Kind.TEXT:
                self._set(*wire.read_text(body))
            case Kind.BEGIN:
                self._begin(*wire.read_begin(body))
            case Kind.OFFLINE:
                self._offline = wire.read_flag(body)
            case Kind.HOST:
                self._count(*wire.read_host(body))
            case _:
                raise Broken(f"a plug-in sends no {kind.name}")

    def _set(self, name: str, value: Value) -> None:
        if name in HOSTED:
            raise Broken("a host hosts effects itself")
        try:
            self.controls.apply([(name, value)], PLUGIN)
        except BadValue as error:
            self.tell(str(error))

    def _count(self, bpm: float, beat: float) -> None:
        """The host has so many beats at the next sample that is owed; at 0 bpm it counts none."""
        core = self._core
        if core is None or self.controls.get("sync") != HOST:
            return
        pulse = Pulse(bpm, beat) if SLOWEST <= bpm <= FASTEST else Pulse()
        values = {PULSE: pulse.text}
        core.change(Change(values, Frame(core.frame_at(self._read, values)), PLUGIN))

    def _begin(self, epoch: int, goes_on: bool) -> None:
        """Play from the seed, or on from where another engine stood, once the prompts are encoded."""
        values = self.controls.values()
        standing = self._standing if goes_on else b""
        self._count_busy(1)

        def encode() -> None:
            try:
                encode_beginning(self._model, values)
            except Exception as error:  # whatever a prompt does to a model: the engine says it again as it begins
                self.tell(explained(error))
            self._ready = (epoch, values, standing)
            self._wake()

        self._prepare(encode)

    def _count_busy(self, more: int) -> None:
        with self._lock:
            self._busy += more

    def begin_ready(self) -> None:
        """Begin what has been prepared."""
        ready, self._ready = self._ready, None
        if ready is None:
            return
        self._count_busy(-1)
        epoch, values, standing = ready
        self._epoch, self._read = epoch, 0
        try:
            self._core = self._made(values, standing)
        except UserError as error:
            self._core = None
            self.tell(str(error))

    def _made(self, values: Mapping[str, Value], standing: bytes) -> Core:
        try:
            goes_on = Standing.from_bytes(standing) if standing else None
            return Core(
                self._model, values, sample_rate=self.rate, channels=self._channels, tell=self._hear, goes_on=goes_on
            )
        except ValueError:
            if not standing:
                raise
            return self._made(values, b"")

    # ---- changes, from any thread

    def _follow(self, change: Change) -> None:
        if isinstance(change.at, Wall):
            with self._lock:
                heapq.heappush(self._timed, (change.at.seconds, next(self._order), change))
            self._wake()
            return
        self._pass_on(replace(change, at=None))

    def _take_timed(self) -> None:
        while self._timed and self._timed[0][0] <= time.time():
            with self._lock:
                _, _, change = heapq.heappop(self._timed)
            self.controls.settle(change.values, change.origin)
            self._pass_on(replace(change, at=None))

    def _pass_on(self, change: Change) -> None:
        for name in ("play", "stop", "panic"):
            if name in change.values:
                self._open(name == "play")
        if change.values.get("sync", HOST) != HOST:
            self._let_go(str(change.values["sync"]))
        values = {name: value for name, value in change.values.items() if name not in GATE}
        core = self._core
        if core is None or not values:
            return  # what begins reads the controls
        change = replace(change, values=values)
        if change.origin == PLUGIN and all(_glides(name) for name in values):
            change = replace(change, over=GLIDE_SECONDS)
        if values.keys() & (SLOW | TURNS):
            self._do_slowly(core, change)
        else:
            core.change(change)

    def _let_go(self, sync: str) -> None:
        """Count by ourselves, on from where the beat is."""
        if sync != SYNCS[0]:
            self.tell(f"In a host there is no {sync}: sync takes {HOST} or {SYNCS[0]} here.")
        if self._core is not None:
            self._core.change(Change({PULSE: Pulse().text}))

    def _open(self, playing: bool) -> None:
        self._playing = playing
        self._fader.to(1.0 if playing else 0.0)

    def _do_slowly(self, core: Core, change: Change) -> None:
        """Have it prepared. What is no longer wanted by then is left out; a render waits."""
        with self._lock:
            for index, other in enumerate(self._slow):
                left = {name: value for name, value in other.values.items() if name not in change.values}
                self._slow[index] = replace(other, values=left)
            self._slow.append(change)
            waits = self._offline and change.origin == PLUGIN
            self._busy += waits

        def work() -> None:
            with self._lock:
                wanted = self._slow.pop(0)
            try:
                self._change_prepared(core, wanted)
            finally:
                with self._lock:
                    self._busy -= waits
                self._wake()

        self._prepare(work)

    def _change_prepared(self, core: Core, change: Change) -> None:
        if not change.values:
            return
        try:
            for note in core.prepare(change.values, change.over):
                self.tell(note.sentence)
        except Exception as error:  # whatever was sent, the music goes on
            self.tell(explained(error))
            self.controls.retract(change.values, core.stands(change.values))
        else:
            core.change(change)

    # ---- what is told

    def _hear(self, event: Event) -> None:
        if isinstance(event, Collapsed | Noted):
            self.tell(event.sentence)
        elif isinstance(event, Refused):
            self.tell(event.whole_sentence)
            self.controls.retract(event.values, event.stands)

    def _show(self, changed: Mapping[str, Value], origin: object) -> None:
        """Tell the plug-in what others have changed, so that it is saved with the project."""
        if origin == PLUGIN:
            return
        for name, value in changed.items():
            if name in TABLE:
                self._line.send(_message(name, value))


def _message(name: str, value: Value) -> bytes:
    if TABLE[name].kind in TEXTS:
        return wire.text(Kind.WORDS, name, str(value))
    return wire.number(Kind.VALUE, name, float(value))


def _glides(name: str) -> bool:
    """Whether the steps that a host sends of it are smoothed; the words of a tempo would change on the way."""
    return name in TABLE and TABLE[name].kind == "float" and can_glide(TABLE[name]) and name not in {*JUMPS, "tempo"}
