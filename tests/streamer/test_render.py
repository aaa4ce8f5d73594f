"""Rendering to a file: exact length, identical each time, and nothing left behind when it fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
import soundfile

from musicgen import MusicGen
from streamer import Controls, Engine, UserError
from streamer.offline import render as rendering
from streamer.offline.render import render
from tests.streamer.sick import SickModel
from tests.streamer.sine import SineModel


@pytest.mark.parametrize("ending", ["wav", "flac", "WAV"])
@pytest.mark.parametrize(("seconds", "rate"), [(1.0, None), (0.777, 44_100), (1e-6, 48_000), (2.00001, 48_000)])
def test_the_file_has_exactly_the_samples_asked_for(
    tmp_path: Path, ending: str, seconds: float, rate: int | None
) -> None:
    path = tmp_path / f"out.{ending}"
    render(SineModel(), Controls(), seconds, path, sample_rate=rate)
    info = soundfile.info(path)
    assert info.samplerate == (rate or 32_000)
    assert info.frames == max(1, round(seconds * info.samplerate))
    assert info.channels == 2
    assert info.format == ending.upper()
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_the_file_holds_what_the_engine_plays(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out.{ending}"
    render(SineModel(), Controls(seed=4), 1.3, path, sample_rate=48_000, log=[(20, [("prompt", "a")])])
    live = Engine(SineModel(), Controls(seed=4), sample_rate=48_000, log=[(20, [("prompt", "a")])])
    np.testing.assert_allclose(soundfile.read(path)[0], live.read(62_400), atol=2**-23)


@pytest.mark.parametrize("ending", ["wav", "flac"])
def test_two_renders_are_the_same_file(tmp_path: Path, ending: str) -> None:
    one, two = tmp_path / f"one.{ending}", tmp_path / f"two.{ending}"
    for path in (one, two):
        render(SineModel(), Controls(seed=7, prompt="rain"), 2.0, path, sample_rate=44_100)
    assert one.read_bytes() == two.read_bytes()


def test_music_that_was_brought_back_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    render(SickModel("silence", well=500), Controls(), 15.0, tmp_path / "out.wav", report=told.append)
    assert [sentence for sentence in told if "At 0:11: The music fell silent" in sentence] == told
    assert len(told) == 1


def test_progress_rises_to_the_whole_length(tmp_path: Path) -> None:
    told: list[float] = []
    render(SineModel(), Controls(), 2.2, tmp_path / "out.wav", told.append)
    assert told == sorted(told)
    assert len(told) >= 4
    assert told[-1] == pytest.approx(2.2)


def test_an_older_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    path.write_text("old")
    render(SineModel(), Controls(), 0.1, path)
    assert soundfile.info(path).frames == 3200


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("nan"), float("inf")])
def test_a_length_that_is_none_is_refused(tmp_path: Path, seconds: float) -> None:
    with pytest.raises(UserError, match="choose a number above 0"):
        render(SineModel(), Controls(), seconds, tmp_path / "out.wav")
    assert not list(tmp_path.iterdir())


def test_more_than_a_wav_file_holds_is_refused_before_it_is_made(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"\.flac"):
        render(SineModel(), Controls(), 10 * 3600.0, tmp_path / "out.wav", sample_rate=96_000)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("out.aiff", "ends in .wav, .flac, .mp3, .ogg or .opus"),
        ("out", "ends in .wav, .flac, .mp3, .ogg or .opus"),
        ("nowhere/out.wav", "does not exist"),
        ("folder.wav", "is a folder"),
    ],
)
def test_a_path_that_cannot_be_is_refused_with_a_sentence(tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "folder.wav").mkdir()
    with pytest.raises(UserError, match=sentence):
        render(SineModel(), Controls(), 1.0, tmp_path / name)
    assert [file.name for file in tmp_path.iterdir()] == ["folder.wav"]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that refuses files even to root: /proc")
def test_a_folder_that_takes_no_files_is_named_with_the_reason() -> None:
    with pytest.raises(UserError, match=r"/proc/self/out\.wav|may not be written"):
        render(SineModel(), Controls(), 1.0, "/proc/self/out.wav")


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """No file of this process may grow beyond `size` bytes: a write beyond it fails as on a full disk."""
    import resource

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
@pytest.mark.parametrize("name", ["out.wav", "out.flac"])
def test_a_full_disk_is_one_sentence_and_leaves_the_older_file_alone(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("old")
    with full_disk(20_000), pytest.raises(UserError, match=f"{name} could not be written: File too large"):
        render(SineModel(), Controls(), 3.0, path)
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == [name]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
def test_a_disk_that_fills_up_with_the_last_bytes_is_noticed(tmp_path: Path) -> None:
    """libsndfile closes such a FLAC file without a word."""
    path = tmp_path / "out.flac"
    render(SineModel(), Controls(), 0.3, path)
    whole = path.read_bytes()
    with full_disk(len(whole) - 20), pytest.raises(UserError, match="File too large"):
        render(SineModel(), Controls(seed=0), 0.3, path)
    assert path.read_bytes() == whole


def test_a_render_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(SineModel(), Controls(), 3.0, tmp_path / "out.wav", interrupt)
    assert not list(tmp_path.iterdir())


# Formats


@pytest.mark.parametrize(
    ("ending", "subtype", "rate"),
    [("mp3", "MPEG_LAYER_III", 32_000), ("ogg", "VORBIS", 32_000), ("opus", "OPUS", 48_000)],
)
def test_what_the_ending_names_is_written(tmp_path: Path, ending: str, subtype: str, rate: int) -> None:
    """Whole, in a rate that the format has, and sounding as the WAV file does."""
    if not soundfile.check_format(rendering.FORMATS[f".{ending}"].container, subtype):
        pytest.skip(f"this libsndfile writes no {ending}")
    render(SineModel(), Controls(), 2.0, tmp_path / "out.wav", sample_rate=rate)
    path = tmp_path / f"out.{ending}"
    render(SineModel(), Controls(), 2.0, path)
    info = soundfile.info(path)
    assert (info.subtype, info.samplerate, info.frames) == (subtype, rate, 2 * rate)
    heard, made = (soundfile.read(file)[0][rate // 2 : -rate // 4] for file in (path, tmp_path / "out.wav"))
    assert np.sqrt(np.mean((heard - made) ** 2)) < 0.1 * np.sqrt(np.mean(made**2))


def test_a_rate_that_the_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="OPUS cannot hold 44100 Hz: choose one of 8000"):
        render(SineModel(), Controls(), 1.0, tmp_path / "out.opus", sample_rate=44_100)


def test_a_format_that_libsndfile_lacks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rendering.FORMATS, ".mp3", rendering.Format("MP3", "VORBIS"))  # which no libsndfile can write
    with pytest.raises(UserError, match=r"\.mp3 files cannot be written by this machine's libsndfile"):
        render(SineModel(), Controls(), 1.0, tmp_path / "out.mp3")


# Variations


def test_variations_are_the_pieces_of_the_following_seeds(tmp_path: Path, tiny_model: MusicGen) -> None:
    paths = render(tiny_model, Controls(prompt="techno", seed=5), 0.7, tmp_path / "out.wav", variations=3)
    assert [path.name for path in paths] == ["out-1.wav", "out-2.wav", "out-3.wav"]
    for number, path in enumerate(paths):
        alone = tmp_path / "alone.wav"
        render(tiny_model, Controls(prompt="techno", seed=5 + number), 0.7, alone)
        np.testing.assert_allclose(soundfile.read(path)[0], soundfile.read(alone)[0], atol=1e-4)


def test_no_variation_is_no_music(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="choose 1 or more"):
        render(SineModel(), Controls(), 1.0, tmp_path / "out.wav", variations=0)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no limit on the size of a file")
def test_of_variations_that_cannot_be_written_none_is_left(tmp_path: Path, tiny_model: MusicGen) -> None:
    with full_disk(20_000), pytest.raises(UserError, match="could not be written: File too large"):
        render(tiny_model, Controls(), 1.0, tmp_path / "out.wav", variations=2)
    assert not list(tmp_path.iterdir())


# Levels


def test_a_normalised_file_is_as_loud_as_the_definition_says(tmp_path: Path) -> None:
    path = tmp_path / "out.flac"
    render(SineModel(level=0.03), Controls(), 3.0, path, normalise="loudness")
    sound, rate = soundfile.read(path)
    assert pyloudnorm.Meter(rate).integrated_loudness(sound) == pytest.approx(-14, abs=0.05)


def test_without_normalisation_the_file_is_the_models_own_sound(tmp_path: Path, tiny_model: MusicGen) -> None:
    """Behind the first frame, which is faded in."""
    path = tmp_path / "out.wav"
    render(tiny_model, Controls(prompt="jazz", seed=3), 0.5, path, channels=1, normalise="none")
    made = np.concatenate(list(tiny_model.stream("jazz", seed=3).audio(0.5)))
    np.testing.assert_allclose(soundfile.read(path)[0][640:], made[640:, 0], atol=1e-5)
