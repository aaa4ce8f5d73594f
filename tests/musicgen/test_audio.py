"""Audio of a stream: as much as asked for, whatever the chunks, equal to decoding everything at once."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from musicgen import MusicGen
from tests.musicgen.oracle import Oracle
from tests.musicgen.tiny import tiny_checkpoint

CHECKPOINTS: dict[str, dict[str, Any]] = {
    "mono, looks ahead": {},
    "stereo, looks ahead": {"channels": 2},
    "stereo, causal": {"channels": 2, "causal_codec": True, "lstm_layers": 1},
}


@pytest.fixture(scope="module", params=CHECKPOINTS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"), seed=2, **CHECKPOINTS[request.param])


def decode_whole(folder: Path, frames: NDArray[np.int64], channels: int) -> NDArray[np.float32]:
    """(samples, channels) of transformers' EnCodec, the whole clip at once."""
    codec = Oracle(folder).model.audio_encoder
    with torch.no_grad():
        sides = [codec.decode(torch.from_numpy(frames[side::channels])[None, None], [None]) for side in range(channels)]
    return torch.cat([side.audio_values[0] for side in sides]).T.numpy()


@pytest.mark.parametrize("chunk", [1, 3, 8])
def test_chunks_and_flush_are_the_whole_decode(folder: Path, chunk: int) -> None:
    model = MusicGen.load(str(folder))
    twin = model.stream("warm bass", seed=1)
    frames = np.stack([twin.next_frame() for _ in range(24)], axis=1)
    expected = decode_whole(folder, frames, model.channels)
    stream = model.stream("warm bass", seed=1)
    played = np.concatenate([stream.next_chunk(chunk) for _ in range(24 // chunk)] + [stream.flush()])
    assert played.shape == (24 * model.hop, model.channels)
    assert played.dtype == np.float32
    assert np.abs(played - expected).max() <= 2e-5 * np.sqrt(np.mean(expected**2))


@pytest.mark.parametrize("codec", ["exact", "overlap"])
def test_audio_gives_exactly_the_seconds_asked_for(folder: Path, codec: Literal["exact", "overlap"]) -> None:
    model = MusicGen.load(str(folder))
    chunks = list(model.stream("warm bass", codec=codec).audio(0.5137, chunk_frames=4))
    audio = np.concatenate(chunks)
    assert audio.shape == (round(0.5137 * 32000), model.channels)
    assert all(len(chunk) for chunk in chunks)
    assert np.isfinite(audio).all() and audio.std() > 0


def test_a_second_call_goes_on_where_the_first_ended(folder: Path) -> None:
    model = MusicGen.load(str(folder))
    stream = model.stream("warm bass", seed=1)
    pieces = [np.concatenate(list(stream.audio(0.21))), np.concatenate(list(stream.audio(0.13)))]
    whole = np.concatenate(list(model.stream("warm bass", seed=1).audio(0.34)))
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_reset_also_forgets_audio_that_was_not_given_yet(folder: Path) -> None:
    model = MusicGen.load(str(folder))
    stream = model.stream("warm bass", seed=1)
    first = np.concatenate(list(stream.audio(0.21)))
    stream.reset(1)
    np.testing.assert_array_equal(np.concatenate(list(stream.audio(0.21))), first)


def test_stereo_has_two_sides(tmp_path: Path) -> None:
    model = MusicGen.load(str(tiny_checkpoint(tmp_path, channels=2)))
    audio = np.concatenate(list(model.stream("warm bass").audio(0.3)))
    assert (audio[:, 0] != audio[:, 1]).any()


def test_figures_of_the_model(folder: Path) -> None:
    model = MusicGen.load(str(folder))
    assert (model.sample_rate, model.hop, model.frame_rate) == (32000, 640, 50.0)
    assert model.codebooks == 4 * model.channels


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_impossible_seconds_are_refused(tiny_model: MusicGen, seconds: float) -> None:
    with pytest.raises(ValueError, match="seconds"):
        next(tiny_model.stream().audio(seconds))
