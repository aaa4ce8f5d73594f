"""A desk without a socket: what addresses far away send it, and what it sends them."""

from __future__ import annotations

from collections import defaultdict

from osc.access import NO_RULES, Access
from osc.desk import Desk
from osc.hosts import Address
from osc.packet import Message, build, parse
from tests.osc import desk as mixing


class Hall:
    """Counts the bytes of each host both ways, and keeps what was sent.

    Attributes
    ----------
    store : the values behind the desk
    received, sent : bytes by host
    """

    def __init__(self, access: Access = NO_RULES) -> None:
        self.clock = mixing.Clock()
        self.store = mixing.Desk()
        self.received: defaultdict[str, int] = defaultdict(int)
        self.sent: defaultdict[str, int] = defaultdict(int)
        self._outgoing: dict[Address, list[Message]] = defaultdict(list)
        self.desk = Desk(mixing.tree(self.store), self._send, lambda: None, access, clock=self.clock, wall=self.clock)

    def _send(self, target: Address, datagram: bytes) -> bool:
        self.sent[target[0]] += len(datagram)
        self._outgoing[target] += [message for bundle in parse(datagram) for message in bundle.messages]
        return True

    def say(self, source: Address, address: str, *arguments: float | str) -> None:
        self.throw(source, build(address, *arguments))

    def throw(self, source: Address, datagram: bytes) -> None:
        self.received[source[0]] += len(datagram)
        self.desk.receive(datagram, source)
        self.desk.turn()

    def heard(self, target: Address) -> dict[str, object]:
        """Address -> last argument, of what a receiver was sent since it was asked last."""
        messages = self._outgoing.pop(target, [])
        return {m.address: m.arguments[-1] if m.arguments else None for m in messages}
