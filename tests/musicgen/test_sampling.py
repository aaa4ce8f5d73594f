"""Sampling filters, held against transformers' own."""

from typing import Any, cast

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from transformers.generation.logits_process import (
    ClassifierFreeGuidanceLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from musicgen.sampling import Sampling, guide, keep_top_k, keep_top_p, sample

NO_IDS = torch.zeros(4, 1, dtype=torch.long)
seeds = st.integers(0, 2**32 - 1)


def random_logits(seed: int, *shape: int) -> Tensor:
    """Half of them rounded, so that there are ties."""
    logits = 3 * torch.randn(*shape, generator=torch.Generator().manual_seed(seed))
    return logits.round() if seed % 2 else logits


def transformers_guidance(logits: Tensor, scale: float) -> Tensor:
    processor = cast(Any, ClassifierFreeGuidanceLogitsProcessor)(scale)
    scores: Tensor = processor(NO_IDS, logits.flatten(0, 1))
    return scores


@given(seeds, st.integers(1, 80))
def test_top_k(seed: int, k: int) -> None:
    logits = random_logits(seed, 4, 64)
    assert torch.equal(keep_top_k(logits, k), TopKLogitsWarper(k)(NO_IDS, logits))


@given(seeds, st.floats(0, 1, exclude_max=True))
def test_top_p(seed: int, p: float) -> None:
    logits = random_logits(seed, 4, 64)
    assert torch.equal(keep_top_p(logits, p), TopPLogitsWarper(p)(NO_IDS, logits))


@given(seeds, st.floats(1, 10, exclude_min=True))
def test_guidance(seed: int, scale: float) -> None:
    logits = random_logits(seed, 2, 4, 64)
    assert torch.equal(guide(logits, scale), transformers_guidance(logits, scale))


@given(seeds, st.floats(-1, 1))
def test_guidance_of_one_or_less_leaves_the_prompt_alone(seed: int, scale: float) -> None:
    logits = random_logits(seed, 2, 4, 64)
    assert torch.equal(guide(logits, scale), logits[0])


@given(
    seeds,
    st.floats(0.05, 3),
    st.integers(0, 80),
    st.floats(0, 1),
    st.floats(0, 10),
)
def test_the_whole_way_to_a_token(seed: int, temperature: float, k: int, p: float, scale: float) -> None:
    logits = random_logits(seed, 2, 4, 64)
    scores = transformers_guidance(logits, scale) if scale > 1 else logits[0]
    scores = TemperatureLogitsWarper(temperature)(NO_IDS, scores)
    if k:
        scores = TopKLogitsWarper(k)(NO_IDS, scores)
    if p < 1:
        scores = TopPLogitsWarper(p)(NO_IDS, scores)
    torch.manual_seed(seed % 1000)
    expected = torch.multinomial(scores.softmax(-1), 1).squeeze(1)
    generator = torch.Generator().manual_seed(seed % 1000)
    assert torch.equal(sample(logits, Sampling(temperature, k, p, scale), generator), expected)
