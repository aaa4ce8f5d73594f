"""A melody to what the melody models follow: which of the twelve pitch classes is strongest, eight times a second."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from musicgen._torchaudio import import_torchaudio


@dataclass(frozen=True)
class Melody:
    """A sound to follow the tune of. It is heard as a loop, and moves on with the music.

    Attributes
    ----------
    sound
        (samples,) float32 at the model's sample rate, not empty.
    """

    sound: NDArray[np.float32]


def melody(sound: NDArray[np.floating[Any]], sample_rate: int, wanted_rate: int) -> Melody:
    """A melody of any sound.

    Parameters
    ----------
    sound
        (samples,) or (samples, channels).
    sample_rate, wanted_rate
        Its own, and the model's.

    Raises
    ------
    ValueError
        It is empty, or has samples that are no numbers.
    """
    mono = sound if sound.ndim == 1 else sound.mean(1)
    if not len(mono) or not np.isfinite(mono).all():
        raise ValueError("a melody needs at least one sample, and only finite ones")
    resampled = import_torchaudio().functional.resample(
        torch.from_numpy(mono.astype(np.float32)), sample_rate, wanted_rate, rolloff=0.945, lowpass_filter_width=24
    )  # as transformers' feature extractor does it
    return Melody(resampled.numpy())


class MelodyEncoder:
    """Melodies to the decoder's inputs. May be called from any thread.

    Parameters
    ----------
    extractor
        transformers' ``MusicgenMelodyFeatureExtractor``: sound to chroma.
    projection
        Weight (d, pitch classes) and bias (d,) to the decoder's size, None where sizes agree.
    length
        Chroma frames that the decoder takes: a short melody repeats, a long one is cut.
    pitch_classes
        Of the chroma.
    """

    def __init__(
        self, extractor: Any, projection: tuple[Tensor, Tensor] | None, length: int, pitch_classes: int
    ) -> None:
        self._extractor = extractor
        self._projection = projection
        self.length = length
        self._pitch_classes = pitch_classes

    @torch.inference_mode()
    def states(self, tune: Melody | None, offset: int = 0) -> Tensor:
        """The chroma at the decoder's size, (length, d) float32.

        Parameters
        ----------
        tune
            None for no melody: then every frame is of the first pitch class, which the models have learnt to mean it.
        offset
            Samples of the melody that are over; it repeats.
        """
        if tune is None:
            chroma = torch.zeros(self.length, self._pitch_classes)
            chroma[:, 0] = 1
        else:
            chroma = self._chroma(np.roll(tune.sound, -offset))
        if self._projection is None:
            return chroma
        return F.linear(chroma.to(self._projection[0].device), *self._projection)

    def _chroma(self, sound: NDArray[np.float32]) -> Tensor:
        rate = self._extractor.sampling_rate
        given = self._extractor(sound, sampling_rate=rate, return_tensors="pt")["input_features"][0]
        chroma: Tensor = given.repeat(-(-self.length // len(given)), 1)[: self.length]
        return chroma
