"""Sampling filters, held against transformers' own."""

from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor
from transformers.generation.logits_process import (
    ClassifierFreeGuidanceLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from musicgen import MusicGen
from musicgen.sampling import Sampling, Twister, entropy, guide, keep_top_k, keep_top_p, sample

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
    assert np.array_equal(keep_top_k(logits.numpy(), k), TopKLogitsWarper(k)(NO_IDS, logits))


@given(seeds, st.floats(0, 1, exclude_max=True))
def test_top_p(seed: int, p: float) -> None:
    """As many as transformers keeps, to the rounding of sums, and the likeliest; of equal ones it keeps any."""
    logits = random_logits(seed, 4, 64)
    kept = np.isfinite(keep_top_p(logits.numpy(), p))
    fewest, most = (
        TopPLogitsWarper(float(np.clip(p + off, 0, 1)))(NO_IDS, logits).isfinite().sum(1).numpy()
        for off in (-1e-6, 1e-6)
    )
    assert (fewest <= kept.sum(1)).all() and (kept.sum(1) <= most).all()
    for own, row in zip(kept, logits.numpy(), strict=True):
        assert row[own].min() >= row[~own].max(initial=-np.inf)


@given(seeds, st.floats(1, 10, exclude_min=True))
def test_guidance(seed: int, scale: float) -> None:
    logits = random_logits(seed, 2, 4, 64)
    assert np.array_equal(guide(logits.numpy(), scale), transformers_guidance(logits, scale))


@given(seeds, st.floats(-1, 1))
def test_guidance_of_one_or_less_leaves_the_prompt_alone(seed: int, scale: float) -> None:
    logits = random_logits(seed, 2, 4, 64)
    assert np.array_equal(guide(logits.numpy(), scale), logits[0])


@given(
    seeds,
    st.floats(0.05, 3),
    st.integers(0, 80),
    st.floats(0, 1),
    st.floats(0, 10),
)
def test_the_whole_way_to_a_token(seed: int, temperature: float, k: int, p: float, scale: float) -> None:
    logits = random_logits(2 * seed, 2, 4, 64)  # of equal ones top-p keeps any
    scores = transformers_guidance(logits, scale) if scale > 1 else logits[0]
    scores = TemperatureLogitsWarper(temperature)(NO_IDS, scores)
    if k:
        scores = TopKLogitsWarper(k)(NO_IDS, scores)
    if p < 1:
        scores = TopPLogitsWarper(p)(NO_IDS, scores)
    torch.manual_seed(seed % 1000)
    expected = torch.multinomial(scores.softmax(-1), 1).squeeze(1)
    assert np.array_equal(sample(logits.numpy(), Sampling(temperature, k, p, scale), Twister(seed % 1000)), expected)


@given(seeds)
def test_the_entropy_of_a_distribution(seed: int) -> None:
    logits = random_logits(seed, 300)
    logits[seed % 300] = -torch.inf
    expected = torch.special.entr(logits.double().softmax(-1)).sum()
    assert entropy(logits.numpy()) == pytest.approx(float(expected), abs=1e-5)


# ---- random numbers


def chosen(generator: Twister | torch.Generator, count: int, rows: int = 1) -> list[int]:
    """Of so many equal shares one, in each row."""
    shares = torch.ones(rows, count)
    if isinstance(generator, Twister):
        return [int(place) for place in generator.choose(shares.numpy())]
    return [int(place) for place in torch.multinomial(shares, 1, generator=generator)]


@pytest.mark.parametrize("seed", [0, 1, 42, 2**31 - 1, 2**32 + 5, 2**63 - 1, -1])
def test_ten_thousand_draws_are_those_of_torch(seed: int) -> None:
    """Of one of several, by their shares or by equal ones."""
    ours, theirs = Twister(seed), torch.Generator().manual_seed(seed)
    assert chosen(ours, 8, 10_000) == chosen(theirs, 8, 10_000)
    shares = torch.rand(1250, 60, generator=torch.Generator().manual_seed(3)).pow(4)
    shares[shares < 0.1] = 0
    shares[:, 7] += 0.1
    for rows in torch.chunk(shares, 250):
        assert np.array_equal(ours.choose(rows.numpy()), torch.multinomial(rows, 1, generator=theirs)[:, 0])


@given(seeds, st.lists(st.integers(1, 700), max_size=6), st.integers(1, 700))
def test_states_go_to_torch_and_back(seed: int, before: list[int], after: int) -> None:
    """Wherever in its 624 words a generator stands, the other one goes on from there."""
    ours, theirs = Twister(seed), torch.Generator().manual_seed(seed)
    for count in before:
        assert chosen(ours, count) == chosen(theirs, count)
    from_theirs, from_ours = Twister(), torch.Generator()
    from_theirs.state = theirs.get_state().numpy()
    from_ours.set_state(torch.from_numpy(ours.state.copy()))
    expected = chosen(theirs, after, 5)
    assert chosen(from_theirs, after, 5) == chosen(from_ours, after, 5) == chosen(ours, after, 5) == expected
    assert from_ours.initial_seed() == seed


def test_seeding_begins_anew() -> None:
    twister = Twister(3)
    first = chosen(twister, 8, 100)
    twister.seed(4)
    assert chosen(twister, 8, 100) != first
    twister.seed(3)
    assert chosen(twister, 8, 100) == first


@pytest.mark.parametrize("damage", ["short", "never seeded", "beyond its words"])
def test_what_is_no_state_is_refused(damage: str) -> None:
    state = Twister(1).state.copy()
    if damage == "short":
        state = state[:-1]
    elif damage == "never seeded":
        state[12:16] = 0
    else:
        state[16:24] = 255
    twister = Twister(5)
    with pytest.raises(ValueError, match="random state"):
        twister.state = state
    assert chosen(twister, 8, 100) == chosen(Twister(5), 8, 100)


def test_nanos_tokens_are_those_that_torch_draws_from_its_logits(monkeypatch: pytest.MonkeyPatch) -> None:
    model = MusicGen.load("nano", threads=1)
    generator, tokens = torch.Generator().manual_seed(11), []

    def by_torch(logits: NDArray[np.float32], sampling: Sampling, twister: Twister) -> NDArray[np.int64]:
        scores = transformers_guidance(torch.from_numpy(logits), sampling.guidance) / sampling.temperature
        scores = TopKLogitsWarper(sampling.top_k)(NO_IDS, scores)
        expected = torch.multinomial(scores.softmax(-1), 1, generator=generator)[:, 0].numpy()
        tokens.append((sample(logits, sampling, twister), expected))
        return tokens[-1][0]

    monkeypatch.setattr("musicgen.stream.sample", by_torch)
    stream = model.stream("slow ambient strings", seed=11)
    for _ in range(150):
        stream.next_frame()
    ours, theirs = map(np.array, zip(*tokens, strict=True))
    np.testing.assert_array_equal(ours, theirs)
