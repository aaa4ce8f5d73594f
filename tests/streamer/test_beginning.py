"""Going on from a file: what is heard of it, where the music takes over, and which files are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from musicgen import MusicGen
from streamer import Controls, Engine, UserError
from streamer.engine.beginning import FADE, Beginning, Excerpt, check_excerpt, join, read_beginning
from streamer.offline.render import render
from streamer.sound.dynamics import Samples

RATE = 32_000


def song(seconds: float, rate: int, channels: int) -> Samples:
    """A tone that rises, on the right softer than on the left."""
    time = np.arange(round(seconds * rate)) / rate
    tone = 0.3 * np.sin(2 * np.pi * (200 + 100 * time) * time)
    return (tone[:, None] * np.linspace(1, 0.5, channels)).astype(np.float32)


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    soundfile.write(tmp_path / "song.wav", song(4.0, RATE, 1), RATE, "FLOAT")
    return tmp_path / "song.wav"


@pytest.mark.parametrize(
    ("name", "rate"), [("a.wav", 44_100), ("a.flac", 16_000), ("a.ogg", 48_000), ("a.mp3", 32_000)]
)
@pytest.mark.parametrize("channels", [1, 2])
def test_any_file_is_read_at_the_models_rate_and_width(
    tmp_path: Path, tiny_model: MusicGen, name: str, rate: int, channels: int
) -> None:
    soundfile.write(tmp_path / name, song(4.0, rate, channels), rate)
    beginning = read_beginning(Excerpt(tmp_path / name, 1.0, 2.5), tiny_model)
    assert beginning.sound.shape == (75 * 640, 1)
    assert beginning.frames.shape == (4, 75)
    expected = song(4.0, RATE, channels).mean(axis=1)[RATE : RATE + 75 * 640]
    assert np.sqrt(np.mean((beginning.sound[640:-640, 0] - expected[640:-640]) ** 2)) < 0.02


def test_the_part_ends_where_it_was_asked_to(wav: Path, tiny_model: MusicGen) -> None:
    """What is no whole frame is left out at its start."""
    beginning = read_beginning(Excerpt(wav, 0.505, 2.0), tiny_model)
    np.testing.assert_array_equal(beginning.sound, song(4.0, RATE, 1)[2 * RATE - 74 * 640 : 2 * RATE])


def test_the_file_is_heard_and_then_the_music_that_continues_it(wav: Path, tiny_model: MusicGen) -> None:
    """Exactly the file up to the crossfade, exactly the decoder's sound after it."""
    beginning = read_beginning(Excerpt(wav, 1.0, 2.0), tiny_model)
    engine = Engine(tiny_model, Controls(prompt="jazz", seed=4), channels=1, level=False, beginning=beginning)
    heard = engine.read(2 * RATE)
    stream = tiny_model.stream("jazz")
    decoded = np.concatenate([stream.continue_from(beginning.frames, seed=4), *stream.audio(2.0)])
    fade = round(FADE * RATE)
    look_ahead = 2402
    np.testing.assert_array_equal(
        heard[640 : RATE - look_ahead - fade], beginning.sound[640 : RATE - look_ahead - fade]
    )
    np.testing.assert_allclose(heard[RATE - look_ahead :], decoded[RATE - look_ahead : 2 * RATE], atol=1e-5)


def test_two_versions_of_one_music_are_joined_without_a_swell_or_a_dip() -> None:
    """Neither for equal ones nor for ones that have nothing to do with each other."""
    noise = np.random.default_rng(0).standard_normal((2 * RATE, 2)).astype(np.float32)
    one, other = noise[:, :1], noise[:, 1:]
    np.testing.assert_allclose(join(one, one, 0, RATE), one, atol=1e-5)
    joined = join(one, other, 0, RATE)[-round(FADE * RATE) :]
    power = np.square(joined).reshape(8, -1).mean(axis=1)
    assert np.all((power > 0.75) & (power < 1.3))


def test_a_join_has_no_click(wav: Path, tiny_model: MusicGen) -> None:
    """The steepest step from sample to sample is no steeper than in the file and in the music."""
    beginning = read_beginning(Excerpt(wav, 0.0, 2.0), tiny_model)
    heard = Engine(tiny_model, Controls(seed=4), channels=1, level=False, beginning=beginning).read(4 * RATE)
    steps = np.abs(np.diff(heard[:, 0]))
    join_at, elsewhere = steps[2 * RATE - 8000 : 2 * RATE + 8000], steps[2 * RATE + 8000 :]
    assert join_at.max() <= 1.2 * elsewhere.max()


def test_a_render_begins_with_the_file_and_is_as_long_as_asked(wav: Path, tmp_path: Path, tiny_model: MusicGen) -> None:
    beginning = read_beginning(Excerpt(wav, 0.0, 1.0), tiny_model)
    paths = render(
        tiny_model, Controls(), 2.0, tmp_path / "out.wav", beginning=beginning, variations=2, normalise="none"
    )
    one, other = (soundfile.read(path)[0] for path in paths)
    assert len(one) == 2 * RATE
    np.testing.assert_allclose(one[640 : RATE // 2, 0], song(1.0, RATE, 1)[640 : RATE // 2, 0], atol=1e-6)
    np.testing.assert_array_equal(one[: RATE // 2], other[: RATE // 2])
    assert not np.allclose(one[RATE + 2000 :], other[RATE + 2000 :], atol=1e-3)


def test_a_piece_that_ends_within_its_beginning_is_refused(wav: Path, tmp_path: Path, tiny_model: MusicGen) -> None:
    beginning = read_beginning(Excerpt(wav), tiny_model)
    with pytest.raises(UserError, match=r"4\.00 s long: choose more than 2 seconds"):
        render(tiny_model, Controls(), 2.0, tmp_path / "out.wav", beginning=beginning)


def test_a_reset_leaves_the_beginning(wav: Path, tiny_model: MusicGen) -> None:
    beginning = read_beginning(Excerpt(wav), tiny_model)
    engine = Engine(tiny_model, Controls(seed=4), channels=1, level=False, beginning=beginning)
    engine.read(RATE)
    engine.controls.act("reset")
    heard = engine.read(RATE)[2 * 640 :]
    plain = Engine(tiny_model, Controls(seed=4), channels=1, level=False).read(RATE)
    np.testing.assert_allclose(heard[: RATE // 2], plain[640:][: RATE // 2], atol=1e-6)


def test_of_a_long_file_all_is_heard_and_the_end_is_continued(tiny_model: MusicGen) -> None:
    sound = song(3.0, RATE, 1)
    beginning = Beginning(sound, tiny_model.encode(sound[RATE:]))
    heard = Engine(tiny_model, Controls(), channels=1, level=False, beginning=beginning).read(4 * RATE)
    np.testing.assert_array_equal(heard[640 : 2 * RATE], sound[640 : 2 * RATE])


@pytest.mark.parametrize(
    ("start", "end", "sentence"),
    [(5.0, None, "no part from 5"), (1.0, 9.0, "4.00 s long"), (2.0, 1.0, "no part"), (1.0, 1.05, "too little")],
)
def test_a_part_that_is_not_there_is_refused(wav: Path, start: float, end: float | None, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        check_excerpt(Excerpt(wav, start, end))


def test_a_file_that_is_no_sound_is_refused(tmp_path: Path, tiny_model: MusicGen) -> None:
    (tmp_path / "text.wav").write_text("no music")
    for name, sentence in (
        ("none.wav", "there is no file"),
        (".", "there is no file"),
        ("text.wav", "cannot be read as sound"),
    ):
        with pytest.raises(UserError, match=sentence):
            read_beginning(Excerpt(tmp_path / name), tiny_model)
    soundfile.write(tmp_path / "nan.wav", np.full((RATE, 1), np.nan), RATE, "FLOAT")
    with pytest.raises(UserError, match="no numbers"):
        read_beginning(Excerpt(tmp_path / "nan.wav"), tiny_model)
