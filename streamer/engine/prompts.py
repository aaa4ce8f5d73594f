"""What the stream is asked to play: the prompt slots as one blend, in the words the model reads, faded over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from osc.values import Value
from streamer.control.table import SLOTS
from streamer.control.tempo import FASTEST, SLOWEST, USUAL
from streamer.control.wording import tempo_in, worded
from streamer.engine.model import Model, Stream

Blend = tuple[tuple[str, float], ...]
"""Texts and weights above 0 that add up to 1; never empty."""

MOST = 8
"""Prompts that a stream blends at a time."""


def blend_of(values: Mapping[str, Value]) -> Blend:
    """What the prompt slots ask for, with tempo and key in words; the empty prompt where nothing has a weight.

    Parameters
    ----------
    values : mapping
        Of all parameters.
    """
    tempo, key = asked_tempo(values), str(values["key"])
    asked: dict[str, float] = {}
    for text, weight in SLOTS.items():
        share = float(values[weight])
        # The first slot counts without words too, as the empty prompt, where it is alone.
        if share > 0 and values[text]:
            words = worded(str(values[text]), tempo, key)
            asked[words] = asked.get(words, 0.0) + share
    total = sum(asked.values())
    if not total:
        return ((worded("", tempo, key), 1.0),)
    return tuple((text, share / total) for text, share in asked.items())


def texts_of(values: Mapping[str, Value]) -> list[str]:
    """All texts that a change of weights alone may bring in, the model's words for them."""
    tempo, key = asked_tempo(values), str(values["key"])
    return [worded(str(values[text]), tempo, key) for text in SLOTS if values[text]] or [worded("", tempo, key)]


def encode(model: Model, values: Mapping[str, Value], blends: bool = True) -> None:
    """Have the model encode all texts of the slots, and their blend, beside the music: a step then finds them.

    Parameters
    ----------
    model
    values : mapping
        Of all parameters.
    blends
        Whether its streams play several prompts at a time.

    Raises
    ------
    ValueError
        The model cannot: why.
    """
    for text in texts_of(values):
        model.encode_prompt(text)
    blend = sorted(text for text, _ in blend_of(values))
    if len(blend) > 1 and blends:
        model.encode_blend(blend)


def encode_beginning(model: Model, values: Mapping[str, Value]) -> None:
    """As `encode`, with the negative prompt: all texts that a stream reads as it begins."""
    encode(model, values)
    if values["negative"]:
        model.encode_prompt(str(values["negative"]))


def asked_tempo(values: Mapping[str, Value]) -> float:
    """The tempo that the parameter asks for, bpm; 0 where the prompts have their say."""
    tempo = float(values["tempo"])
    return max(tempo, SLOWEST) if tempo > 0 else 0.0


def tempo_of(values: Mapping[str, Value]) -> float:
    """The tempo that beats are counted by, bpm: the parameter's, else the first prompt's that names one."""
    return named_tempo(values) or USUAL


def named_tempo(values: Mapping[str, Value]) -> float | None:
    """The tempo that the parameter names, else the first prompt that names one; None where nobody does."""
    asked = asked_tempo(values)
    named = [tempo_in(str(values[text])) for text, weight in SLOTS.items() if float(values[weight]) > 0]
    found = asked or next((tempo for tempo in named if tempo), None)
    return found and min(max(found, SLOWEST), FASTEST)


@dataclass(frozen=True)
class Fade:
    """From one blend to another, frame by frame.

    Parameters
    ----------
    start, target : Blend
    frame : int
        The last frame of the start.
    frames : int
        How long it takes, at least 1.
    """

    start: Blend
    target: Blend
    frame: int
    frames: int

    def at(self, frame: int) -> Blend:
        """The blend at a frame: exactly the target from the end on. Of too many texts the faintest are left out."""
        done = (frame - self.frame) / self.frames
        if done >= 1:
            return self.target
        shares = dict.fromkeys((text for text, _ in (*self.start, *self.target)), 0.0)
        for blend, part in ((self.start, 1 - max(done, 0.0)), (self.target, max(done, 0.0))):
            for text, share in blend:
                shares[text] += part * share
        loudest = sorted(shares.items(), key=lambda item: -item[1])[:MOST]
        return tuple((text, share) for text, share in loudest if share > 0)


class Prompts:
    """Tells a stream what to play.

    Parameters
    ----------
    stream
        What plays.
    blend : Blend
        What it plays already.
    """

    def __init__(self, stream: Stream, blend: Blend) -> None:
        self._stream = stream
        self._now = blend
        self._fade: Fade | None = None

    @property
    def fading(self) -> bool:
        """Whether a fade is under way."""
        return self._fade is not None

    def to(self, blend: Blend, frame: int, frames: int = 0) -> None:
        """Play a blend from a frame on, or fade to it in so many frames. A fade under way ends where it stands."""
        self._fade = Fade(self._now, blend, frame, frames) if frames and blend != self._now else None
        if not frames:
            self._ask(blend)

    def move(self, frame: int) -> None:
        """Where a fade is at a frame that is about to be made."""
        if self._fade is not None:
            blend = self._fade.at(frame)
            self._ask(blend)
            if blend == self._fade.target:
                self._fade = None

    def _ask(self, blend: Blend) -> None:
        if blend == self._now:
            return
        self._now = blend
        if len(blend) == 1:
            self._stream.set_prompt(blend[0][0])
        elif self._stream.blends:
            self._stream.set_prompts(blend)
        else:  # it has one prompt at a time: the one with the greatest weight
            self._stream.set_prompt(strongest(blend))


def strongest(blend: Sequence[tuple[str, float]]) -> str:
    """The text with the greatest weight."""
    return max(blend, key=lambda item: item[1])[0]
