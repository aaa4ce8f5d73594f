"""A decoder that needs whole pieces: what is heard is what the engine would play of a stream with that sound."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from musicgen import MusicGen
from streamer import Controls, UserError
from streamer.engine.beginning import Excerpt, read_beginning
from streamer.engine.engine import LogEntry
from streamer.offline.render import render
from streamer.sound.dynamics import Samples
from tests.musicgen.tiny import tiny_checkpoint

LOOK_AHEAD = 0.08
"""Seconds that the tiny model's codec waits for, and a little more."""


def codec_of(model: MusicGen) -> Any:
    """The model's own codec, decoding whole pieces: what it gives is known from the other way."""

    def decode(frames: Any, seed: int) -> Samples:
        decoder = model.new_decoder()
        return np.concatenate([decoder.decode(frames), decoder.flush()])

    return decode


def controls(**values: Any) -> Controls:
    given: dict[str, Any] = {"prompt": "rain", "seed": 5, "guard": False} | values
    return Controls(**given)


@pytest.mark.parametrize("rate", [None, 44_100])
@pytest.mark.parametrize("level", [None, "none"])
def test_with_the_codec_a_drafted_file_is_the_streamed_one(
    tiny_model: MusicGen, tmp_path: Path, rate: int | None, level: str | None
) -> None:
    options: dict[str, Any] = {"sample_rate": rate, "normalise": level}
    [streamed] = render(tiny_model, controls(), 1.3, tmp_path / "streamed.wav", **options)
    [drafted] = render(tiny_model, controls(), 1.3, tmp_path / "drafted.wav", decode=codec_of(tiny_model), **options)
    expected, made = soundfile.read(streamed)[0], soundfile.read(drafted)[0]
    assert np.abs(expected).max() > 0.01
    # The fade-in is one frame, and a streamed codec's first ones are short; the end is decoded with nothing to follow.
    inside = slice(8000, -round(len(made) / 1.3 * LOOK_AHEAD))
    np.testing.assert_allclose(made[inside], expected[inside], atol=2e-3 if level is None else 2e-6)


def test_a_log_acts_at_its_frames_and_a_reset_begins_a_piece(tiny_model: MusicGen, tmp_path: Path) -> None:
    pieces: list[tuple[Any, int]] = []

    def decode(frames: Any, seed: int) -> Samples:
        pieces.append((frames, seed))
        return np.full((frames.shape[1] * tiny_model.hop, 1), 0.1 * len(pieces), np.float32)

    log: list[LogEntry] = [(10, [("prompt", "drums")]), (20, [("reset", None)]), (30, [("volume", -6.0)])]
    [path] = render(
        tiny_model, controls(), 0.8, tmp_path / "out.wav", log=log, normalise="none", decode=decode, channels=1
    )
    sound, hop = soundfile.read(path)[0], tiny_model.hop
    first, second = pieces[0][0], pieces[1][0]
    assert [seed for _, seed in pieces] == [5, 6]
    assert first.shape[1] == 21  # a frame of the old music fades out
    stream = tiny_model.stream("rain", seed=5)
    before = [stream.next_frame() for _ in range(10)]
    stream.set_prompt("drums")
    stream.redraw()
    np.testing.assert_array_equal(first.T, [*before, *(stream.next_frame() for _ in range(11))])
    np.testing.assert_array_equal(second[:, :10].T, fresh(tiny_model, "drums", 10))
    assert sound[15 * hop] == pytest.approx(0.1, abs=1e-4)
    assert sound[25 * hop] == pytest.approx(0.2, abs=1e-4)
    assert sound[35 * hop] == pytest.approx(0.1, abs=1e-3)


def fresh(model: MusicGen, prompt: str, frames: int) -> list[Any]:
    stream = model.stream(prompt, seed=5)
    return [stream.next_frame() for _ in range(frames)]


def test_variations_have_their_own_frames_and_seeds(tiny_model: MusicGen, tmp_path: Path) -> None:
    pieces: list[tuple[Any, int]] = []

    def decode(frames: Any, seed: int) -> Samples:
        pieces.append((frames, seed))
        return codec_of(tiny_model)(frames, seed)  # type: ignore[no-any-return]

    paths = render(tiny_model, controls(), 0.5, tmp_path / "out.wav", variations=2, decode=decode)
    assert [seed for _, seed in pieces] == [5, 6]
    for (frames, _), seed in zip(pieces, (5, 6), strict=True):
        stream = tiny_model.stream("rain", seed=seed)
        np.testing.assert_array_equal(frames[:, :10].T, [stream.next_frame() for _ in range(10)])
    assert paths[0].read_bytes() != paths[1].read_bytes()


def test_a_beginning_is_heard_from_its_file_and_goes_on_decoded(tiny_model: MusicGen, tmp_path: Path) -> None:
    soundfile.write(tmp_path / "song.wav", 0.1 * np.sin(np.arange(32_000) / 20), 32_000)
    beginning = read_beginning(Excerpt(tmp_path / "song.wav"), tiny_model)
    options: dict[str, Any] = {"beginning": beginning, "normalise": "none", "channels": 1}
    [streamed] = render(tiny_model, controls(), 2.0, tmp_path / "a.flac", **options)
    [drafted] = render(tiny_model, controls(), 2.0, tmp_path / "b.flac", decode=codec_of(tiny_model), **options)
    expected, made = soundfile.read(streamed)[0], soundfile.read(drafted)[0]
    apart = np.abs(made - expected)
    assert apart[: 32_000 - 6000].max() < 1e-6
    assert apart[32_000 : -round(32_000 * LOOK_AHEAD)].max() < 1e-4


def test_a_melody_and_every_kind_of_change_act_when_the_frames_are_made(tmp_path: Path) -> None:
    model = MusicGen.load(str(tiny_checkpoint(tmp_path / "model", melody=True)), backend="torch")
    soundfile.write(tmp_path / "tune.wav", 0.1 * np.sin(np.arange(64_000) / 10), 32_000)
    log: list[LogEntry] = [
        (5, [("temperature", 1.5), ("seed", 9)]),
        (12, [("melody", str(tmp_path / "tune.wav")), ("negative", "drums")]),
        (20, [("melody", "")]),
    ]
    options: dict[str, Any] = {"log": log, "normalise": "none", "channels": 1}
    [streamed] = render(model, controls(), 1.0, tmp_path / "a.flac", **options)
    [drafted] = render(model, controls(), 1.0, tmp_path / "b.flac", decode=codec_of(model), **options)
    expected, made = soundfile.read(streamed)[0], soundfile.read(drafted)[0]
    inside = slice(8000, -round(32_000 * LOOK_AHEAD))
    assert np.abs(made[inside]).max() > 0.01
    np.testing.assert_allclose(made[inside], expected[inside], atol=2e-6)


def test_the_guard_is_refused(tiny_model: MusicGen, tmp_path: Path) -> None:
    cases: list[tuple[Controls, list[LogEntry]]] = [(controls(guard=True), []), (controls(), [(5, [("guard", True)])])]
    for own, log in cases:
        with pytest.raises(UserError, match="guard"):
            render(tiny_model, own, 0.5, tmp_path / "out.wav", log=log, decode=codec_of(tiny_model))
    assert not list(tmp_path.iterdir())
