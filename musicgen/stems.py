"""A sound taken apart: drums, bass, vocals and the rest. It needs Demucs, an optional extra, and Demucs' own weights.

AudioCraft hears the chroma of a melody in what is neither drums nor bass.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from musicgen.errors import ModelError

STEMS = ("vocals", "other")
"""That a melody is followed in."""
WEIGHTS = "hf://htdemucs"
"""As Demucs names them: from the hub, in safetensors. Its older source holds pickles."""

Sound = NDArray[np.float32]


def melodic(sound: Sound, sample_rate: int) -> tuple[Sound, int]:
    """The sum of a sound's vocals and of all that is neither vocals, drums nor bass. It takes a while.

    Parameters
    ----------
    sound
        (samples, channels), of more than two channels the first two.
    sample_rate
        Of the sound, Hz.

    Returns
    -------
    sound
        (samples, channels) as Demucs has them.
    sample_rate
        Demucs' own.

    Raises
    ------
    ModelError
        Demucs or its weights are not there; the message says how to get them.
    """
    import torchaudio

    rate = own_rate()
    given = torch.from_numpy(np.ascontiguousarray(sound.T, np.float32))
    stems = separated(torchaudio.functional.resample(given, sample_rate, rate).T.numpy())
    made: Sound = np.sum([stems[name] for name in STEMS], axis=0)
    return made, rate


def own_rate() -> int:
    """Samples a second of the sound that Demucs takes apart.

    Raises
    ------
    ModelError
        Demucs or its weights are not there.
    """
    return int(_separator().samplerate)


@torch.inference_mode()
def separated(sound: Sound) -> dict[str, Sound]:
    """The parts of a sound, by Demucs' names. It takes a while.

    Parameters
    ----------
    sound
        (samples, channels) at `own_rate`; of more than two channels the first two.

    Returns
    -------
    dict
        Of float32, (samples, channels) as Demucs has them.

    Raises
    ------
    ModelError
        Demucs or its weights are not there.
    """
    separator = _separator()
    from demucs.apply import apply_model

    channels = separator.audio_channels
    mix = torch.from_numpy(np.ascontiguousarray(sound.T, np.float32))[:channels].expand(channels, -1)
    parts = apply_model(separator, mix[None], shifts=0)[0]  # not at random shifts: the same file is the same music
    return {name: part.T.numpy() for name, part in zip(separator.sources, parts, strict=True)}


@lru_cache(maxsize=1)
def _separator() -> Any:
    try:
        from demucs.pretrained import get_model
    except ImportError:
        raise ModelError(
            "Music cannot be taken apart into drums, bass and the rest without Demucs: "
            "type `pip install 'musicgen-streamer[demucs]'`."
        ) from None
    try:
        return get_model(WEIGHTS)
    except Exception as error:  # a hub's errors have no common type
        raise ModelError(
            "Music cannot be taken apart into drums, bass and the rest: Demucs' weights (htdemucs) are not on this "
            f"machine and cannot be fetched from the Hugging Face hub: connect it once ({type(error).__name__})."
        ) from error
