"""Glides: numbers on their way from one value to another, frame by frame.

A glide follows its parameter's own curve: a fader that is moved evenly. It knows frames and no clock, so it sounds the
same live and in a file. Whoever sets a value that glides takes over from where it stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from osc.parameter import Parameter
from osc.values import Value

TELL_EVERY = 5
"""Frames between two words on where gliding values are."""


@dataclass(frozen=True)
class Glide:
    """One number on its way.

    Parameters
    ----------
    parameter : Parameter
        A float or an int.
    start, target : float
        In the parameter's unit.
    frame : float
        The last frame of the old value; of a gain with a fraction, see `streamer.control.change.Frame`.
    frames : int
        How long it takes; at ``frame + frames`` the target is reached. At least 1.
    """

    parameter: Parameter
    start: float
    target: float
    frame: float
    frames: int

    def at(self, frame: int) -> Value:
        """The value at a frame: the start until the glide begins, the target from its end on, exactly."""
        done = frame - self.frame
        if done >= self.frames:
            return self.parameter.clamp(self.target)
        if done <= 0:
            return self.parameter.clamp(self.start)
        first, last = self.parameter.to_norm(self.start), self.parameter.to_norm(self.target)
        return self.parameter.from_norm(first + (last - first) * done / self.frames)

    def over(self, frame: int) -> bool:
        """Whether the target is reached."""
        return frame - self.frame >= self.frames


class Glides:
    """All numbers that are on their way; one glide each."""

    def __init__(self) -> None:
        self._glides: dict[str, Glide] = {}

    def __len__(self) -> int:
        return len(self._glides)

    def start(self, glide: Glide) -> None:
        """Begin a glide; an older one of the same number ends here."""
        self._glides[glide.parameter.name] = glide

    def stop(self, names: Iterable[str]) -> None:
        """End the glides of these numbers, if any: somebody has set them."""
        for name in names:
            self._glides.pop(name, None)

    def at(self, frame: int) -> dict[str, Value]:
        """The values of all that is on its way at a frame; what arrives there is on its way no longer."""
        values = {name: glide.at(frame) for name, glide in self._glides.items()}
        self._glides = {name: glide for name, glide in self._glides.items() if not glide.over(frame)}
        return values


def can_glide(parameter: Parameter) -> bool:
    """Whether there is anything between two values of a parameter."""
    return parameter.kind in ("float", "int")
