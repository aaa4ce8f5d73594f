"""What the clients of a desk are told: values that changed, answers, and what was wrong, in a sentence each."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

from osc.feedback import Counts, Feedback
from osc.hosts import Address, Client
from osc.limits import Complaints
from osc.log import note
from osc.notices import Notices
from osc.packet import build, clean
from osc.subscribers import Group
from osc.tree import Tree
from osc.values import BadValue, UnknownAddress, Value
from osc.view import View

Watcher = Callable[[str, Callable[[bool], Group]], None]
"""Takes a path below the prefix, and what makes its messages, for this machine's clients (True) and for others."""


class Answers:
    """Words for `Feedback`, which knows whom to send them to and how often.

    Parameters
    ----------
    tree : Tree
    feedback : Feedback
        What sends.
    wake : callable
        Makes the desk's thread call `distribute` soon; called from any thread.
    clock : callable
        Seconds on a clock that only goes forward.
    counts : Counts
        Where `errors` are counted.
    questions : sequence of str
        Paths below the prefix that can be asked for beside those of the tree.

    Attributes
    ----------
    view : View
        All there is to read.
    """

    def __init__(
        self,
        tree: Tree,
        feedback: Feedback,
        wake: Callable[[], None],
        clock: Callable[[], float],
        counts: Counts,
        questions: Sequence[str],
    ) -> None:
        self.view = View(tree)
        self._tree = tree
        self._feedback = feedback
        self._clock = clock
        self._counts = counts
        self._questions = questions
        self._complaints = Complaints()
        self._watchers: list[Watcher] = []
        self._notices = Notices(wake)
        tree.store.listen(self._on_change)

    # ---- for the rest of the program, from any thread

    def publish(self, path: str, value: Value) -> None:
        """Send a value at a path below the prefix, like "status/rtf", to its subscribers, as often as each asked for.

        Raises
        ------
        OverflowError
            For a finite float that float32 cannot hold.
        """
        self._notices.published(path, self._message(path, value))

    def error(self, address: str, reason: str, origin: object = None) -> None:
        """Tell all subscribers that something about an address went wrong, and the client whose change it was.

        Parameters
        ----------
        origin
            As the store handed it on with the change; it need not be a client's.
        """
        self._notices.reported(address, reason, origin)

    def say(self, origin: object, path: str, *values: Value) -> None:
        """Answer the client whose change it was, at a path below the prefix; nobody where it was no client's.

        Parameters
        ----------
        origin
            As the store handed it on with the change.
        """
        self._notices.answered(origin, self._message(path, *values))

    def watch(self, watcher: Watcher) -> None:
        """Have a watcher told, on the desk's thread, of every value that changes or is published."""
        self._watchers.append(watcher)

    def _on_change(self, changed: dict[str, Value], origin: object) -> None:
        # An action has no value to tell.
        self._notices.changed({name: changed[name] for name in changed.keys() & self._tree.parameters.keys()}, origin)

    def _message(self, path: str, *values: Value) -> Group:
        address = f"{self._tree.prefix}/{path}"
        return [(address, build(address, *values))]

    # ---- for the desk, on its thread

    @property
    def complainers(self) -> int:
        """Clients whose complaints are counted."""
        return len(self._complaints)

    def answer(self, source: Address, path: str, *values: Value) -> None:
        """Answer a client at a path below the prefix, now."""
        self._feedback.reply(source, [self._message(path, *values)])

    def value(self, source: Address, group: Group) -> None:
        """Answer with a value: the plain message by itself, for clients that read no bundles, then the others."""
        self._feedback.reply(source, [group[:1]])
        self._feedback.reply(source, [group[1:]] if group[1:] else [])

    def distribute(self) -> None:
        """Take over what other threads handed in, and put it up for the subscribers."""
        waiting = self._notices.take()
        for name, (value, origin) in waiting.changed.items():
            source = origin.source if isinstance(origin, Client) else None
            group = functools.partial(self.view.value, name, value)
            self._spread(self._tree.parameters[name].path, group, source)
        self.view.published |= waiting.published
        for path, told in waiting.published.items():
            self._spread(path, lambda trusted, told=told: told)  # type: ignore[misc]
        for address, reason, origin in waiting.reported:
            sources = self._feedback.sources() | ({origin.source} if isinstance(origin, Client) else set())
            for source in sources:
                self.complain(source, address, BadValue(self._may_know(source, address, reason)))
        for origin, answer in waiting.answers:
            if isinstance(origin, Client):
                self._feedback.reply(origin.source, [answer])

    def complain(self, source: Address, address: str, error: Exception, besides: str = "") -> None:
        """Tell a client what was wrong, and what follows from that, unless it was told too often lately."""
        self._counts.errors += 1
        spared = self._complaints.spend(source, self._clock())
        if spared is None:
            return
        reason = self._unknown(address) if isinstance(error, UnknownAddress) else str(error)
        reason += besides
        if spared:
            reason += f" ({spared} more errors were not reported)"
        address, reason = clean(address, 500), clean(reason, 500)
        note(f"{source[0]}: {address}: {reason}")
        self.answer(source, "error", address, reason)

    def _spread(self, path: str, group: Callable[[bool], Group], source: Address | None = None) -> None:
        """Tell all who want to hear of a path, but for the one that it comes from."""
        self._feedback.note(path, group, source)
        for watcher in self._watchers:
            watcher(path, group)

    def _may_know(self, source: Address, address: str, reason: str) -> str:
        """The reason, but to strangers nothing about a file: whether and where it exists is not their business."""
        secret = self._tree.names_a_file(self._tree.path(address) or "") and not Client(source).trusted
        return "cannot be read as what it has to be" if secret else reason

    def _unknown(self, address: str) -> str:
        nearest = self._tree.nearest(address, (*self._questions, *(f"get/{path}" for path in self.view.paths())))
        return "is no address here" + (f": did you mean {nearest}?" if nearest else "")
