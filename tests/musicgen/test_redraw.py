"""A change is heard at one frame: no frame before it has a token drawn after it, and the frame itself has all."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import musicgen.stream
from musicgen import Ensemble, MusicGen, Stream, StreamingPolicy, StreamState
from musicgen.backends import obstacle
from tests.musicgen.tiny import tiny_checkpoint

TURNS = {"codebook_delays": [0, 1, 1, 2], "codebook_turns": [0, 0, 1, 1]}
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "mono": ({}, {}),
    "stereo": ({"channels": 2}, {}),
    "turns": ({}, TURNS),
}
POLICY = StreamingPolicy(keep=16, max_position=40)


@pytest.fixture(scope="module", params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    shape, settings = KINDS[request.param]
    made = tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"), heads=1, seed=3, **shape)
    path = made / "generation_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))
    return made


@pytest.fixture(scope="module", params=["torch", "native", "onnx"])
def model(request: pytest.FixtureRequest, folder: Path) -> MusicGen:
    if reason := obstacle(request.param):
        pytest.skip(reason)
    return MusicGen.load(str(folder), backend=request.param, threads=1)


def played(stream: Stream, count: int) -> NDArray[np.int64]:
    return np.stack([stream.next_frame() for _ in range(count)], axis=1)


class Pen:
    """In place of the draw: every token tells of what was asked for when it was drawn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.token = 0
        monkeypatch.setattr(musicgen.stream, "sample", lambda logits, *_: np.full(logits.shape[1], self.token))


@pytest.mark.parametrize("policy", [POLICY, StreamingPolicy(keep=16, max_position=40, policy="burst")])
def test_every_token_of_the_frame_is_drawn_after_the_change_and_none_before_it(
    model: MusicGen, policy: StreamingPolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the past stands: at its first frame, just before and after an anchor, as a shadow begins."""
    stream, pen = model.stream("deep house", policy=policy), Pen(monkeypatch)
    for number, count in enumerate([1, 2, 3, *[7] * 6, *[1] * 8]):
        pen.token = number
        stream.redraw()
        np.testing.assert_array_equal(played(stream, count), number)


def test_without_it_a_change_is_heard_little_by_little(model: MusicGen, monkeypatch: pytest.MonkeyPatch) -> None:
    stream, pen = model.stream("deep house"), Pen(monkeypatch)
    played(stream, 4)
    pen.token = 1
    frames = played(stream, 5)
    delays = stream.past.line.delays
    np.testing.assert_array_equal(frames, np.arange(5) >= (delays.max() - delays)[:, None])


def test_what_is_drawn_anew_for_no_reason_is_what_it_was(model: MusicGen) -> None:
    """The past is the same to the bit: music without chance goes on as it would have."""
    one, other = (model.stream("deep house", top_k=1) for _ in range(2))
    for count in (5, 1, 2, 9):
        np.testing.assert_array_equal(played(one, count), played(other, count))
        one.redraw()
        one.redraw()  # once is enough


def test_a_neighbour_in_the_batch_hears_nothing_of_it(model: MusicGen) -> None:
    alone, one, other = (model.stream("jazz piano", seed=seed, top_k=5) for seed in (1, 1, 2))
    batch = Ensemble([one, other])
    batch.next_frames()
    other.set_prompt("techno")
    other.redraw()
    found = np.stack([batch.next_frames()[0] for _ in range(6)], axis=1)
    np.testing.assert_array_equal(found, played(alone, 7)[:, 1:])


def test_another_stream_goes_on_in_the_middle_of_it(model: MusicGen) -> None:
    stream, spare = model.stream("deep house", seed=4, top_k=1), model.stream()
    played(stream, 9)
    stream.set_prompt("jazz")
    stream.redraw()
    spare.restore(StreamState.from_bytes(stream.state().to_bytes()))
    np.testing.assert_array_equal(played(spare, 3), played(stream, 3))


def test_a_melody_model_takes_a_change_in_as_before(tmp_path: Path) -> None:
    """Its prompts are in front of the music: steps that are made anew would be made as they were."""
    melodious = MusicGen.load(str(tiny_checkpoint(tmp_path, melody=True)), backend="torch")
    one, other = (melodious.stream("deep house", seed=2, policy=POLICY) for _ in range(2))
    for stream in (one, other):
        played(stream, 5)
        stream.set_prompt("jazz")
    one.redraw()
    np.testing.assert_array_equal(played(one, 60), played(other, 60))
