"""From logits to tokens, in the order of transformers: guidance, temperature, top-k, top-p, softmax, one draw a row.

In numpy, whatever computed the logits, with the draws that torch's generator gives on a CPU.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from musicgen.sampling.twister import Twister

__all__ = ["Sampling", "Twister", "entropy", "guide", "keep_top_k", "keep_top_p", "sample", "softmax"]

Floats = NDArray[np.float32]


@dataclass
class Sampling:
    """How tokens are drawn. May be changed while a stream plays; the next step uses it.

    Attributes
    ----------
    temperature
        Divides the logits, > 0. Lower is safer, higher is wilder.
    top_k
        Only the k likeliest tokens of a codebook may be drawn; 0 turns it off.
    top_p
        Only the likeliest tokens that together have this probability, 0..1; 1 turns it off.
    guidance
        Classifier-free guidance: how much further from the null prompt than the prompt itself; 1 or less turns it off.
    """

    temperature: float = 1.0
    top_k: int = 250
    top_p: float = 1.0
    guidance: float = 3.0

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise ValueError(f"temperature must be above 0, not {self.temperature}")
        if self.top_k < 0:
            raise ValueError(f"top_k must be 0 (off) or more, not {self.top_k}")
        if not 0 <= self.top_p <= 1:
            raise ValueError(f"top_p must lie in 0..1, not {self.top_p}")


def guide(logits: Floats, guidance: float) -> Floats:
    """Classifier-free guidance ``u + g (c - u)`` for g > 1, else the conditional logits alone.

    Parameters
    ----------
    logits
        (2, ...): conditional, null.
    """
    conditional: Floats = logits[0]
    if guidance <= 1:
        return conditional
    null: Floats = logits[1]
    guided: Floats = null + (conditional - null) * np.float32(guidance)
    return guided


def keep_top_k(logits: Floats, k: int) -> Floats:
    """Put everything below the k-th largest logit of a row to -inf; (rows, V) in and out."""
    place = max(0, logits.shape[-1] - k)
    least = np.partition(logits, place)[..., place, None]
    kept: Floats = np.where(logits < least, _NEVER, logits)
    return kept


def keep_top_p(logits: Floats, p: float) -> Floats:
    """Put the least likely tokens, which together have a probability of at most 1 - p, to -inf; (rows, V) in and out.

    At least the likeliest token stays.
    """
    order = np.argsort(logits, kind="stable")
    rising = np.take_along_axis(logits, order, -1)
    likely = softmax(rising)
    # summed in double precision, as torch does it
    dropped = np.cumsum(likely, -1, dtype=np.float64).astype(np.float32) <= np.float32(1 - p)
    dropped[..., -1] = False
    kept: Floats = logits.copy()
    np.put_along_axis(kept, order, np.where(dropped, _NEVER, rising), -1)
    return kept


def softmax(logits: NDArray[Any]) -> NDArray[Any]:
    """Of each row, in the type of the logits."""
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    shares: NDArray[Any] = powers / powers.sum(-1, keepdims=True)
    return shares


def entropy(logits: Floats) -> float:
    """Of the distribution that these logits (V,) mean, nats."""
    shares = softmax(logits)
    some = shares[shares > 0]
    return float(-(some * np.log(some)).sum())


def sample(logits: Floats, sampling: Sampling, twister: Twister) -> NDArray[np.int64]:
    """Draw one token for each codebook.

    Parameters
    ----------
    logits
        (2, K, V): conditional, null.
    twister
        Of this stream alone, so that its tokens do not depend on other streams. One draw for every codebook at every
        step, needed or not, as transformers does.

    Returns
    -------
    NDArray
        (K,)
    """
    scores = guide(logits, sampling.guidance)
    if sampling.temperature != 1:
        scores = scores / np.float32(sampling.temperature)
    if sampling.top_k:
        scores = keep_top_k(scores, sampling.top_k)
    if sampling.top_p < 1:
        scores = keep_top_p(scores, sampling.top_p)
    return twister.choose(softmax(scores))


_NEVER = np.float32(-np.inf)
