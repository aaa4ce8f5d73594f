"""What a stream is asked to play, as its backend takes it: a blend of prompts, and a melody where the model has one."""

import math
from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from musicgen.backends import Backend
from musicgen.decoder import Prompt, Prompts
from musicgen.errors import ModelError
from musicgen.melody import Melody, MelodyEncoder
from musicgen.text.conditioning import Conditioning

MOST_PROMPTS = 8
"""That a blend can have."""

Weighted = tuple[tuple[str, float], ...]
"""Prompts and how much there is of each."""


class Source(Protocol):
    """What conditions ask of a model, see :class:`musicgen.MusicGen`."""

    name: str
    hop: int
    backend: Backend
    melodies: MelodyEncoder | None

    def encode_prompt(self, text: str) -> Conditioning:
        """A text to what the decoder attends to."""

    def encode_blend(self, texts: Iterable[str]) -> Prompt:
        """Several texts side by side."""


class Scene(NamedTuple):
    """What was asked for, in words.

    Attributes
    ----------
    prompts
        See :func:`blended`.
    negative
        What to keep away from.
    """

    prompts: Weighted
    negative: str


def blended(prompts: Iterable[tuple[str, float]]) -> Weighted:
    """Prompts as they are blended: each text once, those without weight left out, the weights' sum 1, sorted by text.

    Parameters
    ----------
    prompts
        Texts, "" for none, and weights, 0 or more; 1 to ``MOST_PROMPTS`` different texts with a weight above 0.

    Raises
    ------
    ValueError
        There are no or too many of them, or a weight is none.
    """
    asked: dict[str, list[float]] = defaultdict(list)
    for text, weight in prompts:
        if not (math.isfinite(weight) and weight >= 0):
            raise ValueError(f"the weight of the prompt '{text}' is {weight}: give a number of 0 or more")
        asked[text].append(weight)
    weights = {text: math.fsum(several) for text, several in asked.items()}  # in any order the same
    total = math.fsum(weights.values())
    # shares that nobody hears, and whose logarithms are none, are left out too
    heard = {text: weight / total for text, weight in weights.items() if total and weight / total > 0}
    if not 1 <= len(heard) <= MOST_PROMPTS or not math.isfinite(total):
        raise ValueError(f"{len(heard)} prompts have a weight: give 1 to {MOST_PROMPTS} of them one above 0")
    return tuple(sorted(heard.items()))


class Conditions:
    """What one stream is asked to play.

    Parameters
    ----------
    model
        What encodes it.

    Attributes
    ----------
    scene
        In words.
    kv
        For cross-attention, of the conditional and the null row.
    melody
        What tune to follow.
    melody_start
        The frame at which the tune's loop begins.
    """

    def __init__(self, model: Source) -> None:
        self._model = model
        self.melody: Melody | None = None
        self.melody_start = 0
        self._blend: tuple[tuple[str, ...], Prompt] = ((), None)  # of the last scene that had one
        self.ask(Scene((("", 1.0),), ""))

    def ask(self, scene: Scene) -> None:
        """Play this from now on.

        Raises
        ------
        ModelError
            The model cannot blend prompts; see :meth:`check`.
        """
        self.check(scene.prompts)
        self.kv = self.encoded(scene)
        self._states = [self._model.encode_prompt(text).states for text in (scene.prompts[0][0], scene.negative)]
        self.scene = scene

    def renew(self) -> None:
        """The model reads and hears otherwise from now on: encode all that is asked for anew."""
        self._blend = (), None
        self.ask(self.scene)

    def check(self, prompts: Weighted) -> None:
        """Refuse a blend in a model that has none.

        Raises
        ------
        ModelError
            It has its prompt in front of the music, where everything later depends on it, and no two can share a place.
        """
        if self._model.melodies is not None and len(prompts) > 1:
            raise ModelError(
                f"{self._model.name} cannot blend prompts, since it follows melodies and has the prompt in front of "
                "all its music: give one prompt, or use a model without melody."
            )

    def encoded(self, scene: Scene) -> Prompts:
        """What a scene is to cross-attention. A single prompt is the very same as without a blend."""
        negative = self._model.encode_prompt(scene.negative).kv
        texts = tuple(text for text, _ in scene.prompts)
        if len(texts) == 1:
            return self._model.encode_prompt(texts[0]).kv, negative
        if self._blend[0] != texts:
            self._blend = texts, self._model.encode_blend(texts)
        return self._model.backend.weigh(self._blend[1], [weight for _, weight in scene.prompts]), negative

    def prefix(self, begin: int) -> NDArray[np.float32]:
        """What stands in front of a lane whose first frame is number ``begin``: chroma and text, (2, P, d) float32.

        The null row has no melody and, unless there is a negative prompt, no text: zeros, where the other row has some.
        """
        melodies = self._model.melodies
        assert melodies is not None
        offset = (begin - self.melody_start) * self._model.hop
        tunes = [melodies.states(self.melody, offset), melodies.states(None)]
        length = max(1, *(0 if text is None else len(text) for text in self._states))
        return np.stack(
            [
                np.concatenate([tune, _padded(text, length, tune)])
                for tune, text in zip(tunes, self._states, strict=True)
            ]
        )


def strongest(prompts: Weighted) -> str:
    """The text of the prompt that there is most of, of several the first."""
    return max(prompts, key=lambda prompt: prompt[1])[0]


def _padded(states: NDArray[np.float32] | None, length: int, like: NDArray[np.float32]) -> NDArray[np.float32]:
    """States (S, d) and zeros behind them, (length, d)."""
    padded = np.zeros((length, like.shape[1]), np.float32)
    if states is not None:
        padded[: len(states)] = states
    return padded
