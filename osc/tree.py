"""A table of parameters, actions and commands, and the OSC addresses it gives rise to.

Nothing here knows what the parameters mean: a table comes in, addresses, types, ranges and feedback come out.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from osc.command import Action, Asker, Command, Deed, Handler, fires
from osc.parameter import TEXTS, Parameter
from osc.values import BadValue, UnknownAddress, Value, number


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

    def keeps(self, path: str) -> bool:
        """Whether a command is at a path below the prefix that writes or removes files."""
        command = self._found(path)
        return command is not None and command.keeps

    def names_a_file(self, path: str) -> bool:
        """Whether what is sent to a path below the prefix names a file."""
        parameter, command = self.parameter(path), self._found(path)
        by_command = command is not None and command.names_a_file
        return by_command or (parameter is not None and parameter.kind == "path")

    def commands(self) -> list[Command]:
        """All commands."""
        return [command for command, _ in self._commands.values()]

    def has_command(self, path: str) -> bool:
        """Whether a command is at a path below the prefix."""
        return self._found(path) is not None

    def command(self, path: str, arguments: Sequence[Any], asker: Asker) -> Deed:
        """Read what a command asks for; what is returned does it, and gives what goes back to its sender.

        Raises
        ------
        BadValue
            When the arguments do not fit, or it cannot be done.
        """
        command = self._found(path)
        assert command is not None
        handler = self._commands[command.path][1]
        if rest := path[len(command.path) + 1 :]:
            arguments = [rest, *arguments]
        if not command.takes:  # a button may ask for it
            return handler([], asker) if fires(arguments) else lambda: ()
        return handler(command.parse(arguments), asker)

    def _found(self, path: str) -> Command | None:
        """The command at a path below the prefix, or the one that takes what lies below its own."""
        if path in self._commands:
            return self._commands[path][0]
        owners = (command for command, _ in self._commands.values() if command.below)
        return next((command for command in owners if path.startswith(command.path + "/")), None)

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
            return Change(entry.name, None) if fires(arguments) else None
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
