"""Loops: bars of music whose end leads into their beginning.

Several takes are played, one after the other's seed. In their sound two places are looked for that are so many bars
apart and sound alike for two beats: from the second one the music could as well go on from the first. Then the model
plays several ways to the second place, in one batch, and the one after which it finds the first place likeliest is
kept. What lies between the two places is the loop. Its tokens are decoded going round, so the codec has no seam, and
the sound is brought to the exact length as a period is: by its spectrum.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from osc.values import Value
from streamer.control.table import EFFECTS
from streamer.control.tempo import FASTEST, SLOWEST
from streamer.engine.prompts import blend_of
from streamer.engine.steering import start as start_stream
from streamer.errors import UserError
from streamer.offline.render import FORMATS, check_normalise, check_path, check_rate, targets, write
from streamer.sound.dynamics import Samples
from streamer.sound.effects import ECHO_BEATS, Amounts, Effects
from streamer.sound.files import check_new
from streamer.sound.normalise import strategy
from streamer.sound.riff import mark_loop

if TYPE_CHECKING:
    from musicgen import MusicGen, Stream

Frames = NDArray[np.int64]  # (K, F)
Curve = NDArray[np.float64]

TAKES, ENDINGS = 4, 6
PRE_ROLL = 2.0
"""Seconds that are played and not used: music that has just begun is thinner than what follows."""
MOST_BENT = 0.025
"""Share by which a loop's own length may differ from the exact one; a cent of pitch is 0.0006. Music that was learnt in
whole frames a beat, as nano's was, is off by up to 2 % at fast tempi."""
ALIKE_BEATS = 2.0
"""How long the two places have to sound alike."""
JUDGED = 1.0
"""Seconds of the loop's start that the model judges an ending by."""
_SETTLED = 2.0  # seconds after which a codec and the effects no longer know how they began: see `HEARD` in musicgen
_TAIL = 6.0  # seconds after which a room is below hearing
_REPEATS = 9  # after which an echo is: each is 7 dB below the one before
_LONGEST, _SHORTEST = 60.0, 1.0
_BANDS = 32


@dataclass(frozen=True)
class Bars:
    """How long a loop is, in music.

    Parameters
    ----------
    count : int
        Of bars.
    bpm : float
        Quarter notes a minute.
    beats, unit : int
        The metre: 3 and 4 for 3/4.

    Raises
    ------
    UserError
        It is no music, or longer or shorter than a loop can be.
    """

    count: int
    bpm: float
    beats: int = 4
    unit: int = 4

    def __post_init__(self) -> None:
        if self.count < 1:
            raise UserError(f"a loop of {self.count} bars is no music: choose 1 or more")
        if not SLOWEST <= self.bpm <= FASTEST:
            raise UserError(f"a tempo of {self.bpm:g} bpm cannot be played: choose one from {SLOWEST:g} to {FASTEST:g}")
        if not 1 <= self.beats <= 32 or self.unit not in (1, 2, 4, 8, 16):
            raise UserError(f"{self.beats}/{self.unit} is no metre: write one like 4/4, 3/4 or 6/8")
        if not _SHORTEST <= self.seconds <= _LONGEST:
            raise UserError(
                f"{self.count} bars at {self.bpm:g} bpm last {self.seconds:.1f} s: "
                f"choose bars and tempo for {_SHORTEST:g} to {_LONGEST:g} seconds"
            )

    @classmethod
    def of(cls, count: int, bpm: float, metre: str) -> Bars:
        """With a metre as it is written, "6/8"."""
        beats, _, unit = metre.partition("/")
        if not (beats.strip().isdecimal() and unit.strip().isdecimal()):
            raise UserError(f"{metre!r} is no metre: write one like 4/4, 3/4 or 6/8")
        return cls(count, bpm, int(beats), int(unit))

    @property
    def quarters(self) -> Fraction:
        """Of all bars."""
        return Fraction(self.count * self.beats * 4, self.unit)

    @property
    def seconds(self) -> float:
        return float(self.quarters) * 60 / self.bpm

    def samples(self, rate: int) -> int:
        """Rounded once."""
        return round(self.quarters * 60 * rate / Fraction(self.bpm).limit_denominator(10**6))


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


def check_target(
    path: Path, variations: int, normalise: str, rate: int | None, bars: Bars, *, force: bool, source: Path | None
) -> list[Path]:
    """The files that loops are to be written to, refused before any work is done.

    Raises
    ------
    UserError
        See `streamer.offline.render`; also for a kind of file that cannot loop.
    """
    files = targets(path, variations)
    for file in files:
        if file.suffix.lower() not in (".wav", ".flac"):
            raise UserError(f"the file {file} would not go round to the sample: name one that ends in .wav or .flac")
        check_path(file)
        check_new(file, force=force, sources=(source,))
    check_normalise(normalise)
    if rate is not None:
        check_rate(path, rate)
    return files


def write_loop(
    model: MusicGen,
    values: Mapping[str, Value],
    bars: Bars,
    path: Path,
    *,
    rate: int | None = None,
    normalise: str = "peak",
    beginning: Frames | None = None,
    progress: Callable[[float], None] = lambda done: None,
) -> str:
    """Make a loop and write it, see `make`; how it was found, in words.

    Parameters
    ----------
    values : mapping
        Of the parameters, all of them; the tempo is worded into the prompts.
    rate : int, optional
        The model's own unless given.
    normalise : str
        One of `streamer.sound.normalise.STRATEGIES`.
    beginning : ndarray, int64, (K, F), optional
        Frames that every take goes on from.
    """
    blend = blend_of(values)

    def start(seed: int) -> Stream:
        stream = cast(Any, start_stream(cast(Any, model), dict(values) | {"seed": seed}, blend))
        if beginning is not None:
            stream.continue_from(beginning, seed)
        return cast("Stream", stream)

    rate = rate or model.sample_rate
    amounts = Amounts(*(float(values[name]) for name in EFFECTS))
    loop = make(
        model,
        start,
        bars,
        int(values["seed"]),
        rate=rate,
        effects=None if amounts == Amounts() else amounts,
        progress=progress,
    )
    sound = strategy(normalise, compressor=False)(loop.sound, rate)
    kind = FORMATS[path.suffix.lower()]
    write(iter([[sound]]), [path], kind, rate, sound.shape[1], len(sound), overwrite=True)
    if kind.container == "WAV":
        mark_loop(path, rate=rate, samples=len(sound), bpm=bars.bpm, beats=bars.beats, unit=bars.unit, bars=bars.count)
    cents = 1200 * math.log2(1 / loop.bent)
    own = f" (none at {bars.bpm * loop.bent:.4g} bpm)" if abs(cents) >= 5 else ""
    return f"seed {values['seed']}, pitch {cents:+.0f} cents{own}, seam at {loop.seam / rate:.3f} s"


@dataclass(frozen=True)
class _Place:
    """Where a loop may lie in a take: its first frame and its length, and how unlike its ends' surroundings are."""

    take: int
    start: int
    length: int
    unlike: float


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
    takes, sounds = _play([start(seed + number) for number in range(TAKES)], count, lambda done: progress(0.7 * done))
    place = min(
        (_best(number, sound, model.hop, target, beat, round(PRE_ROLL * model.frame_rate)) for number, sound in sounds),
        key=lambda found: found.unlike,
    )
    frames, surprise = _ending(start, takes[place.take], place, round(beat), seed)
    progress(0.9)
    # the echo keeps time with what is played, before it is brought to the exact length
    sound = _round(model, frames, effects, bars.bpm * target / frames.shape[1])
    exact = stretched(sound, bars.samples(rate))
    first = _downbeat(exact, rate, bars)
    progress(1.0)
    return Loop(np.roll(exact, -first, axis=0), frames, -first % len(exact), target / frames.shape[1], surprise)


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


def heard(sound: Samples, hop: int) -> Curve:
    """What is heard in each frame, (frames, bands): the logarithm of bands of equal ratio, 60 Hz to 60 % of the rate's
    half, floored 60 dB below the loudest."""
    mono = np.pad(sound.mean(axis=1, dtype=np.float64), hop // 2)
    window = sliding_window_view(mono, 2 * hop)[::hop] * np.hanning(2 * hop)
    power = np.abs(np.fft.rfft(window, axis=1)) ** 2
    share = np.geomspace(0.002, 0.6, _BANDS + 1)
    edges = np.unique(np.round(share * power.shape[1]).astype(int))
    bands = np.add.reduceat(power, edges[:-1], axis=1)
    levels: Curve = np.log(bands + bands.max() * 1e-6 + 1e-12)
    return levels


def _best(take: int, sound: Samples, hop: int, target: float, beat: float, first: int) -> _Place:
    """The two places of a take, some bars apart, that sound most alike in the beats before and after them."""
    curve = heard(sound, hop)
    around = round(ALIKE_BEATS * beat / 2)
    slack = min(MOST_BENT * target, 0.3 * beat)
    spread = float(curve.var(axis=0).mean()) + 1e-9
    found: list[_Place] = []
    for length in range(math.ceil(target - slack), math.floor(target + slack) + 1):
        unlike = ((curve[length:] - curve[:-length]) ** 2).mean(axis=1) / spread
        smooth = np.convolve(unlike, np.ones(2 * around + 1) / (2 * around + 1), "valid")[first:]
        if len(smooth):
            at = int(smooth.argmin())
            bent = abs(length / target - 1) / MOST_BENT
            found.append(_Place(take, first + around + at, length, float(smooth[at]) + 0.2 * bent**2))
    if not found:
        raise UserError("the loop is too short for its tempo: choose more bars")
    return min(found, key=lambda place: place.unlike)


def _ending(
    start: Callable[[int], Stream], take: Frames, place: _Place, beat: int, seed: int
) -> tuple[Frames, tuple[float, float]]:
    """The loop's frames, with the ending after which its own start is likeliest; that likelihood, and the first's."""
    from musicgen import Ensemble
    from musicgen.surprise import surprise

    end = place.start + place.length
    cut = max(place.start + 1, end - beat)
    streams = [start(seed) for _ in range(ENDINGS - 1)]
    for number, stream in enumerate(streams):
        stream.reanchor(take[:, :cut], seed + TAKES + number)
    ensemble = Ensemble(streams)
    played = [ensemble.next_frames() for _ in range(end - cut)]
    endings = [take[:, cut:end], *(np.stack(own, axis=1) for own in zip(*played, strict=True))]
    judge = streams[0]
    opening = take[:, place.start : place.start + min(place.length, round(JUDGED * judge.model.frame_rate))]
    nats = [surprise(judge, np.concatenate([take[:, :cut], ending], axis=1), opening) for ending in endings]
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


def stretched(sound: Samples, samples: int) -> Samples:
    """One period of a sound that goes round, with other samples for the same period: exact where the spectrum fits."""
    spectrum = np.fft.rfft(sound.astype(np.float64), axis=0)
    kept = min(len(spectrum), samples // 2 + 1)
    spectrum = spectrum[:kept]
    if kept == samples // 2 + 1 and samples % 2 == 0 and len(sound) > samples:
        spectrum[-1] = spectrum[-1].real  # what lies at half the rate has no phase
    out: Samples = (np.fft.irfft(spectrum, samples, axis=0) * (samples / len(sound))).astype(np.float32)
    return out


def _downbeat(sound: Samples, rate: int, bars: Bars) -> int:
    """The sample to begin at: a little before the beat of the bar that the bass and the drums stress most."""
    hop = rate // 200
    count = len(sound) // hop
    mono = sound.mean(axis=1, dtype=np.float64)
    tripled = np.concatenate([mono[-4 * hop :], mono, mono[: 4 * hop]])
    windows = sliding_window_view(tripled, 4 * hop)[: count * hop : hop] * np.hanning(4 * hop)
    power = np.abs(np.fft.rfft(windows, axis=1)) ** 2
    low = max(2, round(150 * 4 * hop / rate))
    rise = np.zeros(count)
    for part, weight in ((power[:, 1:low], 2.0), (power[:, low:], 1.0)):
        level = np.log(part.sum(axis=1) + 1e-6 * power.sum(axis=1).max() + 1e-12)
        rise += weight * np.maximum(0.0, level - np.roll(level, 2))
    # where within a beat the strokes fall, then which beat of the bar is the strongest
    period = count / (bars.count * bars.beats)
    beats = np.arange(bars.count * bars.beats)
    offsets = np.arange(math.ceil(period))
    strokes = rise[np.round(offsets[:, None] + beats * period).astype(int) % count]
    offset = int(strokes.sum(axis=1).argmax())
    stressed = strokes[offset].reshape(bars.count, bars.beats).sum(axis=0)
    return round((offset + int(stressed.argmax()) * period) * hop) % len(sound)
