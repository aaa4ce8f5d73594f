"""Loops: bars of music whose end leads into their beginning.

Several takes are played, one after the other's seed. In their sound two places are looked for that are so many bars
apart and sound alike for two beats: from the second one the music could as well go on from the first. Then the model
plays several ways to the second place, in one batch, and the one after which it finds the first place likeliest is
kept. What lies between the two places is the loop. Its tokens are decoded going round, so the codec has no seam, and
the sound is brought to the exact length as a period is: by its spectrum.

Of music that is there already, a song's, the two places are given: only the way to the second one is the model's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from streamer.offline.places import ALIKE_BEATS, MOST_BENT, Bars, Clock, Place, best, downbeat, stretched
from streamer.sound.dynamics import Samples
from streamer.sound.effects import ECHO_BEATS, Amounts, Effects

if TYPE_CHECKING:
    from musicgen import MusicGen, Stream

Frames = NDArray[np.int64]  # (K, F)

TAKES, ENDINGS = 4, 6
PRE_ROLL = 2.0
"""Seconds that are played and not used: music that has just begun is thinner than what follows."""
JUDGED = 1.0
"""Seconds of the loop's start that the model judges an ending by."""
_SETTLED = 2.0  # seconds after which a codec and the effects no longer know how they began: see `HEARD` in musicgen
_TAIL = 6.0  # seconds after which a room is below hearing
_REPEATS = 9  # after which an echo is: each is 7 dB below the one before


@dataclass(frozen=True)
class Loop:
    """A loop's sound, and how it was found.

    Attributes
    ----------
    sound : ndarray, float32, (samples, channels)
        Exactly its bars, beginning on a downbeat.
    frames : ndarray, int64, (K, F)
        Its tokens, from the seam on.
    seam : int
        The sample of the sound at which the tokens begin.
    bent : float
        The factor that its own length was brought to the exact one by: pitch falls by as much.
    surprise : tuple of float
        Nats a token that the start comes after the end that was kept, and after the one that was played first.
    """

    sound: Samples
    frames: Frames
    seam: int
    bent: float
    surprise: tuple[float, float]


def make(
    model: MusicGen,
    start: Callable[[int], Stream],
    bars: Bars,
    seed: int,
    *,
    rate: int,
    effects: Amounts | None = None,
    progress: Callable[[float], None] = lambda done: None,
) -> Loop:
    """Play music until a loop is found in it.

    Parameters
    ----------
    model : musicgen.MusicGen
    start : callable
        Starts a stream of the model from a seed.
    bars : Bars
    seed : int
        Of the first take. The same model and values give the same loop.
    rate : int
        Of the sound, samples a second.
    effects : Amounts, optional
        Heard on the loop as they would be if it had gone round for ever.
    progress : callable, optional
        Called with the share of the work that is done.

    Raises
    ------
    UserError
        The loop is too short for its tempo.
    """
    target = bars.seconds * model.frame_rate
    beat = model.frame_rate * 60 / bars.bpm
    longest = math.ceil(target * (1 + MOST_BENT))
    count = round(PRE_ROLL * model.frame_rate) + longest + math.ceil(2 * ALIKE_BEATS * beat) + math.ceil(beat)
    clock = _clock(model, bars, round(target))
    takes, sounds = _play(
        [_told(start(seed + number), clock) for number in range(TAKES)], count, lambda done: progress(0.7 * done)
    )
    pre_roll = round(PRE_ROLL * model.frame_rate)
    place = min(
        (best(number, sound, model.hop, target, bars, pre_roll, clock) for number, sound in sounds),
        key=lambda found: found.unlike,
    )
    frames, surprise = _ending(start, takes[place.take], place, round(beat), seed, clock)
    progress(0.9)
    sound = _exact(model, frames, bars, rate, effects)
    first = downbeat(sound, rate, bars) if clock is None else round(clock.to_bar(place.start) * len(sound))
    progress(1.0)
    return Loop(np.roll(sound, -first, axis=0), frames, -first % len(sound), target / frames.shape[1], surprise)


def make_of(
    model: MusicGen,
    start: Callable[[int], Stream],
    song: Frames,
    at: int,
    bars: Bars,
    seed: int,
    *,
    rate: int,
    effects: Amounts | None = None,
    progress: Callable[[float], None] = lambda done: None,
) -> Loop:
    """The bars of a song from one place on, with an ending that leads back to it; else as `make`.

    Parameters
    ----------
    song : ndarray, int64, (K, F)
        The model's tokens of the song, as far as the last of the bars.
    at : int
        The frame at which the first bar begins: the loop's first sample.
    """
    target = bars.seconds * model.frame_rate
    place = Place(0, at, song.shape[1] - at, 0.0)
    clock = _clock(model, bars, place.length, at)
    frames, surprise = _ending(start, song, place, round(model.frame_rate * 60 / bars.bpm), seed, clock)
    progress(0.8)
    sound = _exact(model, frames, bars, rate, effects)
    progress(1.0)
    return Loop(sound, frames, 0, target / frames.shape[1], surprise)


def _clock(model: MusicGen, bars: Bars, frames: int, first: int = 0) -> Clock | None:
    """What a model that follows a score is told."""
    return Clock(bars, frames, first, model.score_delay * model.frame_rate) if model.follows_score else None


def _exact(model: MusicGen, frames: Frames, bars: Bars, rate: int, effects: Amounts | None) -> Samples:
    """The sound of a loop's frames, from the seam on, exactly as long as its bars."""
    # the echo keeps time with what is played, before it is brought to the exact length
    bpm = bars.bpm * bars.seconds * model.frame_rate / frames.shape[1]
    return stretched(_round(model, frames, effects, bpm), bars.samples(rate))


def _told(stream: Stream, clock: Clock | None, done: int = 0) -> Stream:
    """A stream that follows the clock, where there is one and so many frames of it are over."""
    if clock is not None:
        stream.set_score(lambda frame: clock(frame + done))
    return stream


def _play(
    streams: list[Stream], frames: int, progress: Callable[[float], None]
) -> tuple[list[Frames], list[tuple[int, Samples]]]:
    """The tokens of so many frames of each stream, in one batch, and their sound."""
    from musicgen import Ensemble

    ensemble, chunk = Ensemble(streams), 25
    tokens: list[list[Frames]] = [[] for _ in streams]
    sound: list[list[Samples]] = [[] for _ in streams]
    for done in range(0, frames, chunk):
        for number, heard in enumerate(ensemble.next_chunks(min(chunk, frames - done))):
            tokens[number].append(streams[number].trace.frames)
            sound[number].append(heard)
        progress(min(1.0, (done + chunk) / frames))
    for number, stream in enumerate(streams):
        sound[number].append(stream.flush())
    return [np.concatenate(own, axis=1) for own in tokens], list(enumerate(map(np.concatenate, sound)))


def _ending(
    start: Callable[[int], Stream], take: Frames, place: Place, beat: int, seed: int, clock: Clock | None
) -> tuple[Frames, tuple[float, float]]:
    """The loop's frames, with the ending after which its own start is likeliest; that likelihood, and the first's."""
    from musicgen import Ensemble
    from musicgen.surprise import surprise

    end = place.start + place.length
    cut = max(place.start + 1, end - beat)
    streams = [_told(start(seed), clock, cut) for _ in range(ENDINGS - 1)]
    told = None if clock is None else clock.fields(0, cut)
    for number, stream in enumerate(streams):
        stream.reanchor(take[:, :cut], seed + TAKES + number, told)
    ensemble = Ensemble(streams)
    played = [ensemble.next_frames() for _ in range(end - cut)]
    endings = [take[:, cut:end], *(np.stack(own, axis=1) for own in zip(*played, strict=True))]
    judge = streams[0]
    opening = take[:, place.start : place.start + min(place.length, round(JUDGED * judge.model.frame_rate))]
    told = None if clock is None else clock.fields(0, end + opening.shape[1])
    nats = [surprise(judge, np.concatenate([take[:, :cut], ending], axis=1), opening, told) for ending in endings]
    best = int(np.argmin(nats))
    return np.concatenate([take[:, place.start : cut], endings[best]], axis=1), (nats[best], nats[0])


def _round(model: MusicGen, frames: Frames, effects: Amounts | None, bpm: float) -> Samples:
    """The sound of frames that have gone round for so long that nothing tells where they began, (samples, channels)."""
    length = frames.shape[1]
    tail = max(_TAIL, _REPEATS * ECHO_BEATS * 60 / bpm) if effects else 0.0
    before = math.ceil((_SETTLED + tail) * model.frame_rate / length)
    decoder = model.new_decoder()
    # one round more than is kept: a codec that looks ahead owes the end
    sound = np.concatenate([decoder.decode(frames) for _ in range(before + 2)])[: (before + 1) * length * model.hop]
    if effects is not None:
        made = Effects(model.sample_rate, model.hop)
        made.set(effects, bpm)
        sound = made.process(np.repeat(sound, 2, axis=1) if sound.shape[1] == 1 else sound)
    return sound[before * length * model.hop :]
