"""What OSC arguments are read as: finite numbers and texts, however a client spells them."""

from __future__ import annotations

import math
from typing import Any

Value = float | int | bool | str


class BadValue(ValueError):
    """Arguments that a parameter or an action cannot take; the text is a sentence for the person who sent them."""


class UnknownAddress(BadValue):
    """There is nothing at the address."""


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
