"""A table of parameters, actions and commands, and the OSC addresses it gives rise to.

Nothing here knows what the parameters mean: a table comes in, addresses, types, ranges and feedback come out.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from osc.hosts import Client
from osc.packet import clean

Value = float | int | bool | str
Kind = Literal["float", "int", "bool", "text", "path"]
TEXTS = ("text", "path")
"""The kinds whose values are texts."""
Curve = Literal["linear", "log"]


class BadValue(ValueError):
    """Arguments that a parameter or an action cannot take; the text is a sentence for the person who sent them."""


class UnknownAddress(BadValue):
    """There is nothing at the address."""


@dataclass(frozen=True)
class Parameter:
    """One live value of the instrument.

    Parameters
    ----------
    name : str
        Its key in the store.
    kind : {"float", "int", "bool", "text", "path"}
        The type of its values. A text holds at most `osc.packet.TEXT_BYTES` bytes of UTF-8. A path is a text that
        names a file: strangers are kept from naming any they like, see `osc.access.Client`.
    low, high : float
        The range, both ends included, in `unit`; without meaning for a bool or a text.
    default : float, int, bool or str
        The value before anyone sets it.
    unit : str
        Shown behind the number, for example "dB"; "" for none.
    doc : str
        One sentence for the person who plays.
    curve : {"linear", "log"}
        How the range lies along a fader from 0 to 1. "log" needs ``low > 0``.
    path : str
        The address below the prefix where it is not the name: "prompt/negative".
    also : str
        Another address below the prefix that sets it; "" for none.
    read : callable, optional
        Makes of a text the one that is kept, or raises `BadValue` where there is none.

    Raises
    ------
    ValueError
        For a range or a default that contradicts itself.
    """

    name: str
    kind: Kind
    low: float = 0.0
    high: float = 1.0
    default: Value = 0.0
    unit: str = ""
    doc: str = ""
    curve: Curve = "linear"
    path: str = ""
    also: str = ""
    read: Callable[[str], str] | None = None

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"{self.name}: low {self.low} is not below high {self.high}")
        if self.curve == "log" and self.low <= 0:
            raise ValueError(f"{self.name}: a log curve needs low > 0, not {self.low}")
        if self.clamp(self.default) != self.default:
            raise ValueError(f"{self.name}: the default {self.default!r} is outside {self.low}..{self.high}")
        if not self.path:
            object.__setattr__(self, "path", self.name)

    def parse(self, arguments: Sequence[Any]) -> Value:
        """Read OSC arguments as a value of this kind, not yet clamped to the range.

        A text is all atoms joined by spaces, and there has to be one: some clients send an address alone as a marker,
        which changes nothing. Anything else is one number, and every OSC type that can hold one will do.

        Raises
        ------
        BadValue
            When there is no such value in the arguments, or it is NaN or infinite.
        """
        if self.kind in TEXTS:
            if not arguments:
                raise BadValue('takes a text: send "" for none')
            return " ".join(text(argument) for argument in arguments)
        if len(arguments) != 1:
            raise BadValue(f"takes one number, not {len(arguments)} arguments")
        return number(arguments[0])

    def clamp(self, value: Value) -> Value:
        """The nearest value this parameter can have, in its own type.

        Raises
        ------
        BadValue
            For a number where a text is needed or the other way round, and for NaN and infinity.
        """
        if self.kind in TEXTS:
            if not isinstance(value, str):
                raise BadValue(f"{self.name} takes a text, not {value!r}")
            return self.read(clean(value)) if self.read else clean(value)
        numeric = number(value)
        if self.kind == "bool":
            return numeric != 0
        bounded = min(max(numeric, self.low), self.high)
        return round(bounded) if self.kind == "int" else float(bounded)

    def to_norm(self, value: Value) -> float:
        """Where the value lies on a fader: 0 at `low`, 1 at `high`; 0 or 1 for a bool."""
        numeric = float(value)
        if self.kind == "bool":
            return float(numeric != 0)
        if self.curve == "log":
            return math.log(numeric / self.low) / math.log(self.high / self.low)
        return (numeric - self.low) / (self.high - self.low)

    def from_norm(self, norm: float) -> Value:
        """The value at a fader's position, which is first clamped to 0..1; a bool turns on at 0.5."""
        position = min(max(norm, 0.0), 1.0)
        if self.kind == "bool":
            return position >= 0.5
        if self.curve == "log":
            return self.clamp(self.low * (self.high / self.low) ** position)
        return self.clamp(self.low + position * (self.high - self.low))

    def format(self, value: Value) -> str:
        """The value as a person reads it, with its unit."""
        if self.kind in TEXTS:
            return str(value)
        if self.kind == "bool":
            return "on" if value else "off"
        shown = str(value) if self.kind == "int" else f"{value:.4g}"
        return f"{shown} {self.unit}".rstrip()


@dataclass(frozen=True)
class Action:
    """Something that happens when it is asked for, and has no value: play, stop.

    Parameters
    ----------
    name : str
        Its key in the store and its address below the prefix.
    doc : str
        One sentence for the person who plays.
    """

    name: str
    doc: str = ""


@dataclass(frozen=True)
class Argument:
    """One argument of a command.

    Parameters
    ----------
    name : str
        As the documentation shows it.
    kind : {"text", "float"}
        A text is one atom, and all atoms joined by spaces where a command takes nothing else.
    needed : bool
        Whether it has to be sent; what may be left out stands last.
    repeats : bool
        Whether any number of them may be sent. The last one of a command only.
    """

    name: str
    kind: Literal["text", "float"]
    needed: bool = True
    repeats: bool = False


@dataclass(frozen=True)
class Command:
    """Something that is asked for with arguments, and has no value of its own: ramp, snapshot/save.

    Parameters
    ----------
    path : str
        Its address below the prefix.
    doc : str
        One sentence for the person who plays.
    takes : tuple of Argument
    """

    path: str
    doc: str
    takes: tuple[Argument, ...] = ()

    def parse(self, arguments: Sequence[Any]) -> list[Value]:
        """Read OSC arguments as those of this command: one value each, fewer where some were left out.

        A client that cannot quote sends a text as several atoms, so a sole text takes them all.

        Raises
        ------
        BadValue
            When they do not fit.
        """
        given = list(arguments)
        if len(self.takes) == 1 and self.takes[0].kind == "text" and len(given) > 1:
            given = [" ".join(text(argument) for argument in given)]
        least = sum(argument.needed for argument in self.takes)
        most = None if self.takes and self.takes[-1].repeats else len(self.takes)
        if len(given) < least or (most is not None and len(given) > most):
            raise BadValue(f"takes {self.usage or 'no arguments'}, not {len(given)} arguments")
        kinds = [argument.kind for argument in self.takes]
        kinds += kinds[-1:] * (len(given) - len(kinds))
        return [
            clean(text(argument)) if kind == "text" else number(argument)
            for kind, argument in zip(kinds, given, strict=False)
        ]

    @property
    def usage(self) -> str:
        """Its arguments as documentation shows them: "name, target, [seconds]"."""
        shown = (argument.name + ("..." if argument.repeats else "") for argument in self.takes)
        return ", ".join(
            word if argument.needed else f"[{word}]" for word, argument in zip(shown, self.takes, strict=True)
        )


@dataclass(frozen=True)
class Asker:
    """Who sent a command.

    Attributes
    ----------
    origin : Client
        As the store is told it with a change.
    at : float or None
        When it is to be heard, seconds since 1970: the time of the bundle it came in.
    """

    origin: Client
    at: float | None = None


Answer = tuple[str, tuple[Value, ...]]
"""A path below the prefix, and the values of the message that goes back to the sender."""

Handler = Callable[[Sequence[Value], Asker], Iterable[Answer]]
"""Does what a command asks for, on the server's thread, without waiting; raises `BadValue` for what cannot be done."""


class Store(Protocol):
    """The owner of the values. Thread-safe: the server calls it from its own thread."""

    def get(self, name: str) -> Value:
        """The value as it is now."""
        ...

    def apply(
        self, batch: Sequence[tuple[str, Value | None]], origin: object = None, at: float | None = None
    ) -> dict[str, Value]:
        """Set all of the batch at one moment, `(action, None)` for an action, and return the values as clamped.

        The moment is `at`, seconds since 1970, or as soon as possible.

        A client's origin is a `Client`: where it is not trusted, a path is refused that lies where it may not look.

        Raises
        ------
        ValueError
            When nothing of it can be set; the text is told to the sender.
        """
        ...

    def listen(self, listener: Callable[[dict[str, Value], object], None]) -> None:
        """Have `listener(changed, origin)` called when values have changed, from whichever thread."""
        ...


@dataclass(frozen=True)
class Change:
    """What one message asks of the store.

    Attributes
    ----------
    name : str
        Of a parameter or an action.
    value : float, int, bool, str or None
        Clamped; None for an action.
    adjusted : bool
        Whether the value is not the one that was sent, so that the sender should hear of it.
    """

    name: str
    value: Value | None
    adjusted: bool = False


class Tree:
    """The addresses of a table of parameters and actions.

    Parameters
    ----------
    prefix : str
        What all addresses begin with, for example "/mg"; "" for nothing.
    parameters : iterable of Parameter
    actions : iterable of Action
    store : Store
        Where the values live.
    commands : iterable of (Command, Handler)
        What can be asked for with arguments, and what does it.

    Raises
    ------
    ValueError
        For a prefix that is no OSC address, or two entries of one address.
    """

    def __init__(
        self,
        prefix: str,
        parameters: Iterable[Parameter],
        actions: Iterable[Action],
        store: Store,
        commands: Iterable[tuple[Command, Handler]] = (),
    ) -> None:
        if not re.fullmatch(r"(/[^\s#*,/?\[\]{}]+)*", prefix):
            raise ValueError(f"the OSC prefix {prefix!r} is no address: write it like /mg")
        self.prefix = prefix
        self.store = store
        self.parameters = {parameter.name: parameter for parameter in parameters}
        self.actions = {action.name: action for action in actions}
        self._by_path: dict[str, Parameter | Action] = {p.path: p for p in self.parameters.values()} | self.actions
        self._by_path |= {p.also: p for p in self.parameters.values() if p.also}
        self._commands = {command.path: (command, handler) for command, handler in commands}
        if len(self._by_path | self._commands) != self._addresses():
            raise ValueError("two parameters, actions or commands share an address")

    def _addresses(self) -> int:
        also = sum(bool(parameter.also) for parameter in self.parameters.values())
        return len(self.parameters) + also + len(self.actions) + len(self._commands)

    def path(self, address: str) -> str | None:
        """The address below the prefix, without its first slash; None where it is not below the prefix."""
        start = self.prefix + "/"
        return address[len(start) :] if address.startswith(start) else None

    def parameter(self, path: str) -> Parameter | None:
        """The parameter at a path below the prefix."""
        found = self._by_path.get(path)
        return found if isinstance(found, Parameter) else None

    def has_command(self, path: str) -> bool:
        """Whether a command is at a path below the prefix."""
        return path in self._commands

    def command(self, path: str, arguments: Sequence[Any], asker: Asker) -> list[Answer]:
        """Do what a command asks for; what goes back to its sender.

        Raises
        ------
        BadValue
            When the arguments do not fit, or it cannot be done.
        """
        command, handler = self._commands[path]
        if not command.takes:  # a button may ask for it
            return list(handler([], asker)) if _fires(arguments) else []
        return list(handler(command.parse(arguments), asker))

    def change(self, path: str, arguments: Sequence[Any]) -> Change | None:
        """Read the arguments sent to a path as a change.

        None for what a finger does besides: the release of an action's button, and the `/z` that TouchOSC sends when a
        fader is touched and let go.

        Raises
        ------
        UnknownAddress
            When nothing that can be set is there.
        BadValue
            When the arguments do not fit.
        """
        entry = self._by_path.get(path)
        if isinstance(entry, Action):
            return Change(entry.name, None) if _fires(arguments) else None
        if entry is not None:
            sent = entry.parse(arguments)
            value = entry.clamp(sent)
            return Change(entry.name, value, adjusted=value != sent)
        owner, _, leaf = path.rpartition("/")
        parameter = self.parameter(owner)
        if leaf == "z" and parameter is not None:
            return None
        if leaf != "norm" or parameter is None or parameter.kind in TEXTS:
            raise UnknownAddress
        if len(arguments) != 1:
            raise BadValue(f"takes one number from 0 to 1, not {len(arguments)} arguments")
        norm = number(arguments[0])
        return Change(parameter.name, parameter.from_norm(norm), adjusted=not 0 <= norm <= 1)

    def feedback(self, name: str, value: Value, trusted: bool = True) -> list[tuple[str, Value]]:
        """The messages that say a parameter's value: itself, and for a number also /norm and /str.

        Who is not trusted is told of a file its name, and not where on this machine it lies.
        """
        parameter = self.parameters[name]
        address = f"{self.prefix}/{parameter.path}"
        if parameter.kind == "path" and not trusted:
            value = re.split(r"[/\\]", str(value))[-1]
        if parameter.kind in TEXTS:
            return [(address, value)]
        norm = parameter.to_norm(value)
        return [(address, value), (f"{address}/norm", norm), (f"{address}/str", parameter.format(value))]

    def setters(self) -> dict[str, Parameter]:
        """The paths below the prefix that a parameter is set at -> the parameter."""
        norms = {f"{p.path}/norm": p for p in self.parameters.values() if p.kind not in TEXTS}
        return {p.path: p for p in self.parameters.values()} | norms

    def settable(self) -> list[str]:
        """The paths below the prefix that a value can be sent to, those of actions among them."""
        return [*self.setters(), *self.actions]

    def nearest(self, address: str, others: Iterable[str] = ()) -> str | None:
        """The known address, or path out of `others`, most like `address`; None when nothing comes near."""
        known = [f"{self.prefix}/{path}" for path in (*self.settable(), *self._commands, *others)]
        return next(iter(difflib.get_close_matches(address[:100], known, n=1, cutoff=0.5)), None)


_PRESSES: tuple[Any, ...] = ("bang", "", None, [])
"""What clients send for a button that is pressed where they have no number to send."""


def _fires(arguments: Sequence[Any]) -> bool:
    """Whether an action's arguments ask for it: nothing, what stands for nothing, or any number but the release's 0."""
    if len(arguments) > 1:
        raise BadValue(f"takes no argument or one number, not {len(arguments)} arguments")
    return not arguments or arguments[0] in _PRESSES or number(arguments[0]) != 0


def number(argument: Any) -> float | int:
    """One OSC argument as a finite number: int, float, bool, or a text that spells a number.

    Raises
    ------
    BadValue
        For anything else.
    """
    if isinstance(argument, str):
        try:
            argument = float(argument)
        except ValueError:
            raise BadValue(f"takes a number, not the text {argument[:40]!r}") from None
    if not isinstance(argument, (int, float)):
        raise BadValue(f"takes a number, not {describe(argument)}")
    if not math.isfinite(argument):
        raise BadValue(f"takes a finite number, not {argument}")
    return int(argument) if isinstance(argument, bool) else argument


def text(argument: Any) -> str:
    """One atom of a text as it was typed: Pure Data and Max send the 120 of "120 bpm" as the number 120.0.

    Raises
    ------
    BadValue
        For what is neither text nor number.
    """
    if isinstance(argument, str):
        return argument
    if isinstance(argument, bool) or not isinstance(argument, (int, float)):
        raise BadValue(f"takes text, not {describe(argument)}")
    if not math.isfinite(argument):
        raise BadValue(f"takes text, not {argument}")
    if abs(argument) < 1e15 and argument == int(argument):
        return str(int(argument))
    # Seven digits are what a float32 holds: 0.7 travels as 0.699999988.
    return f"{argument:.7g}"


def describe(argument: Any) -> str:
    """What an argument is, in words for an error sentence."""
    names = {type(None): "nil", bytes: "a blob", bool: "true or false", list: "an array", tuple: "MIDI bytes"}
    return names.get(type(argument), type(argument).__name__)
