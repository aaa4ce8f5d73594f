"""What an audio callback does, the same for every clock, and what has to call it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from streamer.audio.outs import Outs
from streamer.audio.tap import Tap
from streamer.process.broadcast import Broadcast
from streamer.process.playhead import Playhead
from streamer.process.ring import Ring

FADE_SECONDS = 0.010
SILENCE_DB = -120.0
_JITTER_SECONDS = 0.05  # more than this is a gap, and not a callback that came late
_SMOOTHING = 0.05  # a callback comes late now and then, and never early


class Playback:
    """What an audio callback does, and all it does: copy, fade, count and measure.

    It takes no lock, writes no log, waits for nothing and makes no array. Other threads read its attributes and call
    `play`, `stop` and `panic`, each a single store.

    Parameters
    ----------
    ring
        The audio to play; this is its one reader.
    rate
        Samples a second.
    playhead
        Where other processes are told what is heard when; nobody unless given.
    fade_seconds
        How long the gate takes to open or close (raised cosine), >= 0.005.

    Attributes
    ----------
    playing : bool
        What was asked for by `play` and `stop`; sound also needs a ring with something in it.
    samples : int
        Samples per channel of sound played, silence not counted.
    elapsed : int
        Samples per channel of all blocks, silence counted.
    taps : tuple of Tap
        What copies of every block go to, see `copy_to`.
    broadcast : Broadcast or None
        What another goes to, for those who listen elsewhere; set by whoever serves them.
    latency : float
        Seconds from a block to the ear; set by the clock that calls.
    underruns, device_xruns : int
        Times that sound was due and the ring ran dry; times that the device said it was fed too late.
    peak : float
        Level of the last block, 1.0 is full scale.
    outs : Outs or None
        The channels of the device that it plays on, where they are not just the ring's; set before anything plays.
    """

    def __init__(
        self, ring: Ring, rate: int, playhead: Playhead | None = None, fade_seconds: float = FADE_SECONDS
    ) -> None:
        self.ring = ring
        self.rate = rate
        self.playing = True
        self.samples = 0
        self.elapsed = 0
        self.latency = 0.0
        self.taps: tuple[Tap, ...] = ()
        self._tapping = threading.Lock()  # held by those who come and go, never by the callback
        self.broadcast: Broadcast | None = None
        self.outs: Outs | None = None
        self.underruns = 0
        self.device_xruns = 0
        self.peak = 0.0
        self._ramp = fade_curve(rate, fade_seconds)
        self._fade = len(self._ramp) - 1
        self._read = 0  # samples of the ring in this block
        self._at = 0  # where in the fade: 0 closed, self._fade open
        self._was_open = False
        self._drop = False
        self._move: Callable[[int, float, float], None] = playhead.move if playhead else _nowhere
        self._due = 0.0  # when this block is called for, were the clock without jitter

    @property
    def xruns(self) -> int:
        """Interruptions heard: ours and the device's."""
        return self.underruns + self.device_xruns

    @property
    def sounding(self) -> bool:
        """Whether the last block had sound in it."""
        return self._at > 0

    @property
    def channels(self) -> int:
        """Of the blocks that it fills."""
        return self.outs.channels if self.outs else self.ring.channels

    def play(self) -> None:
        """Open the gate; the music goes on where it stopped."""
        self.playing = True

    def stop(self) -> None:
        """Close the gate, and leave what is queued for the next `play`."""
        self.playing = False

    def panic(self) -> None:
        """Close the gate and throw away what is queued."""
        self._drop = True
        self.playing = False

    def copy_to(self, tap: Tap) -> None:
        """Give a tap every block from now on."""
        with self._tapping:
            self.taps = (*self.taps, tap)

    def leave(self, tap: Tap) -> None:
        """Give a tap no more blocks."""
        with self._tapping:
            self.taps = tuple(other for other in self.taps if other is not tap)

    def fill(self, out: NDArray[np.float32]) -> None:
        """Fill `out`, float32 (samples, channels), with the next block: the callback."""
        outs = self.outs
        if outs is None:
            self._fill(out)
            return
        self._fill(outs.block(len(out)))
        outs.place(out, self.ring.taken - self._read, self._read)

    def _fill(self, out: NDArray[np.float32]) -> None:
        """The music's next block.

        Of the sound in the ring one fade's length is always left there, so that when the ring runs dry there is still
        real sound to fade out with.
        """
        needed = len(out) + self._fade
        if 2 * needed > self.ring.reserve:
            self.ring.reserve = 2 * needed
        opens = self._opens(needed)
        self._tell_time(len(out))
        taps = self.taps
        for tap in taps:
            tap.mark(opens, self.ring.taken, self._at)
        if opens:
            self._copy_open(out)
        else:
            self._copy_closing(out)
        for tap in taps:
            tap.take(out)
        broadcast = self.broadcast
        if broadcast is not None:
            broadcast.put(out)
        self._measure(out)
        self.elapsed += len(out)

    def _opens(self, needed: int) -> bool:
        wanted = self.playing and not self._drop
        if self._at == 0:  # silent: come back only with a queue that will last
            if self._drop:
                self.ring.drop()
                self._drop = False
            self.ring.skip()  # the rest of what a dead engine left does not lead over to its successor's music
            opens = wanted and self.ring.whole >= max(needed, self.ring.lead // 2)
        else:
            opens = wanted and self.ring.whole >= needed
            self.underruns += wanted and self._was_open and not opens
        self._was_open = opens
        return opens

    def _copy_open(self, out: NDArray[np.float32]) -> None:
        self._read = self.ring.read_into(out)
        self.samples += self._read
        rising = min(len(out), self._fade - self._at)
        out[:rising] *= self._ramp[self._at + 1 : self._at + 1 + rising]
        self._at += rising

    def _copy_closing(self, out: NDArray[np.float32]) -> None:
        falling = min(len(out), self._at)
        self._read = self.ring.read_into(out[:falling])
        self.samples += self._read
        out[:falling] *= self._ramp[self._at - falling : self._at][::-1]
        out[falling:] = 0.0
        self._at -= falling

    def _tell_time(self, samples: int) -> None:
        now = time.monotonic()
        late = now - self._due
        self._due = self._due + _SMOOTHING * late if abs(late) < _JITTER_SECONDS else now
        self._move(self.ring.taken, self._due, self.latency)
        self._due += samples / self.rate

    def _measure(self, out: NDArray[np.float32]) -> None:
        flat = out.reshape(-1)
        self.peak = float(max(flat.max(), -flat.min()))


def fade_curve(rate: int, seconds: float = FADE_SECONDS) -> NDArray[np.float32]:
    """The gain at each point of a fade, closed to open; column-shaped, to multiply (samples, channels)."""
    length = math.ceil(seconds * rate)
    curve = 0.5 - 0.5 * np.cos(np.pi * np.arange(length + 1) / length)
    return curve.astype(np.float32)[:, None]


def _nowhere(sample: int, at: float, latency: float) -> None:
    """Nobody asked."""


def decibels(level: float) -> float:
    """A level (1.0 is full scale) in dB, not below -120."""
    return max(SILENCE_DB, 20 * math.log10(level)) if level > 0 else SILENCE_DB


class Player(Protocol):
    """A clock that calls `Playback.fill`."""

    @property
    def name(self) -> str:
        """Where the sound goes."""
        ...

    @property
    def latency(self) -> float:
        """Of the device alone, in seconds."""
        ...

    @property
    def cut_short(self) -> bool:
        """Whether a file that it writes had to end before the music."""
        ...

    def start(self) -> None:
        """Begin to call."""

    def running(self) -> bool:
        """Whether it still calls."""
        ...

    def close(self) -> None:
        """Call no more."""
