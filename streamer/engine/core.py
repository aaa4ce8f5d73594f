"""The engine itself: changes come in at their frames, blocks of audio and a report of every change come out.

It is pulled and knows no clock, no thread, no device and no owner of values: the same model, values and changes at the
same frames give the same samples, however the blocks are cut, live or offline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import cast

from osc.values import Value
from streamer.control.change import Change, Frame
from streamer.control.moves import CONTINUE, REWIND
from streamer.control.table import EFFECTS, FX, GATE, HOSTED, LOOPING, MOVES, PARAMETERS, QUANTISED, SAMPLING, TURNS
from streamer.control.tempo import QUANTA, Tempo
from streamer.engine.arrivals import Arrivals
from streamer.engine.beginning import Beginning
from streamer.engine.course import CROSSFADE_FRAMES, TURN_FRAMES, Course
from streamer.engine.events import Collapsed, Event, Hosted, Noted
from streamer.engine.guard import CALM, Collapse, Guard, asks_for_loops, fresh_seed
from streamer.engine.locking import Locking
from streamer.engine.looper import Looper
from streamer.engine.melodies import Melodies
from streamer.engine.model import Encoder, Model, Resumable, Stream, Told
from streamer.engine.outlet import Outlet
from streamer.engine.passages import Passages
from streamer.engine.sounding import Sounding
from streamer.engine.standing import Standing
from streamer.engine.steering import Steering
from streamer.engine.trail import untold
from streamer.engine.waiting import Waiting
from streamer.errors import UserError
from streamer.sound.dynamics import Samples
from streamer.sound.effects import Amounts
from streamer.sound.hosted.rack import Rack, Wanted
from streamer.sound.lock import Lock


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
    live : bool
        Whether somebody listens meanwhile: hosted effects that are late are left out then, and tried again.

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
        live: bool = False,
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
        self._tell = tell
        self._rack = Rack(model.sample_rate, model.hop, self._hosted, live)
        self._outlet = Outlet(model.sample_rate, self.sample_rate, channels, model.hop, level, self._rack)
        self._waiting = Waiting()
        self._melodies = melodies or Melodies(model)
        self._steering = Steering(model, self.values, self._melodies, self._fps)
        self.stream = self._steering.stream
        self._steering.score.tell(cast(Told, self.stream), lambda: self.frames_done)
        self._course = Course(model, self.stream, self._tell_score)
        self._passages = Passages(cast(Encoder, model))
        self._guard = Guard(model.sample_rate, model.hop)
        self._looper = Looper(model.sample_rate, model.channels)
        self._arrivals = Arrivals(
            self._waiting,
            self._steering,
            self._course,
            self._passages,
            self._looper,
            self._guard,
            self._rack,
            self.values,
            model.sample_rate,
            self._fps,
            tell,
        )
        self._broke: int | None = None  # the frame at which the model last computed no numbers
        if goes_on is not None:
            self._steering.go_on_from(goes_on)
            self._course.trail.restore(goes_on.played, goes_on.begins)
        if beginning is not None:
            self._course.open(beginning, int(self.values["seed"]))
            self._guard.begin(untold(beginning.frames))
            self._renew_score()
        self._sounding = Sounding(self._outlet, self._waiting, self.values, model.hop, self._fps, level, tell)
        self._locking = Locking(
            Lock(model.sample_rate, model.channels),
            self.values,
            self._sounding,
            self._steering,
            model.sample_rate,
            goes_on is None and beginning is None,
            tell,
        )
        for note in self._steering.cut(self.values):
            tell(note)
        if goes_on is None and (lacks := self._steering.score.lacks(self.values)):
            tell(Noted("grid", lacks))
        # A successor's music does not wait for plug-ins: they come in when they are loaded.
        load = (self._rack.load if goes_on is None else self._rack.fetch) if live else self._rack.prepare
        for number, name in enumerate(FX):
            load(number, str(self.values[name]))

    # ---- for whoever plays

    @property
    def ready(self) -> int:
        """Samples that are made and not read yet."""
        return self._outlet.ready

    @property
    def opening(self) -> bool:
        """Whether the next frames come from the beginning's file, and not from the stream."""
        return self._course.opening

    @property
    def frontier(self) -> int:
        """The sample of the output from which a prompt that comes now is heard."""
        sample = self._sounding.sample_of(self.frames_done) + self._rack.latency
        return round(sample * self.sample_rate / self._model.sample_rate)

    @property
    def tempo(self) -> Tempo:
        """That beats are counted by."""
        return self._steering.tempo

    @property
    def pulse(self) -> tuple[float, float]:
        """Beats a minute, and the beats that have passed at the frontier."""
        return self.tempo.bpm, self.tempo.beat_at(self.frames_done)

    def state(self) -> bytes:
        """Where the engine stands, see `Standing`. Another does not play a passage on: it goes on from its end."""
        stream, tempo = cast(Resumable, self.stream), self.tempo
        played, begins = self._course.trail.state()
        chords = self._steering.score.chords
        ago = self.frames_done - tempo.frame
        standing = Standing(stream.state(), tempo.beat, int(self.values["seed"]), played, begins, chords, ago)
        return standing.to_bytes()

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
        if change.at is None and beats:
            early = _early(values)
            change = replace(change, at=Frame(self._steering.next_beat(self._begun + early, beats) - early))
        self._waiting.put(change)

    def stands(self, names: Iterable[str]) -> dict[str, Value]:
        """What is played from the next boundary on, by name; actions are left out. From any thread."""
        ahead = self.values | self._waiting.soon()
        return {name: ahead[name] for name in names if name in self.values}

    def prepare(self, values: Mapping[str, Value], over: float = 0.0) -> list[Noted]:
        """Encode the prompts of a batch that is about to be applied, and hear its files: the music need not wait.

        From any thread; over: seconds in which the values are reached. What is not taken as it was asked for is noted.

        Raises
        ------
        UserError
            A file cannot be followed or gone on from, or the model has no adapter: why, and what to do.
        """
        if CONTINUE in values:
            self._passages.prepare(str(values[CONTINUE]))
        for number, name in enumerate(FX):
            if name in values:
                self._rack.prepare(number, str(values[name]))
        return self._steering.prepare(values, self.values | self._waiting.soon() | dict(values), over)

    def frame_at(self, sample: float, values: Mapping[str, Value]) -> float:
        """The frame at which a batch has to change to be heard from a sample of the output on.

        Parameters
        ----------
        sample : float
            Counted from the start of the engine, at `sample_rate`; by the music's way since the last reset.
        """
        own = round(sample * self._model.sample_rate / self.sample_rate) - self._rack.latency
        at = self._sounding.frame_of(own) - _early(values)
        # these act on what leaves the stream then
        if values.keys() & (TURNS | LOOPING) or values.keys() <= {*EFFECTS, *HOSTED}:
            return at + self.frames_done - self._sounding.frame
        return at

    def give_time(self, seconds: float) -> None:
        """How long hosted effects may take for a chunk, while somebody listens."""
        self._rack.patience = seconds

    def close(self) -> None:
        """End the hosted effects; they end with this process besides."""
        self._rack.close()

    # ---- chunk by chunk

    def due(self) -> int:
        """Take in the changes; how many frames to make now, up to where something changes. 0: look again."""
        turns = self._arrivals.take(self.frames_done)
        self._melodies.refresh(self.stream, self.frames_done)
        for turn in turns[-1:]:  # each takes the place of all music before it
            self._set_out(*turn)
            return 0
        if self._course.turn_in == 0:
            self._turn()
        moving = self._arrivals.move(self.frames_done)
        following = self._waiting.next_frame()
        ahead = self._chunk_frames if following is None else following - self.frames_done
        frames = 1 if moving else max(1, min(self._chunk_frames, ahead, self._course.turn_in or self._chunk_frames))
        self._begun = self.frames_done + frames
        return frames

    def play(self, frames: int) -> None:
        """Make the next frames."""
        if self.opening:
            self._finish(self._course.passage(frames), frames)
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
        self._finish(self._course.hear(chunk, frames), frames)
        if collapse is not None:
            self._go_on(collapse, lambda: self.stream.next_chunk(CROSSFADE_FRAMES))

    def mend(self, error: FloatingPointError) -> None:
        """The model computed no numbers: answered as a collapse is; soon after that again, it is the model's fault.

        Raises
        ------
        UserError
            It happened again; the music cannot go on with this model.
        """
        calm = round(CALM * self._fps)
        if self._broke is not None and self.frames_done - self._broke < calm:
            raise UserError(str(error)) from None
        self._broke = self.frames_done
        try:
            # there is no more of the old music to fade out: its last chunk backwards joins without a click
            self._go_on(self._guard.broken(), self._course.backwards)
        except FloatingPointError:
            raise UserError(str(error)) from None

    # ---- the score

    def _tell_score(self, stream: Stream) -> None:
        """Have a stream ask for its score that sets out for somewhere else: it is heard when it has come there."""
        self._steering.score.tell(cast(Told, stream), lambda: self.frames_done + (self._course.turn_in or 0))

    def _renew_score(self) -> None:
        """What the stream has begun was asked for at another beat than the one at which it is heard."""
        if self._steering.score.tells(self.frames_done):
            self.stream.redraw()

    # ---- sound

    def _finish(self, chunk: Samples, frames: int) -> None:
        """From what the stream made of so many frames to what is heard of it."""
        chunk = self._locking.process(chunk)
        self.frames_done += frames
        self._put(chunk)
        self._locking.settle(self.frames_done)

    def _put(self, chunk: Samples) -> None:
        amounts = Amounts(*(float(self.values[name]) for name in EFFECTS))
        heard = self._looper.process(chunk, self._sounding.beats(self.tempo, len(chunk)))
        self._rack.set([self._wanted(number) for number in range(1, len(FX) + 1)])
        self._sounding.put(self._outlet.colour(heard, amounts, self.tempo.bpm))

    def _wanted(self, number: int) -> Wanted:
        """What a slot of the chain of hosted effects is to do."""
        text, bypass, mix = (self.values[f"{name}{number}"] for name in ("fx", "bypass", "mix"))
        return Wanted(str(text), bool(bypass), float(mix))

    def _hosted(self, number: int, status: str, sentence: str) -> None:
        self._tell(Hosted(number, status))
        if sentence:
            self._tell(Noted(FX[number - 1], sentence))

    def _set_out(self, name: str, value: Value) -> None:
        """Have the music go on elsewhere: at once for a reset, else a moment later."""
        seed = int(self.values["seed"])
        if name == CONTINUE:
            self._course.enter(self._passages.take(str(value)), seed)
        elif name == REWIND:
            # other random numbers than those of then, which would lead to the same music again
            self._course.rewind(float(value), fresh_seed(seed, self.frames_done))
        else:
            self._reset(seed)

    def _turn(self) -> None:
        """The music goes on elsewhere from the next frame on."""
        past, back = self._course.turn()
        self._guard.begin(past)
        if back is None:
            self._steering.restart_beats(self.frames_done)
        else:
            self._steering.rewind_beats(self.frames_done, back)
        self._renew_score()
        self._sounding.restart(self.frames_done)
        self._locking.turn()

    def _reset(self, seed: int) -> None:
        """Begin anew from the seed: one frame of the old music fades out, the new music fades in.

        Beside a loop, which plays on, they fade into each other.
        """
        looping = self._looper.playing
        if not looping:
            self._sounding.fade_out()
            self.play(1)
            held = self._locking.drop()
            if self._outlet.fading:  # too little came of that frame
                self._put(held[: self._model.hop])
        self._course.stay()
        self._guard.begin()
        if looping:
            self._course.leave(self.stream.next_chunk(2))
        self._course.begin_anew(seed)
        self._steering.restart_beats(self.frames_done)
        self._sounding.restart(self.frames_done)
        if looping:
            self._locking.turn()
        self._sounding.fade_in()

    def _go_on(self, collapse: Collapse, old: Callable[[], Samples]) -> None:
        """With other random numbers: such as follow from seed and frame, as in a render. old: what to fade out."""
        seconds = int(self._seconds(self.frames_done))
        sentence = f"At {seconds // 60}:{seconds % 60:02d}: {collapse}"
        self._tell(Collapsed(self.frames_done, sentence))
        seed = fresh_seed(int(self.values["seed"]), self.frames_done)
        if collapse.healthy is not None:
            self._course.reanchor(collapse.healthy, seed)
        else:
            self._course.leave(old())
            self._course.begin_anew(seed)
            self._sounding.restart(self.frames_done)
            self._locking.turn()

    def _seconds(self, frames: float) -> float:
        return frames / self._fps


def _early(values: Mapping[str, Value]) -> int:
    """How many frames before it is heard a batch has to change, where it has the music turn."""
    return TURN_FRAMES if values.keys() & MOVES else 0


def defaults(model: Model) -> dict[str, Value]:
    """The model's own values, where nobody chose others."""
    return {name: getattr(model.defaults, field) for name, field in SAMPLING.items()}
