"""A live value: its type, its range, how it lies along a fader, and how it is shown."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from osc.packet import clean
from osc.values import BadValue, Value, number, text

Kind = Literal["float", "int", "bool", "text", "path"]
TEXTS = ("text", "path")
"""The kinds whose values are texts."""
Curve = Literal["linear", "log"]


@dataclass(frozen=True)
class Parameter:
    """One live value of the instrument.

    Parameters
    ----------
    name : str
        Its key in the store.
    kind : {"float", "int", "bool", "text", "path"}
        The type of its values. A text holds at most `osc.packet.TEXT_BYTES` bytes of UTF-8. A path is a text that
        names a file: strangers are kept from naming any they like, see `osc.hosts.Client`.
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
    choices : tuple of str
        The texts that it can have, where they can be counted.
    read : callable, optional
        Makes of a text the one that is kept, or raises `BadValue` where there is none.
    words : tuple of (str, float)
        Numbers that have a name: it may come in place of the number, and is shown in its place.

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
    choices: tuple[str, ...] = ()
    read: Callable[[str], str] | None = None
    words: tuple[tuple[str, float], ...] = ()

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
        return self._number(arguments[0])

    def _number(self, argument: Any) -> float | int:
        """A number, or one that has a name."""
        names = dict(self.words)
        if names and isinstance(argument, str):
            name = argument.strip().lower()
            if name in names:
                return names[name]
            if not any(letter.isdigit() for letter in name):
                raise BadValue(f"takes {', '.join(names)} or a number, not {argument[:40]!r}")
        return number(argument)

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
        numeric = self._number(value)
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
        for word, named in self.words:
            if value == named:
                return word
        shown = str(value) if self.kind == "int" else f"{value:.4g}"
        return f"{shown} {self.unit}".rstrip()
