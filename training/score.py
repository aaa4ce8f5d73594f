"""What the composer wrote, frame by frame: a second teacher for the model.

Codes are noisy witnesses of music: which of them comes when the chord changes says more about overtones than about the
beat. The score knows where in the beat and in the bar every frame lies, what sounds and what is struck, and what the
song is: its tempo, key and style, and who plays. While the model trains, a linear reader of its middle layers has to
tell all that of the very frame that is to come (Caruana 1997, multitask learning). So the lower half of the model
learns to count, to hear harmony and to read the caption, and the upper half to say it in codes. The reader is thrown
away afterwards. (What nano may be told beside the prompt is another score: `training.told`.)
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from training.compose import STYLES, Song, Track
from training.compose.arrange import FASTEST, SLOWEST
from training.compose.families import FAMILIES
from training.compose.groove import DRUMS
from training.compose.theory import MODES

RATE = 50  # frames a second
UNKNOWN = -1  # in the fields of a frame of which nothing is known
# Classes of a frame, one column each: frames since the beat, the beat's length, the beat's place in the bar, the
# lowest pitch class that sounds (12: none), and the song's tonic, mode and style.
CLASSES = (SLOWEST, SLOWEST - FASTEST + 1, 4, 13, 12, len(MODES), len(STYLES))
# Bits of a frame, one column of them each: pitch classes that sound; what is struck, by `STRUCK` and last any note;
# and which of `FAMILIES` play in the song.
STRUCK = (("kick",), ("snare", "clap", "rim", "brush"), ("hat", "pedal", "open", "ride", "shaker"))
BITS = (12, len(STRUCK) + 1, len(FAMILIES))
FIELDS = len(CLASSES) + len(BITS)
NAMES = (
    *("since the beat", "beat", "beat of the bar", "bass", "tonic", "mode", "style"),
    *("sounding", "struck", "lineup"),
)
# What a nat missed counts, in the order of `NAMES`. The key is what was learnt last: few captions name it, and a crop
# that has heard a bar needs no caption to know it; the tempo was learnt last but one.
# What is struck tells whether the drums play.
_MORE = {"since the beat": 2.0, "beat": 2.0, "bass": 2.0, "tonic": 4.0, "mode": 4.0, "struck": 3.0}
WEIGHTS = tuple(_MORE.get(name, 1.0) for name in NAMES)
OF_THE_SONG = [NAMES.index(name) for name in ("beat", "tonic", "mode", "style", "lineup")]  # the same in every frame


def of_song(song: Song, frames: int) -> NDArray[np.int16]:
    """The score of a song, int16 (frames, `FIELDS`); one of no key has neither tonic nor mode."""
    now = np.arange(frames) / RATE
    steps = song.tempo.step(now)
    beat = np.clip(np.round(60 * RATE / song.tempo.bpm(now)), FASTEST, SLOWEST)
    since = np.floor(steps / 4 % 1 * 60 * RATE / song.tempo.bpm(now) + 1e-3)
    sounding, lowest, struck = _notes(song.tracks, frames)
    playing = {track.instrument for track in song.tracks}
    lineup = sum(bool(playing & {*words}) << bit for bit, words in enumerate(FAMILIES.values()))
    told: dict[str, Any] = {
        "since the beat": np.minimum(since, SLOWEST - 1),
        "beat": beat - FASTEST,
        "beat of the bar": steps % song.meter // 4,
        "bass": lowest,
        "tonic": UNKNOWN if song.liberties.chords else song.tonic,
        "mode": UNKNOWN if song.liberties.chords else list(MODES).index(song.mode),
        "style": STYLES.index(song.style),
        "sounding": sounding,
        "struck": struck,
        "lineup": lineup,
    }
    return np.stack([np.broadcast_to(told[name], frames) for name in NAMES], 1).astype(np.int16)


def foretold(row: NDArray[np.int16]) -> NDArray[np.int16]:
    """What is known before a song begins, from the score (`FIELDS`,) of one of its frames: what the song is."""
    known = np.full_like(row, UNKNOWN)
    known[OF_THE_SONG] = row[OF_THE_SONG]
    return known


def _notes(tracks: Sequence[Track], frames: int) -> tuple[NDArray[np.int64], ...]:
    """Of every frame: the pitch classes that sound (bits), the lowest one, and what is struck (bits)."""
    sounding, struck = np.zeros((2, frames), np.int64)
    lowest = np.full(frames, 128)
    for track in tracks:
        for note in track.notes:
            first = int(note.start * RATE)
            if first >= frames:
                continue
            if track.instrument == "drums":
                for bit, names in enumerate(STRUCK):
                    struck[first] |= (note.pitch in {DRUMS[name] for name in names}) << bit
                continue
            last = max(first + 1, int((note.start + note.duration) * RATE))
            struck[first] |= 1 << len(STRUCK)
            sounding[first:last] |= 1 << note.pitch % 12
            np.minimum(lowest[first:last], note.pitch, out=lowest[first:last])
    return sounding, np.where(lowest < 128, lowest % 12, 12), struck


class Reader(nn.Module):
    """Reads the score from hidden states (..., ``width``)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, sum(CLASSES) + sum(BITS))

    def forward(self, hidden: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Logits of every field, (..., classes or bits)."""
        return torch.split(self.linear(self.norm(hidden)), [*CLASSES, *BITS], -1)


def misses(logits: Sequence[torch.Tensor], score: torch.Tensor) -> torch.Tensor:
    """What each field's reading misses, nats a frame, float32 (`FIELDS`,); 0 where all frames are `UNKNOWN`.

    Parameters
    ----------
    logits
        From `Reader`, each (batch, time, classes or bits).
    score
        int64, (batch, time, `FIELDS`).
    """
    total = []
    for field, values in enumerate(logits):
        known = score[..., field] != UNKNOWN
        count = known.sum().clamp(min=1)
        values, wanted = values[known].float(), score[known][:, field]
        if field < len(CLASSES):
            total.append(F.cross_entropy(values, wanted, reduction="sum") / count)
        else:
            bits = wanted[:, None] >> torch.arange(values.shape[1], device=wanted.device) & 1
            missed = F.binary_cross_entropy_with_logits(values, bits.to(values.dtype), reduction="sum")
            total.append(missed / count)
    return torch.stack(total)
