"""What is asked for with arguments: glides, fades, weights, snapshots, undo. Any surface may ask."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from osc.command import Answer, Argument, Asker, Command, Deed, Handler
from osc.values import BadValue, Value
from streamer.control.change import Moment, Wall
from streamer.control.controls import Controls
from streamer.control.glides import can_glide
from streamer.control.history import History
from streamer.control.moves import CAPTURE, CONTINUE, OVERDUB, RELEASE, REWIND, Passage
from streamer.control.snapshots import Snapshot, Snapshots
from streamer.control.table import JUMPS, SLOTS, TABLE
from streamer.control.taps import Taps
from streamer.errors import UserError
from streamer.surfaces.knobs import PARAM

LONGEST = 3600.0
"""Seconds that a glide or a fade may take."""
USUAL = 1.0
"""Seconds that it takes where nobody says."""

_NAME = Argument("name", "text")
_SECONDS = Argument("seconds", "float", needed=False)
_BEATS = Argument("beats", "float")
_TARGET = Argument("target", "float")

RAMP = Command(
    "ramp",
    "Glide a number to a target, evenly along its fader; a new value or glide takes over from where it is.",
    (_NAME, _TARGET, _SECONDS),
    ("temperature", 1.25, 4.0),
)
RAMP_BEATS = Command("ramp/beats", "The same, in beats.", (_NAME, _TARGET, _BEATS), ("volume", -20.0, 8.0))
TAP = Command("tempo/tap", "Tap the tempo: from the third tap on it is as fast as the last eight were.")
WEIGHTS = Command(
    "prompt/weights",
    "The weights of the prompt slots, from the first on; those of the others become 0.",
    (Argument("weight", "float", repeats=True),),
    (1.0, 0.5),
)
FADE = Command(
    "prompt/fade",
    "Crossfade from what plays to one prompt, which is then in the first slot, alone.",
    (Argument("prompt", "text"), _SECONDS),
    ("deep house", 8.0),
)
FADE_BEATS = Command(
    "prompt/fade/beats", "The same, in beats.", (Argument("prompt", "text"), _BEATS), ("ambient pads", 16.0)
)
SAVE = Command("snapshot/save", "Keep all values under a name.", (_NAME,), ("drop",), keeps=True)
LOAD = Command(
    "snapshot/load",
    "Take the values of a snapshot; over seconds numbers glide and prompts fade to them.",
    (_NAME, _SECONDS),
    ("drop", 4.0),
)
LIST = Command("snapshot/list", "Answered at `snapshot/names` with the names of all snapshots.")
DELETE = Command("snapshot/delete", "Remove a snapshot.", (_NAME,), ("drop",), keeps=True)
RECORD = Command(
    "record",
    "Record what is heard into a folder of that name, and the journal to replay it from; 0 ends the recording.",
    (_NAME,),
    ("take-1",),
    keeps=True,
)
BROADCAST = Command(
    "broadcast",
    "Answered at `broadcast` with the shared memory, on the instrument's machine, in which others can hear what is "
    "played: its name, samples a second, channels, samples that it holds.",
)
UNDO = Command("undo", "Take back the last change of values; again: the one before it.")
CONTINUE_FROM = Command(
    CONTINUE,
    "Crossfade into a sound file, from one second to another, and go on from there.",
    (Argument("file", "path"), Argument("from", "float", needed=False), Argument("to", "float", needed=False)),
    ("intro.wav", 2.0, 10.0),
)
GO_BACK = Command(
    REWIND,
    "Crossfade back to the music of so many seconds ago, and go on from there in another way; values stay.",
    (Argument("seconds", "float"),),
    (8.0,),
)
CAPTURE_LOOP = Command(
    "loop/capture",
    "From the next bar on the last so many bars go round, in sync, while the music goes on unheard.",
    (Argument("bars", "float"),),
    (4.0,),
)
RELEASE_LOOP = Command("loop/release", "From the next bar on the music is heard again, where it has come to.")
OVERDUB_LOOP = Command(
    "loop/overdub", "From the next bar on the music is heard over the loop; to capture again keeps both."
)
LEARN = Command(
    "midi/learn",
    "The knob that is moved next, or the note that is played, turns this from then on: a value, an action, "
    "prompt/N alone, or snapshot/NAME.",
    (_NAME,),
    ("volume",),
)
FORGET = Command("midi/forget", "No knob and no note turns this any more.", (_NAME,), ("volume",))
HOST = Command(
    "sync/host",
    "Where a DAW is, for `sync` host: its tempo, the beats passed since the song's beginning, 1 while it plays; sent "
    "some times a second.",
    (Argument("bpm", "float"), _BEATS, Argument("playing", "float", needed=False)),
    (120.0, 16.0, 1.0),
)

COMMANDS: tuple[Command, ...] = (
    RAMP,
    RAMP_BEATS,
    TAP,
    WEIGHTS,
    FADE,
    FADE_BEATS,
    SAVE,
    LOAD,
    LIST,
    DELETE,
    RECORD,
    BROADCAST,
    UNDO,
    CONTINUE_FROM,
    GO_BACK,
    CAPTURE_LOOP,
    RELEASE_LOOP,
    OVERDUB_LOOP,
    LEARN,
    FORGET,
    HOST,
    *PARAM,
)


Do = Callable[[], Iterable[Answer] | None]
"""Does what a command asked for, once it is known that it can be done."""


class Commands:
    """Does what commands ask for, through the controls.

    Parameters
    ----------
    controls
        What is steered.
    snapshots
        Where snapshots are kept.
    bpm : callable
        The tempo that beats are counted by, beats a minute.
    """

    def __init__(self, controls: Controls, snapshots: Snapshots, bpm: Callable[[], float]) -> None:
        self._controls = controls
        self._snapshots = snapshots
        self._bpm = bpm
        self._taps = Taps()
        self._lock = threading.Lock()
        self._history = History(controls.values())
        controls.listen(self._note)

    def begin(self) -> None:
        """What has changed up to now nobody will want to undo."""
        with self._lock:
            self._history = History(self._controls.values())

    def table(self) -> list[tuple[Command, Handler]]:
        """All commands, and what does them."""
        handlers: dict[Command, Callable[[Sequence[Value], Asker], Do]] = {
            RAMP: self._ramp,
            RAMP_BEATS: self._ramp_beats,
            TAP: self._tap,
            WEIGHTS: self._weights,
            FADE: self._fade,
            FADE_BEATS: self._fade_beats,
            SAVE: self._save,
            LOAD: self._load,
            LIST: self._list,
            DELETE: self._delete,
            UNDO: self._undo,
            CONTINUE_FROM: self._continue,
            GO_BACK: self._rewind,
            CAPTURE_LOOP: self._capture,
            RELEASE_LOOP: self._release,
            OVERDUB_LOOP: self._overdub,
        }
        return [(command, _answering(handler)) for command, handler in handlers.items()]

    def load(self, name: str) -> None:
        """Take the values of a snapshot at once.

        Raises
        ------
        UserError
            There is none of that name, or it is broken.
        """
        self._take_up(self._snapshots.load(name), None, None, 0.0)

    def _note(self, changed: dict[str, Value], origin: object) -> None:
        with self._lock:
            if changed.keys() == {"notes"}:  # keys are let go of by the hand that holds them
                self._history.adopt(changed)
            else:
                self._history.note(changed)

    # ---- glides and fades

    def _ramp(self, arguments: Sequence[Value], asker: Asker) -> Do:
        return self._glide(str(arguments[0]), float(arguments[1]), _seconds(arguments[2:], USUAL), asker)

    def _ramp_beats(self, arguments: Sequence[Value], asker: Asker) -> Do:
        return self._glide(str(arguments[0]), float(arguments[1]), self._beats(arguments[2]), asker)

    def _glide(self, asked: str, target: float, seconds: float, asker: Asker) -> Do:
        name = _named(asked)
        if name in JUMPS:
            raise BadValue(f"cannot glide {TABLE[name].path}: it {JUMPS[name]}; send the value itself")
        if not name or not can_glide(TABLE[name]):
            numbers = [p.path for p in TABLE.values() if can_glide(p) and p.name not in JUMPS]
            raise BadValue(f"glides numbers, and {asked[:40]!r} is none: choose one of {', '.join(numbers)}")
        return self._asking({name: target}, asker, seconds)

    def _tap(self, arguments: Sequence[Value], asker: Asker) -> Do:
        def tap() -> None:
            bpm = self._taps.tap(time.time() if asker.at is None else asker.at)
            if bpm is not None:
                self._ask({"tempo": bpm}, asker)

        return tap

    def _weights(self, arguments: Sequence[Value], asker: Asker) -> Do:
        if len(arguments) > len(SLOTS):
            raise BadValue(f"takes {len(SLOTS)} weights at most, not {len(arguments)}")
        given = [*map(float, arguments), *[0.0] * (len(SLOTS) - len(arguments))]
        return self._asking(dict(zip(SLOTS.values(), given, strict=True)), asker)

    def _fade(self, arguments: Sequence[Value], asker: Asker) -> Do:
        return self._fade_to(str(arguments[0]), _seconds(arguments[1:], USUAL), asker)

    def _fade_beats(self, arguments: Sequence[Value], asker: Asker) -> Do:
        return self._fade_to(str(arguments[0]), self._beats(arguments[1]), asker)

    def _fade_to(self, prompt: str, seconds: float, asker: Asker) -> Do:
        text, weight, *others = (*next(iter(SLOTS.items())), *list(SLOTS.values())[1:])
        return self._asking({text: prompt, weight: 1.0, **dict.fromkeys(others, 0.0)}, asker, seconds)

    def _beats(self, beats: Value) -> float:
        return _seconds([float(beats) * 60.0 / self._bpm()], USUAL)

    def _asking(self, values: dict[str, Value], asker: Asker, over: float = 0.0) -> Do:
        return lambda: self._ask(values, asker, over)

    def _ask(self, values: dict[str, Value], asker: Asker, over: float = 0.0) -> None:
        at: Moment | None = None if asker.at is None else Wall(asker.at)
        self._controls.ask(values.items(), asker.origin, at, over)

    # ---- snapshots

    def _save(self, arguments: Sequence[Value], asker: Asker) -> Do:
        name = str(arguments[0])
        self._snapshots.check(name)

        def save() -> None:
            self._snapshots.save(name, self._controls.values())

        return save

    def _load(self, arguments: Sequence[Value], asker: Asker) -> Do:
        snapshot, seconds = self._snapshots.load(str(arguments[0])), _seconds(arguments[1:], 0.0)

        at: Moment | None = None if asker.at is None else Wall(asker.at)
        return lambda: self._take_up(snapshot, asker.origin, at, seconds)

    def _take_up(self, snapshot: Snapshot, origin: object, at: Moment | None, over: float) -> None:
        standing = self._controls.values()
        # What stands already is left alone: a seed that is sent again would throw its dice again.
        moved = {name: value for name, value in snapshot.values.items() if standing[name] != value}
        if moved:
            self._controls.ask(moved.items(), origin, at, over)

    def _list(self, arguments: Sequence[Value], asker: Asker) -> Do:
        return lambda: [("snapshot/names", tuple(self._snapshots.names()))]

    def _delete(self, arguments: Sequence[Value], asker: Asker) -> Do:
        name = str(arguments[0])
        self._snapshots.check_there(name)
        return lambda: self._snapshots.delete(name)

    # ---- undo

    def _undo(self, arguments: Sequence[Value], asker: Asker) -> Do:
        def undo() -> None:
            with self._lock:
                before = self._history.undo()
            if not before:
                raise BadValue("finds nothing to undo")
            self._ask(before, asker)

        return undo

    # ---- elsewhere

    def _continue(self, arguments: Sequence[Value], asker: Asker) -> Do:
        path, *seconds = arguments
        return self._moving({CONTINUE: Passage(str(path), *map(float, seconds)).text}, asker)

    def _rewind(self, arguments: Sequence[Value], asker: Asker) -> Do:
        return self._moving({REWIND: arguments[0]}, asker)

    def _capture(self, arguments: Sequence[Value], asker: Asker) -> Do:
        return self._moving({CAPTURE: arguments[0]}, asker)

    def _release(self, arguments: Sequence[Value], asker: Asker) -> Do:
        return self._asking({RELEASE: True}, asker)

    def _overdub(self, arguments: Sequence[Value], asker: Asker) -> Do:
        return self._asking({OVERDUB: True}, asker)

    def _moving(self, values: dict[str, Value], asker: Asker) -> Do:
        self._controls.check(values.items(), asker.origin)
        return self._asking(values, asker)


def without_midi(arguments: Sequence[Value], asker: Asker) -> Deed:
    """What answers `LEARN` and `FORGET` where no MIDI is heard."""
    raise BadValue("needs MIDI: start with --midi all, or with a part of a port's name")


def _named(asked: str) -> str:
    """The parameter that a name, a path or a whole address means; "" for none."""
    by_path = {parameter.path: name for name, parameter in TABLE.items()}
    parts = asked.strip("/").split("/")
    # An address begins with the prefix that a surface was given, which nobody knows here.
    ends = ("/".join(parts[skipped:]) for skipped in range(len(parts) if asked.startswith("/") else 1))
    return asked if asked in TABLE else next((by_path[end] for end in ends if end in by_path), "")


def _seconds(given: Sequence[Value], usual: float) -> float:
    """How long something takes.

    Raises
    ------
    BadValue
        It is below 0, or too long.
    """
    seconds = float(given[0]) if given else usual
    if not 0 <= seconds <= LONGEST:
        raise BadValue(f"takes from 0 to {LONGEST:g} seconds, not {seconds:g}")
    return seconds


def _answering(handler: Callable[[Sequence[Value], Asker], Do]) -> Handler:
    """A handler whose sentences reach whoever asked."""

    def handle(arguments: Sequence[Value], asker: Asker) -> Deed:
        with _sentences():
            do = handler(arguments, asker)

        def deed() -> Iterable[Answer]:
            with _sentences():
                return do() or []

        return deed

    return handle


@contextlib.contextmanager
def _sentences() -> Iterator[None]:
    try:
        yield
    except UserError as error:
        raise BadValue(str(error)) from None
