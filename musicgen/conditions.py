"""What a stream is asked to play, as its backend takes it: prompts, and a melody where the model follows one."""

from collections.abc import Callable

import torch
from torch import Tensor

from musicgen.decoder import Prompts
from musicgen.melody import Melody, MelodyEncoder
from musicgen.text.conditioning import Conditioning


class Conditions:
    """What one stream is asked to play.

    Parameters
    ----------
    encode
        A prompt's text to its states, found at once where it is known.
    melodies
        Of models that have prompts and a melody in front of the frames; None in the others.
    hop
        Samples a frame.

    Attributes
    ----------
    prompt, negative
        What to play, and what to keep away from.
    melody
        What tune to follow.
    melody_start
        The frame at which the tune's loop begins.
    """

    def __init__(self, encode: Callable[[str], Conditioning], melodies: MelodyEncoder | None, hop: int) -> None:
        self._encode = encode
        self._melodies = melodies
        self._hop = hop
        self.prompt = self.negative = encode("")
        self.melody: Melody | None = None
        self.melody_start = 0

    def set_prompt(self, text: str) -> None:
        """What to play; "" for nothing in particular."""
        self.prompt = self._encode(text)

    def set_negative(self, text: str) -> None:
        """What to keep away from; "" for nothing."""
        self.negative = self._encode(text)

    def renew(self, melodies: MelodyEncoder | None) -> None:
        """The model reads and hears otherwise from now on: encode all that is asked for anew."""
        self._melodies = melodies
        self.prompt, self.negative = self._encode(self.prompt.text), self._encode(self.negative.text)

    @property
    def kv(self) -> Prompts:
        """For cross-attention, of the conditional and the null row."""
        return self.prompt.kv, self.negative.kv

    def prefix(self, begin: int) -> Tensor:
        """What stands in front of a lane whose first frame is number ``begin``: chroma and text, (2, P, d) float32.

        The null row has no melody and, unless there is a negative prompt, no text: zeros, where the other row has some.
        """
        assert self._melodies is not None
        texts = [self.prompt.states, self.negative.states]
        offset = (begin - self.melody_start) * self._hop
        tunes = [self._melodies.states(self.melody, offset), self._melodies.states(None)]
        length = max(1, *(0 if text is None else len(text) for text in texts))
        return torch.stack(
            [torch.cat([tune, _padded(text, length, tune)]) for tune, text in zip(tunes, texts, strict=True)]
        )


def _padded(states: Tensor | None, length: int, like: Tensor) -> Tensor:
    """States (S, d) and zeros behind them, (length, d)."""
    padded = like.new_zeros(length, like.shape[1])
    if states is not None:
        padded[: len(states)] = states
    return padded
