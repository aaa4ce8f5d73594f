"""What a style is made of. The styles themselves are tables in `electronic`, `urban`, `band` and `acoustic`."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Part:
    """One player of a style.

    Attributes
    ----------
    role : str
        The function of `training.compose.parts` that writes the notes: drums, bass, walking, comp, pad, arp, melody.
    voices : tuple of (instrument word, voice)
        One is drawn for each song.
    patterns : tuple of str
        Bars in the notation of `training.compose.groove`; one or two are drawn for each song.
    centre : int
        Pitch around which the part plays.
    level : float
        dB in the mix.
    chance : float
        Probability that a song has this part.
    voices_max : int
        Notes in a chord.
    enters : float
        Probability that the part is silent in a song's first section.
    """

    role: str
    voices: tuple[tuple[str, str], ...]
    patterns: tuple[str, ...] = ()
    centre: int = 60
    level: float = -6.0
    chance: float = 1.0
    voices_max: int = 4
    gate: float = 0.9
    send: float = 0.2
    ducked: bool = False
    enters: float = 0.3
    strum: float = 0.0


@dataclass(frozen=True)
class Groove:
    """A drum beat: bars of text by drum name, and fills for a phrase's last bar."""

    beat: dict[str, str]
    fills: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True)
class Style:
    """A style's tables."""

    name: str
    bpm: tuple[int, int]
    modes: tuple[str, ...]
    progressions: dict[str, tuple[str, ...]]
    parts: tuple[Part, ...]
    moods: tuple[str, ...]
    kits: tuple[str, ...] = ()
    grooves: tuple[Groove, ...] = ()
    drums_level: float = -3.0
    drums_chance: float = 0.93
    drums_send: float = 0.08
    swing: tuple[float, float] = (0.0, 0.0)
    swing_unit: int = 1
    loose: float = 0.006
    chord_size: int = 3
    chord_bars: int = 1
    motifs: tuple[str, ...] = field(default=("x-x-x---x-x-x---", "x---x-x-x-------", "..x-x-x-x---x---"))
    room: tuple[str, ...] = ("room",)
    duck: float = 0.0
    steps: int = 16
