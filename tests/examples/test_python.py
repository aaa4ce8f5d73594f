"""The Python examples, run as programs."""

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


def test_the_renderer_makes_an_album_that_it_can_make_again(tmp_path: Path, tiny_model_dir: Path) -> None:
    command = (RENDERER, "--model", str(tiny_model_dir), "--seconds", "0.6", "--seed", "7")
    prompts = ("lo-fi piano, rain", "deep house, 122 bpm")
    for folder in ("album", "again"):
        done = run(*command[:1], str(tmp_path / folder), *command[1:], *prompts)
        assert done.returncode == 0, done.stderr
    names = sorted(path.name for path in (tmp_path / "album").iterdir())
    assert names == ["01-lo-fi-piano-rain.wav", "02-deep-house-122-bpm.wav"]
    tracks = [soundfile.read(tmp_path / "album" / name, dtype="float32") for name in names]
    for sound, rate in tracks:
        assert len(sound) == round(0.6 * rate)
        assert np.isfinite(sound).all() and np.abs(sound).max() <= 1
        assert np.abs(sound).max() > 0, "the track is silent"
    assert not np.array_equal(tracks[0][0], tracks[1][0])
    for name in names:
        assert (tmp_path / "album" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_the_renderer_says_what_to_do_about_an_unknown_model(tmp_path: Path) -> None:
    done = run(RENDERER, str(tmp_path / "album"), "--model", str(tmp_path / "nowhere"), "--seconds", "0.1")
    assert done.returncode != 0
    assert "nowhere" in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "album").exists()


def test_the_renderer_refuses_a_length_that_is_none(tmp_path: Path, tiny_model_dir: Path) -> None:
    done = run(RENDERER, str(tmp_path), "--model", str(tiny_model_dir), "--seconds=-1")
    assert done.returncode != 0
    assert len(done.stderr.strip().splitlines()) == 1 and "second" in done.stderr
