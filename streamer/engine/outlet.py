"""Between the stream's sound and the listener's: loudness, fader, resampling, limiter, and what waits to be read."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
import soxr

from streamer.errors import UserError
from streamer.sound.dynamics import Fader, Limiter, Loudness, Samples
from streamer.sound.effects import Amounts, Effects
from streamer.sound.hosted.rack import Rack

RATES = (8_000, 384_000)
"""Sample rates an output may have, Hz."""


class Outlet:
    """What the stream makes goes in, what is heard comes out.

    The sound's way: `Effects` -> `Loudness` -> `Fader` (volume, mute) -> `Rack`, the hosted effects -> resampling ->
    `Limiter`. Without levelling, for a piece that is finished before it is heard, there is no `Loudness` and no
    `Limiter`. Nothing here shifts the sound but hosted effects: sample n that goes in is heard `Rack.latency` samples
    later, at sample n * sample_rate / source_rate, however much of it is held back meanwhile.

    Parameters
    ----------
    source_rate : int
        Of what goes in.
    sample_rate, channels : int
        Of what comes out; 1 or 2 channels. Mono plays on both loudspeakers, stereo is mixed down for one.
    frame : int
        Samples that go in a frame; the fader's ramps are as long.
    level : bool
        Whether the loudness is moved to its reference and peaks are limited.
    rack : Rack
        The hosted effects.

    Attributes
    ----------
    taken : int
        Samples that have gone in.
    ready : int
        Samples that can be read.

    Raises
    ------
    UserError
        For an output that nobody can listen to.
    """

    def __init__(self, source_rate: int, sample_rate: int, channels: int, frame: int, level: bool, rack: Rack) -> None:
        _check(sample_rate, channels)
        self.taken = 0
        self.ready = 0
        self._channels = channels
        self._blocks: deque[Samples] = deque()
        self._shaped: list[Samples] = []
        self._effects = Effects(source_rate, frame)
        self._rack = rack
        # From silence: a clip that begins in the middle of a wave would click.
        self._fader = Fader(frame, 0.0)
        self._resample = _resampler(source_rate, sample_rate, channels)
        self._loudness = self._limit = _as_it_is
        if level:
            self._loudness = Loudness(source_rate, channels).process
            self._limit = Limiter(sample_rate, channels).process

    @property
    def fading(self) -> bool:
        """Whether a ramp of the fader is under way."""
        return self._fader.moving

    def fade_to(self, gain: float) -> None:
        """Ramp to this factor, from the next sample on that goes in."""
        self._fader.to(gain)

    def colour(self, chunk: Samples, amounts: Amounts, bpm: float) -> Samples:
        """A chunk of the stream's, (n, 1) or (n, 2), with the effects on it and as wide as the output: to be put."""
        self._effects.set(amounts, bpm)
        pair = self._effects.process(chunk if chunk.shape[1] == 2 else np.repeat(chunk, 2, axis=1))
        return pair if self._channels == 2 else pair.mean(axis=1, keepdims=True, dtype=np.float32)

    def put(self, sound: Samples) -> None:
        """Take in samples (n, channels); they can be read after `finish`."""
        self.taken += len(sound)
        self._shaped.append(self._fader.process(self._loudness(sound)))

    def finish(self) -> None:
        """What was put since the last time is a chunk: send it on its way."""
        block = self._limit(self._resample(self._hosted(np.concatenate(self._shaped))))
        self._shaped.clear()
        self._blocks.append(block)
        self.ready += len(block)

    def _hosted(self, chunk: Samples) -> Samples:
        """A chunk with the hosted effects on it, which have two channels."""
        if self._channels == 2:
            return self._rack.process(chunk)
        pair = self._rack.process(np.repeat(chunk, 2, axis=1))
        one: Samples = pair.mean(axis=1, keepdims=True, dtype=np.float32)
        return one

    def take(self, samples: int) -> Samples:
        """The next samples, (samples, channels), at most `ready`."""
        out = np.empty((samples, self._channels), np.float32)
        done = 0
        while done < samples:
            block = self._blocks.popleft()
            part = block[: samples - done]
            out[done : done + len(part)] = part
            done += len(part)
            if len(part) < len(block):
                self._blocks.appendleft(block[len(part) :])
        self.ready -= samples
        return out


def _as_it_is(samples: Samples) -> Samples:
    return samples


def _resampler(source: int, target: int, channels: int) -> Callable[[Samples], Samples]:
    if source == target:
        return _as_it_is
    stream = soxr.ResampleStream(source, target, channels, dtype="float32")

    def resample(samples: Samples) -> Samples:
        resampled: Samples = stream.resample_chunk(np.ascontiguousarray(samples))
        return resampled

    return resample


def _check(sample_rate: int, channels: int) -> None:
    low, high = RATES
    if not low <= sample_rate <= high:
        raise UserError(f"a sample rate of {sample_rate} Hz is out of reach: choose one from {low} to {high}")
    if channels not in (1, 2):
        raise UserError(f"{channels} channels are out of reach: choose 1 or 2")
