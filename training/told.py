"""What nano is told of a song, frame by frame: the score inputs of `musicgen.score`, as the composer knows them.

Not to be taken for `training.score`, which nano has to tell and is never told.
"""

import numpy as np
from numpy.typing import NDArray

from musicgen import score
from musicgen.score import Fields
from training.compose import Song, Track
from training.compose.song import PLAYERS

RATE = 50  # frames a second
EARLY = 0.03  # seconds before the bar at which a hand may strike its first beat
RINGS = 0.08  # seconds of a bar in which what still rings counts as playing


def of_song(song: Song, frames: int) -> Fields:
    """The score of a song, float32 (frames, fields), everything known; each frame as it is at its first sample."""
    now = np.arange(frames) / RATE
    steps = song.tempo.step(now)
    bar = (steps / song.meter).astype(int)
    starts, chords = zip(*song.harmony, strict=True)
    number = np.searchsorted(starts, steps, side="right") - 1
    notes = np.array([sum(1 << tone for tone in {*chord.tones, chord.bass}) for chord in chords])
    told = {
        "beat": steps / 4 % 1,
        "bar": steps / song.meter % 1,
        "bpm": song.tempo.bpm(now),
        "notes": notes[number],
        "bass": np.array([chord.bass for chord in chords])[number],
        "energy": np.array(song.energy)[np.minimum(bar, len(song.energy) - 1)],
    }
    for player in PLAYERS:
        told[f"play_{player}"] = playing(song, player, bar, now)
    return np.stack([told[name] for name in score.FIELDS], 1).astype(np.float32)


def playing(song: Song, player: str, bar: NDArray[np.int64], now: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether a player plays, of every frame: in bars in which something of it sounds, unless it has left."""
    on = np.zeros(len(bar), bool)
    for track in song.tracks:
        if track.player == player:
            here = bars_of(song, track, int(bar[-1]) + 1)[bar]
            for start, end in track.silent:
                here &= (now < start) | (now >= end)
            on |= here
    return on


def bars_of(song: Song, track: Track, bars: int) -> NDArray[np.bool_]:
    """In which bars a track sounds."""
    lines = np.array([song.tempo.time(bar * song.meter) for bar in range(bars + 1)])
    begin = np.array([note.start for note in track.notes])
    end = begin + np.array([note.duration for note in track.notes])
    strikes = (begin >= lines[:-1, None] - EARLY) & (begin < lines[1:, None] - EARLY)
    rings = np.minimum(end, lines[1:, None]) - np.maximum(begin, lines[:-1, None]) > RINGS
    sounds: NDArray[np.bool_] = (strikes | rings).any(1)
    return sounds
