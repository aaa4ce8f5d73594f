"""What the stream is asked to play, frame by frame: prompts, sampling, seed, melody, adapter, and the beat."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, cast

from osc.values import Value
from streamer.control.change import Change
from streamer.control.glides import Glide, Glides, can_glide
from streamer.control.pulse import Pulse
from streamer.control.table import GAINS, JUMPS, SAMPLING, SLOTS, TABLE, WORDED
from streamer.control.tempo import Tempo
from streamer.engine.events import Noted
from streamer.engine.melodies import Melodies
from streamer.engine.model import Model, Resumable, Stream
from streamer.engine.pace import WORDINGS, Pace, pace
from streamer.engine.prompts import Blend, Prompts, blend_of, encode, strongest, tempo_of, texts_of
from streamer.engine.score import Score
from streamer.engine.standing import Standing
from streamer.errors import UserError

_TEXTS = WORDED - set(SLOTS.values()) - {"tempo"}
_DRAWN = {*WORDED, "negative", "melody", "lora", "seed", *SAMPLING}  # what decides which tokens are drawn
APART = 10
"""Frames without a change of the music after which the next one is heard at its own frame, whole.

For that the stream makes some steps anew, see `musicgen.Stream.redraw`. What follows sooner, as of a fader that is
moved, is heard little by little over the largest delay's frames: nobody hears where such a change begins, and a model
that is just fast enough for its music has no steps to spare.
"""
_ENCODED = 24  # texts of one glide: a model remembers no more than some more


class CannotFollow(UserError):
    """A value that cannot be had; nothing of its batch is taken over.

    Attributes
    ----------
    name : str
        Of the value.
    """

    def __init__(self, name: str, sentence: str) -> None:
        super().__init__(sentence)
        self.name = name


class Steering:
    """Has a stream play what is asked for.

    Parameters
    ----------
    model
        Of the stream.
    values : dict
        What is played, by name; all but the gains are written here and nowhere else.
    melodies : Melodies
        What prepares melodies.
    frame_rate : float
        Frames a second.

    Attributes
    ----------
    stream
        That is steered, begun anew with the values.
    tempo : Tempo
        That beats are counted by.
    score : Score
        What streams are told beside the prompt.

    Raises
    ------
    UserError
        The melody cannot be followed, or there is no adapter.
    """

    def __init__(self, model: Model, values: dict[str, Value], melodies: Melodies, frame_rate: float) -> None:
        self._model = model
        self._values = values
        self._melodies = melodies
        self._frame_rate = frame_rate
        self._glides = Glides()
        self._steered = -APART  # the frame before which the stream was last told of anything
        self._fresh: dict[str, None] = {}  # changed in this frame, and the stream does not know yet
        if values["lora"] != TABLE["lora"].default:
            _told(model.set_lora_strength, float(values["lora"]))
        self.tempo = Tempo(tempo_of(values))
        self._pace: Pace | None = None  # a tempo on its way
        self._led = False  # beats are counted as somebody else does
        early = model.score_delay * frame_rate
        self.score = Score(model.follows_score, early, values, lambda frame: (self._tempo_at(frame), self._led))
        self._words = float(values["tempo"])  # the tempo that prompts are worded with
        blend = blend_of(values)
        self.stream = start(model, values, blend)
        self._prompts = Prompts(self.stream, blend)
        self._melodies.hold(str(values["notes"]), 0)
        if values["melody"]:
            self._melodies.follow(str(values["melody"]), self.stream)

    # ---- beside the music

    def prepare(self, values: Mapping[str, Value], ahead: Mapping[str, Value], over: float) -> list[Noted]:
        """Encode the prompts of a batch that is about to be applied, and hear its melody, from any thread.

        Parameters
        ----------
        values : mapping
            Of the batch.
        ahead : mapping
            All values as they will be with it.
        over : float
            Seconds in which they are reached.

        Returns
        -------
        list of Noted
            What is not taken as it was asked for.

        Raises
        ------
        UserError
            The melody cannot be followed, or the model has no adapter: why, and what to do.
        """
        if values.keys() & WORDED:
            for tempo in self._tempos(values, ahead, over):
                _told(self._encode, {**ahead, "tempo": tempo})
        for name, value in values.items():
            if name == "negative":
                _told(self._model.encode_prompt, str(value))
            elif name == "melody":
                self._melodies.prepare(str(value))
            elif name == "lora":
                _told(self._model.prepare_lora, float(value))
        return self.cut(values)

    def _tempos(self, values: Mapping[str, Value], ahead: Mapping[str, Value], over: float) -> tuple[float, ...]:
        """All that the prompts will be worded with."""
        if "tempo" not in values:
            return (self._words,) if self._pace is None else self._pace.words
        coming = self._paced(values, ahead, 0, self._frames(over))
        return (float(ahead["tempo"]),) if coming is None else coming.words[1:]

    def _encode(self, ahead: Mapping[str, Value]) -> None:
        encode(self._model, ahead, self.stream.blends)

    def cut(self, values: Mapping[str, Value]) -> list[Noted]:
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

    # ---- frame by frame

    @property
    def moving(self) -> bool:
        """Whether anything is on its way from frame to frame."""
        return bool(len(self._glides)) or self._prompts.fading or self._pace is not None

    def take(self, change: Change, frame: int) -> dict[str, Value]:
        """Take over a batch before a frame is made, its gains left out; what of it stands at once.

        The stream hears of it with `settle`.

        Raises
        ------
        CannotFollow
            Something that nobody prepared cannot be had: nothing of the batch is taken over.
        """
        values = change.values
        try:
            name = "lora"
            if name in values:
                _told(self._model.set_lora_strength, float(values[name]))
            name = "melody"
            if name in values:
                self._melodies.follow(str(values[name]), self.stream)
        except UserError as error:
            raise CannotFollow(name, str(error)) from None
        if "notes" in values:
            self._melodies.hold(str(values["notes"]), frame)
        gliding = self._begin_glides(change, frame)
        there = {n: v for n, v in values.items() if n in self._values and n not in GAINS and n not in gliding}
        frames = self._frames(change.over)
        if frames:
            self.settle(frame)  # a fade starts at what was asked for before it
        self._values.update(there)
        self._fresh |= dict.fromkeys(there)
        self.score.take(there, frame)
        if "tempo" in there:
            self._words = float(values["tempo"])
        if WORDED & there.keys():
            if not self._led:
                self.tempo = self.tempo.at(frame, tempo_of(self._values))
            if frames:
                self._prompts.to(self._blend(), frame, frames)
                self._fresh = {name: None for name in self._fresh if name not in WORDED}
        return there

    def settle(self, frame: int) -> None:
        """Tell the stream what stands before a frame is made: once, however many changes there were."""
        fresh, self._fresh = self._fresh, {}
        if WORDED & fresh.keys():
            self._prompts.to(self._blend(), frame)
        for name in fresh:
            self._steer(name)
        if self.score.renewed(fresh) or fresh.keys() & _DRAWN:
            if frame - self._steered >= APART:
                self.stream.redraw()
            self._steered = frame

    def move(self, frame: int) -> dict[str, Value]:
        """Bring what glides and fades to where it is in a frame that is about to be made; what has moved."""
        if self.moving:
            self._steered = frame
        self._prompts.move(frame)
        moved = self._glides.at(frame)
        self._values.update(moved)
        for name in moved:
            self._steer(name)
        words = self._words
        paced = self._move_tempo(frame)
        if moved.keys() & WORDED or self._words != words:
            self._prompts.to(self._blend(), frame)
        return moved | paced

    def _move_tempo(self, frame: int) -> dict[str, Value]:
        """Words wait for the end of a fade: it would end where it is."""
        pace = self._pace
        if pace is None:
            return {}
        self.tempo = self.tempo.at(frame, pace.bpm_at(frame))
        over = pace.glide.over(frame)
        self._values["tempo"] = pace.words[-1] if over else pace.bpm_at(frame)
        if not self._prompts.fading:
            self._words = pace.words_at(frame)
            self._pace = None if over else pace
        return {"tempo": self._values["tempo"]}

    def next_beat(self, frame: int, beats: int) -> int:
        """The first frame, this one included, at or after a multiple of so many beats; from any thread."""
        tempo, pace = self.tempo, self._pace
        while pace is not None and not pace.glide.over(frame - 1):
            tempo = tempo.at(frame, pace.bpm_at(frame))
            if tempo.next(frame, beats) == frame:
                return frame
            frame += 1
        return tempo.next(frame, beats)

    def _tempo_at(self, frame: int) -> Tempo:
        """That a frame to come is counted by, as far as it is known now."""
        tempo, pace = self.tempo, self._pace
        if pace is not None:
            for ahead in range(max(tempo.frame, math.floor(pace.glide.frame)) + 1, frame + 1):
                tempo = tempo.at(ahead, pace.bpm_at(ahead))
        return tempo

    def lead(self, pulse: Pulse, frame: int) -> None:
        """Count beats as another does, who has this one at a frame; for none by itself, on from where the beat is."""
        self._led = pulse.bpm > 0
        if self._led:
            if self._pace is not None:  # words need no way to go
                self._words = self._values["tempo"] = self._pace.words[-1]
                self._fresh["tempo"], self._pace = None, None
            before, self.tempo = self.tempo, Tempo(pulse.bpm, frame, pulse.beat)
            self.score.move(before, frame)

    def restart_beats(self, frame: int) -> None:
        """The first beat falls on a frame, unless somebody else counts."""
        if not self._led:
            self.tempo = self.tempo.restarted(frame)
            self.score.restart()

    def count_from(self, frame: int, beat: float) -> None:
        """So many beats have passed at a frame."""
        before, self.tempo = self.tempo, replace(self.tempo, frame=frame, beat=beat)
        self.score.move(before, frame)

    def rewind_beats(self, frame: int, back: int) -> None:
        """A frame has the beat of so many frames before it, 0 at least, in the tempo of now; unless others count."""
        if self._led:
            return
        then = self.tempo.beat_at(frame - back)
        self.tempo = replace(self.tempo, frame=frame, beat=max(0.0, then))
        self.score.settle()

    @property
    def arrived(self) -> bool:
        """Whether no number glides."""
        return not len(self._glides) and self._pace is None

    def go_on_from(self, standing: Standing) -> None:
        """The stream's past becomes another engine's; what is asked for is what this one was given."""
        stream = cast(Resumable, self.stream)
        sampling = replace(stream.sampling)
        stream.restore(standing.stream)
        for name in SAMPLING.values():
            setattr(self.stream.sampling, name, getattr(sampling, name))
        blend, scene = blend_of(self._values), standing.stream.scene
        wanted = tuple(sorted(blend)) if self.stream.blends else ((strongest(blend), 1.0),)
        if scene.prompts != wanted:  # else nothing changes, not even for a past that would prepare for it
            self.stream.set_prompts(wanted)
        if scene.negative != self._values["negative"]:
            self.stream.set_negative_prompt(str(self._values["negative"]))
        if self._values["seed"] != standing.seed:
            self.stream.reseed(int(self._values["seed"]))
        self.tempo = replace(self.tempo, frame=-standing.ago, beat=standing.beat)
        self.score.go_on_from(standing.chords)

    def _begin_glides(self, change: Change, frame: int) -> set[str]:
        """Send the numbers of a batch on their way, where it takes its time; their names. What is set glides no more.

        Weights that change together with a prompt's words are part of its fade.
        """
        self._glides.stop(change.values)
        if "tempo" in change.values:
            self._pace = None
        frames = self._frames(change.over)
        if not frames:
            return set()
        gliding = {name for name in change.values if name in TABLE and can_glide(TABLE[name])} - JUMPS.keys() - GAINS
        if change.values.keys() & _TEXTS:
            gliding -= set(SLOTS.values())
        for name in gliding - {"tempo"}:
            start, target = float(self._values[name]), float(change.values[name])
            self._glides.start(Glide(TABLE[name], start, target, frame, frames))
        if "tempo" in gliding:
            self._pace = self._paced(change.values, self._values | dict(change.values), frame, frames)
            if self._pace is None:
                gliding.remove("tempo")
            elif change.values.keys() & _TEXTS:
                self._words = self._pace.words[-1]
        return gliding

    def _paced(self, values: Mapping[str, Value], ahead: Mapping[str, Value], frame: int, frames: int) -> Pace | None:
        """The tempo on its way to where a batch wants it; None where it is there.

        Words that change together with a prompt are part of its fade, and do not change again on the way.
        """
        start, target, after = self.tempo.bpm, tempo_of(ahead), float(ahead["tempo"])
        if not frames or start == target or self._led:
            return None
        most = 1 if values.keys() & _TEXTS else max(1, min(WORDINGS, _ENCODED // len(texts_of(ahead))))
        before = after if values.keys() & _TEXTS else self._words
        return pace(start, target, (before, after), frame, frames, most)

    def _blend(self) -> Blend:
        """What the prompt slots ask for, in the words of now."""
        return blend_of(self._values | {"tempo": self._words})

    def _frames(self, seconds: float) -> int:
        return round(seconds * self._frame_rate)

    def _steer(self, name: str) -> None:
        value = self._values[name]
        if name == "negative":
            self.stream.set_negative_prompt(str(value))
        elif name in SAMPLING:
            setattr(self.stream.sampling, SAMPLING[name], value)
        elif name == "seed":
            self.stream.reseed(int(value))


def _told(do: Callable[[Any], object], value: object) -> None:
    """Have the model do something; a ModelError, which is a ValueError, is told to the user."""
    try:
        do(value)
    except ValueError as error:
        raise UserError(str(error)) from None


def start(model: Model, values: Mapping[str, Value], blend: Blend) -> Stream:
    """A stream of the model, with these values from its seed on."""
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
