"""Going on from given music: the tokens are those of transformers' ``generate``, and the sound has no seam."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from musicgen import MusicGen, StreamingPolicy
from musicgen.delay import DelayLine
from musicgen.surprise import surprise
from tests.musicgen.oracle import Oracle
from tests.musicgen.tiny import tiny_checkpoint

KINDS: dict[str, dict[str, Any]] = {
    "mono": {},
    "stereo": {"channels": 2},
    "melody": {"melody": True},
    "stereo melody": {"melody": True, "channels": 2},
}


@pytest.fixture(scope="module", params=KINDS)
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[MusicGen, Oracle]:
    folder = tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"), seed=5, **KINDS[request.param])
    return MusicGen.load(str(folder), backend="torch"), Oracle(folder)


def played(stream: Any, count: int) -> NDArray[np.int64]:
    return np.stack([stream.next_frame() for _ in range(count)], axis=1)


def music(model: MusicGen, seconds: float = 1.0) -> NDArray[np.float32]:
    time = np.arange(round(seconds * model.sample_rate)) / model.sample_rate
    notes = np.sin(2 * np.pi * 220 * 2 ** (np.floor(4 * time) / 12) * time)
    sound: NDArray[np.float32] = (0.3 * notes[:, None] * [1.0, 0.7][: model.channels]).astype(np.float32)
    return sound


@pytest.mark.parametrize("count", [1, 2, 3, 30])
def test_a_continuation_is_that_of_generate(pair: tuple[MusicGen, Oracle], count: int) -> None:
    model, oracle = pair
    frames = np.random.default_rng(count).integers(0, 64, (model.codebooks, count))
    expected = oracle.generate("slow piano", 40, seed=9, frames=frames, guidance_scale=3.0, top_k=50)
    stream = model.stream("slow piano", top_k=50)
    stream.next_frame()  # what was before does not matter
    stream.continue_from(frames, seed=9)
    np.testing.assert_array_equal(expected[:, :count], frames)
    np.testing.assert_array_equal(played(stream, expected.shape[1] - count), expected[:, count:])


def test_frames_of_a_sound_are_those_of_the_codec(pair: tuple[MusicGen, Oracle]) -> None:
    model, oracle = pair
    sound = music(model)
    with torch.inference_mode():
        channels = [
            oracle.model.audio_encoder.encode(torch.from_numpy(channel)[None, None]).audio_codes[0, 0]
            for channel in sound.T
        ]
    frames = model.encode(sound)
    assert frames.shape == (model.codebooks, 50)
    for number, codes in enumerate(channels):
        np.testing.assert_array_equal(frames[number :: model.channels], codes.numpy())


def test_the_sound_goes_on_as_if_it_had_been_decoded_at_once(pair: tuple[MusicGen, Oracle]) -> None:
    """The end of the given music and the beginning of the new: no sample is lost, doubled or different."""
    model, _ = pair
    frames = model.encode(music(model))
    stream, again = model.stream("jazz"), model.stream("jazz")
    before = stream.continue_from(frames, seed=3)
    sound = np.concatenate([before, *(stream.next_chunk(2) for _ in range(10))])
    again.continue_from(frames, seed=3)
    whole = np.concatenate([frames, played(again, 20)], axis=1)
    np.testing.assert_allclose(sound, _decoded(model, whole)[: len(sound)], atol=1e-5)


def _decoded(model: MusicGen, frames: NDArray[np.int64]) -> NDArray[np.float32]:
    stream = model.stream()
    return np.concatenate([stream.decoder.decode(frames), stream.decoder.flush()])


def test_of_much_music_the_last_is_continued_and_the_stream_goes_on_for_ever(pair: tuple[MusicGen, Oracle]) -> None:
    """Frames that no memory holds do not matter; the shadow takes over in time."""
    model, _ = pair
    frames = np.random.default_rng(0).integers(0, 64, (model.codebooks, 100))
    policy = StreamingPolicy(keep=12, max_position=40)
    streams = [model.stream("jazz", policy=policy), model.stream("jazz", policy=policy)]
    assert streams[0].memory_frames == 20
    streams[0].continue_from(frames, seed=3)
    streams[1].continue_from(frames[:, -20:], seed=3)
    one, other = (played(stream, 120) for stream in streams)
    np.testing.assert_array_equal(one, other)


def test_a_stream_can_be_put_back_to_what_it_played(pair: tuple[MusicGen, Oracle]) -> None:
    """To its last frames: with the same seed both go on alike from there."""
    model, _ = pair
    stream, fresh = model.stream("techno", seed=1), model.stream("techno")
    heard = played(stream, 60)
    stream.reanchor(heard[:, 10:40], seed=8)
    fresh.continue_from(heard[:, 10:40], seed=8)
    np.testing.assert_array_equal(played(stream, 30), played(fresh, 30))
    assert stream.frames_done == 90


def test_a_melody_goes_on_where_it_is(tmp_path: Path) -> None:
    model = MusicGen.load(str(tiny_checkpoint(tmp_path, melody=True)), backend="torch")
    tune = model.melody(music(model, 2.0)[:, 0], model.sample_rate)
    streams = [model.stream("jazz", melody=tune, seed=2) for _ in range(2)]
    heard, _ = [played(stream, 40) for stream in streams]
    streams[0].reanchor(heard[:, -20:], seed=8)
    now = [stream.past.line.steps - stream.conditions.melody_start for stream in streams]
    assert now[0] == now[1]


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        (np.zeros((4, 0), np.int64), "shape"),
        (np.zeros((3, 5), np.int64), "shape"),
        (np.zeros(4, np.int64), "shape"),
        (np.full((4, 5), 64), "outside"),
        (np.full((4, 5), -1), "outside"),
    ],
)
def test_frames_that_are_not_the_models_are_refused(
    tiny_model: MusicGen, frames: NDArray[np.int64], reason: str
) -> None:
    stream = tiny_model.stream()
    with pytest.raises(ValueError, match=reason):
        stream.continue_from(frames, seed=0)
    stream.next_frame()


@pytest.mark.parametrize("sound", [np.zeros((0, 1)), np.zeros((10, 2)), np.zeros(10), np.full((10, 1), np.nan)])
def test_a_sound_that_is_none_is_refused(tiny_model: MusicGen, sound: NDArray[np.float64]) -> None:
    with pytest.raises(ValueError, match="sound"):
        tiny_model.encode(sound.astype(np.float32))


@given(st.data())
def test_what_a_line_is_given_it_gives_back(data: st.DataObject) -> None:
    """Pushing what the steps sampled for known frames yields these frames, for any pattern."""
    codebooks = data.draw(st.integers(1, 5))
    delays = data.draw(st.lists(st.integers(0, 4), min_size=codebooks, max_size=codebooks))
    turns = list(range(codebooks)) if data.draw(st.booleans()) else None
    frames = np.random.default_rng(0).integers(0, 9, (codebooks, data.draw(st.integers(1, 8))))
    line = DelayLine(delays, pad=9, turns=turns)
    whole = [frame for column in line.sampled(frames) if (frame := line.push(column)) is not None]
    np.testing.assert_array_equal(np.stack(whole, axis=1), frames)


@pytest.mark.parametrize(("before", "count"), [(1, 4), (3, 4), (30, 12)])
def test_how_likely_a_continuation_is_agrees_with_transformers(
    pair: tuple[MusicGen, Oracle], before: int, count: int
) -> None:
    model, oracle = pair
    frames = np.random.default_rng(count).integers(0, 64, (model.codebooks, before + count))
    stream = model.stream("slow piano")
    stream.next_frame()  # what was before does not matter
    heard = surprise(stream, frames[:, :before], frames[:, before:])
    drawn = model.pattern.line().sampled(frames)[: before + count - 1]
    inputs = np.concatenate([np.full((1, model.codebooks), -1), drawn])
    inputs[inputs < 0] = model.pattern.pad
    logits = oracle.logits("slow piano", inputs)[:, 0].log_softmax(-1).numpy()
    expected = [
        -logits[step, k, frames[k, step - delay]]
        for k, delay in enumerate(model.pattern.delays)
        for step in range(before + delay, before + count)
    ]
    assert heard == pytest.approx(np.mean(expected), abs=1e-4)


def test_what_the_model_plays_itself_surprises_it_less_than_noise(pair: tuple[MusicGen, Oracle]) -> None:
    model, _ = pair
    stream = model.stream("slow piano", guidance=1.0, top_k=1)
    own = played(stream, 40)
    noise = np.random.default_rng(1).integers(0, 64, (model.codebooks, 20))
    assert surprise(stream, own[:, :20], own[:, 20:]) < surprise(stream, own[:, :20], noise)
