"""The addresses of a tree as OSCQuery describes them: what is there, what it takes, where it stands.

A question is the path of an HTTP GET: an address, with the name of one attribute behind a `?` or without. It is made
from the tree alone, so what is described is what is served. An address with a range needs no `/norm` and `/str` below
it here: most clients take what holds others for something that has no value.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from osc.command import Command
from osc.packet import parse
from osc.parameter import TEXTS, Parameter
from osc.tree import Tree
from osc.values import UnknownAddress, Value
from osc.view import View

NOTHING, READ, WRITE, BOTH = 0, 1, 2, 3
"""Values of ACCESS."""
ATTRIBUTES = ("FULL_PATH", "CONTENTS", "TYPE", "ACCESS", "VALUE", "RANGE", "DESCRIPTION", "UNIT")
OK, NO_CONTENT, BAD_REQUEST, NOT_FOUND = 200, 204, 400, 404

Json = dict[str, Any]


@dataclass(frozen=True)
class Leaf:
    """What is at one address.

    Parameters
    ----------
    types : str
        OSC type tags of its arguments, without the comma.
    access : int
        READ, WRITE or BOTH.
    doc : str
        One sentence for the person who plays.
    ranges : tuple of dict
        For each argument MIN and MAX, or VALS for a choice; empty dicts where anything goes.
    unit : str
        Of the value; "" for none.
    read : callable, optional
        The values as they stand, for a client on this machine (True) or on another one (False).
    """

    types: str
    access: int
    doc: str
    ranges: tuple[Json, ...] = ()
    unit: str = ""
    read: Callable[[bool], list[Value]] | None = None


class Directory:
    """Answers questions about a tree. From any thread.

    Parameters
    ----------
    tree : Tree
    view : View
        What is published beside the tree's own values.
    told : mapping
        Paths below the prefix that values are published at -> a sentence about each.
    """

    def __init__(self, tree: Tree, view: View, told: Mapping[str, str]) -> None:
        self._tree = tree
        self._view = view
        self._told = told
        self._leaves = {f"{tree.prefix}/{path}": leaf for path, leaf in self._all()}
        self._containers = {"/", *(above for address in self._leaves for above in _above(address))}

    def has(self, address: str) -> bool:
        """Whether there is something with a value at an address."""
        return address in self._leaves and self._leaves[address].access != WRITE

    def answer(self, target: str, trusted: bool) -> tuple[int, Json | None]:
        """Answer one question.

        Parameters
        ----------
        target : str
            What stands behind the host in an HTTP request: "/mg/volume?VALUE".
        trusted : bool
            Whether it comes from this machine.

        Returns
        -------
        status : int
            Of HTTP.
        body : dict or None
        """
        path, _, attribute = target.partition("?")
        address = unquote(path).rstrip("/") or "/"
        if address not in self._containers and address not in self._leaves:
            return NOT_FOUND, None
        if attribute and attribute not in ATTRIBUTES:
            return BAD_REQUEST, None
        node = self._node(address, trusted)
        if not attribute:
            return OK, node
        return (OK, {attribute: node[attribute]}) if attribute in node else (NO_CONTENT, None)

    def _node(self, address: str, trusted: bool) -> Json:
        leaf = self._leaves.get(address)
        node = {"FULL_PATH": address, "ACCESS": NOTHING} if leaf is None else _described(address, leaf, trusted)
        below = address.rstrip("/") + "/"
        children = [other for other in (*self._containers, *self._leaves) if _is_child(other, below)]
        if children:
            node["CONTENTS"] = {child[len(below) :]: self._node(child, trusted) for child in sorted(set(children))}
        return node

    # ---- what there is

    def _all(self) -> Iterator[tuple[str, Leaf]]:
        for parameter in self._tree.parameters.values():
            yield parameter.path, self._of_parameter(parameter)
        for action in self._tree.actions.values():
            yield action.name, Leaf("I", WRITE, action.doc)
        for command in self._tree.commands():
            yield command.path, _of_command(command)
        for path, doc in self._told.items():
            yield path, Leaf("", READ, doc, read=functools.partial(self._published, path))

    def _of_parameter(self, parameter: Parameter) -> Leaf:
        kind = {"float": "f", "int": "i", "bool": "i"}.get(parameter.kind, "s")
        read = functools.partial(self._value, parameter.name)
        return Leaf(kind, BOTH, parameter.doc, (_range(parameter),), parameter.unit, read)

    def _value(self, name: str, trusted: bool) -> list[Value]:
        value = self._tree.feedback(name, self._tree.store.get(name), trusted)[0][1]
        return [int(value) if isinstance(value, bool) else value]

    def _published(self, path: str, trusted: bool) -> list[Value]:
        """Nothing where nothing has been published yet."""
        try:
            group = self._view.current(path, trusted)
        except UnknownAddress:
            return []
        return [value for _, built in group for bundle in parse(built) for value in bundle.messages[0].arguments]


def _of_command(command: Command) -> Leaf:
    types = "".join("f" if argument.kind == "float" else "s" for argument in command.takes)
    takes = f" Takes {command.usage}." if command.usage else ""
    return Leaf(types or "I", WRITE, command.doc + takes, tuple({} for _ in command.takes))


def _described(address: str, leaf: Leaf, trusted: bool) -> Json:
    node: Json = {"FULL_PATH": address, "ACCESS": leaf.access, "TYPE": leaf.types, "DESCRIPTION": leaf.doc}
    if leaf.read is not None:
        node["VALUE"] = leaf.read(trusted)
        node["TYPE"] = leaf.types or types_of(node["VALUE"])
    if any(leaf.ranges):
        node["RANGE"] = list(leaf.ranges)
    if leaf.unit:
        node["UNIT"] = [leaf.unit]
    return node


def types_of(values: Sequence[Value]) -> str:
    """OSC type tags that the values travel with."""
    return "".join("s" if isinstance(value, str) else "f" if isinstance(value, float) else "i" for value in values)


def _range(parameter: Parameter) -> Json:
    if parameter.kind == "bool":
        return {"VALS": [0, 1]}
    if parameter.kind in TEXTS:
        return {"VALS": list(parameter.choices)} if parameter.choices else {}
    return {"MIN": parameter.low, "MAX": parameter.high}


def _above(address: str) -> Iterator[str]:
    """The containers that an address lies in, but for the root."""
    parts = address.split("/")[1:-1]
    for count in range(1, len(parts) + 1):
        yield "/" + "/".join(parts[:count])


def _is_child(address: str, below: str) -> bool:
    return address.startswith(below) and address != "/" and "/" not in address[len(below) :]
