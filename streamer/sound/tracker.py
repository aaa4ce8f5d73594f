"""Where the beat of music is that nobody can ask: heard, and followed."""

from __future__ import annotations

import json
from functools import lru_cache
from importlib.resources import files

import numpy as np
import numpy.typing as npt

from streamer.sound.flux import PER_SECOND, Array, Flux
from streamer.sound.fold import BEATS, BINS, SPAN, TEMPI, Fold, pattern_spectrum
from streamer.sound.trust import EVIDENCE, NEAR, evidence, trust

PATTERN = "beat.json"
"""Beside this file: the bar that beats are known by, see `benchmarks.lock`."""
LISTENS = 6.0
"""Seconds of music from which a beat is known well enough to start on."""
EVERY = 10
"""Steps of flux between two looks."""
SURE = 0.4
"""Confidence from which on the beat is trusted; it is lost again at half of that."""

_BEAT = BINS // BEATS
_EARLY = 1.0  # seconds that are needed for a first look
_REMEMBERS = 5.0  # seconds after which what spoke for a place counts for a third
_GAIN, _EARLY_GAIN = 0.22, 0.6  # of the way to where the beat is heard, that one look goes
_TEMPO_GAIN = 0.1
_NEWS = 0.1  # what the last look counts, for whether the beat is still heard
_MOVES = 0.2  # nats a look by which another place has to be likelier, before the beat is moved there
_CLEAR = 0.25  # nats of lead below which the beat is in doubt, whatever it looks like
_UNLIKELY = 1e-4
_LATE = 0.004  # seconds by which the attacks that the pattern is made of come after their beats


class Tracker:
    """Follows a beat whose tempo is roughly known.

    Attacks are laid over one another bar by bar (`Fold`), and compared with the pattern of a bar. What each look says
    is added up, so that one odd fill does not move the beat by half; within its place the beat is followed as a
    phase-locked loop does. How the samples are cut into calls does not matter.

    Parameters
    ----------
    rate : int
        Samples a second.
    bpm : float
        Beats a minute that are expected; they are found within 6 %.

    Attributes
    ----------
    bpm : float
        Beats a minute that are heard.
    evidence : ndarray, float32, (17,)
        What speaks for the beat and against it, see `trust`; zeros before the first look.
    confidence : float
        How likely the beat is the music's own, 0..1; 0 before the first look.
    """

    def __init__(self, rate: int, bpm: float) -> None:
        self._rate = rate
        self._spectrum = pattern_spectrum(pattern())
        self._flux = Flux(rate)
        self._expected = bpm
        self.restart()

    def restart(self) -> None:
        """What comes next follows on nothing."""
        self._flux.restart()
        self._fold = Fold(self._expected)
        self._waiting: list[Array] = []
        self._for = np.zeros(_BEAT)  # nats that speak for each place, from where the beat is now
        self._weight = 0.0
        self._lately = np.zeros(_BEAT)  # the same, a look, of the last second
        self._phase = 0.0  # beats at the last look
        self._since = 0  # samples since then
        self.bpm = self._expected
        self.evidence = np.zeros(EVIDENCE, np.float32)
        self.confidence = 0.0

    @property
    def seconds(self) -> float:
        """Heard so far."""
        return self._fold.seconds

    @property
    def phase(self) -> float:
        """Where in its beat the music is at the sample that comes next, 0..1."""
        late = _LATE + (self._since + self._flux.delay) / self._rate
        return (self._phase + late * self.bpm / 60) % 1.0

    def expect(self, bpm: float) -> None:
        """Another tempo is asked for."""
        if abs(bpm / self._expected - 1) > SPAN / TEMPI:
            self._expected = bpm
            self._fold.expect(bpm)
            self.bpm = float(np.clip(self.bpm, self._fold.tempi[0], self._fold.tempi[-1]))

    def hear(self, mono: Array) -> None:
        """Samples (n,) that come next."""
        self._since += len(mono)
        self._waiting.extend(self._flux.process(mono))
        while len(self._waiting) >= EVERY:
            steps, self._waiting = np.stack(self._waiting[:EVERY]), self._waiting[EVERY:]
            self._fold.add(steps)
            spent = round(EVERY * self._rate / PER_SECOND)
            self._phase = (self._phase + spent / self._rate * self.bpm / 60) % 1.0
            self._since -= spent
            if self.seconds >= _EARLY:
                self._look()

    def _look(self) -> None:
        places = self._places()
        chances = places.sum(axis=0)
        keeps = np.exp(-EVERY / (PER_SECOND * _REMEMBERS))
        self._for = self._for * keeps + np.log(chances + _UNLIKELY)
        self._weight = self._weight * keeps + 1.0
        best = int(self._for.argmax())
        away = (best + _BEAT // 2) % _BEAT - _BEAT // 2
        if abs(away) > NEAR[-1] and (self._for[best] - self._for[NEAR].max()) / self._weight > _MOVES:
            self._phase = (self._phase + away / _BEAT) % 1.0
            self._for, self._lately = np.roll(self._for, -away), np.roll(self._lately, -away)
            places = np.roll(places, -away, axis=1)
            chances = places.sum(axis=0)
        self._follow(places[:, NEAR], float(chances[NEAR].sum()))
        self._lately += (np.log(chances + _UNLIKELY) - self._lately) * _NEWS
        lead = max(0.0, min(_lead(self._for / self._weight), _lead(self._lately)))
        self.evidence = self._evidence(lead)
        self.confidence = trust(self.evidence) * min(1.0, lead / _CLEAR)

    def _evidence(self, lead: float) -> Array:
        fold = self._fold
        row = int(np.abs(fold.tempi - self.bpm).argmin())
        beat = round((float(fold.bar[row]) * BEATS - self._phase) * _BEAT)
        return evidence(fold.bar_in(row, beat), fold.loudness, self._spectrum, lead)

    def _follow(self, near: npt.NDArray[np.float64], chance: float) -> None:
        """Go a part of the way to where the beat and the tempo are heard: the less, the less sure that is."""
        sure = min(1.0, 2.0 * chance)
        total = near.sum() + 1e-12
        gain = _GAIN if self.seconds > 3.0 else _EARLY_GAIN
        self._phase = (self._phase + gain * sure * float((near.sum(axis=0) * NEAR).sum() / total) / _BEAT) % 1.0
        heard = float((near.sum(axis=1) * self._fold.tempi).sum() / total)
        self.bpm += _TEMPO_GAIN * sure * (heard - self.bpm)

    def _places(self) -> npt.NDArray[np.float64]:
        """How likely the beat is so many bins ahead of where we have it, in each tempo: (25, 24), all of it 1."""
        scores = self._fold.scores(self._spectrum).astype(np.float64)
        chances = np.exp(scores - scores.max()).reshape(TEMPI, BEATS, _BEAT).sum(axis=1)
        ahead = (self._fold.bar * BEATS - self._phase) * _BEAT
        bins = (ahead[:, None] - np.arange(_BEAT)) % _BEAT
        low = bins.astype(np.intp)
        part = bins - low
        rows = np.arange(TEMPI)[:, None]
        turned = chances[rows, low % _BEAT] * (1 - part) + chances[rows, (low + 1) % _BEAT] * part
        found: npt.NDArray[np.float64] = turned / turned.sum()
        return found


def _lead(chances: npt.NDArray[np.float64]) -> float:
    """How much more speaks for where the beat is than for anywhere else, nats."""
    return float(chances[NEAR].max() - chances[NEAR[-1] + 1 : _BEAT - NEAR[-1]].max())


@lru_cache(maxsize=1)
def pattern() -> Array:
    """How a bar sets in, (96, 4): what `benchmarks.lock` has learnt from composed songs."""
    stored = json.loads((files("streamer.sound") / PATTERN).read_text(encoding="utf-8"))
    return np.array(stored, np.float32)
