"""A stream's tokens are those of transformers' ``generate``, token for token."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy
import torch
from numpy.typing import NDArray

from musicgen import Ensemble, MusicGen, StreamingPolicy
from tests.musicgen.oracle import Oracle
from tests.musicgen.test_endless import record_logits
from tests.musicgen.tiny import tiny_checkpoint

SHAPES: dict[str, dict[str, Any]] = {
    "mono": {},
    "stereo": {"channels": 2},
    "mono, odd sizes, no projection": {
        "hidden": 60, "heads": 3, "layers": 3, "ffn": 130, "codebooks": 3, "vocab": 32, "text_hidden": 60,
    },
    "stereo, odd sizes": {
        "channels": 2, "hidden": 36, "heads": 1, "layers": 1, "ffn": 50, "codebooks": 2, "vocab": 128,
    },
}  # fmt: skip
SAMPLING: dict[str, dict[str, Any]] = {
    "defaults": {"top_k": 50, "top_p": 1.0, "temperature": 1.0, "guidance": 3.0},
    "no guidance": {"top_k": 50, "top_p": 1.0, "temperature": 1.0, "guidance": 1.0},
    "wild": {"top_k": 0, "top_p": 1.0, "temperature": 1.4, "guidance": 2.0},
    "nucleus": {"top_k": 0, "top_p": 0.8, "temperature": 0.9, "guidance": 4.5},
    "all filters": {"top_k": 20, "top_p": 0.9, "temperature": 1.1, "guidance": 1.5},
}


@pytest.fixture(scope="module", params=SHAPES)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[MusicGen, Oracle]:
    folder = tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"), seed=3, **SHAPES[request.param])
    return MusicGen.load(str(folder), backend="torch"), Oracle(folder)


def generate_options(sampling: dict[str, Any]) -> dict[str, Any]:
    return {("guidance_scale" if name == "guidance" else name): value for name, value in sampling.items()}


def frames_of(stream: Any, count: int) -> NDArray[np.int64]:
    return np.stack([stream.next_frame() for _ in range(count)], axis=1)


@pytest.mark.parametrize("sampling", SAMPLING)
def test_stream_equals_generate(pair: tuple[MusicGen, Oracle], sampling: str) -> None:
    model, oracle = pair
    expected = oracle.generate("calm piano with rain", 60, seed=7, **generate_options(SAMPLING[sampling]))
    stream = model.stream("calm piano with rain", seed=7, **SAMPLING[sampling])
    np.testing.assert_array_equal(frames_of(stream, expected.shape[1]), expected)


def test_the_prompt_and_the_seed_are_heard(pair: tuple[MusicGen, Oracle]) -> None:
    model, _ = pair
    played = {
        (prompt, seed): frames_of(model.stream(prompt, seed=seed), 30).tobytes()
        for prompt in ("deep house", "slow ambient strings", "")
        for seed in (1, 2)
    }
    assert len(set(played.values())) == len(played)


def test_a_negative_prompt_takes_the_null_rows_place(pair: tuple[MusicGen, Oracle]) -> None:
    model, oracle = pair
    options = SAMPLING["all filters"]
    expected = oracle.generate(
        "deep house", 50, seed=5, negative="bright jazz guitar chords", **generate_options(options)
    )
    stream = model.stream("deep house", negative_prompt="bright jazz guitar chords", seed=5, **options)
    np.testing.assert_array_equal(frames_of(stream, expected.shape[1]), expected)
    stream.set_negative_prompt("")
    stream.reset(5)
    plain = oracle.generate("deep house", 50, seed=5, **generate_options(options))
    np.testing.assert_array_equal(frames_of(stream, plain.shape[1]), plain)


def test_logits_of_any_columns(pair: tuple[MusicGen, Oracle]) -> None:
    model, oracle = pair
    columns = np.random.default_rng(0).integers(0, model.pattern.pad + 1, (40, model.codebooks))
    expected = oracle.logits("fast techno drums", columns)
    state = model.backend.new_state(StreamingPolicy(20, 60))
    prompts = (model.encode_prompt("fast techno drums").kv, None)
    for column, those in zip(columns, expected, strict=True):
        logits = model.backend.step([state], [column[None]], [prompts])
        np.testing.assert_allclose(logits[0], those, atol=1e-4, rtol=1e-4)
        state.count()


def test_bfloat16_stays_close_to_float32(tmp_path: Path) -> None:
    folder = tiny_checkpoint(tmp_path)
    columns = torch.randint(0, 64, (30, 1, 4), generator=torch.Generator().manual_seed(1))
    logits = {}
    for dtype in (torch.float32, torch.bfloat16):
        model = MusicGen.load(str(folder), dtype=dtype)
        state = model.backend.new_state(model.policy)
        prompts = (model.encode_prompt("warm bass").kv, None)
        for column in columns.numpy():
            logits[dtype] = model.backend.step([state], [column], [prompts])
            state.count()
        assert model.stream("warm bass").next_frame().shape == (4,)
    assert logits[torch.bfloat16].dtype == np.float32
    np.testing.assert_allclose(logits[torch.bfloat16], logits[torch.float32], atol=0.2, rtol=0.05)


def test_two_streams_do_not_hear_each_other(tiny_model: MusicGen) -> None:
    alone = [
        frames_of(tiny_model.stream(prompt, seed=seed), 40) for prompt, seed in (("deep house", 1), ("jazz piano", 2))
    ]
    first, second = tiny_model.stream("deep house", seed=1), tiny_model.stream("jazz piano", seed=2)
    together = [(first.next_frame(), second.next_frame()) for _ in range(40)]
    np.testing.assert_array_equal(np.stack([frame for frame, _ in together], 1), alone[0])
    np.testing.assert_array_equal(np.stack([frame for _, frame in together], 1), alone[1])


def test_the_global_random_numbers_are_left_alone(tiny_model: MusicGen) -> None:
    stream = tiny_model.stream("deep house", seed=1)
    before = torch.get_rng_state()
    stream.next_frame()
    assert torch.equal(torch.get_rng_state(), before)


def test_reset_plays_the_same_again_and_reseed_changes_only_what_follows(tiny_model: MusicGen) -> None:
    stream = tiny_model.stream("deep house", seed=1)
    first = frames_of(stream, 30)
    stream.reset(1)
    assert (stream.frames_done, stream.position) == (0, 0)
    np.testing.assert_array_equal(frames_of(stream, 30), first)
    stream.reset(1)
    beginning = frames_of(stream, 10)
    stream.reseed(99)
    rest = frames_of(stream, 20)
    np.testing.assert_array_equal(beginning, first[:, :10])
    assert (rest != first[:, 10:]).any()


def test_sampling_may_change_while_it_plays(tiny_model: MusicGen) -> None:
    """With one token allowed the seed no longer matters; before that it does."""
    streams = [tiny_model.stream("deep house", seed=1), tiny_model.stream("deep house", seed=1)]
    for stream in streams:
        frames_of(stream, 10)
        stream.sampling.top_k = 1
    streams[1].reseed(2)
    np.testing.assert_array_equal(frames_of(streams[0], 20), frames_of(streams[1], 20))


@pytest.mark.parametrize(
    "options", [{"temperature": 0.0}, {"temperature": float("nan")}, {"top_k": -1}, {"top_p": 1.5}, {"top_p": -0.1}]
)
def test_values_out_of_range_are_refused(tiny_model: MusicGen, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        tiny_model.stream("deep house", **options)


def test_streams_in_one_batch_play_what_they_play_alone(pair: tuple[MusicGen, Oracle]) -> None:
    """Though others join and leave, and each has prompts, sampling, a past and a shadow of its own."""
    model, _ = pair
    settings: list[dict[str, Any]] = [
        {"prompt": "deep house", "seed": 1},
        {"prompt": "", "seed": 2, "top_k": 5},
        {"prompt": "jazz piano", "negative_prompt": "dark drums", "seed": 3, "guidance": 1.5},
        {"prompt": "", "negative_prompt": "calm rain", "seed": 4},
    ]
    policies = [StreamingPolicy(keep, keep * 3) for keep in (8, 20, 9, 30)]
    alone = [
        frames_of(model.stream(**setting, policy=policy), 60)
        for setting, policy in zip(settings, policies, strict=True)
    ]
    streams = [model.stream(**setting, policy=policy) for setting, policy in zip(settings, policies, strict=True)]
    together: list[list[NDArray[np.int64]]] = [[], [], [], []]
    for members, count in (([0], 5), ([0, 1, 2], 30), ([2, 3], 25), ([3, 1, 0, 2], 5)):
        for _ in range(count):
            for member, frame in zip(
                members, Ensemble(streams[member] for member in members).next_frames(), strict=True
            ):
                together[member].append(frame)
    for stream, frames, expected in zip(streams, together, alone, strict=True):
        assert stream.frames_done == len(frames)
        np.testing.assert_array_equal(np.stack(frames, 1), expected[:, : len(frames)])


def test_streams_of_two_models_are_not_stepped_together(tiny_model: MusicGen, tiny_model_dir: Path) -> None:
    other = MusicGen.load(str(tiny_model_dir))
    with pytest.raises(ValueError, match="one model"):
        Ensemble([tiny_model.stream(), other.stream()])


@pytest.mark.parametrize("delays", [None, {"codebook_delays": [0, 0, 0, 0], "codebook_turns": [0, 1, 2, 3]}])
def test_a_chunk_leaves_a_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, delays: dict[str, Any] | None) -> None:
    """Its frames, and the entropy of what codebook 0 of each was drawn from when it was last drawn."""
    folder = tiny_checkpoint(tmp_path)
    settings = folder / "generation_config.json"
    settings.write_text(json.dumps(json.loads(settings.read_text()) | (delays or {})))
    model = MusicGen.load(str(folder), backend="torch")
    logits = record_logits(monkeypatch, model)
    stream, twin = model.stream("jazz", seed=3), model.stream("jazz", seed=3)
    assert stream.trace.frames.shape == (4, 0)
    stream.next_chunk(3)
    stream.next_chunk(5)
    turns = 1 if delays is None else 4
    drawn = logits[::turns][-5:]
    expected = [scipy.stats.entropy(scipy.special.softmax(step[0, 0])) for step in drawn]
    np.testing.assert_allclose(stream.trace.entropy, expected, rtol=1e-5)
    np.testing.assert_array_equal(stream.trace.frames, frames_of(twin, 8)[:, 3:])


def test_a_stream_joins_an_ensemble_once_and_leaves_it_once(tiny_model: MusicGen) -> None:
    first, second = tiny_model.stream(seed=1), tiny_model.stream(seed=2)
    ensemble = Ensemble([first])
    assert len(ensemble.next_frames()) == 1
    ensemble.join(second)
    assert ensemble.streams == (first, second)
    assert [len(chunk.shape) for chunk in ensemble.next_chunks(3)] == [2, 2]
    with pytest.raises(ValueError, match="once"):
        ensemble.join(second)
    ensemble.leave(first)
    ensemble.next_frames()
    assert (first.frames_done, second.frames_done) == (4, 4)
    with pytest.raises(ValueError, match="not joined"):
        ensemble.leave(first)
    ensemble.leave(second)
    assert ensemble.next_frames() == [] and ensemble.next_chunks(2) == []
