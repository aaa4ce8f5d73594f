"""A melody to what the melody models follow: which of the twelve pitch classes is strongest, eight times a second."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicgen.text.conditioning import Projection, projected

PIECE = 235
"""Chroma frames that are computed at once (30 s): a whole song then needs no more memory than its beginning."""
MOMENTS = 4
"""Of notes that fall into a chroma frame, at the least: longer moments are taken for several."""


@dataclass(frozen=True, eq=False)
class Melody:
    """What there is to follow in a sound. It is heard as a loop, and moves on with the music.

    Attributes
    ----------
    chroma
        (frames, pitch classes) float32, a single 1 in each frame; at least one frame.
    """

    chroma: NDArray[np.float32]


class MelodyEncoder:
    """Sounds to melodies, and melodies to the decoder's inputs. May be called from any thread.

    Parameters
    ----------
    extractor
        transformers' ``MusicgenMelodyFeatureExtractor``: sound to chroma.
    projection
        Weight (d, pitch classes) and bias (d,) to the decoder's size, None where sizes agree.
    length
        Chroma frames that the decoder takes: a short melody repeats, of a long one it takes a part.
    pitch_classes
        Of the chroma.
    """

    def __init__(self, extractor: Any, projection: Projection | None, length: int, pitch_classes: int) -> None:
        self._extractor = extractor
        self._projection = projection
        self.length = length
        self._pitch_classes = pitch_classes

    def melody(self, sound: NDArray[np.floating[Any]], sample_rate: int) -> Melody:
        """The melody of a sound: all the slow work, so that taking it in costs a step nothing.

        Parameters
        ----------
        sound
            (samples,) or (samples, channels).
        sample_rate
            Of the sound, Hz.

        Raises
        ------
        ValueError
            It is empty, or has samples that are no numbers.
        """
        mono = sound if sound.ndim == 1 else sound.mean(1)
        if not len(mono) or not np.isfinite(mono).all():
            raise ValueError("a melody needs at least one sample, and only finite ones")
        import torch  # they take a while, and only melodies need them
        import torchaudio

        resampled = torchaudio.functional.resample(
            torch.from_numpy(mono.astype(np.float32)),
            sample_rate,
            self._extractor.sampling_rate,
            rolloff=0.945,
            lowpass_filter_width=24,
        )  # as the extractor itself does it
        return Melody(self._chroma(resampled.numpy()))

    def tune(self, notes: NDArray[np.int64], rate: float) -> Melody:
        """The melody of notes that were played: chroma straight from them, with no detour through a sound.

        Parameters
        ----------
        notes
            (moments,) the MIDI note of each moment, below 0 for a rest; in a rest the note before it is followed, or
            the first one.
        rate
            Moments a second.

        Raises
        ------
        ValueError
            There is no note among them.
        """
        # a frame of the extractor's is the sound half a hop before and behind its place
        seconds = self._extractor.hop_length / self._extractor.sampling_rate
        finer = math.ceil(MOMENTS / (seconds * rate))
        notes, rate = np.repeat(notes, finer), rate * finer
        played = np.flatnonzero(notes >= 0)
        if not len(played):
            raise ValueError("a melody needs at least one note")
        latest = np.maximum(np.searchsorted(played, np.arange(len(notes)), side="right") - 1, 0)
        pitches = np.eye(self._pitch_classes, dtype=np.float32)[notes[played[latest]] % self._pitch_classes]
        frames = 1 + int(len(notes) / rate / seconds)
        edges = np.clip(np.round((np.arange(frames + 1) - 0.5) * seconds * rate), 0, len(notes)).astype(int)
        sums = np.concatenate([np.zeros((1, self._pitch_classes)), pitches.cumsum(0)])
        return Melody(np.eye(self._pitch_classes, dtype=np.float32)[np.diff(sums[edges], axis=0).argmax(1)])

    def _chroma(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the extractor makes of a whole sound, of which it would otherwise take 30 s: its frames do not touch.

        Each piece is heard with as much of its neighbours as a frame's window reaches over.
        """
        hop, margin = self._extractor.hop_length, -(-self._extractor.n_fft // self._extractor.hop_length)
        frames = 1 + len(sound) // hop
        if frames <= PIECE:
            return self._extract(sound)
        pieces = []
        for first in range(0, frames, PIECE):
            begin = max(0, first - margin)
            heard = self._extract(sound[begin * hop : (first + PIECE + margin) * hop])
            pieces.append(heard[first - begin : first - begin + min(PIECE, frames - first)])
        return np.concatenate(pieces)

    def _extract(self, sound: NDArray[np.float32]) -> NDArray[np.float32]:
        rate = self._extractor.sampling_rate
        given = self._extractor(sound, sampling_rate=rate, max_length=len(sound), return_tensors="pt")
        chroma: NDArray[np.float32] = given["input_features"][0].numpy()
        return chroma

    def states(self, tune: Melody | None, offset: int = 0) -> NDArray[np.float32]:
        """The chroma at the decoder's size, (length, d) float32.

        Parameters
        ----------
        tune
            None for no melody: then every frame is of the first pitch class, which the models have learnt to mean it.
        offset
            Samples (at the model's rate) of the melody that are over, to the nearest chroma frame; it repeats.
            AudioCraft trains on parts of a song that it cuts out of the song's chroma in the same way.
        """
        if tune is None:
            chroma = np.zeros((self.length, self._pitch_classes), np.float32)
            chroma[:, 0] = 1
        else:
            first = round(offset / self._extractor.hop_length)
            chroma = tune.chroma[(first + np.arange(self.length)) % len(tune.chroma)]
        return projected(chroma, self._projection)
