"""A table of parameters and actions, and the OSC addresses it gives rise to.

Nothing here knows what the parameters mean: a table comes in, addresses, types, ranges and feedback come out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Value = float | int | bool | str
Kind = Literal["float", "int", "bool", "text"]
Curve = Literal["linear", "log"]

TEXT_BYTES = 1024
"""Longest text a parameter takes, in bytes of UTF-8: with its address it still fits one datagram of 1400 bytes."""


class BadValue(ValueError):
    """Arguments that a parameter or an action cannot take; the text is a sentence for the person who sent them."""


@dataclass(frozen=True)
class Parameter:
    """One live value of the instrument.

    Parameters
    ----------
    name : str
        Its key in the store.
    kind : {"float", "int", "bool", "text"}
        The type of its values. A text holds at most `TEXT_BYTES` bytes of UTF-8 and no NUL.
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

        A text is all atoms joined by spaces. Anything else is one number, and every OSC type that can hold one will do.

        Raises
        ------
        BadValue
            When there is no such value in the arguments, or it is NaN or infinite.
        """
        if self.kind == "text":
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
        if self.kind == "text":
            if not isinstance(value, str):
                raise BadValue(f"{self.name} takes a text, not {value!r}")
            return _fit(value)
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
        if self.kind == "text":
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


class Store(Protocol):
    """The owner of the values. Thread-safe: the server calls it from its own thread."""

    def get(self, name: str) -> Value:
        """The value as it is now."""
        ...

    def apply(self, batch: Sequence[tuple[str, Value | None]], origin: object = None) -> dict[str, Value]:
        """Set all of the batch at one moment, `(action, None)` for an action, and return the values as clamped."""
        ...

    def listen(self, listener: Callable[[dict[str, Value], object], None]) -> None:
        """Have `listener(changed, origin)` called after every change, from whichever thread made it."""
        ...


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
    # Seven digits are what a float32 holds: 0.7 travels as 0.699999988.
    return str(int(argument)) if argument == int(argument) else f"{argument:.7g}"


def describe(argument: Any) -> str:
    """What an argument is, in words for an error sentence."""
    names = {type(None): "nil", bytes: "a blob", bool: "true or false", list: "an array", tuple: "MIDI bytes"}
    return names.get(type(argument), type(argument).__name__)


def _fit(value: str) -> str:
    """The text without what OSC cannot carry (NUL, lone surrogates), cut to `TEXT_BYTES` at a character."""
    encoded = value.replace("\0", "").encode("utf-8", "replace")
    return encoded[:TEXT_BYTES].decode("utf-8", "ignore")
