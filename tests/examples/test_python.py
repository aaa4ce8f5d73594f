"""The Python examples, run as programs."""

import runpy
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.examples.conftest import EXAMPLES, Instrument, Peer, until

SEQUENCER = str(EXAMPLES / "python" / "sequencer.py")
RENDERER = str(EXAMPLES / "python" / "render_album.py")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], capture_output=True, text=True, timeout=300, check=False)


def test_the_sequencer_goes_round_through_its_prompts(instrument: Instrument) -> None:
    port = str(instrument.server.port)
    done = run(SEQUENCER, "--port", port, "--every", "0.02", "--rounds", "2", "lo-fi piano, rain", "deep house")
    assert done.returncode == 0, done.stderr
    until(lambda: len(instrument.heard("prompt")) >= 4, "the last prompt arriving")
    assert instrument.heard("prompt") == ["lo-fi piano, rain", "deep house"] * 2
    assert instrument.heard("play") == [True]


def test_the_sequencer_fades_from_prompt_to_prompt(instrument: Instrument) -> None:
    port = str(instrument.server.port)
    done = run(SEQUENCER, "--port", port, "--every", "0.02", "--rounds", "1", "--fade", "0.5", "lo-fi piano", "house")
    assert done.returncode == 0, done.stderr
    until(lambda: len(instrument.asked) >= 2, "the last fade arriving")
    assert instrument.asked == [("prompt/fade", ("lo-fi piano", 0.5)), ("prompt/fade", ("house", 0.5))]


def test_the_sequencer_goes_on_until_it_is_interrupted(instrument: Instrument, launch: Callable[..., Peer]) -> None:
    command = [sys.executable, SEQUENCER, "--port", str(instrument.server.port), "--every", "0.02"]
    sequencer = launch(command)
    sequencer.wait(lambda: len(instrument.heard("prompt")) > 8, "the third round")
    assert sequencer.signal(signal.SIGINT) == 130
    assert "Traceback" not in sequencer.printed


@pytest.mark.parametrize("every", ["0", "-1", "nan", "soon"])
def test_the_sequencer_refuses_an_interval_that_is_none(every: str) -> None:
    done = run(SEQUENCER, f"--every={every}")
    assert done.returncode == 2
    assert "--every" in done.stderr and "Traceback" not in done.stderr


def album(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    """Run the renderer in this process, which has torch imported already."""
    monkeypatch.setattr(sys, "argv", [RENDERER, *arguments])
    runpy.run_path(RENDERER, run_name="__main__")


def test_the_renderer_makes_an_album_that_it_can_make_again(
    tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--model", str(tiny_model_dir), "--seconds", "0.6", "--seed", "7", "lo-fi piano, rain", "deep house")
    done = run(RENDERER, str(tmp_path / "album"), *options)
    assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / "album").iterdir())
    assert names == ["01-lo-fi-piano-rain.wav", "02-deep-house.wav"]
    tracks = [soundfile.read(tmp_path / "album" / name, dtype="float32") for name in names]
    for sound, rate in tracks:
        assert len(sound) == round(0.6 * rate)
        assert np.isfinite(sound).all() and np.abs(sound).max() <= 1
        assert np.abs(sound).max() > 0, "the track is silent"
    assert not np.array_equal(tracks[0][0], tracks[1][0])
    album(monkeypatch, str(tmp_path / "again"), *options)
    for name in names:
        assert (tmp_path / "album" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_the_renderer_says_what_to_do_about_an_unknown_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="nowhere"):
        album(monkeypatch, str(tmp_path / "album"), "--model", str(tmp_path / "nowhere"))
    assert not (tmp_path / "album").exists()


def test_the_renderer_refuses_a_length_that_is_none(
    tmp_path: Path, tiny_model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit, match="second"):
        album(monkeypatch, str(tmp_path / "album"), "--model", str(tiny_model_dir), "--seconds=-1")
