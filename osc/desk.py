"""The desk of a tree of parameters: commands, feedback to subscribers, bundles in time, errors that say what to do.

It knows no sockets. A transport hands over every datagram with its source and is given what goes back, so UDP, TCP
and a test's list serve alike. One thread owns a desk; others hand in changes under a lock and wake it.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from osc import subscribers as subs
from osc.packet import Bundle, Message, Refused, build, clean, pack, parse
from osc.subscribers import Address, Group, Subscriber
from osc.tree import Answer, Asker, BadValue, Change, Tree, UnknownAddress, Value

DATAGRAM_BYTES = 1400
"""What we send is shorter than this, so that no network between has to cut it."""
HORIZON = 60.0
"""Seconds that a bundle may lie ahead."""
QUEUE = 1024
"""Messages in bundles that wait for their time."""
ERRORS_PER_SECOND, ERRORS_AT_ONCE = 5.0, 20.0
"""How many complaints one client is sent: steadily, and in a burst."""
CLIENTS_REMEMBERED = 256

log = logging.getLogger(__name__)


@dataclass
class Counts:
    """What has happened since the start.

    Attributes
    ----------
    received, refused : int
        Datagrams that came, and those of them that were no well-formed OSC.
    errors : int
        Messages that could not be done, refused datagrams included.
    unsent : int
        Datagrams that the system would not take at once.
    """

    received: int = 0
    refused: int = 0
    errors: int = 0
    unsent: int = 0


@dataclass(frozen=True)
class Held:
    """What the desk remembers at the moment; each is bounded.

    Attributes
    ----------
    subscribers : int
    waiting : int
        Messages in bundles that wait for their time.
    clients : int
        Those whose complaints are counted.
    """

    subscribers: int
    waiting: int
    clients: int


@dataclass
class _Budget:
    """How many complaints a client may still be sent, and how many it was spared since the last."""

    left: float
    updated: float
    spared: int = 0


class Desk:
    """Answer the clients of a tree, whatever brings their datagrams.

    Parameters
    ----------
    tree : Tree
    send : callable
        `send(target, datagram)` gives a datagram to the transport, without waiting; False where it was not taken.
    wake : callable
        Makes the desk's thread call `turn` soon; called from any thread.
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
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.counts = Counts()
        self._tree = tree
        self._transmit = send
        self._wake = wake
        self._clock = clock
        self._wall = wall
        self._subscribers: list[Subscriber] = []
        self._status: dict[str, Group] = {}
        self._waiting: list[tuple[float, int, Address, tuple[Message, ...]]] = []
        self._order = itertools.count()
        self._budgets: OrderedDict[Address, _Budget] = OrderedDict()
        self._commands: dict[str, Callable[[Address, Sequence[Any]], None]] = {
            "subscribe": self._subscribe,
            "unsubscribe": self._unsubscribe,
            "dump": self._dump,
            "ping": self._ping,
        }

        # Handed over by other threads; everything above belongs to the desk's own.
        self._lock = threading.Lock()
        self._changed: dict[str, tuple[Value, object]] = {}
        self._published: dict[str, Group] = {}
        self._reported: deque[tuple[str, str, object]] = deque(maxlen=64)
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

    def _on_change(self, changed: dict[str, Value], origin: object) -> None:
        with self._lock:
            for name in changed.keys() & self._tree.parameters.keys():  # An action has no value to tell.
                self._changed[name] = (changed[name], origin)
        self._wake()

    # ---- for the transport, from the desk's thread

    def receive(self, datagram: bytes, source: Address) -> None:
        """Do what a datagram asks for, at its time."""
        self.counts.received += 1
        try:
            bundles = parse(datagram)
        except Refused as refusal:
            self.counts.refused += 1
            self._complain(source, "", refusal)
            return
        for bundle in bundles:
            self._schedule(bundle, source)

    def _schedule(self, bundle: Bundle, source: Address) -> None:
        """Do the bundle at its time, which for one that is late or has none is now."""
        ahead = bundle.time - self._wall() if bundle.time else 0.0
        first = bundle.messages[0].address
        if ahead <= 0:
            self._perform(bundle.messages, source)
        elif ahead > HORIZON:
            self._complain(source, first, BadValue(f"lies {ahead:.0f} s ahead: send it within {HORIZON:.0f} s"))
        elif self._messages_waiting() + len(bundle.messages) > QUEUE:
            self._complain(source, first, BadValue(f"has to wait, and {QUEUE} messages wait already: send it later"))
        else:
            entry = (self._clock() + ahead, next(self._order), source, bundle.messages)
            heapq.heappush(self._waiting, entry)

    def _perform_due(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._clock():
            _, _, source, messages = heapq.heappop(self._waiting)
            self._perform(messages, source)

    def turn(self) -> None:
        """Do what is due: bundles, what other threads handed in, feedback."""
        self._perform_due()
        self._distribute()
        self._flush()

    def held(self) -> Held:
        """How much is remembered."""
        return Held(len(self._subscribers), self._messages_waiting(), len(self._budgets))

    def _messages_waiting(self) -> int:
        return sum(len(messages) for *_, messages in self._waiting)

    def seconds_to_next(self) -> float:
        """Until the next bundle is due or the next subscriber may be sent to; infinity for nothing."""
        times = [s.ready for s in self._subscribers if s.pending]
        if self._waiting:
            times.append(self._waiting[0][0])
        return max(0.0, min(times, default=float("inf")) - self._clock())

    # ---- what messages ask for

    def _perform(self, messages: Sequence[Message], source: Address) -> None:
        """Apply all changes at one moment, then answer the commands, so that a get in a bundle sees them."""
        changes: list[Change] = []
        commands: list[Message] = []
        for message in messages:
            path = self._tree.path(message.address)
            if self._is_command(path or ""):
                commands.append(message)
                continue
            try:
                change = self._change(path, message)
            except BadValue as error:
                self._complain(source, message.address, error)
            else:
                changes += [change] if change else []
        self._apply(changes, source)
        for message in commands:
            self._command(message, source)

    def _is_command(self, path: str) -> bool:
        return path in self._commands or path.startswith("get/") or self._tree.has_command(path)

    def _change(self, path: str | None, message: Message) -> Change | None:
        if path is None:
            raise UnknownAddress
        return self._tree.change(path, message.arguments)

    def _apply(self, changes: Sequence[Change], source: Address) -> None:
        if not changes:
            return
        try:
            applied = self._tree.store.apply([(change.name, change.value) for change in changes], origin=source)
        except ValueError as error:
            self._complain(source, self._tree.prefix, error)
            return
        for change in {change.name: change for change in changes}.values():
            if change.value is not None:
                value = applied.get(change.name, change.value)
                if change.adjusted or value != change.value:
                    self._reply(source, [self._group(change.name, value)])

    def _command(self, message: Message, source: Address) -> None:
        path = self._tree.path(message.address) or ""
        try:
            if path in self._commands:
                self._commands[path](source, message.arguments)
            elif self._tree.has_command(path):
                self._answer(source, self._tree.command(path, message.arguments, Asker(source)))
            else:
                self._get(path.removeprefix("get/"), source)
        except BadValue as error:
            self._complain(source, message.address, error)

    def _answer(self, source: Address, answers: Iterable[Answer]) -> None:
        for path, values in answers:
            address = f"{self._tree.prefix}/{path}"
            self._reply(source, [[(address, build(address, *values))]])

    def _get(self, path: str, source: Address) -> None:
        parameter = self._tree.parameter(path)
        if parameter is not None:
            self._reply(source, [self._group(parameter.name, self._tree.store.get(parameter.name))])
        elif path in self._status:
            self._reply(source, [self._status[path]])
        else:
            raise UnknownAddress

    def _subscribe(self, source: Address, arguments: Sequence[Any]) -> None:
        new = subs.request(arguments, source, self._tree.prefix, self._clock())
        self._subscribers, fresh = subs.admit(self._subscribers, new)
        if fresh:
            for path, group in self._everything().items():
                subs.note([new], path, group)

    def _unsubscribe(self, source: Address, arguments: Sequence[Any]) -> None:
        target = subs.request(arguments, source, self._tree.prefix, self._clock()).target
        remaining = [s for s in self._subscribers if target not in (s.source, s.target)]
        if len(remaining) == len(self._subscribers):
            raise BadValue("finds no subscription from here: name the port that you subscribed with")
        self._subscribers = remaining

    def _dump(self, source: Address, arguments: Sequence[Any]) -> None:
        self._reply(source, self._everything().values())

    def _ping(self, source: Address, arguments: Sequence[Any]) -> None:
        for subscriber in self._subscribers:
            if source in (subscriber.source, subscriber.target):
                subscriber.expires = self._clock() + subs.LEASE
        self._send(self._target(source), build(f"{self._tree.prefix}/pong"))

    def _everything(self) -> dict[str, Group]:
        """Path -> messages, of all parameters and of all that was published."""
        values = {p.path: self._group(p.name, self._tree.store.get(p.name)) for p in self._tree.parameters.values()}
        return values | self._status

    def _group(self, name: str, value: Value) -> Group:
        return [(address, build(address, said)) for address, said in self._tree.feedback(name, value)]

    # ---- what goes out

    def _distribute(self) -> None:
        """Take over what other threads handed in, and put it up for the subscribers."""
        with self._lock:
            changed, self._changed = self._changed, {}
            published, self._published = self._published, {}
            reported = list(self._reported)
            self._reported.clear()
        for name, (value, origin) in changed.items():
            subs.note(self._subscribers, self._tree.parameters[name].path, self._group(name, value), origin)
        self._status |= published
        for path, group in published.items():
            subs.note(self._subscribers, path, group)
        for address, reason, origin in reported:
            told = {subscriber.source for subscriber in self._subscribers}
            if isinstance(origin, tuple):
                told.add(origin)
            for source in told:
                self._complain(source, address, BadValue(reason))

    def _flush(self) -> None:
        """Forget subscribers whose lease is over, and send the others what they are ready for."""
        now = self._clock()
        self._subscribers = [s for s in self._subscribers if now < s.expires]
        for subscriber in self._subscribers:
            self._send_groups(subscriber.target, subs.take(subscriber, now))

    def _target(self, source: Address) -> Address:
        """Where a client wants its answers: at the port it subscribed with, or where it sends from."""
        return next((s.target for s in self._subscribers if s.source == source), source)

    def _reply(self, source: Address, groups: Iterable[Group]) -> None:
        self._send_groups(self._target(source), groups)

    def _send_groups(self, target: Address, groups: Iterable[Group]) -> None:
        for datagram in pack([[message for _, message in group] for group in groups], DATAGRAM_BYTES):
            self._send(target, datagram)

    def _send(self, target: Address, datagram: bytes) -> None:
        if not self._transmit(target, datagram):  # Nobody is waited for.
            self.counts.unsent += 1

    def _complain(self, source: Address, address: str, error: Exception) -> None:
        """Tell a client what was wrong, unless it was told too often lately."""
        self.counts.errors += 1
        spared = self._spend(source)
        if spared is None:
            return
        reason = self._unknown(address) if isinstance(error, UnknownAddress) else str(error)
        if spared:
            reason += f" ({spared} more errors were not reported)"
        log.info("%s: %s: %s", source[0], address, reason)
        message = build(f"{self._tree.prefix}/error", clean(address, 500), clean(reason, 500))
        self._send(self._target(source), message)

    def _unknown(self, address: str) -> str:
        readable = [f"get/{path}" for path in (*(p.path for p in self._tree.parameters.values()), *self._status)]
        nearest = self._tree.nearest(address, (*self._commands, *readable))
        return "is no address here" + (f": did you mean {nearest}?" if nearest else "")

    def _spend(self, source: Address) -> int | None:
        """Take one complaint from a client's budget: how many it was spared before, or None when nothing is left."""
        now = self._clock()
        budget = self._budgets.pop(source, None) or _Budget(ERRORS_AT_ONCE, now)
        self._budgets[source] = budget  # Last used, last forgotten.
        if len(self._budgets) > CLIENTS_REMEMBERED:
            self._budgets.popitem(last=False)
        budget.left = min(ERRORS_AT_ONCE, budget.left + (now - budget.updated) * ERRORS_PER_SECOND)
        budget.updated = now
        if budget.left < 1:
            budget.spared += 1
            return None
        budget.left -= 1
        spared, budget.spared = budget.spared, 0
        return spared
