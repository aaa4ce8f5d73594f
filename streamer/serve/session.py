"""One stream: its values, its music, and whether anybody hears it. Asleep it costs nothing, and wakes where it was."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from osc.values import Value
from streamer.audio.playback import Playback, decibels
from streamer.control.change import Change
from streamer.control.controls import Controls
from streamer.control.table import DESK, GATE, TURNS
from streamer.engine.core import Core, defaults
from streamer.engine.events import Collapsed, Event, Noted, Refused
from streamer.engine.model import Model
from streamer.engine.prompts import encode_beginning
from streamer.engine.standing import Standing
from streamer.errors import UserError
from streamer.process.broadcast import Broadcast
from streamer.process.intake import SLOW
from streamer.process.ring import Ring
from streamer.reporting import explained

RATE, CHANNELS = 48_000, 2
BLOCK = 960
"""Samples that the clock takes at a time: a frame."""
LEAD_SECONDS = 0.2
"""That are made ahead: the machine may be busy for so long."""
GRACE_SECONDS = 20.0
"""For which a session is kept awake when nobody hears it any more, or yet."""
_CAPACITY = RATE // 2
_BROADCAST = RATE  # samples that listeners may fall behind

SHARED = frozenset({"lora", "lead", "melody", *DESK})
"""What no session can have for itself: it belongs to the model, to the machine or to its files."""

Prepare = Callable[[Callable[[], None]], None]
"""Has something slow done beside the music."""


@dataclass(frozen=True)
class Record:
    """A session as another server goes on with it.

    Parameters
    ----------
    id, secret, owner : str
        Who may listen; who may steer; whose it is.
    values : mapping
        Those that somebody chose, by name.
    standing : bytes
        Where its music stands, see `streamer.engine.standing.Standing`; b"" before it has any.
    """

    id: str
    secret: str
    owner: str
    values: Mapping[str, Value]
    standing: bytes = b""


class Session:
    """Values and music of one stream.

    Its controls and whatever says so are for any thread; `begin`, `lacks`, `deliver` and `sleep` are for the engine's.

    Parameters
    ----------
    model : musicgen.MusicGen
    record : Record
        What it begins with.
    prepare : callable
        See `Prepare`.
    wake : callable
        Makes the engine look again.

    Attributes
    ----------
    id, secret, owner : str
    controls : Controls
    playback : Playback
        What a clock calls while it plays, and takes copies from.
    core : Core or None
        What plays; None while it waits or sleeps.
    ears : int
        Those that hear it.
    hear : callable
        Told with what happens: "values" and a dict, "word" and a sentence. From any thread.
    closed : str
        Why it is over; "" while it is not.
    """

    def __init__(self, model: Model, record: Record, prepare: Prepare, wake: Callable[[], None]) -> None:
        self.id, self.secret, self.owner = record.id, record.secret, record.owner
        self.controls = Controls(**record.values)
        self.playback = Playback(Ring(_CAPACITY, CHANNELS), RATE)
        self.playback.ring.lead = round(LEAD_SECONDS * RATE)
        self.broadcast = Broadcast(RATE, CHANNELS, _BROADCAST)
        self.playback.broadcast = self.broadcast
        self.core: Core | None = None
        self.ears = 0
        self.hear: Callable[[str, Any], None] = lambda kind, what: None
        self.closed = ""
        self.collapses = 0
        self._model, self._prepare, self._wake = model, prepare, wake
        self._standing = record.standing
        self._heard = time.monotonic()
        self._lock = threading.Lock()
        self._slow: list[Change] = []
        self._preparing = self._prepared = False
        self.controls.adopt(**defaults(model))
        self.controls.follow(self._follow)
        self.controls.listen(lambda changed, origin: self.hear("values", changed))

    # ---- for any thread

    def touch(self) -> None:
        """Somebody hears it now."""
        self._heard = time.monotonic()

    def enter(self) -> None:
        """One more hears it from now on."""
        with self._lock:
            self.ears += 1

    def leave(self) -> None:
        """One of them hears it no more."""
        with self._lock:
            self.ears -= 1
        self.touch()

    @property
    def wanted(self) -> bool:
        """Whether somebody hears it, or did a moment ago."""
        if self.ears:
            self.touch()
        return time.monotonic() - self._heard < GRACE_SECONDS

    @property
    def idle(self) -> float:
        """Seconds since somebody heard it."""
        return 0.0 if self.ears else time.monotonic() - self._heard

    def record(self) -> Record:
        """All that another server needs to go on with it."""
        return Record(self.id, self.secret, self.owner, self.controls.chosen(), self._standing)

    def figures(self) -> dict[str, float]:
        """How it goes, by the names of the status values."""
        ring, core = self.playback.ring, self.core
        bpm, beat = core.pulse if core is not None else (0.0, 0.0)
        return {
            "level": round(decibels(self.playback.peak) if core is not None else -120.0, 1),
            "buffer_ms": round(1000 * ring.fill / RATE, 1),
            "playing": float(core is not None and self.playback.playing),
            "xruns": self.playback.underruns,
            "collapses": self.collapses,
            "latency_ms": round(1000 * (ring.fill + BLOCK) / RATE, 1),
            "tempo": round(bpm, 2),
            "beat": round(beat, 2),
            "bar": int(beat // 4),
        }

    # ---- for the engine

    def begin(self) -> None:
        """Go on where it stood, or begin, once its prompts are encoded: that is done beside the music first."""
        if self._prepared:
            self._prepared = False
            self._make()
        elif not self._preparing:
            self._preparing = True
            self._prepare(self._encode)

    @property
    def lacks(self) -> bool:
        """Whether it needs its next frame now."""
        core = self.core
        return core is not None and core.ready < BLOCK and self.playback.ring.room >= BLOCK

    def deliver(self) -> None:
        """Queue what is made for its listeners."""
        core = self.core
        if core is not None and (count := min(core.ready, self.playback.ring.room)):
            self.playback.ring.write(core.read(count))

    def note(self) -> None:
        """Note where the music stands."""
        if self.core is not None and self.core.frames_done:
            self._standing = self.core.state()

    def sleep(self) -> None:
        """Make no more, and keep nothing but where the music stands."""
        self.note()
        self.core = None

    def close(self, why: str) -> None:
        """It is over."""
        self.closed = why
        self.core = None
        self.hear("closed", why)

    def release(self) -> None:
        """Let go of its memory: nobody plays it, and nobody hears it, any more."""
        self.playback.broadcast = None
        self.broadcast.close()
        self.playback.ring.close()

    def _encode(self) -> None:
        try:
            encode_beginning(self._model, self.controls.values())
        except Exception as error:  # whatever a prompt does to a model: the engine says it again as it begins
            self.hear("word", explained(error))
        self._preparing, self._prepared = False, True
        self._wake()

    def _make(self) -> None:
        values = self.controls.values()
        try:
            goes_on = Standing.from_bytes(self._standing) if self._standing else None
            core = self._core(values, goes_on)
        except ValueError as error:  # of another model, or damaged
            self.hear("word", f"The music cannot go on where it was ({error}): it begins anew.")
            core = self._core(values, None)
        self.playback.ring.cut()
        self.core = core
        moved = {name: value for name, value in self.controls.values().items() if value != values[name]}
        if moved:  # while it was made
            self._follow(Change(moved))

    def _core(self, values: Mapping[str, Value], goes_on: Standing | None) -> Core:
        return Core(self._model, values, sample_rate=RATE, channels=CHANNELS, tell=self._note, goes_on=goes_on)

    # ---- changes, from any thread

    def _follow(self, change: Change) -> None:
        for name in ("play", "stop", "panic"):
            if name in change.values:
                getattr(self.playback, name)()
        values = {name: value for name, value in change.values.items() if name not in GATE}
        core = self.core
        if core is None or not values:
            return  # what begins reads the controls
        change = replace(change, values=values)
        if values.keys() & (SLOW | TURNS):
            self._do_slowly(core, change)
        else:
            core.change(change)

    def _do_slowly(self, core: Core, change: Change) -> None:
        """Have it prepared. What is no longer wanted by then is left out."""
        with self._lock:
            for index, other in enumerate(self._slow):
                left = {name: value for name, value in other.values.items() if name not in change.values}
                self._slow[index] = replace(other, values=left)
            self._slow.append(change)

        def work() -> None:
            with self._lock:
                wanted = self._slow.pop(0)
            if wanted.values:
                self._change_prepared(core, wanted)

        self._prepare(work)

    def _change_prepared(self, core: Core, change: Change) -> None:
        try:
            for note in core.prepare(change.values, change.over):
                self.hear("word", note.sentence)
        except Exception as error:  # whatever was sent, the music goes on
            self.hear("word", explained(error) if not isinstance(error, UserError) else str(error))
            self.controls.retract(change.values, core.stands(change.values))
        else:
            core.change(change)

    def _note(self, event: Event) -> None:
        if isinstance(event, Collapsed):
            self.collapses += 1
            self.hear("word", event.sentence)
        elif isinstance(event, Noted):
            self.hear("word", event.sentence)
        elif isinstance(event, Refused):
            self.hear("word", event.whole_sentence)
            self.controls.retract(event.values, event.stands)


def fresh(owner: str, values: Mapping[str, Value]) -> Record:
    """A session that nobody can guess: its id lets listen, its secret steer."""
    return Record(secrets.token_urlsafe(12), secrets.token_urlsafe(18), owner, dict(values))


def block() -> np.ndarray[Any, np.dtype[np.float32]]:
    """What a clock fills, (samples, channels)."""
    return np.zeros((BLOCK, CHANNELS), np.float32)
