"""Going on for ever: the shadow re-anchor is exact, memory is flat, positions stay in the trained range."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from musicgen import ModelError, MusicGen, StreamingPolicy
from musicgen.backends import obstacle
from musicgen.past import ANCHORS, anchored
from tests.musicgen.oracle import Oracle
from tests.musicgen.tiny import tiny_checkpoint

PROMPT = "slow ambient strings"
TURNS = {"codebook_delays": [0, 0, 0, 0], "codebook_turns": [0, 1, 2, 3]}


@pytest.mark.parametrize(
    ("channels", "keep", "max_position"), [(1, 12, 40), (2, 10, 31), (1, 16, 32), (1, 2, 9), (2, 1, 20)]
)
def test_a_reanchored_stream_continues_as_generate_would(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: int, keep: int, max_position: int
) -> None:
    """At every swap: the tokens of ``generate(decoder_input_ids=last frames)`` and the logits of a one-shot prefill."""
    folder = tiny_checkpoint(
        tmp_path, channels=channels, streaming={"policy": "reanchor", "keep": keep, "max_position": max_position}
    )
    model, oracle = MusicGen.load(str(folder)), Oracle(folder)
    stream = model.stream(PROMPT, seed=4, top_k=50, guidance=3.0)
    logits = record_logits(monkeypatch, model)
    swaps: list[tuple[int, NDArray[np.uint8]]] = []  # steps done at the swap, random numbers from there on
    frames, last = [], 0
    for _ in range(3 * max_position):
        frames.append(stream.next_frame())
        if stream.position < last:
            assert stream.position == keep
            swaps.append((len(logits), stream.random_state))
        last = stream.position
    assert len(swaps) >= 2
    played = np.stack(frames, axis=1)
    delay = len(logits) - played.shape[1]
    for steps, random_state in swaps:
        life = min(max_position - keep, len(logits) - steps)  # steps until the next swap
        kept = played[:, steps - keep : steps]
        if kept.shape[1] < keep:
            break  # the stream ended before the anchor's last frames were whole
        expected = oracle.generate(
            PROMPT, life + delay, random_state=random_state, frames=kept, guidance_scale=3.0, top_k=50
        )
        until = min(expected.shape[1], keep + life - delay)
        np.testing.assert_array_equal(played[:, steps - keep : steps - keep + until], expected[:, :until])
        prefill = oracle.logits(PROMPT, delayed_columns(kept, model))[-1]
        np.testing.assert_allclose(logits[steps], prefill, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("settings", [{}, {"channels": 2}, TURNS], ids=["mono", "stereo", "turns"])
@pytest.mark.parametrize("backend", ["torch", "native", "onnx"])
def test_a_burst_goes_on_as_a_shadow_does(tmp_path: Path, settings: dict[str, Any], backend: str) -> None:
    """With half the memory for the past, and each step of one lane alone."""
    if obstacle(backend):
        pytest.skip(obstacle(backend))
    folder = tiny_checkpoint(tmp_path, heads=1, **{k: v for k, v in settings.items() if k == "channels"})
    _add_settings(folder, {k: v for k, v in settings.items() if k != "channels"})
    model = MusicGen.load(str(folder), backend=backend, threads=1)
    policies = [StreamingPolicy(keep=16, max_position=48, policy=name) for name in ("reanchor", "burst")]
    shadow, burst = (model.stream(PROMPT, seed=4, top_k=1, policy=policy) for policy in policies)
    frames = [(shadow.next_frame(), burst.next_frame()) for _ in range(150)]
    assert burst.position == shadow.position
    assert burst.past.state.lanes == [0]
    if backend == "onnx":  # its prefill rounds otherwise than its steps
        return
    expected, found = (np.stack(own, axis=1) for own in zip(*frames, strict=True))
    np.testing.assert_array_equal(found, expected)
    for stream in (shadow, burst):
        stream.reanchor(found[:, -30:], seed=1)
    for _ in range(80):
        np.testing.assert_array_equal(burst.next_frame(), shadow.next_frame())
    assert len(shadow.past.state.memory) == 2 * len(burst.past.state.memory)


def _add_settings(folder: Path, settings: dict[str, Any]) -> None:
    path = folder / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def test_anchors_have_names(tmp_path: Path) -> None:
    card = StreamingPolicy(keep=200, max_position=512)
    assert anchored("card", card) == card
    assert anchored("shadow", card) == StreamingPolicy(keep=256, max_position=512)
    assert anchored("brief", card) == StreamingPolicy(keep=64, max_position=512)
    assert anchored("burst", card) == StreamingPolicy(keep=200, max_position=512, policy="burst")
    with pytest.raises(ValueError, match="choose card, shadow, brief or burst"):
        anchored("forever", card)
    folder = str(tiny_checkpoint(tmp_path / "text"))
    assert MusicGen.load(folder, anchor="brief").policy.keep == 1200 // 8 // 8 * 8
    with pytest.raises(ModelError, match="choose card"):
        MusicGen.load(folder, anchor="forever")
    melody = str(tiny_checkpoint(tmp_path / "melody", melody=True))
    with pytest.raises(ModelError, match="another anchor"):
        MusicGen.load(melody, anchor="burst")


@given(st.sampled_from(ANCHORS), st.integers(1, 300), st.integers(0, 900))
def test_every_anchor_suits_every_card(name: str, keep: int, more: int) -> None:
    card = StreamingPolicy(keep=keep, max_position=2 * keep + more)
    policy = anchored(name, card)
    assert policy.max_position == card.max_position
    assert 1 <= policy.keep <= card.max_position // 2


def record_logits(monkeypatch: pytest.MonkeyPatch, model: MusicGen) -> list[NDArray[np.float32]]:
    """The logits of every step of one stream from now on."""
    logits: list[NDArray[np.float32]] = []
    step = model.backend.step

    def recording(*arguments: Any) -> NDArray[np.float32]:
        batch = step(*arguments)
        logits.append(batch[0])
        return batch

    monkeypatch.setattr(model.backend, "step", recording)
    return logits


def delayed_columns(frames: np.ndarray[Any, Any], model: MusicGen) -> np.ndarray[Any, Any]:
    """The input columns (steps, K), one more than frames, with which a prefill of (K, F) frames begins."""
    codebooks, count = frames.shape
    columns = np.full((count + 1, codebooks), model.pattern.pad)
    for k in range(codebooks):
        delay = k // model.channels
        columns[1 + delay :, k] = frames[k, : count - delay]
    return columns


def test_the_policy_is_read_from_the_card_and_may_be_set(tmp_path: Path, tiny_model: MusicGen) -> None:
    folder = tiny_checkpoint(tmp_path, streaming={"policy": "reanchor", "keep": 5, "max_position": 12})
    assert MusicGen.load(str(folder)).policy == StreamingPolicy(keep=5, max_position=12)
    assert tiny_model.policy == StreamingPolicy(keep=600, max_position=1200)
    stream = tiny_model.stream(policy=StreamingPolicy(keep=3, max_position=8))
    positions = []
    for _ in range(30):
        stream.next_frame()
        positions.append(stream.position)
    assert set(positions) == set(range(3, 8))
    with pytest.raises(ValueError, match="max_position"):
        tiny_model.stream(policy=StreamingPolicy(keep=600, max_position=5000))


def test_a_short_model_stays_within_its_length(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path, max_positions=100)
    assert MusicGen.load(str(folder)).policy == StreamingPolicy(keep=50, max_position=100)


@pytest.mark.parametrize(("keep", "max_position"), [(0, 10), (6, 10), (5, 9), (-1, 4)])
def test_a_policy_that_cannot_work_is_refused(keep: int, max_position: int) -> None:
    with pytest.raises(ValueError, match="keep"):
        StreamingPolicy(keep=keep, max_position=max_position)


def test_minutes_in_flat_memory(tmp_path: Path) -> None:
    """6000 steps: no memory grows, no position leaves the range. tests/streamer/test_hour.py plays an hour."""
    folder = tiny_checkpoint(
        tmp_path, layers=1, heads=1, codebooks=2, vocab=16,
        streaming={"policy": "reanchor", "keep": 4, "max_position": 24},
    )  # fmt: skip
    stream = MusicGen.load(str(folder)).stream(seed=1, top_k=0)
    memory, address = stream.past.state.memory, stream.past.state.memory.data_ptr()
    process = psutil.Process()
    seen = set()
    for _ in range(1_500):
        stream.next_frame()
    resident = process.memory_info().rss
    for _ in range(4_500):
        stream.next_frame()
        seen.add(stream.position)
    assert stream.frames_done == 6_000
    assert seen == set(range(4, 24))
    assert stream.past.state.memory is memory
    assert memory.data_ptr() == address
    assert process.memory_info().rss - resident < 4 * 2**20
