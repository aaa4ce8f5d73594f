"""Rendering to a file: exact length, identical each time, and nothing left behind when it fails."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile

from streamer import Controls, Engine, UserError
from streamer.render import render
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
        ("out.mp3", "ends in .wav or .flac"),
        ("out", "ends in .wav or .flac"),
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
