"""Random numbers as torch's CPU generator gives them, without torch: the same draws, and states that both understand.

torch draws one of several by the largest of ``p / e``, e being exponential: ``-log1p(-u)``, where u has 53 bits of two
words of the Mersenne Twister (Matsumoto and Nishimura 1998), the first word being the high one.
"""

import numpy as np
from numpy.typing import NDArray

_WORDS = 624
# What torch calls the legacy state of its generator: behind the words stand normal draws that wait, of which a stream
# never has any.
_STATE = np.dtype(
    [("seed", "<u8"), ("left", "<i4"), ("seeded", "<i4"), ("next", "<u8"), ("words", "<u8", _WORDS), ("normal", "V40")]
)
_LOW_BITS = np.uint64(2**21 - 1)  # of the first word: 53 bits in all
_HALF = np.uint64(32)


class Twister:
    """The random generator of one stream.

    Parameters
    ----------
    seed
        See :meth:`seed`.
    """

    def __init__(self, seed: int = 0) -> None:
        self._bits = np.random.MT19937(0)
        self.seed(seed)

    def seed(self, seed: int) -> None:
        """Start anew. Of a seed the lower 32 bits count, as in torch; it may be negative."""
        self._seed = seed % 2**64
        words = np.random.RandomState(seed % 2**32).get_state(legacy=False)["state"]["key"]
        self._go_on(words, _WORDS)

    def _go_on(self, words: NDArray[np.uint32], place: int) -> None:
        self._bits.state = {"bit_generator": "MT19937", "state": {"key": words, "pos": place}}

    @property
    def state(self) -> NDArray[np.uint8]:
        """Where it stands, as ``torch.Generator.get_state`` says it of the same draws."""
        inner = self._bits.state["state"]
        state = np.zeros((), _STATE)
        state["seed"], state["seeded"] = self._seed, 1
        state["left"], state["next"] = _WORDS + 1 - inner["pos"], inner["pos"]
        state["words"] = inner["key"]
        return np.frombuffer(state.tobytes(), np.uint8)

    @state.setter
    def state(self, state: NDArray[np.uint8]) -> None:
        """Go on from a state, also one of torch's generator.

        Raises
        ------
        ValueError
            It is none.
        """
        if state.nbytes != _STATE.itemsize:
            raise ValueError(f"a random state has {_STATE.itemsize} bytes, not {state.nbytes}")
        read = np.frombuffer(state.tobytes(), _STATE)[0]
        left, place = int(read["left"]), int(read["next"])
        if not (read["seeded"] == 1 and 1 <= left <= _WORDS and place <= _WORDS):
            raise ValueError("a random state is damaged")
        self._seed = int(read["seed"])
        self._go_on(read["words"].astype(np.uint32), _WORDS if left == 1 else place)

    def choose(self, shares: NDArray[np.float32]) -> NDArray[np.int64]:
        """One of each row's entries at random, (rows,): each as often as its share says, (rows, V)."""
        words: NDArray[np.uint64] = self._bits.random_raw(2 * shares.size).reshape(*shares.shape, 2)
        possible = shares > 0  # the others are never chosen, and logarithms take their time
        chances = np.zeros_like(shares)
        chances[possible] = shares[possible] / _exponential(words[possible]).astype(np.float32)
        chosen: NDArray[np.int64] = chances.argmax(-1)
        return chosen


def _exponential(words: NDArray[np.uint64]) -> NDArray[np.float64]:
    uniform = ((words[..., 0] & _LOW_BITS) << _HALF | words[..., 1]) * 2.0**-53
    drawn: NDArray[np.float64] = -np.log1p(-uniform)
    return drawn
