"""Watches over the music, and says how to go on where a model has collapsed.

Left to itself for hours, a model can fall into a state that it does not leave: it is silent, it plays one loop for
ever, or it has become so sure of itself that nothing happens any more. What it played is then the past that it goes on
from, so the past has to be changed: first for what was played before the collapse, and where that does not help, for
nothing.

No clock, no randomness: what the guard says depends on what it hears alone, so that renders stay reproducible.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from streamer.engine.model import Frames, Sampling, Trace
from streamer.engine.trail import Played, joined
from streamer.sound.dynamics import Samples
from streamer.sound.meter import integrated_loudness

Reason = Literal["silence", "frozen loop", "low entropy", "no numbers"]

EVERY = 0.5
"""Seconds from one look to the next."""

SILENCE = -50.0
"""LUFS (ITU-R BS.1770, gated) of the model's own sound, before loudness, volume and mute."""
SILENT_FOR = 1.5

FROZEN_SHARE = 0.9
"""Of all codebooks' tokens that are those of a fixed time before. Music on the frame grid repeats rightly: renders
repeat up to 84 % of their tokens, eleven of nano's twelve streams of ten minutes up to 86 %, one 93 %."""
FROZEN_FOR = 8.0
"""Seconds; also the longest loop that is found."""

LOW_ENTROPY = 0.25
"""Of the median of the last `MEDIAN_OVER` seconds. Quiet beats have moments of certainty: nearly all of the last
`LOW_FOR` seconds must be below it."""
LOW_FOR = 2.0
LOW_SHARE = 0.9
MEDIAN_OVER = 30.0
MEDIAN_FROM = 10.0
"""Seconds that must have been heard since the musician's last change: another prompt has another entropy."""

MARGIN = 10.0
"""Seconds before a collapse that are not gone back to, either: it comes on slowly. nano, put back to 8 s before a
silence or more, played on for half a minute or for good; put back to just before it, it was silent again at once."""
ANCHOR = 6.0
"""Seconds of healthy music that are gone on from, at the most; with less than `LEAST_ANCHOR` it begins anew."""
LEAST_ANCHOR = 1.0
CALM = 30.0
"""Seconds after an answer in which another collapse means that the answer did not help."""
FIRST_REST, LONGEST_REST = 15.0, 480.0
"""Seconds without a look after the third answer in a row, doubled with each further one: perhaps it is meant so."""


@dataclass(frozen=True)
class Collapse:
    """What was found, and how to go on.

    Attributes
    ----------
    reason
        What was heard.
    healthy
        The last frames from before it, to go on from; None: begin from nothing.
    """

    reason: Reason
    healthy: Played | None

    def __str__(self) -> str:
        happened = {
            "silence": "The music fell silent",
            "frozen loop": "The music froze in a loop",
            "low entropy": "The music lost its variety",
            "no numbers": "The model computed values that are no numbers",
        }[self.reason]
        return f"{happened}: {'it begins anew' if self.healthy is None else 'it goes on from what was before'}."


def asks_for_loops(sampling: Sampling, usual: Sampling) -> bool:
    """Whether tokens are chosen so narrowly, against what is usual for the model, that repetition is what is meant."""
    return sampling.temperature < 0.5 * usual.temperature or 1 <= sampling.top_k <= 4 or sampling.top_p < 0.3


def loop_length(frames: Frames, span: int) -> int:
    """The shortest lag at which more than `FROZEN_SHARE` of the last ``span`` frames' tokens (K, F) repeat; 0 if none.

    Lags go up to ``span``, as far as there are frames.
    """
    codebooks, count = frames.shape
    if count <= span:
        return 0
    last = frames[:, -span:]
    # One codebook is compared everywhere, the others only where it repeats enough for all of them to be able to.
    windows = np.lib.stride_tricks.sliding_window_view(frames[-1], span)[-2 : -span - 2 : -1]  # by lag, from 1 on
    least = 1 - codebooks * (1 - FROZEN_SHARE)
    for lag in 1 + np.flatnonzero((windows == last[-1]).mean(1) > least):
        earlier = frames[:, count - span - lag : count - lag]
        if np.count_nonzero(last == earlier) > FROZEN_SHARE * last.size:
            return int(lag)
    return 0


def is_low(entropy: NDArray[np.float64], span: int) -> bool:
    """Whether the last ``span`` values are far below the median of all."""
    limit = LOW_ENTROPY * float(np.median(entropy))
    return bool(np.count_nonzero(entropy[-span:] < limit) > LOW_SHARE * span)


class Guard:
    """Hears what a stream makes, in chunks of any size, and looks at it every half second.

    Parameters
    ----------
    rate, hop
        Samples a second and a frame, of the model.
    """

    def __init__(self, rate: int, hop: int) -> None:
        self._frames_a_second = rate / hop
        self._rate = rate
        self.begin()

    def begin(self, past: Played | None = None) -> None:
        """A piece begins, with nothing or with a past."""
        self._row = 0  # answers given one after the other
        self._calm = 0  # frames heard since the last one
        self._rest = 0  # frames until the next look
        self._past = past
        self._listen_anew()

    def asked(self) -> None:
        """The musician asked for something else: what was usual before is no measure any more."""
        self._entropy: NDArray[np.float64] = np.zeros(0)

    def hear(self, trace: Trace, sound: Samples, *, loops: bool = False) -> Collapse | None:
        """Take in a chunk.

        Parameters
        ----------
        sound
            (samples, channels), as the model made it.
        loops
            Whether repetition is meant: then silence alone is a collapse.

        Returns
        -------
        Collapse or None
            Something is wrong. The guard takes it that its advice is followed at once.
        """
        self._chunks.append((trace, sound))
        self._waiting += len(trace.entropy)
        if self._waiting < self._count(EVERY):
            return None
        self._gather()
        if self._rest > 0:
            return None
        found = self._silence() or (not loops and (self._loop() or self._certainty())) or None
        return self._answer(*found) if found else None

    def broken(self) -> Collapse:
        """The model computes no numbers any more: how to go on, once."""
        if self._chunks:
            self._gather()
        healthy = None if self._past is None else self._past[-self._count(ANCHOR) :]
        if healthy is None or len(healthy) < self._count(LEAST_ANCHOR):
            healthy = None
        self._past = healthy
        self._listen_anew()
        return Collapse("no numbers", healthy)

    def _count(self, seconds: float) -> int:
        return round(seconds * self._frames_a_second)

    def _listen_anew(self) -> None:
        """After an answer: what was heard before says nothing about what comes."""
        self._chunks: list[tuple[Trace, Samples]] = []
        self._waiting = 0
        self._fresh = 0  # frames heard since
        self._sound: Samples | None = None
        self.asked()

    def _gather(self) -> None:
        """Join what has been heard with what is still remembered."""
        traces, sounds = zip(*self._chunks, strict=True)
        self._chunks = []
        heard = [Played(trace.frames, trace.fields) for trace in traces]
        before = [] if self._past is None else [self._past]
        self._past = joined([*before, *heard])[-self._count(2 * (FROZEN_FOR + MARGIN)) :]
        entropy = np.concatenate([self._entropy, *(trace.entropy for trace in traces)])
        self._entropy = entropy[-self._count(MEDIAN_OVER) :]
        sound = np.concatenate([*([] if self._sound is None else [self._sound]), *sounds])
        self._sound = sound[-round(SILENT_FOR * self._rate) :]
        self._fresh += self._waiting
        self._rest -= self._waiting
        self._calm += self._waiting if self._rest <= 0 else 0
        self._waiting = 0

    def _silence(self) -> tuple[Reason, float] | None:
        """Found, and for how many seconds it may have been so."""
        assert self._sound is not None
        if len(self._sound) < round(SILENT_FOR * self._rate):
            return None
        loudness = integrated_loudness(self._sound, self._rate)
        return None if loudness >= SILENCE else ("silence", SILENT_FOR + EVERY)

    def _loop(self) -> tuple[Reason, float] | None:
        assert self._past is not None
        heard = self._past.frames[:, -self._fresh :]
        span = self._count(FROZEN_FOR)
        lag = loop_length(heard, span)
        return ("frozen loop", FROZEN_FOR + lag / self._frames_a_second) if lag else None

    def _certainty(self) -> tuple[Reason, float] | None:
        if len(self._entropy) < self._count(MEDIAN_FROM):
            return None
        return ("low entropy", LOW_FOR + EVERY) if is_low(self._entropy, self._count(LOW_FOR)) else None

    def _answer(self, reason: Reason, seconds: float) -> Collapse:
        """The first time to go on from what was before, then to begin anew; then with longer and longer rests."""
        assert self._past is not None
        self._row = self._row + 1 if self._row and self._calm < self._count(CALM) else 1
        self._calm = 0
        before = max(0, len(self._past) - math.ceil(seconds * self._frames_a_second))
        whole = self._past[: before - min(self._count(MARGIN), before // 2)]
        healthy = whole[-self._count(ANCHOR) :] if self._row == 1 else whole[:0]
        usable = len(healthy) >= self._count(LEAST_ANCHOR)
        if self._row > 2:
            doubled = min(self._row - 3, 16)  # a power of two of days in a row would be too large for a float
            self._rest = self._count(min(FIRST_REST * 2**doubled, LONGEST_REST))
        self._past = whole if usable else None
        self._listen_anew()
        return Collapse(reason, healthy if usable else None)


def fresh_seed(seed: int, frame: int) -> int:
    """Another seed, which follows from the musician's and from the frame at which it is needed."""
    return int(np.random.SeedSequence((seed, frame)).generate_state(1)[0] >> 1)
