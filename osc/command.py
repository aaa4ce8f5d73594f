"""What has no value and is asked for: actions, and commands with their arguments."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from osc.hosts import Client
from osc.packet import clean
from osc.values import BadValue, Value, number, text


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
    kind : {"text", "path", "float"}
        A text is one atom, and all atoms joined by spaces where a command takes nothing else. A path is a text that
        names a file, see `osc.parameter.Parameter`.
    needed : bool
        Whether it has to be sent; what may be left out stands last.
    repeats : bool
        Whether any number of them may be sent. The last one of a command only.
    """

    name: str
    kind: Literal["text", "path", "float"]
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
    sample : tuple of values
        Arguments as somebody may send them: for documentation and examples.
    below : bool
        Whether the first argument may also be the rest of the address: PATH/NAME for PATH with NAME before the others.
    keeps : bool
        Whether it writes or removes files: to steer is then not enough, see `osc.access.Gate.keeps`.
    """

    path: str
    doc: str
    takes: tuple[Argument, ...] = ()
    sample: tuple[Value, ...] = ()
    keeps: bool = False
    below: bool = False

    def parse(self, arguments: Sequence[Any]) -> list[Value]:
        """Read OSC arguments as those of this command: one value each, fewer where some were left out.

        A client that cannot quote sends a text as several atoms, so a sole text takes them all.

        Raises
        ------
        BadValue
            When they do not fit.
        """
        given = list(arguments)
        if len(self.takes) == 1 and self.takes[0].kind != "float" and len(given) > 1:
            given = [" ".join(text(argument) for argument in given)]
        least = sum(argument.needed for argument in self.takes)
        most = None if self.takes and self.takes[-1].repeats else len(self.takes)
        if len(given) < least or (most is not None and len(given) > most):
            raise BadValue(f"takes {self.usage or 'no arguments'}, not {len(given)} arguments")
        kinds = [argument.kind for argument in self.takes]
        kinds += kinds[-1:] * (len(given) - len(kinds))
        return [
            number(argument) if kind == "float" else clean(text(argument))
            for kind, argument in zip(kinds, given, strict=False)
        ]

    @property
    def names_a_file(self) -> bool:
        """Whether one of its arguments is a path, which strangers may not choose as they like."""
        return any(argument.kind == "path" for argument in self.takes)

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

Deed = Callable[[], Iterable[Answer]]
"""Does what a command asked for; raises `BadValue` for what turns out not to be possible."""

Handler = Callable[[Sequence[Value], Asker], Deed]
"""Looks whether what a command asks for can be done, on the server's thread, without waiting, and changes nothing.

What it returns does it: a bundle takes effect whole or not at all. Raises `BadValue` for what cannot be done.
"""


_PRESSES: tuple[Any, ...] = ("bang", "", None, [])
"""What clients send for a button that is pressed where they have no number to send."""


def fires(arguments: Sequence[Any]) -> bool:
    """Whether an action's arguments ask for it: nothing, what stands for nothing, or any number but the release's 0."""
    if len(arguments) > 1:
        raise BadValue(f"takes no argument or one number, not {len(arguments)} arguments")
    return not arguments or arguments[0] in _PRESSES or number(arguments[0]) != 0
