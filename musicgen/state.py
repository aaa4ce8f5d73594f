"""What a stream tells of itself: what its last chunk was made of, and where it stands."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from musicgen.conditions import Scene
from musicgen.past import Remembered
from musicgen.sampling import Sampling


@dataclass(frozen=True)
class Trace:
    """What a chunk was made of.

    Attributes
    ----------
    frames
        (K, F) int64.
    entropy
        (F,) float64, nats: how undecided the model was, in the conditional distribution of codebook 0 as it was last
        drawn for each frame. Before guidance, temperature and top-k, so that it tells of the model and its past alone.
    """

    frames: NDArray[np.int64]
    entropy: NDArray[np.float64]


@dataclass(frozen=True)
class StreamState:
    """Where a stream stands: plain numbers, texts and arrays, some 20 kB, from which another stream goes on alike.

    Attributes
    ----------
    remembered
        What its past is made of.
    scene
        What it is asked to play; a melody is not in it.
    melody_start
        The frame at which its melody's loop begins.
    sampling
        How its tokens are drawn.
    random
        Where its random numbers stand, uint8.
    frames_done
        Frames given so far.
    """

    remembered: Remembered
    scene: Scene
    melody_start: int
    sampling: Sampling
    random: NDArray[np.uint8]
    frames_done: int
