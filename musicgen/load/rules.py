"""Every field of a checkpoint's configurations has a rule, so that none which changes the sound is passed over.

A field is *used*, and then has values that it can have; or it *must* have the one value that this package computes; or
it is *harmless*, for a reason. What breaks its rule, and what has none, is refused with one sentence. The tables are in
:mod:`musicgen.load.fields` and :mod:`musicgen.load.audiocraft_fields`; docs/configs.md is written from them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from musicgen.errors import ModelError

Table = Mapping[str, "Rule"]


@dataclass(frozen=True)
class Whole:
    """A whole number."""

    low: int
    high: int

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"a whole number from {self.low} to {self.high}"


@dataclass(frozen=True)
class Number:
    """A finite number; ``above`` excludes the lower end."""

    low: float
    high: float
    above: bool = False

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            return False
        return self.low <= value <= self.high and math.isfinite(value) and not (self.above and value == self.low)

    def __str__(self) -> str:
        return (
            f"a number {'above' if self.above else 'from'} {self.low:g} {'up ' if self.above else ''}to {self.high:g}"
        )


@dataclass(frozen=True)
class Several:
    """A list of so many values of one kind."""

    each: Whole | Number
    least: int
    most: int

    def __contains__(self, value: object) -> bool:
        is_list = isinstance(value, (list, tuple)) and self.least <= len(value) <= self.most
        return is_list and all(one in self.each for one in value)  # type: ignore[attr-defined]

    def __str__(self) -> str:
        return f"a list of {self.least} to {self.most}, each {self.each}"


@dataclass(frozen=True)
class OneOf:
    """One of a few values, and of their types: 1 is not True."""

    values: tuple[Any, ...]

    def __contains__(self, value: object) -> bool:
        return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in self.values)

    def __str__(self) -> str:
        return " or ".join(_shown(value) for value in self.values)


@dataclass(frozen=True)
class Kind:
    """Anything of a type."""

    type: type
    name: str

    def __contains__(self, value: object) -> bool:
        return isinstance(value, self.type)

    def __str__(self) -> str:
        return self.name


Values = Whole | Number | Several | OneOf | Kind
FLAG = OneOf((True, False))
TEXT = Kind(str, "a text")
PART = Kind(dict, "an object")


@dataclass(frozen=True)
class Rule:
    """What becomes of a field.

    Attributes
    ----------
    use
        Whether it is used, must have a certain value, or is harmless.
    why
        What it is used for, why it must be so, or why it does no harm.
    values
        That it may have; None: any.
    default
        What a file that does not name the field means; where it must have a value, that is not checked.
    null
        Whether it may be null, which then means the same.
    """

    use: Literal["used", "must", "harmless"]
    why: str
    values: Values | None = None
    default: Any = None
    null: bool = False

    def __contains__(self, value: object) -> bool:
        return self.values is None or value in self.values or (self.null and value is None)


def used(values: Values, default: Any, why: str, *, null: bool = False) -> Rule:
    """A field that is honoured."""
    return Rule("used", why, values, default, null or default is None)


def must(*values: Any, why: str) -> Rule:
    """A field that changes the sound, and with other values is refused. The first one is what it means unsaid."""
    return Rule("must", why, OneOf(values), values[0])


def harmless(why: str, *names: str) -> dict[str, Rule]:
    """Fields that change nothing that is heard."""
    return dict.fromkeys(names, Rule("harmless", why))


def check(table: Table, given: Mapping[str, Any], where: str, part: str = "") -> dict[str, Any]:
    """Hold what a file says against its table.

    Parameters
    ----------
    given
        Fields and their values. Those whose names begin with an underscore are a library's own notes.
    where
        The file, for the message.
    part
        Of the file, for the message.

    Returns
    -------
    dict
        The used fields, with the defaults of those that are not named.

    Raises
    ------
    ModelError
        A field has a value that it cannot have here, or is not in the table.
    """
    prefix = f"{part}." if part else ""
    for name, value in given.items():
        rule = table.get(name)
        if rule is None:
            if str(name).startswith("_") or (str(name).endswith("_version") and isinstance(value, str)):
                continue
            raise ModelError(
                f"{where} has the field {_shown(prefix + str(name))}, which is not known here and could change the "
                "sound: remove it if it does not."
            )
        if value not in rule:
            raise ModelError(f"{where} has {prefix}{name} = {_shown(value)}: it must be {rule.values} ({rule.why}).")
    return {
        name: given.get(name, rule.default) if given.get(name) is not None else rule.default
        for name, rule in table.items()
        if rule.use == "used"
    }


def require(holds: object, where: str, sentence: str) -> None:
    """Refuse a file in which fields do not fit each other."""
    if not holds:
        raise ModelError(f"{where}: {sentence}.")


def _shown(value: object) -> str:
    """A value in a message: as JSON has it, on one line, and not too long."""
    names = {None: "null", True: "true", False: "false"}
    text = names[value] if value is None or isinstance(value, bool) else _brief(value)
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def _brief(value: object) -> str:
    """Without making a text of all of a huge value first."""
    if isinstance(value, (list, tuple)):
        flat = ["[...]" if isinstance(one, (list, tuple)) else _shown(one) for one in value[:8]]
        return f"[{', '.join(flat)}{', ...' if len(value) > 8 else ''}]"
    if isinstance(value, dict):
        return "{}" if not value else "{...}"
    if isinstance(value, int) and abs(value) >= 10**20:
        return "a number of more than 20 digits"
    text = value if isinstance(value, str) else str(value)
    shown = text if len(text) <= 40 else f"{text[:37]}..."
    return f'"{shown}"' if isinstance(value, str) else shown


def table_lines(table: Table) -> Iterable[str]:
    """A table as rows of Markdown: fields that share a rule share a row."""
    rows: dict[str, list[str]] = {}
    for name, rule in table.items():
        said = {"used": "used", "must": "must be", "harmless": "harmless"}[rule.use]
        values = "" if rule.values is None else f"{rule.values}{' or null' if rule.null else ''}"
        default = f"; unsaid: {_shown(rule.default)}" if rule.use == "used" else ""
        rows.setdefault(f"{said} | {values}{default} | {rule.why}", []).append(f"`{name}`")
    for row, names in rows.items():
        yield f"| {', '.join(names)} | {row} |"
