"""A tree of parameters over UDP: commands, feedback to subscribers, bundles in time, errors that say what to do.

One thread owns the socket and everything else here; other threads hand over changes under a lock and wake it. It waits
in one place only, `poll`, until a datagram comes or something is due; it never sleeps and never waits for a client.
"""

from __future__ import annotations

import contextlib
import errno
import heapq
import itertools
import logging
import selectors
import socket
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from osc import subscribers as subs
from osc.packet import Bundle, Message, Refused, build, clean, pack, parse
from osc.subscribers import Address, Group, Subscriber
from osc.tree import BadValue, Change, Tree, UnknownAddress, Value

DATAGRAM_BYTES = 1400
"""What we send is shorter than this, so that no network between has to cut it."""
HORIZON = 60.0
"""Seconds that a bundle may lie ahead."""
QUEUE = 1024
"""Messages in bundles that wait for their time."""
ERRORS_PER_SECOND, ERRORS_AT_ONCE = 5.0, 20.0
"""How many complaints one client is sent: steadily, and in a burst."""
CLIENTS_REMEMBERED = 256
READS_PER_POLL = 64
"""Datagrams read before feedback and due bundles get their turn: a flood does not starve them."""

log = logging.getLogger(__name__)


class BindError(OSError):
    """The server cannot have the address it was given; the text says what to do."""


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


@dataclass
class _Budget:
    """How many complaints a client may still be sent, and how many it was spared since the last."""

    left: float
    updated: float
    spared: int = 0


class OscServer:
    """Serve a tree on a UDP port.

    Parameters
    ----------
    tree : Tree
    host : str
        The address to listen on. Anything but the default lets other machines in.
    port : int
        0 takes any free port.
    clock : callable
        Seconds on a clock that only goes forward: for leases, rates and waiting bundles.
    wall : callable
        Seconds since 1970: what the time tags of bundles are compared with.

    Raises
    ------
    BindError
        When the port is in use or the address is not this machine's.
    """

    def __init__(
        self,
        tree: Tree,
        host: str = "127.0.0.1",
        port: int = 7770,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.counts = Counts()
        self._tree = tree
        self._clock = clock
        self._wall = wall
        self._socket = _bind(host, port)
        self._waker, self._wakeful = socket.socketpair()
        for end in (self._waker, self._wakeful):
            end.setblocking(False)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._socket, selectors.EVENT_READ)
        self._selector.register(self._wakeful, selectors.EVENT_READ)
        self._thread: threading.Thread | None = None
        self._closing = False

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

        # Handed over by other threads; everything above belongs to the server's own.
        self._lock = threading.Lock()
        self._changed: dict[str, tuple[Value, object]] = {}
        self._published: dict[str, Group] = {}
        self._reported: deque[tuple[str, str, object]] = deque(maxlen=64)
        tree.store.listen(self._on_change)

    # ---- for the rest of the program, from any thread

    @property
    def port(self) -> int:
        """The UDP port listened on."""
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        """Serve in a thread of its own until `close`."""
        self._thread = threading.Thread(target=self._run, name="osc", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving and free the port."""
        self._closing = True
        self._wake()
        if self._thread is not None:
            self._thread.join()
        self._selector.close()
        for end in (self._socket, self._waker, self._wakeful):
            end.close()

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

    def _wake(self) -> None:
        # A full pipe will wake the thread anyway, and a closed one has nobody left to wake.
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")

    # ---- the loop

    def _run(self) -> None:
        while not self._closing:
            try:
                self.poll(timeout=1.0)
            except Exception:
                # Whatever it was, the next client deserves an answer.
                log.exception("the OSC server stumbled and goes on")

    def poll(self, timeout: float) -> None:
        """Wait until something comes or is due, `timeout` seconds at most, and do it. `start` does this for ever."""
        for key, _ in self._selector.select(min(timeout, self._seconds_to_next())):
            if key.fileobj is self._socket:
                self._read()
            else:
                self._wakeful.recv(4096)
        self._perform_due()
        self._distribute()
        self._flush()

    def _seconds_to_next(self) -> float:
        """Until the next bundle is due or the next subscriber may be sent to."""
        times = [s.ready for s in self._subscribers if s.pending]
        if self._waiting:
            times.append(self._waiting[0][0])
        return max(0.0, min(times, default=float("inf")) - self._clock())

    def _read(self) -> None:
        for _ in range(READS_PER_POLL):
            try:
                datagram, source = self._socket.recvfrom(65536)
            except OSError:  # Nothing left; on Windows also the echo of a reply that nobody took.
                return
            self._receive(datagram, source)

    def _receive(self, datagram: bytes, source: Address) -> None:
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
        elif sum(len(messages) for *_, messages in self._waiting) + len(bundle.messages) > QUEUE:
            self._complain(source, first, BadValue(f"has to wait, and {QUEUE} messages wait already: send it later"))
        else:
            entry = (self._clock() + ahead, next(self._order), source, bundle.messages)
            heapq.heappush(self._waiting, entry)

    def _perform_due(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._clock():
            _, _, source, messages = heapq.heappop(self._waiting)
            self._perform(messages, source)

    # ---- what messages ask for

    def _perform(self, messages: Sequence[Message], source: Address) -> None:
        """Apply all changes at one moment, then answer the commands, so that a get in a bundle sees them."""
        changes: list[Change] = []
        commands: list[Message] = []
        for message in messages:
            path = self._tree.path(message.address)
            if path in self._commands or (path or "").startswith("get/"):
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
            else:
                self._get(path.removeprefix("get/"), source)
        except BadValue as error:
            self._complain(source, message.address, error)

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
        try:
            self._socket.sendto(datagram, target)
        except OSError:  # Among them: no room in the socket's buffer. Nobody is waited for.
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


def _bind(host: str, port: int) -> socket.socket:
    """A UDP socket that never blocks, bound to the address.

    Raises
    ------
    BindError
    """
    if not 0 <= port <= 65535:
        raise BindError(f"there is no UDP port {port}: choose one from 1024 to 65535 with --osc-port")
    try:
        # Where a name has both kinds of address, clients mostly send to the one of IPv4.
        found = sorted(socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM), key=lambda info: info[0])
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
    except OSError:
        raise BindError(f"cannot listen for OSC on {host!r}: give an address of this machine, like 127.0.0.1") from None
    try:
        listener.setblocking(False)
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise BindError(_why(host, port, error)) from None
    return listener


def _why(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"UDP port {port} on {host} is in use, perhaps by another streamer: stop that, "
            f"or choose another port with --osc-port"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"cannot listen for OSC on {host}: give an address of this machine, like 127.0.0.1"
    return f"cannot listen for OSC on UDP port {port} of {host} ({error}): choose another port with --osc-port"
