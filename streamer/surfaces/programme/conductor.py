"""Plays a programme: a surface like any other, that asks the controls for what is due, by moment."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace

from osc.values import Value
from streamer.control.change import Moment, Wall
from streamer.control.controls import Controls
from streamer.control.snapshots import Snapshots
from streamer.control.table import SLOTS
from streamer.errors import UserError
from streamer.reporting import Say
from streamer.surfaces.programme.entries import Prompts
from streamer.surfaces.programme.plan import Plan, Scene, Turn
from streamer.threads import lasting

FADE_SECONDS = 4.0
"""In which music goes into a silence, and comes out of one."""
AHEAD_SECONDS = 1.0
"""That a change is asked for before its moment."""
_LOOK_SECONDS = 1.0  # clocks are set, and machines sleep: nobody waits longer without a look at the time
_JUMP = 60.0  # seconds after which what was missed is not made up for: the clock was set, or the machine slept
_FLOOR = -60.0  # dB


class Conductor:
    """Asks for what a plan has due.

    Parameters
    ----------
    controls
        What is steered.
    plan : Plan
    snapshots
        That entries name.
    say
        Takes a sentence about an entry that cannot be played as it is written.
    titled
        Called with what plays, for people, whenever that changes; "" is silence.
    clock
        Seconds since 1970.
    moment
        The moment of a time by that clock; None: a change takes effect when it comes.
    ahead : float
        Seconds before their moment that changes are asked for.
    """

    def __init__(
        self,
        controls: Controls,
        plan: Plan,
        snapshots: Snapshots,
        say: Say,
        titled: Callable[[str], None] = lambda title: None,
        *,
        clock: Callable[[], float] = time.time,
        moment: Callable[[float], Moment | None] = Wall,
        ahead: float = AHEAD_SECONDS,
    ) -> None:
        self.title = ""
        self._controls = controls
        self._plan = plan
        self._snapshots = snapshots
        self._say = say
        self._titled = titled
        self._clock = clock
        self._moment = moment
        self._ahead = ahead
        self._own = controls.values()  # what an entry does not name stands as it did at the start
        self._scene: Scene | None = None
        self._since = -math.inf
        self._level = float(self._own["loudness"])
        self._volume: Value | None = None  # before the silence; None while it sounds
        self._moved: set[str] = set()  # by the entry that plays, beside its prompts
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._closing = False
        self._thread = lasting("programme", self._run, say)

    @property
    def steady(self) -> bool:
        """Whether what plays has a seed of its own: the same music each time."""
        scene = self._scene
        return scene is not None and scene.turn is not None and scene.turn.entry.seed is not None

    def start(self) -> None:
        """Ask for what is due now, and for what comes when it does."""
        self._thread.start()

    def close(self) -> None:
        """Ask for nothing more."""
        self._closing = True
        self._woken.set()
        if self._thread.is_alive():
            self._thread.join()

    def follow(self, plan: Plan) -> None:
        """Go on with another plan, from wherever the music is."""
        with self._lock:
            self._plan = plan
            self._scene = None if self._scene is None else replace(self._scene, until=-math.inf)
        self._woken.set()

    def step(self) -> float:
        """Ask for what is due; the seconds until something will be."""
        with self._lock:
            due, before = self._clock() + self._ahead, self._scene
            if before is None:  # there is nothing to be in time for
                self._enter(None, due - self._ahead)
            elif due < self._since - _JUMP or due >= before.until + _JUMP:  # the clock was set
                self._enter(before, due)
            elif due >= before.until:
                self._enter(before, before.until)
            assert self._scene is not None
            return max(0.0, self._scene.until - self._clock() - self._ahead)

    def _run(self) -> None:
        while not self._closing:
            self._woken.wait(min(self.step(), _LOOK_SECONDS))
            self._woken.clear()

    # ---- from one scene to the next

    def _enter(self, before: Scene | None, due: float) -> None:
        scene = self._scene = self._plan.at(due)
        self._since = due
        level = float(self._own["loudness"]) if scene.loudness is None else scene.loudness
        if level != self._level:
            self._level = level
            self._ask({"loudness": level}, due)
        if scene.silent:
            self._fall_silent(due, 0.0 if before is None else FADE_SECONDS)
        else:
            self._play(before, scene, due)
        if scene.title != self.title:
            self.title = scene.title
            self._titled(scene.title)

    def _fall_silent(self, due: float, seconds: float) -> None:
        if self._volume is None:
            self._volume = self._controls.get("volume")
            self._ask({"volume": _FLOOR}, due, seconds)
            self._ask({"stop": True}, due + seconds)

    def _play(self, before: Scene | None, scene: Scene, due: float) -> None:
        turn, woken = scene.turn, self._volume
        assert turn is not None
        begins = before is None or before.turn != turn or before.silent
        if begins:
            anew = {"reset": True} if before is not None and (woken is not None or turn.entry.seed is not None) else {}
            values = self._values(turn) | _slots(scene.blend) | anew
            self._ask(values, due, 0.0 if before is None or before.silent else turn.entry.crossfade)
        if woken is not None:
            self._volume = None
            self._ask({"play": True}, due)
            self._ask({"volume": woken}, due, FADE_SECONDS)
        arrived = before is not None and not begins and scene.blend in (before.blend, before.towards)
        if scene.towards and (before is None or begins or before.arrives != scene.arrives):
            self._ask(_slots(scene.towards), due, scene.arrives - due)
        elif not scene.towards and not begins and not arrived:
            self._ask(_slots(scene.blend), due)

    def _values(self, turn: Turn) -> dict[str, Value]:
        """What an entry asks for beside its prompts, and what it leaves as it was."""
        entry = turn.entry
        moved, self._moved = self._moved, set(dict(entry.values))
        values = {name: self._own[name] for name in moved}
        if entry.snapshot:
            held = self._snapshot(entry.snapshot)
            self._moved |= held.keys() - set(SLOTS) - set(SLOTS.values())
            values |= held
        return values | dict(entry.values) | {"seed": turn.seed}

    def _snapshot(self, name: str) -> Mapping[str, Value]:
        try:
            held = self._snapshots.load(name).values
        except UserError as error:
            self._say(f"The programme goes on without a snapshot: {error}.")
            return {}
        return {name: value for name, value in held.items() if name not in ("volume", "loudness", "mute")}

    def _ask(self, values: Mapping[str, Value], due: float, over: float = 0.0) -> None:
        at = None if due <= self._clock() else self._moment(due)
        self._controls.ask(values.items(), self, at, max(0.0, over))


def _slots(blend: Prompts) -> dict[str, Value]:
    """A blend in the prompt slots; none of them where there is none."""
    if not blend:
        return {}
    values: dict[str, Value] = {}
    for place, (text, weight) in enumerate(SLOTS.items()):
        words, share = blend[place] if place < len(blend) else ("", 0.0)
        values |= {text: words, weight: share}
    return values
