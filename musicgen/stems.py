"""A sound without its drums and bass: what AudioCraft hears the chroma of a melody in.

It needs Demucs, an optional extra, and Demucs' own weights.
"""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from musicgen.errors import ModelError

STEMS = ("vocals", "other")
WEIGHTS = "hf://htdemucs"
"""As Demucs names them: from the hub, in safetensors. Its older source holds pickles."""


@torch.inference_mode()
def melodic(sound: NDArray[np.float32], sample_rate: int) -> tuple[NDArray[np.float32], int]:
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

    separator = _separator()
    from demucs.apply import apply_model

    rate, channels = separator.samplerate, separator.audio_channels
    given = torch.from_numpy(np.ascontiguousarray(sound.T, np.float32))[:channels]
    mix = torchaudio.functional.resample(given, sample_rate, rate).expand(channels, -1)
    stems = apply_model(separator, mix[None], shifts=0)[0]  # not at random shifts: the same file is the same music
    return stems[[separator.sources.index(name) for name in STEMS]].sum(0).T.numpy(), rate


@lru_cache(maxsize=1)
def _separator() -> Any:
    try:
        from demucs.pretrained import get_model
    except ImportError:
        raise ModelError(
            "Drums and bass cannot be taken out of a melody without Demucs: "
            "type `pip install 'musicgen-streamer[demucs]'`."
        ) from None
    try:
        return get_model(WEIGHTS)
    except Exception as error:  # a hub's errors have no common type
        raise ModelError(
            "Drums and bass cannot be taken out of a melody: Demucs' weights (htdemucs) are not on this machine and "
            f"cannot be fetched from the Hugging Face hub: connect it once ({type(error).__name__})."
        ) from error
