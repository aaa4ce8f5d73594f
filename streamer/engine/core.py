"""The engine itself: changes come in at their frames, blocks of audio and a report of every change come out.

It is pulled and knows no clock, no thread, no device and no owner of values: the same model, values and changes at the
same frames give the same samples, however the blocks are cut, live or offline.
"""

from __future__ import annotations

import threading
from bisect import insort
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple, cast

import numpy as np

from osc.values import Value
from streamer.control.change import Change, Frame
from streamer.control.glides import Glide, Glides, can_glide
from streamer.control.table import EFFECTS, GAINS, GATE, PARAMETERS, QUANTISED, SAMPLING, SLOTS, TABLE, WORDED
from streamer.control.tempo import QUANTA, Tempo
from streamer.engine.beginning import Beginning, join
from streamer.engine.events import Applied, Collapsed, Event, Moved, Noted, Refused
from streamer.engine.guard import CALM, Collapse, Guard, asks_for_loops, fresh_seed
from streamer.engine.melodies import Melodies
from streamer.engine.model import Model, Resumable, Stream
from streamer.engine.outlet import Outlet
from streamer.engine.prompts import Blend, Prompts, blend_of, strongest, tempo_of, texts_of
from streamer.engine.standing import Standing
from streamer.errors import UserError
from streamer.sound.dynamics import REFERENCE, Crossfade, Samples, amplitude
from streamer.sound.effects import Amounts

CROSSFADE_FRAMES = 10
"""That the old music goes on for where the guard begins anew; they are made at once, so not many."""

ONSET_FRAMES = 1
"""From the frame at which a prompt changes to the one at which that is first heard, in the median (see
`benchmarks.timing`): a step draws the last codebook of that frame, but the first one of a frame to come."""

_JUMPS = {"seed", "tempo", "lora"}  # numbers that take a text encoder, or have nothing between two of them
_TELL_EVERY = 5  # frames between two words on where gliding values are

_MUSICAL = {*WORDED, "negative", "melody", "lora", *SAMPLING}  # what decides which music is usual


class _Due(NamedTuple):
    """A change that waits for its frame; sorted by frames, and those of one frame as they were asked for."""

    frame: float
    order: int
    change: Change
    untold: bool = True


def _place(due: _Due) -> tuple[float, int]:
    return due.frame, due.order


class Core:
    """Music as blocks of any size.

    Parameters
    ----------
    model : musicgen.MusicGen
        What plays.
    values : mapping
        To begin with, clamped; the model's and the table's defaults stand for the rest.
    sample_rate : int, optional
        Of the output, Hz; the model's own unless given.
    channels : {1, 2}
        Of the output. A mono model plays on both loudspeakers, a stereo model is mixed down for one.
    chunk_frames : int
        Frames made at once. Changes wait for the end of a chunk, so small answers fast; large costs less.
    level : bool
        Whether the loudness is moved to that of the controls and peaks are limited.
    beginning : Beginning, optional
        What is heard first and gone on from. A reset does not come back to it.
    melodies : Melodies, optional
        What prepares melodies; one for files, as they are, unless given.
    tell : callable, optional
        Called with every event, on the thread that reads.
    goes_on : Standing, optional
        Where another engine with the same model stood: its music goes on, with these values from its next frame on.

    Attributes
    ----------
    values : dict
        What is played now, by name.
    sample_rate, channels : int
    frames_done : int
        Frames made since the start; a reset does not set it back. A change made now is heard from this frame on.
    stream
        Of the model.

    Raises
    ------
    UserError
        For an output that nobody can listen to, and a melody that cannot be followed.
    """

    def __init__(
        self,
        model: Model,
        values: Mapping[str, Value],
        *,
        sample_rate: int | None = None,
        channels: int = 2,
        chunk_frames: int = 1,
        level: bool = True,
        beginning: Beginning | None = None,
        melodies: Melodies | None = None,
        tell: Callable[[Event], None] = lambda event: None,
        goes_on: Standing | None = None,
    ) -> None:
        if chunk_frames < 1:
            raise UserError(f"a chunk of {chunk_frames} frames holds no music: choose 1 or more")
        self.values = {parameter.name: parameter.default for parameter in PARAMETERS} | defaults(model) | dict(values)
        self.sample_rate = model.sample_rate if sample_rate is None else sample_rate
        self.channels = channels
        self.frames_done = 0
        self._model = model
        self._chunk_frames = chunk_frames
        self._begun = 0  # the first frame that nobody has begun to make
        self._fps = model.sample_rate / model.hop
        self._level = level
        self._outlet = Outlet(model.sample_rate, self.sample_rate, channels, model.hop, level)
        self._tell = tell

        # Handed in by any thread.
        self._lock = threading.Lock()
        self._next: dict[str, Value] = {}  # for the next boundary: the last value of each name is enough
        self._taken: dict[str, Value] = {}  # of those, what is being taken over
        self._scheduled: list[_Due] = []
        self._order = 0

        self._gains: list[_Due] = []  # that act within a chunk
        self._fading_out = False
        self._origin = (0, 0)  # a frame, and the sample of the stream's sound that it begins at
        if self.values["lora"] != TABLE["lora"].default:
            _told(model.set_lora_strength, float(self.values["lora"]))
        self.tempo = Tempo(tempo_of(self.values))
        self._glides = Glides()
        blend = blend_of(self.values)
        self.stream = _start(model, self.values, blend)
        self._prompts = Prompts(self.stream, blend)
        self._melodies = melodies or Melodies(model)
        if self.values["melody"]:
            self._melodies.follow(str(self.values["melody"]), self.stream)
        if goes_on is not None:
            self._go_on_from(goes_on, blend)
        self._guard = Guard(model.sample_rate, model.hop)
        self._opening = self._open(beginning)
        self._leaving: Crossfade | None = None  # from music that the guard has given up
        self._broke: int | None = None  # the frame at which the model last computed no numbers
        self._latest = self._opening[:0]  # the last chunk, as the stream made it
        self._outlet.fade_to(self._gain())
        for note in self._cut(self.values):
            tell(note)

    # ---- for whoever plays

    @property
    def ready(self) -> int:
        """Samples that are made and not read yet."""
        return self._outlet.ready

    @property
    def opening(self) -> bool:
        """Whether the next frames come from the beginning's file, and not from the stream."""
        return bool(len(self._opening))

    @property
    def frontier(self) -> int:
        """The sample of the output from which a prompt that comes now is heard."""
        return round(self._sample_of(self.frames_done + ONSET_FRAMES) * self.sample_rate / self._model.sample_rate)

    @property
    def pulse(self) -> tuple[float, float]:
        """Beats a minute, and the beats that have passed at the frontier."""
        return self.tempo.bpm, self.tempo.beat_at(self.frames_done + ONSET_FRAMES)

    def state(self) -> bytes:
        """Where the engine stands, see `Standing`; empty while it plays a beginning, which no other goes on from."""
        if self.opening:
            return b""
        stream = cast(Resumable, self.stream)
        return Standing(stream.state(), self.tempo.beat_at(self.frames_done), int(self.values["seed"])).to_bytes()

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

        Raises
        ------
        UserError
            The music cannot go on with this model.
        """
        while self.ready < samples:
            if frames := self.due():
                self.play(frames)
        return self._outlet.take(samples)

    def change(self, change: Change) -> None:
        """Take over a change, from any thread: at the next frame boundary, or at its frame.

        Raises
        ------
        ValueError
            For another kind of moment: there is no clock here.
        """
        if change.at is not None and not isinstance(change.at, Frame):
            raise ValueError("an engine that is pulled has no clock: name a frame")
        values = {name: value for name, value in change.values.items() if name not in GATE}
        if not values:
            return
        change = replace(change, values=values)
        beats = QUANTA[str(self.values["quantise"])] if values.keys() & QUANTISED else 0
        if isinstance(change.at, Frame):
            line = self._gains if values.keys() <= GAINS and not change.over else self._scheduled
            self._wait_in(line, change, change.at.number)
        elif beats:
            frame = self.tempo.next(self._begun, beats)
            self._wait_in(self._scheduled, replace(change, at=Frame(frame)), frame)
        elif change.over:
            self._wait_in(self._scheduled, change, self._begun)
        else:
            with self._lock:
                self._next.update(values)

    def stands(self, names: Iterable[str]) -> dict[str, Value]:
        """What is played from the next boundary on, by name; actions are left out. From any thread."""
        with self._lock:
            ahead = self.values | self._taken | self._next
        return {name: ahead[name] for name in names if name in self.values}

    def prepare(self, values: Mapping[str, Value]) -> list[Noted]:
        """Encode the prompts of a batch that is about to be applied, and hear its melody: the music need not wait.

        From any thread. What is not taken as it was asked for is noted.

        Raises
        ------
        UserError
            The melody cannot be followed, or the model has no adapter: why, and what to do.
        """
        if values.keys() & WORDED:
            with self._lock:
                ahead = self.values | self._taken | self._next | dict(values)
            for text in texts_of(ahead):
                _told(self._model.encode_prompt, text)
            blend = sorted(text for text, _ in blend_of(ahead))
            if len(blend) > 1 and self.stream.blends:
                _told(self._model.encode_blend, blend)
        for name, value in values.items():
            if name == "negative":
                _told(self._model.encode_prompt, str(value))
            elif name == "melody":
                self._melodies.prepare(str(value))
            elif name == "lora":
                _told(self._model.prepare_lora, float(value))
        return self._cut(values)

    def _cut(self, values: Mapping[str, Value]) -> list[Noted]:
        """A word on each prompt whose end the model does not hear."""
        texts = {name: str(values[name]) for name in (*SLOTS, "negative") if values.get(name)}
        limits = {name: self._model.prompt_limit(text) for name, text in texts.items()}
        return [
            Noted(
                name,
                f"this model hears the first {limit} tokens of a prompt, and this one is longer: put first "
                "what matters",
            )
            for name, limit in limits.items()
            if limit
        ]

    def frame_at(self, sample: float, values: Mapping[str, Value]) -> float:
        """The frame at which a batch has to change to be heard from a sample of the output on.

        Parameters
        ----------
        sample : float
            Counted from the start of the engine, at `sample_rate`; by the music's way since the last reset.
        """
        at = self._frame_of(round(sample * self._model.sample_rate / self.sample_rate))
        if values.keys() & _MUSICAL:
            at -= ONSET_FRAMES
        if "reset" in values or values.keys() <= set(
            EFFECTS
        ):  # acts on what leaves the stream then, not on what is made then
            owed = self._sample_of(self.frames_done) - self._outlet.taken
            return at + owed / self._model.hop
        return at

    # ---- chunk by chunk

    def due(self) -> int:
        """Take in the changes; how many frames to make now, up to where something changes. 0: look again."""
        reset = self._take_changes()
        self._melodies.refresh(self.stream)
        if reset:
            self._reset()
            return 0
        moving = self._move()
        with self._lock:
            ahead = round(self._scheduled[0].frame) - self.frames_done if self._scheduled else self._chunk_frames
        frames = 1 if moving else max(1, min(self._chunk_frames, ahead))
        self._begun = self.frames_done + frames
        return frames

    def play(self, frames: int) -> None:
        """Make the next frames."""
        if self.opening:
            count = frames * self._model.hop
            chunk, self._opening = self._opening[:count], self._opening[count:]
            self._finish(chunk, frames)
            return
        try:
            chunk = self.stream.next_chunk(frames)
        except FloatingPointError as error:
            self.mend(error)
        else:
            self.hear(chunk, frames)

    def hear(self, chunk: Samples, frames: int) -> None:
        """Finish what the stream made of so many frames; the guard, where it is on, listens and may change the next."""
        collapse = None
        if self.values["guard"]:
            loops = asks_for_loops(self.stream.sampling, self._model.defaults)
            collapse = self._guard.hear(self.stream.trace, chunk, loops=loops)
        if self._leaving is not None:
            chunk = self._leaving.process(chunk)
            self._leaving = None if self._leaving.over else self._leaving
        self._latest = chunk
        self._finish(chunk, frames)
        if collapse is not None:
            self._go_on(collapse, lambda: self.stream.next_chunk(CROSSFADE_FRAMES))

    def mend(self, error: FloatingPointError) -> None:
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

    # ---- changes

    def _take_changes(self) -> bool:
        """Take over all that is due; whether it asks for a reset."""
        with self._lock:
            fresh, self._next = self._next, {}
            self._taken = fresh
            due = []
            while self._scheduled and round(self._scheduled[0].frame) <= self.frames_done:
                due.append(self._scheduled.pop(0))
        reset = False
        if fresh.keys() <= GAINS:
            if fresh:
                self._wait_in(self._gains, Change(fresh), self._frame_of(self._outlet.taken))
        else:
            reset = self._take(Change(fresh), 0.0, 0)
        with self._lock:
            self._taken = {}
        order = 0
        for frame, asked, change, _ in due:
            order = max(order, asked)  # two that round to one frame act in the order of their moments
            reset |= self._take(change, self._seconds(self.frames_done - round(frame)) if change.at else 0.0, order)
        return reset

    def _take(self, change: Change, late: float, order: int) -> bool:
        """Take over a batch before the next frame is made, or refuse it; whether it asks for a reset.

        order: its place among those of its frame; 0 comes before all that waited for this frame.
        """
        values = change.values
        name = ""
        try:
            if "lora" in values:
                name = "lora"
                _told(self._model.set_lora_strength, float(values[name]))
            if "melody" in values:
                name = "melody"
                self._melodies.follow(str(values[name]), self.stream)
        except UserError as error:  # of one that nobody prepared
            stands = {own: self.values[own] for own in values if own in self.values}
            self._tell(Refused(values, name, str(error), stands, change.origin))
            return False
        reset = "reset" in values
        gliding = self._begin_glides(change)
        there = [name for name in values if name in self.values and name not in GAINS and name not in gliding]
        self.values.update({name: values[name] for name in there})
        if WORDED.intersection(there):
            self._prompts.to(blend_of(self.values), self.frames_done, self._frames(change.over))
            self.tempo = self.tempo.at(self.frames_done, tempo_of(self.values))
        for name in there:
            self._steer(name, values[name])
        if values.keys() & _MUSICAL:
            self._guard.asked()
        if gains := {name: value for name, value in values.items() if name in GAINS and name not in gliding}:
            # heard with what is made now, which may leave the stream later; a reset drops what is still in there
            at = self._frame_of(self._outlet.taken) if reset else float(self.frames_done)
            self._tell_gains_of_frame(order)
            with self._lock:
                insort(self._gains, _Due(at, order, Change(gains), untold=False), key=_place)
        self._tell(Applied(self.frames_done, values, change.at, change.origin, max(0.0, late), change.over))
        if change.over and (arrived := {name: value for name, value in values.items() if name not in gliding}):
            self._tell(Moved(self.frames_done, arrived))
        return reset

    def _begin_glides(self, change: Change) -> set[str]:
        """Send the numbers of a batch on their way, where it takes its time; their names. What is set glides no more.

        Weights that change together with a prompt's words are part of its fade.
        """
        self._glides.stop(change.values)
        frames = self._frames(change.over)
        if not frames:
            return set()
        gliding = {name for name in change.values if name in TABLE and can_glide(TABLE[name])} - _JUMPS
        if change.values.keys() & (WORDED - set(SLOTS.values())):
            gliding -= set(SLOTS.values())
        for name in gliding:
            start, target = float(self.values[name]), float(change.values[name])
            self._glides.start(Glide(TABLE[name], start, target, self.frames_done, frames))
        return gliding

    def _move(self) -> bool:
        """Bring what glides and fades to where it is in the next frame; whether anything was on its way."""
        moving = bool(len(self._glides)) or self._prompts.fading
        self._prompts.move(self.frames_done)
        moved = self._glides.at(self.frames_done)
        for name, value in moved.items():
            self.values[name] = value
            self._steer(name, value)
        if moved.keys() & GAINS:
            self._outlet.fade_to(self._gain())
        if moved.keys() & WORDED:
            self._prompts.to(blend_of(self.values), self.frames_done)
        if moved and (self.frames_done % _TELL_EVERY == 0 or not len(self._glides)):
            self._tell(Moved(self.frames_done, moved))
        return moving

    def _frames(self, seconds: float) -> int:
        return round(seconds * self._fps)

    def _steer(self, name: str, value: Value) -> None:
        if name == "negative":
            self.stream.set_negative_prompt(str(value))
        elif name in SAMPLING:
            setattr(self.stream.sampling, SAMPLING[name], value)
        elif name == "seed":
            self.stream.reseed(int(value))
        elif name == "guard":
            self._guard.begin()

    def _wait_in(self, line: list[_Due], change: Change, frame: float) -> None:
        with self._lock:
            self._order += 1
            insort(line, _Due(frame, self._order, change), key=_place)

    def _tell_gains_of_frame(self, order: int) -> None:
        """Tell of the gains of this frame that act before a batch, so that a journal has them in their order."""
        with self._lock:
            here = [own for own in self._gains if own.untold and own.frame == self.frames_done and own.order < order]
            self._gains = [own._replace(untold=False) if own in here else own for own in self._gains]
        for own in here:
            self._tell(Applied(self.frames_done, own.change.values, own.change.at, own.change.origin, 0.0))

    def _next_gain(self, end: int) -> _Due | None:
        """The next of the gains that acts before a sample of the stream's sound."""
        with self._lock:
            return self._gains.pop(0) if self._gains and self._sample_of(self._gains[0].frame) < end else None

    def _take_gain(self, due: _Due) -> None:
        """It acts from the next sample on that leaves the stream."""
        values = due.change.values
        self._glides.stop(values)
        self.values.update(values)
        if not self._fading_out:
            self._outlet.fade_to(self._gain())
        if due.untold:
            with self._lock:  # what was taken over before, and would act after it, is no longer wanted
                self._gains = [own if own.untold else _without(own, values) for own in self._gains]
            frame = self._frame_of(self._outlet.taken)
            late = max(0.0, self._seconds(frame - due.frame))
            self._tell(Applied(frame, values, due.change.at, due.change.origin, late))

    # ---- sound

    def _finish(self, chunk: Samples, frames: int) -> None:
        """From what the stream made of so many frames to what is heard of it, with the gains at their samples."""
        start = self._outlet.taken
        chunk = self._outlet.colour(chunk, Amounts(*(float(self.values[name]) for name in EFFECTS)), self.tempo.bpm)
        self.frames_done += frames
        done = 0
        while (gain := self._next_gain(start + len(chunk))) is not None:
            at = max(done, self._sample_of(gain.frame) - start)
            self._outlet.put(chunk[done:at])
            self._take_gain(gain)
            done = at
        self._outlet.put(chunk[done:])
        self._outlet.finish()

    def _reset(self) -> None:
        """Begin anew from the seed: one frame of the old music fades out, the new music fades in."""
        self._fading_out = True
        self._outlet.fade_to(0.0)
        self.play(1)
        self._fading_out = False
        self._opening = self._opening[:0]
        self._leaving = None
        self._guard.begin()
        self._begin_anew(int(self.values["seed"]))
        self.tempo = self.tempo.restarted(self.frames_done)
        self._outlet.fade_to(self._gain())

    def _go_on(self, collapse: Collapse, old: Callable[[], Samples]) -> None:
        """With other random numbers: such as follow from seed and frame, as in a render. old: what to fade out."""
        seconds = int(self._seconds(self.frames_done))
        sentence = f"At {seconds // 60}:{seconds % 60:02d}: {collapse}"
        self._tell(Collapsed(self.frames_done, sentence))
        seed = fresh_seed(int(self.values["seed"]), self.frames_done)
        if collapse.healthy is not None:
            self.stream.reanchor(collapse.healthy, seed)
        else:
            self._leaving = Crossfade(old())
            self._begin_anew(seed)

    def _begin_anew(self, seed: int) -> None:
        """A codec that looks ahead loses what it still owed: what comes is heard that much earlier."""
        self.stream.reset(seed)
        self._origin = (self.frames_done, self._outlet.taken)

    def _go_on_from(self, standing: Standing, blend: Blend) -> None:
        """The stream's past becomes the other engine's; what is asked for is what this one was given."""
        stream = cast(Resumable, self.stream)
        sampling = replace(stream.sampling)
        stream.restore(standing.stream)
        for name in SAMPLING.values():
            setattr(self.stream.sampling, name, getattr(sampling, name))
        scene = standing.stream.scene
        wanted = tuple(sorted(blend)) if self.stream.blends else ((strongest(blend), 1.0),)
        if scene.prompts != wanted:  # else nothing changes, not even for a past that would prepare for it
            self.stream.set_prompts(wanted)
        if scene.negative != self.values["negative"]:
            self.stream.set_negative_prompt(str(self.values["negative"]))
        if self.values["seed"] != standing.seed:
            self.stream.reseed(int(self.values["seed"]))
        self.tempo = replace(self.tempo, beat=standing.beat)

    def _open(self, beginning: Beginning | None) -> Samples:
        """The beginning's sound, to be played before the stream, which goes on from it."""
        if beginning is None:
            return np.zeros((0, self._model.channels), np.float32)
        decoded = self.stream.continue_from(beginning.frames, int(self.values["seed"]))
        self._guard.begin(beginning.frames)
        start = len(beginning.sound) - beginning.frames.shape[1] * self._model.hop
        return join(beginning.sound, decoded, start, self._model.sample_rate)

    def _gain(self) -> float:
        if self.values["mute"]:
            return 0.0
        loudness = float(self.values["loudness"]) - REFERENCE if self._level else 0.0
        return amplitude(float(self.values["volume"]) + loudness)

    # ---- time

    def _frame_of(self, sample: float) -> float:
        """The frame, with its fraction, whose sound a sample of the stream's belongs to."""
        frame, start = self._origin
        return frame + (sample - start) / self._model.hop

    def _sample_of(self, frame: float) -> int:
        """The sample of the stream's sound that a frame begins at."""
        first, start = self._origin
        return start + round((frame - first) * self._model.hop)

    def _seconds(self, frames: float) -> float:
        return frames * self._model.hop / self._model.sample_rate


def defaults(model: Model) -> dict[str, Value]:
    """The model's own values, where nobody chose others."""
    return {name: getattr(model.defaults, field) for name, field in SAMPLING.items()}


def _told(do: Callable[[Any], object], value: object) -> None:
    """Have the model do something; a ModelError, which is a ValueError, is told to the user."""
    try:
        do(value)
    except ValueError as error:
        raise UserError(str(error)) from None


def _without(due: _Due, values: Mapping[str, Value]) -> _Due:
    left = {name: value for name, value in due.change.values.items() if name not in values}
    return due._replace(change=Change(left))


def _start(model: Model, values: Mapping[str, Value], blend: Blend) -> Stream:
    stream = model.stream(
        strongest(blend),
        negative_prompt=str(values["negative"]),
        temperature=float(values["temperature"]),
        top_k=int(values["topk"]),
        top_p=float(values["topp"]),
        guidance=float(values["cfg"]),
        seed=int(values["seed"]),
    )
    if len(blend) > 1 and stream.blends:
        stream.set_prompts(blend)
    return stream
