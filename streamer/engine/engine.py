"""Controls and a stream of music -> blocks of audio.

The engine is pulled and knows no clock, no thread and no device: the same model, controls and log of changes give the
same samples, however the blocks are cut, live or offline.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import numpy as np
import soxr

from osc.tree import Value
from streamer.control.controls import SAMPLING, TABLE, Controls, clamp
from streamer.engine.beginning import Beginning, join
from streamer.engine.guard import CALM, Collapse, Guard, asks_for_loops, fresh_seed
from streamer.engine.melodies import Melodies
from streamer.engine.model import Model, Stream
from streamer.errors import UserError
from streamer.sound.dynamics import REFERENCE, Crossfade, Fader, Limiter, Loudness, Samples, amplitude

Batch = Sequence[tuple[str, Value | None]]
LogEntry = tuple[int, Batch]
"""A frame, and what changes before it is made."""

RATES = (8_000, 384_000)
"""Sample rates an output may have, Hz."""

CROSSFADE_FRAMES = 10
"""That the old music goes on for where the guard begins anew; they are made at once, so not many."""

_MUSICAL = {"prompt", "negative", "melody", "lora", *SAMPLING}  # what decides which music is usual

_log = logging.getLogger(__name__)


class Engine:
    """Music as blocks of any size.

    The sound's way: stream -> `Loudness` -> `Fader` (volume, mute) -> resampling -> `Limiter` -> loudspeakers. Without
    levelling, for a piece that is finished before it is heard: stream -> `Fader` -> resampling.

    Parameters
    ----------
    model : musicgen.MusicGen
        What plays. Its sampling defaults become those of the controls that nobody has set.
    controls : Controls
        What it is steered by. Changes are heard from the next frame boundary on; of several values the last counts.
    sample_rate : int, optional
        Of the output, Hz; the model's own unless given.
    channels : {1, 2}
        Of the output. A mono model plays on both loudspeakers, a stereo model is mixed down for one.
    chunk_frames : int
        Frames made at once. Changes wait for the end of a chunk, so small answers fast; large costs less.
    log : iterable of (frame, batch), optional
        Changes to be made before exactly these frames, counted as in `frames_done`.
    level : bool
        Whether the loudness is moved to that of the controls and peaks are limited.
    beginning : Beginning, optional
        What is heard first and gone on from. A reset does not come back to it.
    melodies : Melodies, optional
        What prepares melodies; one for files, as they are, unless given.

    Attributes
    ----------
    controls : Controls
    sample_rate : int
    channels : int
    frames_done : int
        Frames made since the start; a reset does not set it back. A change made now is heard from this frame on.

    Raises
    ------
    UserError
        For an output that nobody can listen to, and a melody that cannot be followed.
    """

    def __init__(
        self,
        model: Model,
        controls: Controls,
        *,
        sample_rate: int | None = None,
        channels: int = 2,
        chunk_frames: int = 1,
        log: Iterable[LogEntry] = (),
        level: bool = True,
        beginning: Beginning | None = None,
        melodies: Melodies | None = None,
    ) -> None:
        self.controls = controls
        self.sample_rate = model.sample_rate if sample_rate is None else sample_rate
        self.channels = channels
        self.frames_done = 0
        _check(self.sample_rate, channels, chunk_frames)
        self._model = model
        self._chunk_frames = chunk_frames
        # Changes arrive from any thread; deque's append and popleft need no lock.
        self._heard: deque[dict[str, Value]] = deque()
        self._log = deque(sorted(log, key=lambda entry: entry[0]))
        self._ready = _Queue(channels)
        self._level = level

        defaults = model.defaults
        controls.adopt(**{name: getattr(defaults, field) for name, field in SAMPLING.items()})
        controls.listen(lambda changed, _: self._heard.append(changed))
        self._now = controls.values()
        if self._now["lora"] != TABLE["lora"].default:
            _told(model.set_lora_strength, float(self._now["lora"]))
        self._stream = _start(model, self._now)
        self._melodies = melodies or Melodies(model)
        if self._now["melody"]:
            self._melodies.follow(str(self._now["melody"]), self._stream)
        self._given = np.zeros((0, model.channels), np.float32)  # of the beginning, to be played before the stream
        if beginning is not None:
            decoded = self._stream.continue_from(beginning.frames, int(self._now["seed"]))
            start = len(beginning.sound) - beginning.frames.shape[1] * model.hop
            self._given = join(beginning.sound, decoded, start, model.sample_rate)
        self._guard = Guard(model.sample_rate, model.hop)
        if beginning is not None:
            self._guard.begin(beginning.frames)
        self._collapses: deque[str] = deque()
        self._leaving: Crossfade | None = None  # from music that the guard has given up
        self._broke: int | None = None  # the frame at which the model last computed no numbers
        self._latest = self._given[:0]  # the last chunk, as the stream made it
        # From silence: a clip that begins in the middle of a wave would click.
        self._fader = Fader(model.hop, 0.0)
        self._fader.to(self._gain())

        wide = min(model.channels, channels)
        self._resample = _resampler(model.sample_rate, self.sample_rate, wide)
        self._loudness = self._limit = _as_it_is
        if level:
            self._loudness = Loudness(model.sample_rate, wide, copies=channels // wide).process
            self._limit = Limiter(self.sample_rate, wide).process

    def read(self, samples: int) -> Samples:
        """The next block.

        Parameters
        ----------
        samples : int
            How many, from 0 on.

        Returns
        -------
        ndarray, float32, (samples, channels)
            Within -1..1, at `sample_rate`.
        """
        while self._ready.samples < samples:
            self._make()
        return self._ready.take(samples)

    def collapses(self) -> list[str]:
        """A sentence for each collapse of the music that the guard has answered, since this was last asked."""
        return [self._collapses.popleft() for _ in range(len(self._collapses))]

    def prepare(self, batch: Batch) -> None:
        """Encode the prompts of a batch that is about to be applied, and hear its melody: the music need not wait.

        Safe to call from another thread than the one that reads.

        Raises
        ------
        UserError
            The melody cannot be followed, or the model has no adapter: why, and what to do.
        """
        for name, value in batch:
            if name in ("prompt", "negative"):
                _told(self._model.encode_prompt, str(clamp(name, value)))
            elif name == "melody":
                self._melodies.prepare(str(clamp(name, value)))
            elif name == "lora":
                _told(self._model.prepare_lora, float(clamp(name, value)))

    def _make(self) -> None:
        """Make the next chunk."""
        frames = self._due()
        if frames:
            self._play(frames)

    def _due(self) -> int:
        """Take in the changes; how many frames to make now: up to where the log has a change, if that is earlier."""
        changed = self._changes()
        self._apply(changed)
        self._melodies.refresh(self._stream)
        if "reset" in changed:
            self._reset()
            return 0
        return min(self._chunk_frames, self._log[0][0] - self.frames_done) if self._log else self._chunk_frames

    def _play(self, frames: int) -> None:
        if len(self._given):
            count = frames * self._model.hop
            chunk, self._given = self._given[:count], self._given[count:]
            self._finish(chunk, frames)
            return
        try:
            chunk = self._stream.next_chunk(frames)
        except FloatingPointError as error:
            self._mend(error)
        else:
            self._hear(chunk, frames)

    def _hear(self, chunk: Samples, frames: int) -> None:
        """Finish what the stream made of so many frames; the guard, where it is on, listens and may change the next."""
        collapse = None
        if self._now["guard"]:
            loops = asks_for_loops(self._stream.sampling, self._model.defaults)
            collapse = self._guard.hear(self._stream.trace, chunk, loops=loops)
        if self._leaving is not None:
            chunk = self._leaving.process(chunk)
            self._leaving = None if self._leaving.over else self._leaving
        self._latest = chunk
        self._finish(chunk, frames)
        if collapse is not None:
            self._rescue(collapse)

    def _mend(self, error: FloatingPointError) -> None:
        """The model computed no numbers: answered as a collapse is; soon after that again, it is the model's fault.

        Raises
        ------
        UserError
            It happened again; the music cannot go on with this model.
        """
        calm = round(CALM * self._model.sample_rate / self._model.hop)
        if self._broke is not None and self.frames_done - self._broke < calm:
            raise UserError(str(error)) from None
        self._broke = self.frames_done
        try:
            # there is no more of the old music to fade out: its last chunk backwards joins without a click
            self._go_on(self._guard.broken(), lambda: self._latest[::-1])
        except FloatingPointError:
            raise UserError(str(error)) from None

    def _rescue(self, collapse: Collapse) -> None:
        """Go on as the guard says."""
        self._go_on(collapse, lambda: self._stream.next_chunk(CROSSFADE_FRAMES))

    def _go_on(self, collapse: Collapse, old: Callable[[], Samples]) -> None:
        """With other random numbers: such as follow from seed and frame, as in a render. old: what to fade out."""
        seconds = self.frames_done * self._model.hop // self._model.sample_rate
        self._collapses.append(f"At {seconds // 60}:{seconds % 60:02d}: {collapse}")
        seed = fresh_seed(int(self._now["seed"]), self.frames_done)
        if collapse.healthy is not None:
            self._stream.reanchor(collapse.healthy, seed)
        else:
            self._leaving = Crossfade(old())
            self._stream.reset(seed)

    def _finish(self, chunk: Samples, frames: int) -> None:
        """From what the stream made of so many frames to what is heard of it."""
        self.frames_done += frames
        if chunk.shape[1] > self.channels:
            chunk = chunk.mean(axis=1, keepdims=True, dtype=np.float32)
        sound = self._fader.process(self._loudness(chunk))
        self._ready.put(self._limit(self._resample(sound)))

    def _changes(self) -> dict[str, Value]:
        """What was asked for since the last chunk. The last prompt, seed or reset is enough: a flood costs no more."""
        while self._log and self._log[0][0] <= self.frames_done:
            self.controls.apply(self._log.popleft()[1])
        changed: dict[str, Value] = {}
        while self._heard:
            changed.update(self._heard.popleft())
        return changed

    def _apply(self, changed: dict[str, Value]) -> None:
        self._now.update(changed)
        if changed.keys() & _MUSICAL:
            self._guard.asked()
        if "guard" in changed:
            self._guard.begin()
        for name, value in changed.items():
            if name == "prompt":
                self._stream.set_prompt(str(value))
            elif name == "negative":
                self._stream.set_negative_prompt(str(value))
            elif name in SAMPLING:
                setattr(self._stream.sampling, SAMPLING[name], value)
            elif name == "melody":
                self._follow(str(value))
            elif name == "seed":
                self._stream.reseed(int(value))
            elif name == "lora":
                _told(self._model.set_lora_strength, float(value))
        if changed.keys() & {"volume", "mute", "loudness"}:
            self._fader.to(self._gain())

    def _follow(self, melody: str) -> None:
        try:
            self._melodies.follow(melody, self._stream)
        except UserError as error:  # of one that nobody prepared
            _log.warning("%s: the music goes on as it was", error)

    def _reset(self) -> None:
        """Begin anew from the seed: one frame of the old music fades out, the new music fades in."""
        self._fader.to(0.0)
        self._play(1)
        self._given = self._given[:0]
        self._leaving = None
        self._guard.begin()
        self._stream.reset(int(self._now["seed"]))
        self._fader.to(self._gain())

    def _gain(self) -> float:
        if self._now["mute"]:
            return 0.0
        loudness = float(self._now["loudness"]) - REFERENCE if self._level else 0.0
        return amplitude(float(self._now["volume"]) + loudness)


def read_together(engines: Sequence[Engine], samples: int) -> list[Samples]:
    """The next block of every engine, as `Engine.read` gives it, their streams stepped in one batch.

    Parameters
    ----------
    engines
        Different ones, of one `musicgen.MusicGen`.
    """
    from musicgen import Ensemble, NotANumber

    while waiting := [engine for engine in engines if engine._ready.samples < samples]:
        due = {engine: frames for engine in waiting if (frames := engine._due())}
        for engine in [engine for engine in due if len(engine._given)]:
            engine._play(due.pop(engine))
        if due:
            frames = min(due.values())
            streams = [cast(Any, engine._stream) for engine in due]
            try:
                chunks = Ensemble(streams).next_chunks(frames)
            except NotANumber as error:  # the others' frames are kept for the next round
                for engine in due:
                    if engine._stream in error.streams:
                        engine._mend(error)
                continue
            for engine, chunk in zip(due, chunks, strict=True):
                engine._hear(chunk, frames)
    return [engine.read(samples) for engine in engines]


class _Queue:
    """Finished samples waiting to be read."""

    def __init__(self, channels: int) -> None:
        self._blocks: deque[Samples] = deque()
        self._channels = channels
        self.samples = 0

    def put(self, block: Samples) -> None:
        self._blocks.append(block)
        self.samples += len(block)

    def take(self, samples: int) -> Samples:
        """The next samples, all channels wide: a mono block fills both."""
        out = np.empty((samples, self._channels), np.float32)
        done = 0
        while done < samples:
            block = self._blocks.popleft()
            part = block[: samples - done]
            out[done : done + len(part)] = part
            done += len(part)
            if len(part) < len(block):
                self._blocks.appendleft(block[len(part) :])
        self.samples -= samples
        return out


def _told(do: Callable[[Any], object], value: Value) -> None:
    """Have the model do something; a ModelError, which is a ValueError, is told to the user."""
    try:
        do(value)
    except ValueError as error:
        raise UserError(str(error)) from None


def _start(model: Model, now: dict[str, Value]) -> Stream:
    return model.stream(
        str(now["prompt"]),
        negative_prompt=str(now["negative"]),
        temperature=float(now["temperature"]),
        top_k=int(now["topk"]),
        top_p=float(now["topp"]),
        guidance=float(now["cfg"]),
        seed=int(now["seed"]),
    )


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


def _check(sample_rate: int, channels: int, chunk_frames: int) -> None:
    low, high = RATES
    if not low <= sample_rate <= high:
        raise UserError(f"a sample rate of {sample_rate} Hz is out of reach: choose one from {low} to {high}")
    if channels not in (1, 2):
        raise UserError(f"{channels} channels are out of reach: choose 1 or 2")
    if chunk_frames < 1:
        raise UserError(f"a chunk of {chunk_frames} frames holds no music: choose 1 or more")
