"""What can be read: the values of a tree's parameters and what was published, as messages."""

from __future__ import annotations

from osc.hosts import Client
from osc.packet import build
from osc.subscribers import Group, Subscriber
from osc.tree import Tree
from osc.values import UnknownAddress, Value


class View:
    """Messages of all there is to read.

    Parameters
    ----------
    tree : Tree

    Attributes
    ----------
    published : dict
        Path below the prefix -> the messages published there.
    """

    def __init__(self, tree: Tree) -> None:
        self.published: dict[str, Group] = {}
        self._tree = tree

    def value(self, name: str, value: Value, trusted: bool) -> Group:
        """A parameter's value."""
        return [(address, build(address, said)) for address, said in self._tree.feedback(name, value, trusted)]

    def current(self, path: str, trusted: bool) -> Group:
        """What is at a path below the prefix now.

        Raises
        ------
        UnknownAddress
            Nothing that can be read.
        """
        parameter = self._tree.parameter(path)
        if parameter is not None:
            return self.value(parameter.name, self._tree.store.get(parameter.name), trusted)
        if path in self.published:
            return self.published[path]
        raise UnknownAddress

    def everything(self, whom: Client | Subscriber) -> dict[str, Group]:
        """Path -> messages, of all parameters and of all that was published."""
        parameters = self._tree.parameters.values()
        return {parameter.path: self.current(parameter.path, whom.trusted) for parameter in parameters} | self.published

    def paths(self) -> list[str]:
        """Below the prefix, of all parameters and of all that was published."""
        return [*(parameter.path for parameter in self._tree.parameters.values()), *self.published]
