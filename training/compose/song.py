"""What the composer hands to the renderer and the caption writer: plain, frozen data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from training.compose.liberties import Liberties
from training.compose.tempo import Tempo
from training.compose.theory import Chord

PLAYERS = ("drums", "bass", "chords", "lead")


class Note(NamedTuple):
    """One note event.

    Attributes
    ----------
    start, duration : float
        Seconds from the start of the song.
    pitch : int
        MIDI note number; for drum kits the General MIDI percussion key.
    velocity : int
        1..127.
    """

    start: float
    duration: float
    pitch: int
    velocity: int


@dataclass(frozen=True)
class Track:
    """One instrument's notes and its place in the mix.

    Attributes
    ----------
    instrument : str
        Plain word used in captions ("bass").
    voice : str
        ``"gm N"`` (General MIDI program), ``"kit N"`` (GM drum kit) or ``"synth NAME"`` (own synthesiser).
    channel : int
        MIDI channel; 9 is percussion.
    pan : float
        -1 (left) .. 1 (right).
    level : float
        Loudness of the track while it plays, dB relative to the mix's reference.
    send : float
        Reverb send, 0..1.
    ducked : bool
        Whether the kick drum ducks this track (sidechain).
    notes : tuple of Note
        Sorted by start.
    player : str
        Who plays it, one of `PLAYERS`.
    silent : tuple of (float, float)
        Seconds from which and until which the player has left.
    """

    instrument: str
    voice: str
    channel: int
    pan: float
    level: float
    send: float
    ducked: bool
    notes: tuple[Note, ...]
    player: str
    silent: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Song:
    """A composed piece: a pure function of its seed and length.

    Attributes
    ----------
    tonic : int
        Pitch class 0..11, C = 0.
    mode : str
        A key of `training.compose.theory.MODES`.
    bpm : float
        Quarter notes a minute at the start, 58..182. A song that takes no liberty with it keeps it, and a beat lasts
        a whole number of 20 ms frames, see `arrange.BEAT_FRAMES`.
    room : str
        Reverb: "dry", "room", "plate" or "hall".
    duck : float
        Depth of the sidechain ducking, 0..1.
    brightness : float
        Tone of the whole mix, -1 dark .. 1 bright, as its moods ask.
    liberties : Liberties
        What it does not owe its style.
    tempo : Tempo
        When each sixteenth comes.
    meter : int
        Sixteenths in a bar.
    harmony : tuple of (float, Chord)
        The steps at which chords begin, and the chords.
    energy : tuple of float
        How much every bar plays, 0..1.
    """

    seed: int
    seconds: float
    style: str
    bpm: float
    tonic: int
    mode: str
    instruments: tuple[str, ...]
    moods: tuple[str, ...]
    tracks: tuple[Track, ...]
    room: str
    duck: float
    brightness: float
    liberties: Liberties
    tempo: Tempo
    meter: int
    harmony: tuple[tuple[float, Chord], ...]
    energy: tuple[float, ...]

    @property
    def has_drums(self) -> bool:
        return any(track.instrument == "drums" for track in self.tracks)
