"""The desk of a tree of parameters: what clients ask for, each in its turn, bundles in time.

It knows no sockets. A transport hands over every datagram with its source and is given what goes back, so UDP, TCP
and a test's list serve alike. One thread owns a desk; others hand in changes under a lock and wake it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from osc import subscribers as subs
from osc.access import NO_RULES, Access, Gate, Right
from osc.answers import Answers
from osc.command import Asker, Deed
from osc.feedback import Counts, Feedback
from osc.hosts import Address, Client
from osc.inbox import Inbox
from osc.later import HORIZON, QUEUE, Later
from osc.packet import DEFAULT_LIMITS, Bundle, Message, Refused, parse
from osc.pattern import MOST_MATCHES, expanded
from osc.tree import Change, Tree
from osc.values import BadValue, UnknownAddress

SERVED, SERVE_SECONDS = 64, 0.005
"""Datagrams, and seconds, of one turn: what is due and what comes in has to wait no longer."""
# What a server says to its clients. Two that are told of each other by a forger must not answer each other for ever.
_ANSWERS = frozenset(("error", "pong"))

NOTHING_ELSE = "; nothing else that came with it was applied"
"""What the sender of a bundle is told beside what is wrong with a part of it."""

Complaint = tuple[str, Exception]
"""An address, and what is wrong with what was sent there."""


@dataclass(frozen=True)
class Held:
    """What the desk remembers at the moment; each is bounded.

    Attributes
    ----------
    subscribers : int
    unserved : int
        Datagrams that wait for their client's turn.
    waiting : int
        Messages in bundles that wait for their time.
    clients : int
        Those whose complaints are counted.
    """

    subscribers: int
    unserved: int
    waiting: int
    clients: int


class Desk:
    """Answer the clients of a tree, whatever brings their datagrams.

    Parameters
    ----------
    tree : Tree
    send : callable
        `send(target, datagram)` gives a datagram to the transport, without waiting; False where it was not taken.
    wake : callable
        Makes the desk's thread call `turn` soon; called from any thread.
    access : Access
        What clients on other machines may do.
    clock : callable
        Seconds on a clock that only goes forward: for leases, rates and waiting bundles.
    wall : callable
        Seconds since 1970: what the time tags of bundles are compared with.

    Attributes
    ----------
    counts : Counts
    answers : Answers
        What clients are told; the rest of the program hands that in there.
    """

    def __init__(
        self,
        tree: Tree,
        send: Callable[[Address, bytes], bool],
        wake: Callable[[], None],
        access: Access = NO_RULES,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.counts = Counts()
        self._tree = tree
        self._clock = clock
        self._wall = wall
        self._gate = Gate(access)
        self._inbox = Inbox(self._replaces)
        # What replaces what in the inbox: an address -> the parameter that is set there.
        self._set_at = {f"{tree.prefix}/{path}".encode(): p.name for path, p in tree.setters().items()}
        self._feedback = Feedback(tree.prefix, send, clock, self.counts)
        self._later = Later()
        self._commands: dict[str, Callable[[Address, Sequence[Any]], None]] = {
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "dump": self._dump,
            "ping": self._ping,
            "confirm": self._confirm,
            "secret": self._secret,
        }
        self.answers = Answers(tree, self._feedback, wake, clock, self.counts, tuple(self._commands))

    # ---- for the transport, from the desk's thread

    def receive(self, datagram: bytes, source: Address) -> None:
        """Take a datagram; it is served in the turn of its client."""
        self.counts.received += 1
        if not self.hears(source[0]):
            self.counts.ignored += 1
            return
        self._feedback.paths.received(source[0], len(datagram))
        if len(datagram) > DEFAULT_LIMITS.size:
            self._read(source, datagram)  # which refuses it: nothing so large is kept
            return
        self._inbox.put(source, datagram)
        self.counts.left_out = self._inbox.left_out

    def busy_with(self, source: Address) -> bool:
        """Whether something that a client sent is yet to be served: a transport that can wait had better do so."""
        return self._inbox.waits(source)

    def hears(self, host: str) -> bool:
        """Whether anything from a host is served."""
        return self._gate.right(host) is not Right.NOTHING

    def refuse(self, source: Address, refusal: Refused) -> None:
        """Answer what came from a client and was no OSC."""
        self.counts.refused += 1
        self.answers.complain(source, "", refusal)

    def leave(self, source: Address) -> None:
        """A connection has ended: its subscription ends with it."""
        self._feedback.forget(source)

    def _replaces(self, datagram: bytes) -> Hashable:
        return self._set_at.get(datagram.partition(b"\0")[0])

    def _serve(self) -> None:
        """Do what datagrams ask for, each client's in its turn."""
        end = self._clock() + SERVE_SECONDS
        for _ in range(SERVED):
            taken = self._inbox.take()
            if taken is not None:
                self._read(*taken)
            if taken is None or self._clock() >= end:
                return

    def _read(self, source: Address, datagram: bytes) -> None:
        try:
            bundles = parse(datagram)
        except Refused as refusal:
            self.refuse(source, refusal)
            return
        for bundle in bundles:
            self._schedule(bundle, source)

    def _schedule(self, bundle: Bundle, source: Address) -> None:
        """Hand over what changes something at once, with the bundle's time; answer the rest at that time.

        What has no time, or a late one, is now.
        """
        ahead = bundle.time - self._wall() if bundle.time else 0.0
        first = bundle.messages[0].address
        if ahead > HORIZON:
            self.answers.complain(source, first, BadValue(f"lies {ahead:.0f} s ahead: send it within {HORIZON:.0f} s"))
            return
        if ahead > 0 and len(self._later) + len(bundle.messages) > QUEUE:
            self.answers.complain(
                source, first, BadValue(f"has to wait, and {QUEUE} messages wait already: send it later")
            )
            return
        commands = self._hand_over(bundle.messages, source, bundle.time or None)
        if ahead <= 0:
            self._answer_all(commands, source)
        else:
            self._later.put(self._clock() + ahead, source, len(bundle.messages), commands)

    def turn(self) -> None:
        """Do what is due: datagrams, bundles, what other threads handed in, feedback."""
        self._serve()
        for source, commands in self._later.due(self._clock()):
            self._answer_all(commands, source)
        self.answers.distribute()
        self._feedback.flush()

    def held(self) -> Held:
        """How much is remembered."""
        return Held(len(self._feedback), len(self._inbox), len(self._later), self.answers.complainers)

    def seconds_to_next(self) -> float:
        """Until there is something to do; infinity for nothing."""
        if len(self._inbox):
            return 0.0
        return max(0.0, min(self._later.next - self._clock(), self._feedback.seconds_to_next()))

    # ---- what messages ask for

    def _hand_over(self, messages: Sequence[Message], source: Address, at: float | None) -> list[Message]:
        """Make all changes at one moment, or none of them; the questions, so that a get in a bundle sees them."""
        asker = Asker(self._client(source), at)
        questions: list[Message] = []
        changes: list[Change] = []
        deeds: list[tuple[str, Deed]] = []
        found, refused = self._expanded(self._heard(messages, source))
        for message in found:
            path = self._tree.path(message.address) or ""
            if self._is_question(path):
                questions.append(message)
                continue
            try:
                if self._tree.has_command(path):
                    self._check_right(source, keeps=self._tree.keeps(path))
                    deeds.append((message.address, self._tree.command(path, message.arguments, asker)))
                elif change := self._change(path, message, source):
                    changes.append(change)
            except BadValue as error:
                refused.append((message.address, error))
        others = len(changes) + len(deeds)
        if not refused:
            refused, others = self._apply(changes, source, at), others - 1
        for address, wrong in refused:
            self.answers.complain(source, address, wrong, NOTHING_ELSE if others or len(messages) > 1 else "")
        for address, deed in deeds if not refused else ():
            self._do(address, deed, source)
        return questions

    def _do(self, address: str, deed: Deed, source: Address) -> None:
        try:
            for path, values in deed():
                self.answers.answer(source, path, *values)
        except BadValue as error:
            self.answers.complain(source, address, error)

    def _answer_all(self, commands: Sequence[Message], source: Address) -> None:
        for message in commands:
            self._command(message, source)

    def _heard(self, messages: Sequence[Message], source: Address) -> Sequence[Message]:
        """The messages that this client may send: no answers, and before the secret nothing but that."""
        asked = [message for message in messages if self._tree.path(message.address) not in _ANSWERS]
        if not self._gate.locked(source):
            return asked
        for message in asked:
            if self._tree.path(message.address) == "secret":
                self._command(message, source)
        if not self._gate.locked(source):
            return [message for message in asked if self._tree.path(message.address) != "secret"]
        if asked:
            self.answers.complain(
                source, asked[0].address, BadValue(f"is locked: send {self._tree.prefix}/secret first")
            )
        return []

    def _expanded(self, messages: Iterable[Message]) -> tuple[list[Message], list[Complaint]]:
        """The messages, with every pattern replaced by the addresses that it stands for; and what cannot be."""
        found: list[Message] = []
        refused: list[Complaint] = []
        for message in messages:
            try:
                found += expanded(message, self._addresses, MOST_MATCHES - len(found))
            except BadValue as error:
                refused.append((message.address, error))
        return found, refused

    def _addresses(self) -> list[str]:
        """All that a pattern may stand for."""
        known = [*self._tree.settable(), *(f"get/{path}" for path in self.answers.view.paths())]
        return [f"{self._tree.prefix}/{path}" for path in known]

    def _is_question(self, path: str) -> bool:
        return path in self._commands or path.startswith("get/")

    def _change(self, path: str, message: Message, source: Address) -> Change | None:
        if not path:
            raise UnknownAddress
        self._check_right(source)
        return self._tree.change(path, message.arguments)

    def _client(self, source: Address) -> Client:
        return Client(source, self._gate.keeps(source))

    def _check_right(self, source: Address, keeps: bool = False) -> None:
        if self._gate.right(source[0]) is not Right.STEER:
            raise BadValue("may be watched from this address, and not changed")
        if keeps and not self._gate.keeps(source):
            raise BadValue("changes files, and is for this machine and for whoever may do that")

    def _apply(self, changes: Sequence[Change], source: Address, at: float | None) -> list[Complaint]:
        """Make changes and tell their sender what was clamped; or what is wrong with them, and none was made."""
        if not changes:
            return []
        try:
            batch = [(change.name, change.value) for change in changes]
            applied = self._tree.store.apply(batch, self._client(source), at)
        except ValueError as error:
            return [(self._tree.prefix, error)]
        for change in {change.name: change for change in changes}.values():
            if change.value is not None:
                value = applied.get(change.name, change.value)
                if change.adjusted or value != change.value:
                    self.answers.value(source, self.answers.view.value(change.name, value, Client(source).trusted))
        return []

    def _command(self, message: Message, source: Address) -> None:
        path = self._tree.path(message.address) or ""
        try:
            if path in self._commands:
                self._commands[path](source, message.arguments)
            else:
                self._get(path.removeprefix("get/"), source)
        except BadValue as error:
            self.answers.complain(source, message.address, error)

    def _get(self, path: str, source: Address) -> None:
        group = self.answers.view.current(path, Client(source).trusted)
        if self._tree.parameter(path) is not None:
            self.answers.value(source, group)
        else:
            self._feedback.reply(source, [group])

    def _subscribe(self, source: Address, arguments: Sequence[Any]) -> None:
        self._feedback.subscribe(
            subs.request(arguments, source, self._tree.prefix, self._clock()), self.answers.view.everything
        )

    def _unsubscribe(self, source: Address, arguments: Sequence[Any]) -> None:
        self._feedback.unsubscribe(subs.request(arguments, source, self._tree.prefix, self._clock()).target)

    def _dump(self, source: Address, arguments: Sequence[Any]) -> None:
        self._feedback.reply(source, self.answers.view.everything(Client(source)).values())

    def _ping(self, source: Address, arguments: Sequence[Any]) -> None:
        self._feedback.renew(source)
        self.answers.answer(source, "pong")

    def _confirm(self, source: Address, arguments: Sequence[Any]) -> None:
        applicant = self._feedback.confirm(source, " ".join(map(str, arguments)))
        if applicant is not None:
            applicant.expires = self._clock() + subs.LEASE
            self._feedback.subscribe(applicant, self.answers.view.everything)

    def _secret(self, source: Address, arguments: Sequence[Any]) -> None:
        if self._gate.locked(source) and not self._gate.unlock(source, " ".join(map(str, arguments))):
            raise BadValue("is not the secret")
