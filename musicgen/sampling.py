"""From logits to tokens, in the order of transformers: guidance, temperature, top-k, top-p, softmax, one draw a row."""

from dataclasses import dataclass

import torch
from torch import Tensor


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


def guide(logits: Tensor, guidance: float) -> Tensor:
    """Classifier-free guidance ``u + g (c - u)`` for g > 1, else the conditional logits alone.

    Parameters
    ----------
    logits
        (2, ...): conditional, null.
    """
    conditional, null = logits.unbind(0)
    return null + (conditional - null) * guidance if guidance > 1 else conditional


def keep_top_k(logits: Tensor, k: int) -> Tensor:
    """Put everything below the k-th largest logit of a row to -inf; (rows, V) in and out."""
    least = torch.topk(logits, min(k, logits.shape[-1])).values[..., -1:]
    return logits.masked_fill(logits < least, -torch.inf)


def keep_top_p(logits: Tensor, p: float) -> Tensor:
    """Put the least likely tokens, which together have a probability of at most 1 - p, to -inf; (rows, V) in and out.

    At least the likeliest token stays.
    """
    ascending, order = torch.sort(logits)
    dropped = ascending.softmax(-1).cumsum(-1) <= 1 - p
    dropped[..., -1] = False
    return logits.masked_fill(dropped.scatter(-1, order, dropped), -torch.inf)


def sample(logits: Tensor, sampling: Sampling, generator: torch.Generator) -> Tensor:
    """Draw one token for each codebook.

    Parameters
    ----------
    logits
        (2, K, V) float32: conditional, null.
    generator
        Of this stream alone, so that its tokens do not depend on other streams. One draw for every codebook at every
        step, needed or not, as transformers does.

    Returns
    -------
    Tensor
        (K,) int64
    """
    scores = guide(logits, sampling.guidance)
    if sampling.temperature != 1:
        scores = scores / sampling.temperature
    if sampling.top_k:
        scores = keep_top_k(scores, sampling.top_k)
    if sampling.top_p < 1:
        scores = keep_top_p(scores, sampling.top_p)
    return torch.multinomial(scores.softmax(-1), 1, generator=generator).squeeze(-1)
