"""Beats and bars on the frames of the music: where a beat falls, and which frame comes first after the next one.

Nothing here knows a clock. Time is counted in frames of 20 ms since the engine's start, so a file and a stage agree.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

FRAMES_PER_MINUTE = 50 * 60
SLOWEST, FASTEST = 20.0, 300.0
"""Beats a minute that a tempo may have."""
BEATS_PER_BAR = 4
USUAL = 120.0
"""Beats a minute where nobody has named any."""
QUANTA: dict[str, int] = {"off": 0, "beat": 1, "bar": 4, "2 bars": 8, "4 bars": 16}
"""How many beats changes wait for the next multiple of, by the name of the choice."""

EXACT = 1e-6
"""Beats that rounding may cost a beat that falls on a frame."""


@dataclass(frozen=True)
class Tempo:
    """A steady pulse through the frames; each change of it is a new value.

    Parameters
    ----------
    bpm : float
        Beats a minute, `SLOWEST` to `FASTEST`.
    frame : int
        A frame whose place is known.
    beat : float
        Beats passed at that frame, 0 at the first beat of the first bar.

    Raises
    ------
    ValueError
        For a tempo outside the range.
    """

    bpm: float = USUAL
    frame: int = 0
    beat: float = 0.0

    def __post_init__(self) -> None:
        if not SLOWEST <= self.bpm <= FASTEST:
            raise ValueError(f"{self.bpm} bpm is no tempo: choose one from {SLOWEST:g} to {FASTEST:g}")

    def beat_at(self, frame: float) -> float:
        """Beats passed when a frame begins; negative before the first."""
        return self.beat + (frame - self.frame) * self.bpm / FRAMES_PER_MINUTE

    def frame_at(self, beat: float) -> int:
        """The first frame that begins at or after a beat."""
        return math.ceil(self.frame + (beat - self.beat - EXACT) * FRAMES_PER_MINUTE / self.bpm)

    def place_of(self, beat: float) -> float:
        """The frame, with its fraction, at which so many beats have passed."""
        return self.frame + (beat - self.beat) * FRAMES_PER_MINUTE / self.bpm

    def at(self, frame: int, bpm: float) -> Tempo:
        """The pulse that goes on from a frame at another tempo, without a jump of the beat."""
        return Tempo(bpm, frame, self.beat_at(frame))

    def restarted(self, frame: int) -> Tempo:
        """The pulse whose first beat falls on a frame."""
        return replace(self, frame=frame, beat=0.0)

    def multiple(self, frame: int, beats: int) -> int:
        """The first multiple of so many beats, 1 or more, that falls on a frame or after it."""
        # One that fell within the frame before begins with this frame: nothing can begin between frames.
        return (math.floor((self.beat_at(frame - 1) + EXACT) / beats) + 1) * beats

    def next(self, frame: int, beats: int) -> int:
        """The first frame, this one included, that begins at or after a multiple of so many beats.

        Parameters
        ----------
        beats : int
            1 for the next beat, `BEATS_PER_BAR` for the next bar; 0 for the frame itself.
        """
        return self.frame_at(self.multiple(frame, beats)) if beats else frame
