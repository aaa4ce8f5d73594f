"""What a style is made of. The styles themselves are tables in `electronic`, `urban`, `band` and `acoustic`."""

from __future__ import annotations

from dataclasses import dataclass


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
    gate : float
        Length of notes relative to the pattern's.
    send, ducked
        As in `training.compose.song.Track`.
    enters : float
        Probability that the part is silent in a song's first section.
    strum : float
        Steps between the notes of a chord.
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
    """A style's tables.

    Attributes
    ----------
    progressions : dict
        By mode family ("major", "minor"): chords as scale degrees, one word a bar, "2/5" for two in a bar.
    kits, grooves : tuple
        Drum kits (voices) and beats; one of each is drawn. Levels in dB as in `Part`.
    swing : (float, float)
        Range of the swing, as in `training.compose.groove.Feel`, in units of `swing_unit` steps.
    loose : float
        Standard deviation of human timing, seconds; see `training.compose.groove.Hand`.
    chord_size : int
        3 triads, 4 sevenths, 5 ninths.
    meters : tuple of int
        Sixteenths in a bar, one is drawn: 16 for 4/4, 12 for 3/4. Patterns are cut to the bar.
    """

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
    room: tuple[str, ...] = ("room",)
    duck: float = 0.0
    meters: tuple[int, ...] = (16,)
