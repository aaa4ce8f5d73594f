"""Loudness, level and peaks: what stands between the model's sound and the listener's ears.

Everything here is a stream: state is carried from one call to the next, and how the samples are cut into calls does
not change them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from streamer.sound.meter import Recent

Samples = npt.NDArray[np.float32]

REFERENCE = -16.0
"""LUFS that `Loudness` brings the music to; what the player wants beyond that is a matter of the fader."""


def amplitude(decibels: float) -> float:
    """The factor of a gain in dB."""
    return float(10.0 ** (decibels / 20.0))


class Loudness:
    """Brings music slowly to `REFERENCE` LUFS.

    Each second the last 3 s of the input are measured by ITU-R BS.1770 (gated), and the gain moves a little
    towards what is missing: up by at most 1 dB, down by at most 3 dB a second, so that quiet passages stay quiet. While
    the history is shorter than 3 s it may move faster, from 0 dB at the start. Silence holds the gain.

    Parameters
    ----------
    rate : int
        Samples a second.
    channels : int
        1 or 2.
    """

    HISTORY = 3.0
    FIRST = 0.5
    UP, DOWN = 1.0, 3.0
    UP_EARLY, DOWN_EARLY = 6.0, 20.0
    MOST = 20.0
    SILENCE = -60.0

    def __init__(self, rate: int, channels: int) -> None:
        self._rate = rate
        self._recent = Recent(rate, channels, self.HISTORY)
        self._heard: list[Samples] = []
        self._total = 0
        self.gain_db = 0.0
        # The gain glides in a straight line from one measurement to the next: start, end, samples done, samples in all.
        self._glide = (1.0, 1.0, 0, round(self.FIRST * rate))

    def process(self, samples: Samples) -> Samples:
        """The samples (n, channels) with the gain applied; as many come out as go in."""
        out = []
        while len(samples):
            start, end, done, length = self._glide
            part, samples = samples[: length - done], samples[length - done :]
            steps = np.arange(done, done + len(part))[:, None]
            out.append((part * (start + (end - start) * (steps / length))).astype(np.float32))
            self._heard.append(part)
            self._glide = (start, end, done + len(part), length)
            if done + len(part) == length:
                self._measure()
        return np.concatenate([samples, *out])

    def _measure(self) -> None:
        heard, self._heard = np.concatenate(self._heard), []
        self._total += len(heard)
        early = self._total < self.HISTORY * self._rate
        up, down = (self.UP_EARLY, self.DOWN_EARLY) if early else (self.UP, self.DOWN)
        measured = self._recent.hear(heard)
        before = self.gain_db
        if measured > self.SILENCE:
            wanted = float(np.clip(REFERENCE - measured, -self.MOST, self.MOST))
            self.gain_db += float(np.clip(wanted - before, -down, up))
        # The first measurement comes early, the others on the second.
        self._glide = (amplitude(before), amplitude(self.gain_db), 0, self._rate - self._total % self._rate)


class Fader:
    """A gain that never jumps: every change is a raised-cosine ramp of fixed length.

    Parameters
    ----------
    ramp : int
        Length of a ramp, samples.
    gain : float
        Factor to begin with.
    """

    def __init__(self, ramp: int, gain: float) -> None:
        self._curve = 0.5 - 0.5 * np.cos(np.pi * np.arange(1, ramp + 1) / ramp)
        self._start = self._target = gain
        self._done = ramp

    def to(self, gain: float) -> None:
        """Ramp from wherever the gain is now to this factor."""
        self._start = self._now()
        self._target = gain
        self._done = 0

    @property
    def moving(self) -> bool:
        """Whether a ramp is under way."""
        return self._done < len(self._curve)

    def process(self, samples: Samples) -> Samples:
        """The samples (n, channels) with the gain applied; as many come out as go in."""
        curve = self._curve[self._done : self._done + len(samples)]
        gain = np.full((len(samples), 1), self._target)
        gain[: len(curve), 0] = self._start + (self._target - self._start) * curve
        self._done += len(curve)
        faded: Samples = (samples * gain).astype(np.float32)
        return faded

    def _now(self) -> float:
        if self._done == 0:
            return self._start
        return float(self._start + (self._target - self._start) * self._curve[self._done - 1])


class Crossfade:
    """Lets one sound go out while another comes in, with the curves of equal power, cosine and sine.

    Parameters
    ----------
    samples : int
        How long it takes.
    old : callable
        Gives the next so many samples of the old sound, (samples, channels); fewer where there are no more.
    alike : float
        How much they are like each other, see `likeness`: what is alike would swell in the middle.
    """

    def __init__(self, samples: int, old: Callable[[int], Samples], alike: float = 0.0) -> None:
        self._samples = samples
        self._old = old
        self._alike = alike
        self._done = 0

    @property
    def over(self) -> bool:
        """Whether nothing of the old sound is left."""
        return self._done >= self._samples

    def process(self, samples: Samples) -> Samples:
        """The new sound (n, channels) with what is left of the old one; as many come out as go in."""
        count = min(len(samples), self._samples - self._done)
        old = self._old(count)
        phase = (np.arange(self._done, self._done + count)[:, None] + 0.5) / max(1, self._samples) * (np.pi / 2)
        self._done += count
        whole = np.concatenate([old, np.zeros_like(samples[len(old) : count])])
        faded: Samples = samples.copy()
        out, into = np.cos(phase), np.sin(phase)
        faded[:count] = (whole * out + samples[:count] * into) / np.sqrt(1 + 2 * self._alike * out * into)
        return faded


def likeness(one: Samples, other: Samples) -> float:
    """How much two sounds of one length are like each other, 0 to 1: their correlation, where it is not negative."""
    power = np.sqrt(np.sum(np.square(one, dtype=np.float64)) * np.sum(np.square(other, dtype=np.float64)))
    return max(0.0, float(np.sum(one * other, dtype=np.float64) / power)) if power > 0 else 0.0


class Limiter:
    """A look-ahead peak limiter: no sample that comes out is above the ceiling, whatever goes in.

    The gain is worked out on a grid of half-millisecond blocks: what each block needs, the least of that over the
    coming `AHEAD` blocks, an exponential release, and a running mean as long as the look-ahead, which turns every drop
    into a ramp that arrives in time. Each value of the mean is at most what the block needs, so the mean is too. Sound
    that never reaches the ceiling passes bit for bit. Channels share one gain. Samples that are no finite number become
    silence.

    Parameters
    ----------
    rate : int
        Samples a second.
    channels : int
        Channels of the samples.
    ceiling_db : float
        Highest peak, dB below full scale.

    Attributes
    ----------
    latency : int
        Most samples that are held back. Sound is not shifted: it comes out that much later, with no silence before it.
    """

    BLOCK_SECONDS = 0.0005
    RELEASE_SECONDS = 0.08
    AHEAD = 6

    def __init__(self, rate: int, channels: int, ceiling_db: float = -1.0) -> None:
        self._block = max(1, round(rate * self.BLOCK_SECONDS))
        # Rounded down to float32, the type of the output: a ceiling rounded up would not be one.
        self.ceiling = np.nextafter(np.float32(amplitude(ceiling_db)), np.float32(0))
        self.latency = (self.AHEAD + 1) * self._block - 1
        self._release = float(np.exp(-self._block / (rate * self.RELEASE_SECONDS)))
        # A look-ahead of silence before the first sample; it never comes out.
        self._unheard = self.AHEAD * self._block
        self._held = np.zeros((self._unheard, channels), np.float32)
        self._needed = np.ones(self.AHEAD)
        self._released = np.ones(self.AHEAD)
        self._node = 1.0

    def process(self, samples: Samples) -> Samples:
        """Limit samples (n, channels); up to `latency` of them come out with a later call."""
        if not np.isfinite(samples).all():
            samples = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
        self._held = np.concatenate([self._held, samples])
        blocks = len(self._held) // self._block
        self._look(blocks)
        ready = blocks - self.AHEAD
        if ready <= 0:
            return self._held[:0]
        loud, self._held = self._held[: ready * self._block], self._held[ready * self._block :]
        if not self._at_rest():
            loud = (loud * self._gain(ready)[:, None]).astype(np.float32)
            # The gain already sees to it; what is cut off here is rounding.
            loud = np.clip(loud, -self.ceiling, self.ceiling)
        self._needed = self._needed[ready:]
        out, self._unheard = loud[self._unheard :], max(0, self._unheard - len(loud))
        return out

    def _at_rest(self) -> bool:
        """Whether the gain is 1 and stays there, as it mostly does."""
        return bool(min(self._node, self._released.min(), self._needed.min()) == 1.0)

    def _look(self, blocks: int) -> None:
        """Note the gain that each new block needs."""
        new = self._held[len(self._needed) * self._block : blocks * self._block]
        peaks = np.abs(new).reshape(-1, self._block * self._held.shape[1]).max(axis=1, initial=0.0).astype(np.float64)
        needed = float(self.ceiling) / np.maximum(peaks, float(self.ceiling))
        self._needed = np.concatenate([self._needed, needed])

    def _gain(self, ready: int) -> npt.NDArray[np.float64]:
        """The gain (samples,) of the next `ready` blocks: straight lines between nodes at the blocks' edges."""
        edges = np.minimum(self._needed[:-1], self._needed[1:])
        least = np.lib.stride_tricks.sliding_window_view(edges, self.AHEAD).min(axis=1)
        last = float(self._released[-1])
        released = list(accumulate(least.tolist(), self._rise, initial=last))[1:]
        history = np.concatenate([self._released, released])
        # Summed slice by slice, so that the order of the additions does not depend on how the sound was cut.
        mean = sum(history[i : i + ready] for i in range(1, self.AHEAD + 1)) / self.AHEAD
        nodes = np.concatenate([[self._node], mean])
        self._released, self._node = history[-self.AHEAD :], float(nodes[-1])
        steps = np.arange(self._block) / self._block
        gain: npt.NDArray[np.float64] = nodes[:-1, None] + np.diff(nodes)[:, None] * steps
        return gain.reshape(-1)

    def _rise(self, gain: float, allowed: float) -> float:
        risen = 1.0 - (1.0 - gain) * self._release
        # Below what float32 can tell from 1: the release ends.
        return min(allowed, 1.0 if risen > 1.0 - 1e-9 else risen)
