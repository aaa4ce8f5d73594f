"""The one table of live parameters, actions and status values, and the owner of their values.

Whatever steers the instrument (options of the command line, OSC, a script, a replay) enters here, is clamped here, and
is told on from here: to the engine, and back to whoever watches.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence

from osc.tree import Action, BadValue, Parameter, Value

Listener = Callable[[dict[str, Value], object], None]

PARAMETERS: tuple[Parameter, ...] = (
    Parameter("prompt", "text", default="", doc="What to play, in words. Empty: the model plays what it likes."),
    Parameter(
        "negative", "text", default="", path="prompt/negative", doc="What to steer away from, in words. Empty: nothing."
    ),
    Parameter(
        "melody",
        "text",
        default="",
        doc="A sound file whose tune is followed, or `input` (`input:DEVICE`) for what is played live; empty: none. "
        "Melody models only.",
    ),
    Parameter(
        "temperature",
        "float",
        0.05,
        2.0,
        default=1.0,
        curve="log",
        doc="How adventurous the choice of each token is: low repeats itself, high falls apart.",
    ),
    Parameter(
        "topk", "int", 0, 2048, default=250, doc="Choose among the K likeliest tokens of each codebook; 0 is no limit."
    ),
    Parameter(
        "topp",
        "float",
        0.0,
        1.0,
        default=1.0,
        doc="Choose among the likeliest tokens that together have this probability; 1 is no limit.",
    ),
    Parameter(
        "cfg",
        "float",
        1.0,
        10.0,
        default=3.0,
        doc="Guidance: how closely the music follows the prompt; 1 is none.",
    ),
    Parameter(
        "seed",
        "int",
        0,
        2**31 - 1,
        default=0,
        doc="Seeds the random choice anew from the next frame on; with reset the same seed plays the same music.",
    ),
    Parameter(
        "lora",
        "float",
        0.0,
        1.5,
        default=1.0,
        path="lora/strength",
        doc="How strongly a LoRA adapter acts: 0 is its base model, 1 as it was trained. Models with an adapter only.",
    ),
    Parameter("volume", "float", -60.0, 12.0, default=0.0, unit="dB", doc="Output gain."),
    Parameter("mute", "bool", default=False, doc="Silence, while the music goes on unheard."),
    Parameter(
        "lead",
        "float",
        20.0,
        2000.0,
        default=80.0,
        unit="ms",
        curve="log",
        doc="Sound queued ahead: small answers fast, large survives a busy machine.",
    ),
    Parameter(
        "loudness",
        "float",
        -30.0,
        -8.0,
        default=-16.0,
        unit="LUFS",
        doc="The loudness the music is slowly brought to, before the volume.",
    ),
    Parameter(
        "guard",
        "bool",
        default=True,
        doc="Brings the music back by itself where the model falls silent, freezes in a loop or loses its variety.",
    ),
)

ACTIONS: tuple[Action, ...] = (
    Action("play", "Let the sound through."),
    Action("stop", "Fade out and hold."),
    Action("reset", "Begin the music anew from the seed."),
    Action("panic", "Silence at once."),
)

STATUS: dict[str, str] = {
    "level": "Peak of what went to the loudspeakers, dB below full scale.",
    "rtf": "Real-time factor: seconds of music made in a second of work. Below 1 the machine is too slow.",
    "buffer_ms": "Sound queued ahead, ms.",
    "xruns": "How often the sound ran out, since the start.",
    "collapses": "How often the guard brought the music back, since the start.",
    "collapse": "The last time that it did: when, what had happened, and what it did.",
    "latency_ms": "From a change to its sound, as estimated from what is queued, ms.",
}
"""What the instrument tells about itself, by name; published, never set."""

SAMPLING: dict[str, str] = {"temperature": "temperature", "topk": "top_k", "topp": "top_p", "cfg": "guidance"}
"""The parameters that are fields of `musicgen.Sampling`, and whose defaults are the model's."""

TABLE: dict[str, Parameter] = {parameter.name: parameter for parameter in PARAMETERS}
ACTION_NAMES: frozenset[str] = frozenset(action.name for action in ACTIONS)

log = logging.getLogger(__name__)


class Controls:
    """The values of all parameters; any thread may read and change them.

    Listeners hear of every batch in the order in which the batches took effect, one at a time, outside the lock: a
    listener may read and even change the controls. When several threads change values at once, one of them does the
    telling for all.

    Parameters
    ----------
    **initial : float, int, bool or str
        Values by name, clamped to their range; the rest stands at the table's default until `adopt`.

    Raises
    ------
    BadValue
        For a name that is not in the table or a value it cannot take.
    """

    def __init__(self, **initial: Value) -> None:
        self._values: dict[str, Value] = {parameter.name: parameter.default for parameter in PARAMETERS}
        self._values.update(_accept(list(initial.items())))
        self._chosen = set(initial)
        self._lock = threading.Lock()
        self._listeners: list[Listener] = []
        self._news: deque[tuple[dict[str, Value], object]] = deque()
        self._telling = False

    def get(self, name: str) -> Value:
        """The value as it is now.

        Raises
        ------
        BadValue
            For a name that is not in the table.
        """
        _known(name)
        with self._lock:
            return self._values[name]

    def values(self) -> dict[str, Value]:
        """All values at one moment, in the table's order."""
        with self._lock:
            return dict(self._values)

    def set(self, **values: Value) -> dict[str, Value]:
        """Set values by name at one moment; returns them as clamped."""
        return self.apply(list(values.items()))

    def act(self, name: str) -> None:
        """Ask for an action: ``controls.act("reset")``."""
        self.apply([(name, None)])

    def apply(self, batch: Sequence[tuple[str, Value | None]], origin: object = None) -> dict[str, Value]:
        """Set all of the batch at one moment, or nothing of it.

        Parameters
        ----------
        batch : sequence of (name, value)
            An action's value does not matter. Of several values for one name the last one counts.
        origin : object
            Handed on to the listeners, so that whoever made a change can tell it from those of others.

        Returns
        -------
        dict
            The values as clamped, in the batch's order, and True for every action.

        Raises
        ------
        BadValue
            For a name that is not in the table or a value it cannot take; nothing has changed then.
        """
        changed = _accept(batch)
        with self._lock:
            self._chosen.update(changed)
            self._commit(changed, origin)
        self._tell()
        return dict(changed)

    def adopt(self, **defaults: Value) -> dict[str, Value]:
        """Set those of the values that nobody has chosen yet: a model's own defaults, once it is known.

        Returns the values that were adopted.
        """
        accepted = _accept(list(defaults.items()))
        with self._lock:
            fresh = {name: value for name, value in accepted.items() if name not in self._chosen}
            self._commit(fresh, None)
        self._tell()
        return dict(fresh)

    def listen(self, listener: Listener) -> None:
        """Have ``listener(changed, origin)`` called after every batch, from whichever thread made it."""
        with self._lock:
            self._listeners.append(listener)

    def _commit(self, changed: dict[str, Value], origin: object) -> None:
        self._values.update((name, value) for name, value in changed.items() if name not in ACTION_NAMES)
        if changed:
            self._news.append((changed, origin))

    def _tell(self) -> None:
        with self._lock:
            if self._telling:
                return
            self._telling = True
        while (news := self._next_news()) is not None:
            (changed, origin), listeners = news
            for listener in listeners:
                try:
                    listener(dict(changed), origin)
                except Exception:
                    # One deaf listener must not silence the others, nor the thread that turned the knob.
                    log.exception("a listener failed on %s", list(changed))

    def _next_news(self) -> tuple[tuple[dict[str, Value], object], tuple[Listener, ...]] | None:
        with self._lock:
            if not self._news:
                self._telling = False
                return None
            return self._news.popleft(), tuple(self._listeners)


def clamp(name: str, value: Value | None) -> Value:
    """The nearest value the parameter can have; True for an action.

    Raises
    ------
    BadValue
        For a name that is not in the table or a value it cannot take.
    """
    if name in ACTION_NAMES:
        return True
    parameter = _known(name)
    if value is None:
        raise BadValue(f"{name} needs a value")
    try:
        return parameter.clamp(value)
    except BadValue as error:
        raise BadValue(f"{name} {str(error).removeprefix(name + ' ')}") from None


def _accept(batch: Sequence[tuple[str, Value | None]]) -> dict[str, Value]:
    changed: dict[str, Value] = {}
    for name, value in batch:
        # Taken out first so that a later value also takes the later place.
        changed.pop(name, None)
        changed[name] = clamp(name, value)
    return changed


def _known(name: str) -> Parameter:
    if name not in TABLE:
        raise BadValue(f"there is no control named {name!r}: choose one of {', '.join(TABLE)}")
    return TABLE[name]
