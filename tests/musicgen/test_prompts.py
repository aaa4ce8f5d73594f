"""Changing what is played, while it plays."""

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from musicgen import MusicGen, Stream
from musicgen.sampling import Twister
from tests.musicgen.oracle import Oracle
from tests.musicgen.tiny import tiny_checkpoint


@pytest.fixture
def same_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every stream plays the same tokens, whatever its logits: so that only prompts can make caches differ."""

    def forced(logits: NDArray[np.float32], _sampling: Any, twister: Twister) -> NDArray[np.int64]:
        return twister.choose(np.ones_like(logits[0]))

    monkeypatch.setattr("musicgen.stream.sample", forced)


def past(stream: Stream, row: int) -> Tensor:
    """Keys and values of one guidance row so far: 0 conditional, 1 null."""
    memory: Tensor = stream.past.state.memory[0, :, :, row, :, : stream.position]
    return memory.clone()


@pytest.mark.usefixtures("same_tokens")
def test_a_new_prompt_touches_only_the_conditional_row(tiny_model: MusicGen) -> None:
    changed, unchanged = tiny_model.stream("deep house"), tiny_model.stream("deep house")
    for _ in range(15):
        changed.next_frame(), unchanged.next_frame()
    before = past(changed, 0)
    changed.set_prompt("calm piano with rain")
    assert torch.equal(past(changed, 0), before), "the past stays"
    for _ in range(15):
        changed.next_frame(), unchanged.next_frame()
    assert torch.equal(past(changed, 1), past(unchanged, 1))
    assert not torch.equal(past(changed, 0), past(unchanged, 0))


@pytest.mark.usefixtures("same_tokens")
def test_a_negative_prompt_touches_only_the_null_row(tiny_model: MusicGen) -> None:
    changed, unchanged = tiny_model.stream("deep house"), tiny_model.stream("deep house")
    changed.set_negative_prompt("bright jazz guitar")
    for _ in range(15):
        changed.next_frame(), unchanged.next_frame()
    torch.testing.assert_close(past(changed, 0), past(unchanged, 0))  # two rows in one product may round differently
    assert (past(changed, 1) - past(unchanged, 1)).abs().max() > 0.1


def test_a_change_is_heard_from_the_next_step_on(tiny_model: MusicGen) -> None:
    """The first frame after a change differs in the codebooks that wait least; those that were drawn before stay."""
    frames = {}
    for change in (None, "calm piano with rain"):
        stream = tiny_model.stream("deep house", seed=3)
        frames[change] = [stream.next_frame() for _ in range(20)]
        if change:
            stream.set_prompt(change)
            assert stream.prompt == change
        frames[change] += [stream.next_frame() for _ in range(20)]
    before, after = np.stack(frames[None], 1), np.stack(frames["calm piano with rain"], 1)
    for k in range(4):
        drawn = 20 + 3 - k  # codebook k is this many frames ahead when 20 are whole
        np.testing.assert_array_equal(before[k, :drawn], after[k, :drawn])
    assert (before[:, 20:30] != after[:, 20:30]).any()


def test_no_prompt_is_unconditional(tiny_model_dir: Path, tiny_model: MusicGen) -> None:
    """Without a prompt, guidance has nothing to lead to, and the music is that of transformers' null input."""
    oracle = Oracle(tiny_model_dir)
    inputs = oracle.model.get_unconditional_inputs()
    columns = np.random.default_rng(0).integers(0, 64, (20, 4))
    with torch.no_grad():
        output = oracle.model(
            encoder_outputs=inputs.encoder_outputs,
            attention_mask=inputs.attention_mask,
            decoder_input_ids=torch.from_numpy(columns.T),
        )
    state = tiny_model.backend.new_state(tiny_model.policy)
    for index, column in enumerate(columns):
        logits = tiny_model.backend.step([state], [column[None]], [(tiny_model.encode_prompt("").kv, None)])[0]
        state.count()
        np.testing.assert_allclose(logits[0], output.logits[:, index], atol=1e-4, rtol=1e-4)
        np.testing.assert_array_equal(logits[0], logits[1])


def test_a_known_prompt_is_there_at_once_while_another_is_being_encoded(
    tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step's thread never waits for a prompt that another thread is still encoding."""
    model = MusicGen.load(str(tiny_model_dir))
    known = model.encode_prompt("deep house")
    encoder = model.prompts
    encoding, go_on = threading.Event(), threading.Event()
    states = encoder.states

    def slow(text: str) -> NDArray[np.float32]:
        encoding.set()
        assert go_on.wait(30)
        return states(text)

    monkeypatch.setattr(encoder, "states", slow)
    other = threading.Thread(target=model.encode_prompt, args=("calm piano",))
    other.start()
    assert encoding.wait(30)
    assert model.encode_prompt("deep house") is known
    go_on.set()
    other.join()
    monkeypatch.setattr(encoder, "states", None)  # encoded by the other thread: nothing is left to do
    assert model.encode_prompt("calm piano").kv is not None


def test_a_text_encoder_of_the_decoders_size_needs_no_projection(tmp_path: Path) -> None:
    model = MusicGen.load(str(tiny_checkpoint(tmp_path, hidden=64, text_hidden=64)))
    assert model.prompts.states("deep house").shape == (3, 64)


def test_an_endless_prompt_costs_no_endless_step(tiny_model: MusicGen) -> None:
    kv = tiny_model.encode_prompt("deep house " * 5000).kv
    assert kv is not None and sum(kv.sizes) <= 256
    assert tiny_model.stream("\0 \uffff \U0001f3b9 naïve 音楽").next_frame().shape == (4,)
