"""The chain of hosted effects: slot after slot, each plug-in in a process of its own."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

from streamer.chain import LENGTH, Plug
from streamer.errors import UserError
from streamer.sound.dynamics import Samples
from streamer.sound.hosted.remote import LostError, Remote
from streamer.sound.hosted.slot import Slot
from streamer.threads import fleeting

OFFLINE_SECONDS = 20.0
"""In which a chunk has to be played where nobody listens."""
AGAIN_SECONDS = 1.0
"""After which a plug-in that was lost is tried again, while somebody listens."""
TRIES, CALM_SECONDS = 3, 60.0
"""So often in so many seconds; then it stays out until it is asked for."""


class Wanted(NamedTuple):
    """What a slot is to do.

    Attributes
    ----------
    text : str
        See `streamer.chain.Plug`; "" for nothing.
    bypass : bool
    mix : float
        Share of the plug-in's sound, 0 to 1.
    """

    text: str
    bypass: bool
    mix: float


class Rack:
    """All slots.

    Parameters
    ----------
    rate, frame : int
        Samples a second, and in a frame.
    tell : callable
        Takes the number of a slot, from 1 on, how it stands, and a sentence where a plug-in is lost.
    live : bool
        Whether somebody listens: then a plug-in that is late is lost, and one that is lost is tried again by itself.

    Attributes
    ----------
    patience : float
        Seconds that a chunk may take.
    """

    def __init__(self, rate: int, frame: int, tell: Callable[[int, str, str], None], live: bool = False) -> None:
        self.patience = OFFLINE_SECONDS
        self._rate, self._frame = rate, frame
        self._tell, self._live = tell, live
        self._slots = [Slot(rate, partial(self._lost, number)) for number in range(LENGTH)]
        self._plugs: list[Plug | None] = [None] * LENGTH
        self._texts = [""] * LENGTH
        self._failed = [""] * LENGTH  # what could not be loaded last
        self._losses: list[deque[float]] = [deque(maxlen=TRIES) for _ in range(LENGTH)]
        self._lock = threading.Lock()
        self._ready: dict[int, Remote] = {}  # by slot: loaded, and not in their slots yet
        self._closed = False

    @property
    def latency(self) -> int:
        """Samples by which the chain's sound is late."""
        return sum(slot.latency for slot in self._slots)

    @property
    def idle(self) -> bool:
        """Whether the chain does nothing to the sound."""
        return all(slot.idle for slot in self._slots)

    def prepare(self, number: int, text: str) -> None:
        """Load what a slot is about to hold, unless it holds that already. From any thread; this takes its time.

        Parameters
        ----------
        number : int
            Of the slot, from 0 on.

        Raises
        ------
        UserError
            It cannot be loaded or set so: why, and what to do.
        """
        plug = Plug.of(text)
        if plug is None:
            return
        with self._lock:
            held = self._ready.get(number) or self._slots[number].remote
        if held is not None and held.plug.identity == plug.identity:
            held.check(plug)
        else:
            self._keep(number, Remote(plug, self._rate, self._frame))

    def load(self, number: int, text: str) -> None:
        """As `prepare`; what goes wrong is told, and the slot stays empty."""
        try:
            self.prepare(number, text)
        except UserError as error:
            self._failed[number] = text
            self._tell(number + 1, "not loaded", f"{error}: the sound goes on without it")

    def ensure(self, number: int, text: str) -> None:
        """As `prepare`, on the thread that makes the music: where somebody listens it was prepared, or comes later."""
        if not self._live:
            self.prepare(number, text)

    def fetch(self, number: int, text: str) -> None:
        """As `load`, beside the music, which plays without it meanwhile."""
        fleeting("loading a plug-in", partial(self.load, number, text)).start()

    def set(self, wanted: Sequence[Wanted]) -> None:
        """What the slots are to do from the next sample on; what is not loaded by now is left out."""
        for number, (slot, own) in enumerate(zip(self._slots, wanted, strict=True)):
            if own.text != self._texts[number]:
                self._move(number, own.text)
            self._enter(number, slot)
            slot.mix(0.0 if own.bypass else own.mix)

    def process(self, samples: Samples) -> Samples:
        """A chunk, float32 (n, 2), with the chain on it.

        Plug-ins get it frame by frame, and frames end where it ends: how many frames come in one call changes no bit.
        """
        if not len(samples):
            return samples
        deadline = time.monotonic() + self.patience
        made = samples if self.idle else samples.copy()
        ends = range(len(samples) % self._frame or self._frame, len(samples) + 1, self._frame)
        for first, end in pairwise((0, *ends)):
            block = samples[first:end]
            for slot in self._slots:
                block = slot.process(block, deadline)
            if made is not samples:
                made[first:end] = block
        return made

    def close(self) -> None:
        """End all plug-ins."""
        with self._lock:
            self._closed = True
            waiting, self._ready = list(self._ready.values()), {}
        for remote in waiting:
            remote.close()
        for slot in self._slots:
            slot.close()

    # ---- what a slot holds

    def _keep(self, number: int, remote: Remote) -> None:
        """Have a plug-in ready for its slot."""
        with self._lock:
            former = remote if self._closed else self._ready.get(number)
            if not self._closed:
                self._ready[number] = remote
        if former is not None:
            former.close()

    def _move(self, number: int, text: str) -> None:
        """A slot's text is another one."""
        slot, plug, before = self._slots[number], Plug.of(text), self._plugs[number]
        self._texts[number], self._plugs[number] = text, plug
        slot.wanted = plug is not None
        if plug is None or before is None or plug.identity != before.identity:
            self._losses[number].clear()
            if slot.remote is not None:
                slot.put(None)
            if plug is None and before is not None:
                self._tell(number + 1, "", "")
            if plug is not None and not self._has(number, plug) and text != self._failed[number]:
                self.fetch(number, text)
        elif slot.remote is not None:
            self._tune(number, slot.remote, plug)

    def _enter(self, number: int, slot: Slot) -> None:
        """Put into a slot what is ready for it; what is ready for a text to come stays so."""
        plug = self._plugs[number]
        if plug is None or not self._has(number, plug):
            return
        with self._lock:
            remote = self._ready.pop(number)
        slot.put(remote)
        self._tell(number + 1, f"plays {remote.hello['name']}, {remote.latency} samples late", "")
        self._tune(number, remote, plug)

    def _has(self, number: int, plug: Plug) -> bool:
        """Whether a plug-in is loaded and waits for its slot."""
        return number in self._ready and self._ready[number].plug.identity == plug.identity

    def _tune(self, number: int, remote: Remote, plug: Plug) -> None:
        try:
            remote.set(plug)
        except LostError as lost:
            self._slots[number].put(None)
            self._lost(number, str(lost))

    def _lost(self, number: int, what: str) -> None:
        """A plug-in plays no more: say so, and try it again where somebody listens."""
        plug = self._plugs[number]
        name = "the plug-in" if plug is None else plug.name
        losses, now = self._losses[number], time.monotonic()
        often = len(losses) == TRIES and now - losses[0] < CALM_SECONDS
        losses.append(now)
        again = self._live and plug is not None and not often
        way = "it is tried again" if again else f"send /fx/{number + 1}/load to try it again"
        self._tell(number + 1, what, f"{name} {what}: the sound goes on without it, and {way}")
        if again:
            fleeting("loading a plug-in", partial(self._again, number)).start()

    def _again(self, number: int) -> None:
        time.sleep(AGAIN_SECONDS)
        plug = self._plugs[number]
        if plug is not None and not self._closed:
            self.load(number, plug.text)
