"""The desk of a tree of parameters: commands, feedback to subscribers, bundles in time, errors that say what to do.

It knows no sockets. A transport hands over every datagram with its source and is given what goes back, so UDP, TCP
and a test's list serve alike. One thread owns a desk; others hand in changes under a lock and wake it.
"""

from __future__ import annotations

import functools
import heapq
import itertools
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from osc import subscribers as subs
from osc.access import NO_RULES, Access, Gate, Right
from osc.command import Answer, Asker
from osc.feedback import Counts, Feedback
from osc.hosts import Address, Client
from osc.inbox import Inbox
from osc.limits import Complaints
from osc.packet import DEFAULT_LIMITS, Bundle, Message, Refused, build, clean, parse
from osc.pattern import Pattern, is_pattern
from osc.subscribers import Group, Subscriber
from osc.tree import Change, Tree
from osc.values import BadValue, UnknownAddress, Value

HORIZON = 60.0
"""Seconds that a bundle may lie ahead."""
QUEUE = 1024
"""Messages in bundles that wait for their time."""
SERVED, SERVE_SECONDS = 64, 0.005
"""Datagrams, and seconds, of one turn: what is due and what comes in has to wait no longer."""
MOST_MATCHES = 1024
"""Addresses that the patterns of one bundle may stand for."""
# What a server says to its clients. Two that are told of each other by a forger must not answer each other for ever.
_ANSWERS = frozenset(("error", "pong"))

log = logging.getLogger(__name__)


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
        self._wake = wake
        self._clock = clock
        self._wall = wall
        self._gate = Gate(access)
        self._inbox = Inbox(self._replaces)
        # What replaces what in the inbox: an address -> the parameter that is set there.
        self._set_at = {f"{tree.prefix}/{path}".encode(): p.name for path, p in tree.setters().items()}
        self._feedback = Feedback(tree.prefix, send, clock, self.counts)
        self._complaints = Complaints()
        self._status: dict[str, Group] = {}
        # With its time, how many messages a bundle had, and of these the commands.
        self._waiting: list[tuple[float, int, Address, int, list[Message]]] = []
        self._order = itertools.count()
        self._commands: dict[str, Callable[[Address, Sequence[Any]], None]] = {
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "dump": self._dump,
            "ping": self._ping,
            "confirm": self._confirm,
            "secret": self._secret,
        }

        # Handed over by other threads; everything above belongs to the desk's own.
        self._lock = threading.Lock()
        self._changed: dict[str, tuple[Value, object]] = {}
        self._published: dict[str, Group] = {}
        self._reported: deque[tuple[str, str, object]] = deque(maxlen=64)
        self._answers: deque[tuple[object, Group]] = deque(maxlen=256)
        tree.store.listen(self._on_change)

    # ---- for the rest of the program, from any thread

    def publish(self, path: str, value: Value) -> None:
        """Send a value at a path below the prefix, like "status/rtf", to its subscribers, as often as each asked for.

        Raises
        ------
        OverflowError
            For a finite float that float32 cannot hold.
        """
        address = f"{self._tree.prefix}/{path}"
        message = build(address, value)
        with self._lock:
            self._published[path] = [(address, message)]
        self._wake()

    def error(self, address: str, reason: str, origin: object = None) -> None:
        """Tell all subscribers that something about an address went wrong, and the client whose change it was.

        Parameters
        ----------
        origin
            As the store handed it on with the change; it need not be a client's.
        """
        with self._lock:
            self._reported.append((address, reason, origin))
        self._wake()

    def say(self, origin: object, path: str, *values: Value) -> None:
        """Answer the client whose change it was, at a path below the prefix; nobody where it was no client's.

        Parameters
        ----------
        origin
            As the store handed it on with the change.
        """
        address = f"{self._tree.prefix}/{path}"
        with self._lock:
            self._answers.append((origin, [(address, build(address, *values))]))
        self._wake()

    def _on_change(self, changed: dict[str, Value], origin: object) -> None:
        with self._lock:
            for name in changed.keys() & self._tree.parameters.keys():  # An action has no value to tell.
                self._changed[name] = (changed[name], origin)
        self._wake()

    # ---- for the transport, from the desk's thread

    def receive(self, datagram: bytes, source: Address) -> None:
        """Take a datagram; it is served in the turn of its client."""
        self.counts.received += 1
        if self._gate.right(source[0]) is Right.NOTHING:
            self.counts.ignored += 1
            return
        self._feedback.paths.received(source[0], len(datagram))
        if len(datagram) > DEFAULT_LIMITS.size:
            self._read(source, datagram)  # which refuses it: nothing so large is kept
            return
        self._inbox.put(source, datagram)
        self.counts.left_out = self._inbox.left_out

    def _replaces(self, datagram: bytes) -> Hashable:
        return self._set_at.get(datagram.partition(b"\0")[0], datagram)

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
            self.counts.refused += 1
            self._complain(source, "", refusal)
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
            self._complain(source, first, BadValue(f"lies {ahead:.0f} s ahead: send it within {HORIZON:.0f} s"))
            return
        if ahead > 0 and self._messages_waiting() + len(bundle.messages) > QUEUE:
            self._complain(source, first, BadValue(f"has to wait, and {QUEUE} messages wait already: send it later"))
            return
        commands = self._hand_over(bundle.messages, source, bundle.time or None)
        if ahead <= 0:
            self._answer_all(commands, source)
        else:
            due = self._clock() + ahead
            heapq.heappush(self._waiting, (due, next(self._order), source, len(bundle.messages), commands))

    def _perform_due(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._clock():
            _, _, source, _, commands = heapq.heappop(self._waiting)
            self._answer_all(commands, source)

    def turn(self) -> None:
        """Do what is due: datagrams, bundles, what other threads handed in, feedback."""
        self._serve()
        self._perform_due()
        self._distribute()
        self._feedback.flush()

    def held(self) -> Held:
        """How much is remembered."""
        return Held(len(self._feedback), len(self._inbox), self._messages_waiting(), len(self._complaints))

    def _messages_waiting(self) -> int:
        return sum(count for *_, count, _ in self._waiting)

    def seconds_to_next(self) -> float:
        """Until there is something to do; infinity for nothing."""
        if len(self._inbox):
            return 0.0
        due = self._waiting[0][0] - self._clock() if self._waiting else float("inf")
        return max(0.0, min(due, self._feedback.seconds_to_next()))

    # ---- what messages ask for

    def _hand_over(self, messages: Sequence[Message], source: Address, at: float | None) -> list[Message]:
        """Apply all changes at one moment; the commands, so that a get in a bundle sees them when it is answered."""
        changes: list[Change] = []
        commands: list[Message] = []
        asked: list[Message] = []  # that are changes too, and know what to do with a time
        for message in self._expanded(self._heard(messages, source), source):
            path = self._tree.path(message.address)
            if self._is_command(path or ""):
                (asked if self._tree.has_command(path or "") else commands).append(message)
                continue
            try:
                change = self._change(path, message, source)
            except BadValue as error:
                self._complain(source, message.address, error)
            else:
                changes += [change] if change else []
        self._apply(changes, source, at)
        for message in asked:
            self._ask(message, source, at)
        return commands

    def _ask(self, message: Message, source: Address, at: float | None) -> None:
        try:
            self._check_right(source)
            asker = Asker(Client(source), at)
            self._answer(source, self._tree.command(self._tree.path(message.address) or "", message.arguments, asker))
        except BadValue as error:
            self._complain(source, message.address, error)

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
            self._complain(source, asked[0].address, BadValue(f"is locked: send {self._tree.prefix}/secret first"))
        return []

    def _expanded(self, messages: Iterable[Message], source: Address) -> list[Message]:
        """The messages, with every pattern replaced by the addresses that it stands for."""
        found: list[Message] = []
        for message in messages:
            if not is_pattern(message.address):
                found.append(message)
                continue
            try:
                found += self._matches(message, MOST_MATCHES - len(found))
            except BadValue as error:
                self._complain(source, message.address, error)
        return found

    def _matches(self, message: Message, most: int) -> list[Message]:
        pattern = Pattern(message.address)
        known = [*self._tree.settable(), *(f"get/{path}" for path in self._readable())]
        addresses = [f"{self._tree.prefix}/{path}" for path in known]
        found = [Message(address, message.arguments) for address in addresses if pattern.matches(address)]
        if not found:
            raise BadValue("matches no address here")
        if len(found) > most:
            raise BadValue(f"stands for too many addresses: a bundle's patterns may match {MOST_MATCHES}")
        return found

    def _readable(self) -> list[str]:
        return [*(p.path for p in self._tree.parameters.values()), *self._status]

    def _is_command(self, path: str) -> bool:
        return path in self._commands or path.startswith("get/") or self._tree.has_command(path)

    def _change(self, path: str | None, message: Message, source: Address) -> Change | None:
        if path is None:
            raise UnknownAddress
        self._check_right(source)
        return self._tree.change(path, message.arguments)

    def _check_right(self, source: Address) -> None:
        if self._gate.right(source[0]) is not Right.STEER:
            raise BadValue("may be watched from this address, and not changed")

    def _apply(self, changes: Sequence[Change], source: Address, at: float | None) -> None:
        if not changes:
            return
        try:
            batch = [(change.name, change.value) for change in changes]
            applied = self._tree.store.apply(batch, Client(source), at)
        except ValueError as error:
            self._complain(source, self._tree.prefix, error)
            return
        for change in {change.name: change for change in changes}.values():
            if change.value is not None:
                value = applied.get(change.name, change.value)
                if change.adjusted or value != change.value:
                    self._say(source, change.name, value)

    def _command(self, message: Message, source: Address) -> None:
        path = self._tree.path(message.address) or ""
        try:
            if path in self._commands:
                self._commands[path](source, message.arguments)
            else:
                self._get(path.removeprefix("get/"), source)
        except BadValue as error:
            self._complain(source, message.address, error)

    def _answer(self, source: Address, answers: Iterable[Answer]) -> None:
        for path, values in answers:
            address = f"{self._tree.prefix}/{path}"
            self._feedback.reply(source, [[(address, build(address, *values))]])

    def _get(self, path: str, source: Address) -> None:
        parameter = self._tree.parameter(path)
        if parameter is not None:
            self._say(source, parameter.name, self._tree.store.get(parameter.name))
        elif path in self._status:
            self._feedback.reply(source, [self._status[path]])
        else:
            raise UnknownAddress

    def _say(self, source: Address, name: str, value: Value) -> None:
        """Answer with a value: the plain message by itself, for clients that read no bundles, then the others."""
        group = self._group(name, value, Client(source).trusted)
        self._feedback.reply(source, [group[:1]])
        self._feedback.reply(source, [group[1:]] if group[1:] else [])

    def _subscribe(self, source: Address, arguments: Sequence[Any]) -> None:
        self._feedback.subscribe(subs.request(arguments, source, self._tree.prefix, self._clock()), self._everything)

    def _unsubscribe(self, source: Address, arguments: Sequence[Any]) -> None:
        self._feedback.unsubscribe(subs.request(arguments, source, self._tree.prefix, self._clock()).target)

    def _dump(self, source: Address, arguments: Sequence[Any]) -> None:
        self._feedback.reply(source, self._everything(Client(source)).values())

    def _ping(self, source: Address, arguments: Sequence[Any]) -> None:
        self._feedback.renew(source)
        address = f"{self._tree.prefix}/pong"
        self._feedback.reply(source, [[(address, build(address))]])

    def _confirm(self, source: Address, arguments: Sequence[Any]) -> None:
        applicant = self._feedback.confirm(source, " ".join(map(str, arguments)))
        if applicant is not None:
            applicant.expires = self._clock() + subs.LEASE
            self._feedback.subscribe(applicant, self._everything)

    def _secret(self, source: Address, arguments: Sequence[Any]) -> None:
        if self._gate.locked(source) and not self._gate.unlock(source, " ".join(map(str, arguments))):
            raise BadValue("is not the secret")

    def _everything(self, whom: Client | Subscriber) -> dict[str, Group]:
        """Path -> messages, of all parameters and of all that was published."""
        get, trusted = self._tree.store.get, whom.trusted
        values = {p.path: self._group(p.name, get(p.name), trusted) for p in self._tree.parameters.values()}
        return values | self._status

    def _group(self, name: str, value: Value, trusted: bool) -> Group:
        return [(address, build(address, said)) for address, said in self._tree.feedback(name, value, trusted)]

    # ---- what goes out

    def _distribute(self) -> None:
        """Take over what other threads handed in, and put it up for the subscribers."""
        with self._lock:
            changed, self._changed = self._changed, {}
            published, self._published = self._published, {}
            reported = list(self._reported)
            self._reported.clear()
            answers = list(self._answers)
            self._answers.clear()
        for name, (value, origin) in changed.items():
            source = origin.source if isinstance(origin, Client) else None
            group = functools.partial(self._group, name, value)
            self._feedback.note(self._tree.parameters[name].path, group, source)
        self._status |= published
        for path, told in published.items():
            self._feedback.note(path, lambda trusted, told=told: told)  # type: ignore[misc]
        for address, reason, origin in reported:
            sources = self._feedback.sources() | ({origin.source} if isinstance(origin, Client) else set())
            for source in sources:
                self._complain(source, address, BadValue(self._may_know(source, address, reason)))
        for origin, answer in answers:
            if isinstance(origin, Client):
                self._feedback.reply(origin.source, [answer])

    def _may_know(self, source: Address, address: str, reason: str) -> str:
        """The reason, but to strangers nothing about a file: whether and where it exists is not their business."""
        parameter = self._tree.parameter(self._tree.path(address) or "")
        secret = parameter is not None and parameter.kind == "path" and not Client(source).trusted
        return "cannot be read as what it has to be" if secret else reason

    def _complain(self, source: Address, address: str, error: Exception) -> None:
        """Tell a client what was wrong, unless it was told too often lately."""
        self.counts.errors += 1
        spared = self._complaints.spend(source, self._clock())
        if spared is None:
            return
        reason = self._unknown(address) if isinstance(error, UnknownAddress) else str(error)
        if spared:
            reason += f" ({spared} more errors were not reported)"
        address, reason = clean(address, 500), clean(reason, 500)
        log.info("%s: %s: %s", source[0], address, reason)
        answer = f"{self._tree.prefix}/error"
        self._feedback.reply(source, [[(answer, build(answer, address, reason))]])

    def _unknown(self, address: str) -> str:
        nearest = self._tree.nearest(address, (*self._commands, *(f"get/{path}" for path in self._readable())))
        return "is no address here" + (f": did you mean {nearest}?" if nearest else "")
