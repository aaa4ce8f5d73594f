"""Blends of prompts: exact at the ends, the same in any order, and cheap to change while they play."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from musicgen import ModelError, MusicGen, Stream
from musicgen.backends import NAMES, obstacle, prepare
from musicgen.backends.cuda_step import CudaBackend
from musicgen.backends.torch_step import TorchBackend
from musicgen.conditions import blended
from musicgen.load.checkpoint import load_checkpoint
from tests.musicgen.backend_parity import SHAPES, check_a_blend, check_a_blend_is_its_prompts, shapes
from tests.musicgen.oracle import Oracle
from tests.musicgen.tiny import tiny_checkpoint

HOUSE, PIANO, RAIN = "deep house", "calm piano with rain", "rain"
TEXTS = ("", HOUSE, PIANO, RAIN, "jazz", "warm bass and drums", "slow ambient strings", "techno", "flute")

weights = st.floats(0, 10) | st.floats(0, 1e-30) | st.just(0.0)
prompts = st.lists(st.tuples(st.sampled_from(TEXTS), weights), max_size=12)


@pytest.fixture(scope="module", params=NAMES)
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> MusicGen:
    """A small random one on every backend; the GPU's computes the same, uncaptured, where there is none."""
    name = request.param
    if name != "cuda" and (reason := obstacle(name)):
        pytest.skip(reason)
    folder = tiny_checkpoint(tmp_path_factory.mktemp("blends"), heads=1, seed=7)
    checkpoint = load_checkpoint(str(folder))
    backend = CudaBackend(checkpoint.decoder) if name == "cuda" else prepare(checkpoint.decoder, name, threads=1)
    return MusicGen(checkpoint, backend)


def played(stream: Stream, count: int = 25) -> NDArray[np.int64]:
    return np.stack([stream.next_frame() for _ in range(count)], axis=1)


def logits_of(model: MusicGen, prompts: Sequence[tuple[str, float]]) -> Tensor:
    """Of a first step."""
    stream = model.stream()
    stream.set_prompts(prompts)
    logits = model.backend.step([stream.past.state], [stream.past.columns()], [stream.conditions.kv])
    return torch.from_numpy(logits[0])


def test_at_its_ends_a_blend_is_the_single_prompt(model: MusicGen) -> None:
    """To the bit, on every backend."""
    expected = played(model.stream(PIANO, seed=3))
    for prompts in ([(PIANO, 1), (HOUSE, 0)], [(HOUSE, 0.0), (PIANO, 7.5)], [(PIANO, 0.2), (PIANO, 0.8), ("", 0)]):
        stream = model.stream(HOUSE, seed=3)
        stream.set_prompts(prompts)
        assert stream.prompts == ((PIANO, 1.0),)
        np.testing.assert_array_equal(played(stream), expected)


def test_order_and_scale_do_not_matter_and_the_same_text_adds_up(model: MusicGen) -> None:
    """To the bit."""
    expected = logits_of(model, [(PIANO, 0.25), (HOUSE, 0.5), ("", 0.25)])
    for prompts in (
        [("", 0.25), (HOUSE, 0.5), (PIANO, 0.25)],
        [(HOUSE, 4), ("", 2), (PIANO, 2)],
        [(HOUSE, 0.25), (PIANO, 0.25), (HOUSE, 0.25), ("", 0.25), ("jazz", 0)],
    ):
        assert torch.equal(logits_of(model, prompts), expected)


def test_it_leads_from_one_prompt_to_the_other(model: MusicGen) -> None:
    """Without a jump: near the ends it is near the single prompts, and every step is a small one."""
    shares = np.linspace(0, 1, 41)
    swept = torch.stack([logits_of(model, [(PIANO, 1 - share), (HOUSE, share)])[0] for share in shares])
    whole = (swept[-1] - swept[0]).norm()
    steps = (swept[1:] - swept[:-1]).flatten(1).norm(dim=1)
    assert steps.max() < 0.25 * whole
    rest = (swept - swept[-1]).flatten(1).norm(dim=1)
    rounding = 0.0 if model.backend.name in ("torch", "cuda") else 0.12
    assert (rest[1:] - rest[:-1]).max() <= rounding * whole, "what is left of the way only shrinks"


def test_the_null_row_never_changes(model: MusicGen) -> None:
    single, blend = logits_of(model, [(PIANO, 1)]), logits_of(model, [(PIANO, 1), (HOUSE, 1)])
    torch.testing.assert_close(single[1], blend[1], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(single[0], blend[0], atol=1e-3)


def test_a_fade_is_heard_while_it_plays_and_ends_at_the_prompt(model: MusicGen) -> None:
    """The fade's end is a stream that has changed to the prompt; before, weights are all that changes."""
    stream = model.stream(PIANO, seed=1)
    played(stream, 5)
    whole: Any = None
    for step in range(1, 10):
        stream.set_prompts([(PIANO, 1 - step / 10), (HOUSE, step / 10)])
        blend: Any = stream.conditions.kv[0]
        held = blend.memory if hasattr(blend, "memory") else blend.keys
        assert whole is None or held is whole, "keys and values stay where they are"
        whole = held
        stream.next_frame()
    stream.set_prompts([(PIANO, 0), (HOUSE, 1)])
    assert stream.conditions.kv[0] is model.encode_prompt(HOUSE).kv


def test_a_blend_is_what_transformers_makes_of_states_side_by_side(tmp_path: Path) -> None:
    """Twice as much of one prompt as of the other: its states twice, for the oracle."""
    folder = tiny_checkpoint(tmp_path)
    model, oracle = MusicGen.load(str(folder), backend="torch"), Oracle(folder)
    columns = np.random.default_rng(0).integers(0, 64, (20, 4))
    inputs = [oracle.tokenizer([text], return_tensors="pt") for text in (PIANO, HOUSE)]
    with torch.no_grad():
        states = [oracle.model.text_encoder(**one).last_hidden_state for one in inputs]
        expected = oracle.model(
            encoder_outputs=(torch.cat([states[0], states[0], states[1]], 1),),
            decoder_input_ids=torch.from_numpy(columns.T),
        ).logits
    stream = model.stream()
    stream.set_prompts([(PIANO, 2), (HOUSE, 1)])
    state = stream.past.state
    for index, column in enumerate(columns):
        logits = model.backend.step([state], [column[None]], [stream.conditions.kv])[0]
        state.count()
        np.testing.assert_allclose(logits[0], expected[:, index], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_gpus_step_blends_as_the_reference_does(shape: str) -> None:
    for check in (check_a_blend, check_a_blend_is_its_prompts):
        check(shapes()[shape], CudaBackend, 0.999999)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_reference_blends_prompts_as_what_they_are(shape: str) -> None:
    check_a_blend_is_its_prompts(shapes()[shape], lambda weights: TorchBackend(weights, threads=1), 0.999999)


def test_a_gpus_step_has_room_for_eight_long_prompts(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(str(tiny_checkpoint(tmp_path)))
    made = [
        MusicGen(checkpoint, backend) for backend in (CudaBackend(checkpoint.decoder), TorchBackend(checkpoint.decoder))
    ]
    prompts = [(f"{text} " * 120, 1.0) for text in ("house", "jazz", "rain", "bass", "drums", "piano", "calm", "slow")]
    found, expected = (logits_of(model, prompts) for model in made)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_melody_models_refuse_and_say_why(tmp_path: Path) -> None:
    model = MusicGen.load(str(tiny_checkpoint(tmp_path, melody=True)), backend="torch")
    stream = model.stream(HOUSE)
    with pytest.raises(ModelError, match="in front of all its music: give one prompt"):
        stream.set_prompts([(PIANO, 1), (HOUSE, 1)])
    assert stream.prompts == ((HOUSE, 1.0),)
    stream.set_prompts([(PIANO, 1), (HOUSE, 0)])
    assert stream.prompt == PIANO
    stream.next_frame()


@pytest.mark.parametrize("bad", [-1.0, float("nan"), float("inf")])
def test_weights_that_are_none_are_refused_and_nothing_changes(tiny_model: MusicGen, bad: float) -> None:
    stream = tiny_model.stream(HOUSE)
    with pytest.raises(ValueError, match="give a number of 0 or more"):
        stream.set_prompts([(PIANO, 1.0), (RAIN, bad)])
    with pytest.raises(ValueError, match="one above 0"):
        stream.set_prompts([(PIANO, 0.0)])
    with pytest.raises(ValueError, match="1 to 8"):
        stream.set_prompts([(text, 1.0) for text in TEXTS])
    with pytest.raises(ValueError, match="1 to 8"):
        stream.set_prompts([])
    assert stream.prompts == ((HOUSE, 1.0),)


@given(prompts)
def test_what_a_blend_comes_to(asked: list[tuple[str, float]]) -> None:
    """Each text once and in order, only what is heard, and a sum of 1; the weights' ratios are those asked for."""
    try:
        made = blended(asked)
    except ValueError:
        heard = {text for text, weight in asked if weight}
        assert not 1 <= len(heard) <= 8
        return
    texts = [text for text, _ in made]
    assert texts == sorted(set(texts))
    assert sum(weight for _, weight in made) == pytest.approx(1)
    assert all(np.isfinite(np.log(weight)) for _, weight in made)
    total = sum(weight for _, weight in asked)
    for text, weight in made:
        assert weight == pytest.approx(sum(own for other, own in asked if other == text) / total)


@given(prompts)
def test_the_order_of_a_blend_does_not_matter(asked: list[tuple[str, float]]) -> None:
    try:
        made = dict(blended(asked))
    except ValueError:
        return
    again = dict(blended(asked[::-1]))
    assert made.keys() == again.keys()
    assert all(again[text] == pytest.approx(weight) for text, weight in made.items())
