"""A model's name -> the model, ready to play: the one way in for live music, files and measurements."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from streamer.errors import UserError

if TYPE_CHECKING:
    from musicgen import MusicGen

BIG = 50_000_000
"""Weights a step reads, from which on a second thread is worth it."""


def load(name: str) -> MusicGen:
    """Load a model and set torch's threads for it, the same everywhere: another number may round differently.

    A small model gets one thread: torch's threads spin at barriers, and collapse beside a busy neighbour. A big one
    leaves one core to the audio callback.

    Raises
    ------
    UserError
        When it cannot be loaded: why, and what to do.
    """
    import torch

    from musicgen import ModelError, MusicGen

    torch.set_num_threads(1)
    try:
        model = MusicGen.load(name)
    except ModelError as error:
        raise UserError(str(error)) from None
    if model.step_weights >= BIG:
        torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))
    return model


def reading_speed() -> float:
    """Bytes of weights that this machine reads a second: what bounds a step, which uses every weight once.

    The best of a few products of a matrix that no cache can hold with a vector, in float32 and with as many threads as
    a big model gets.
    """
    import torch

    torch.set_num_threads(max(1, (os.cpu_count() or 2) - 1))
    matrix, vector = torch.ones(8192, 8192), torch.ones(8192)
    times = []
    for _ in range(5):
        start = time.perf_counter()
        torch.mv(matrix, vector)
        times.append(time.perf_counter() - start)
    return 4 * matrix.numel() / min(times)
