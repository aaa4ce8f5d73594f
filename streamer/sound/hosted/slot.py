"""One slot of the chain: a plug-in's sound beside the dry one, and what is heard when there is none."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np

from streamer.sound.dynamics import Samples
from streamer.sound.hosted.remote import LostError, Remote

LONGEST = 0.5
"""Seconds by which a plug-in's sound may be late."""
SILENT_SECONDS = 2.0
"""After which a plug-in that makes nothing out of music is given up."""
_SOUND, _SILENCE = 3e-3, 1e-6  # peaks: what counts as music, and as nothing


class Slot:
    """A place for one plug-in.

    Parameters
    ----------
    rate : int
        Samples a second.
    lost : callable
        Told, as the end of a sentence, what a plug-in did that plays no more. The slot sounds dry then.

    Attributes
    ----------
    remote : Remote or None
        The plug-in, where one plays.
    wanted : bool
        Whether there should be one: where it is lost the slot stays as late as it was, so nothing jumps at its return.
    latency : int
        Samples by which the slot's sound is late.
    """

    def __init__(self, rate: int, lost: Callable[[str], None]) -> None:
        self.remote: Remote | None = None
        self.wanted = False
        self.latency = 0
        self._lost = lost
        self._past = _Past(round(LONGEST * rate))
        self._share = 0.0  # of the plug-in's sound in what was heard last
        self._target = 0.0
        self._leaving: Remote | None = None
        self._entering = False
        self._last: Samples = np.zeros((1, 2), np.float32)  # that a plug-in made
        self._silent = 0
        self._most_silent = round(SILENT_SECONDS * rate)

    @property
    def idle(self) -> bool:
        """Whether it does nothing to the sound."""
        return self.remote is None and self._leaving is None and not self._share and not self.latency

    def put(self, remote: Remote | None) -> None:
        """Have another plug-in play, or none: the one before fades out, then this one fades in."""
        if self._leaving is None:
            self._leaving = self.remote
        elif self.remote is not None:  # nobody has heard it yet
            self.remote.close()
        self.remote, self._entering = remote, remote is not None
        self._silent = 0

    def mix(self, share: float) -> None:
        """How much of what is heard is the plug-in's, 0 to 1."""
        self._target = share

    def process(self, samples: Samples, deadline: float) -> Samples:
        """A block, float32 (n, 2), with the plug-in on it, by the deadline (monotonic seconds)."""
        self._past.push(samples)
        if self.idle:
            return samples
        if self._leaving is not None:
            wet, target = self._farewell(self._leaving, samples, deadline), 0.0
            self._leaving = None
        else:
            wet = self._wet(samples, deadline)
            target = self._target if self.remote is not None else 0.0
        dry = self._dry(len(samples))
        if wet is None:
            wet = self._mirrored(len(samples))
        else:
            self._last = wet
        begins, self._share = self._share, target
        if begins == target == 0.0:
            return dry
        if begins == target == 1.0:
            return wet
        ramp = _ramp(begins, target, len(samples))
        return dry + ramp * (wet - dry)

    def close(self) -> None:
        """End what plays."""
        for remote in (self._leaving, self.remote):
            if remote is not None:
                remote.close()
        self._leaving = self.remote = None

    def _wet(self, samples: Samples, deadline: float) -> Samples | None:
        """What the plug-in makes of a block; None where there is none, or it is lost."""
        remote = self.remote
        if remote is None:
            return None
        try:
            if self._entering:  # it hears what it would have heard, so that its sound is there when the fade begins
                self._entering = False
                for block in self._past.before(remote.latency):
                    remote.process(block, deadline)
            made = remote.process(samples, deadline)
            self._listen(samples, made)
        except LostError as lost:
            remote.close()
            self.remote = None
            self._lost(str(lost))
            return None
        return made

    def _farewell(self, leaving: Remote, samples: Samples, deadline: float) -> Samples | None:
        """A last block of a plug-in that is on its way out."""
        try:
            return leaving.process(samples, deadline)
        except LostError:
            return None
        finally:
            leaving.close()

    def _listen(self, samples: Samples, made: Samples) -> None:
        """Notice a plug-in that has fallen silent.

        Raises
        ------
        LostError
            It has.
        """
        if np.abs(made).max() > _SILENCE:
            self._silent = 0
        elif np.abs(samples).max() > _SOUND:
            self._silent += len(samples)
        if self._silent > self._most_silent:
            raise LostError(f"was silent for {SILENT_SECONDS:g} s while there was music")

    def _dry(self, count: int) -> Samples:
        """The sound without the plug-in, as late as with it; a slot that a plug-in was lost from stays as late."""
        before = self.latency
        if self.remote is not None:
            self.latency = min(self.remote.latency, self._past.longest)
        elif not self.wanted:
            self.latency = 0
        dry = self._past.read(self.latency, count)
        if before == self.latency:
            return dry
        ramp = _ramp(0.0, 1.0, count)
        return (1.0 - ramp) * self._past.read(before, count) + ramp * dry

    def _mirrored(self, count: int) -> Samples:
        """The plug-in's last sound backwards: it joins what was heard without a click, to be faded out."""
        last = self._last[::-1]
        return np.resize(np.concatenate([last, last[::-1]]), (count, 2))


class _Past:
    """The last samples that came in."""

    def __init__(self, longest: int) -> None:
        self.longest = longest
        self._blocks: deque[Samples] = deque()
        self._held = 0

    def push(self, block: Samples) -> None:
        self._blocks.append(block)
        self._held += len(block)
        while self._held - len(self._blocks[0]) >= self.longest + len(block):
            self._held -= len(self._blocks.popleft())

    def read(self, delay: int, count: int) -> Samples:
        """So many samples, the last one that many before the newest; silence before the first."""
        if not delay and len(self._blocks[-1]) == count:
            return self._blocks[-1]
        parts: list[Samples] = []
        held = 0
        for block in reversed(self._blocks):
            parts.append(block)
            held += len(block)
            if held >= delay + count:
                break
        if held < delay + count:
            parts.append(np.zeros((delay + count - held, 2), np.float32))
        line = np.concatenate(parts[::-1])
        return line[len(line) - delay - count : len(line) - delay]

    def before(self, samples: int) -> list[Samples]:
        """The whole blocks before the newest that hold so many samples, as far as there are that many."""
        found: list[Samples] = []
        held = 0
        for block in list(self._blocks)[-2::-1]:
            if held >= samples:
                break
            found.append(block)
            held += len(block)
        return found[::-1]


def _ramp(begin: float, end: float, count: int) -> Samples:
    steps = np.arange(1, count + 1, dtype=np.float32)[:, None] / np.float32(count)
    ramp: Samples = np.float32(begin) + np.float32(end - begin) * steps
    return ramp
