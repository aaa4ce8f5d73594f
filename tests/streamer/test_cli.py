"""The command line: what it offers, what it says when something is wrong, how it ends."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
import soundfile
from numpy.typing import NDArray

from streamer.audio.devices import choose, devices
from streamer.audio.files import WavWriter
from streamer.cli import main as cli
from streamer.control.journal import NAME, Gate, Header, Journal
from streamer.control.table import HOSTED, PARAMETERS
from streamer.errors import UserError
from tests.musicgen.audiocraft_files import audiocraft_twin
from tests.musicgen.diffusion_files import write
from tests.musicgen.tiny import tiny_checkpoint

Run = Callable[..., tuple[int, str, str]]
COLUMNS = "300"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command line in this process: (exit code, stdout, stderr)."""

    def command(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["streamer", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", COLUMNS)
        capsys.readouterr()
        code: object = 0
        try:
            cli.main()
        except SystemExit as end:
            code = end.code
        out, err = capsys.readouterr()
        return int(str(code or 0)), out, err

    return command


@contextmanager
def start(*arguments: str | Path, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """Run it in a process of its own, in a folder of its own, for no longer than the test."""
    root = Path(__file__).parents[2]
    with subprocess.Popen(
        [sys.executable, "-m", "streamer.cli.main", *map(str, arguments)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(root), "JACK_NO_START_SERVER": "1", "JACK_DEFAULT_SERVER": "none-such"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_every_parameter_of_the_table_is_an_option(run: Run) -> None:
    code, out, _ = run("play", "--help")
    assert code == 0
    for parameter in PARAMETERS:
        name = {"tempo": "tempo,--bpm", "progression": "chords"}.get(parameter.name, parameter.name)
        assert parameter.name in HOSTED or f"--{name.replace('_', '-')} " in out  # those are --fx
    assert "--fx " in out


def test_help_needs_no_torch() -> None:
    code = "import sys, streamer.cli.main; sys.exit(bool({'torch', 'transformers', 'musicgen'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["render", "x.wav", "--model", "no-such-model"], "no-such-model"),
        (["render", "x.wav", "--model", "EMPTY"], "EMPTY"),
        (["render", "x.wav", "--backend", "fpga"], "fpga"),
        (["render", "x.wav", "--anchor", "forever"], "choose card, shadow, brief or burst"),
        (["render", "x.wav", "--seconds", "-3"], "-3"),
        (["render", "nowhere/x.wav"], "nowhere"),
        (["render", "x.aiff"], ".flac"),
        (["render", "x.wav", "--normalise", "loud"], "peak"),
        (["render", "x.wav", "--continue-from", "none.wav"], "none.wav"),
        (["render", "x.wav", "--from", "3"], "--continue-from"),
        (["render", "x.wav", "--melody", "none.wav"], "none.wav"),
        (["play", "--melody", "none.wav"], "none.wav"),
        (["render", "x.wav", "--decoder", "vocoder"], "diffusion"),
        (["render", "x.wav", "--diffusion-weights", "mbd.th"], "--decoder diffusion"),
        (["render", "x.wav", "--decoder", "diffusion"], "has a codec of its own"),
        (["play", "--seconds", "-1"], "-1"),
        (["play", "--wav-out", "nowhere/x.wav", "--osc-port", "0"], "nowhere"),
        (["play", "--wav-out", "x.wav", "--osc-port", "0", "--model", "no-such-model"], "no-such-model"),
        (["play", "--wav-out", "x.wav", "--osc-port", "0", "--anchor", "forever"], "choose card"),
        (["play", "--wav-out", "x.wav", "--osc-port", "TAKEN"], "--osc-port"),
        (["play", "--wav-out", "x.wav", "--osc-port", "0", "--osc-prefix", "mg"], "/mg"),
        (["play", "--wav-out", "x.wav", "--osc-port", "0", "--osc-allow", "venue"], "write it like 192.168.1.0/24"),
        (["play", "--wav-out", "x.wav", "--osc-port", "0", "--osc-read-only", "10.0.0"], "write it like"),
        (["play", "--wav-out", "x.wav", "--osc-port", "0", "--osc-secret", "1234"], "at least 8 characters"),
        (["play", "--wav-out", "x.wav", "--osc-port", "0", "--media", "nowhere"], "is no folder"),
        (["play", "--device", "no-such-device"], "device"),
    ],
)
def test_an_error_is_one_sentence_and_exit_code_2(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "EMPTY").mkdir()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
        code, _, err = run(*(port if argument == "TAKEN" else argument for argument in arguments))
    assert code == 2
    assert sentence in err
    assert len(err.splitlines()) == 1
    assert not list(tmp_path.glob("x.*"))


@pytest.mark.parametrize(
    "arguments", [["play", "--cfg", "99"], ["play", "--topk", "many"], ["render"], ["sing"], ["play", "--nonsense"]]
)
def test_a_wrong_use_is_explained(run: Run, arguments: list[str]) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert "Traceback" not in err
    assert "Usage" in err


def test_render_gives_the_same_file_for_the_same_seed(run: Run, tiny_model_dir: Path, tmp_path: Path) -> None:
    for name, seed in (("a.wav", 7), ("b.wav", 7), ("c.wav", 8)):
        arguments = ("--seconds", "0.5", "--seed", str(seed), "--model", tiny_model_dir, "--prompt", "folk")
        code, out, err = run("render", tmp_path / name, *arguments, "--backend", "torch", "--threads", "1")
        assert code == 0, err
        assert f"seed {seed}, computed by torch with 1 thread" in out
    a, b, c = ((tmp_path / name).read_bytes() for name in ("a.wav", "b.wav", "c.wav"))
    assert a == b != c
    assert soundfile.info(tmp_path / "a.wav").duration == pytest.approx(0.5, abs=1e-4)


def test_render_decodes_with_diffusion_where_its_weights_are(run: Run, tmp_path: Path) -> None:
    model = tiny_checkpoint(tmp_path / "model", vocab=2048, latent=128, layers=1)
    arguments = ("--seconds", "0.2", "--model", model, "--backend", "torch", "--threads", "1", "--decoder", "diffusion")
    code, _, err = run("render", tmp_path / "a.wav", *arguments)
    assert code == 2
    assert "mbd_musicgen_32khz.th" in err
    weights = write(tmp_path / "mbd_musicgen_32khz.th")
    code, out, err = run("render", tmp_path / "diffusion.wav", *arguments, "--diffusion-weights", weights)
    assert code == 0, err
    assert "not for commercial use" in err
    assert "80.0/80.0 steps" in out
    code, _, err = run("render", tmp_path / "codec.wav", *arguments[:-2])
    assert code == 0, err
    assert (tmp_path / "diffusion.wav").read_bytes() != (tmp_path / "codec.wav").read_bytes()


@pytest.mark.heavy
def test_replay_decodes_a_take_with_diffusion_to_its_end(run: Run, tmp_path: Path) -> None:
    """A second in which the prompt fades, the gate closes for a while and the music is begun anew."""
    model = tiny_checkpoint(tmp_path / "model", vocab=2048, latent=128, layers=1)
    weights = write(tmp_path / "mbd_musicgen_32khz.th")
    journal, folder = Journal(), tmp_path / "take"
    folder.mkdir()
    journal.open(folder / NAME, Header("elsewhere", "", "torch", 1, 32_000, 2, {}, {}))
    journal.begin(0, {"seed": 4, "prompt": "rain"}, first=True)
    journal.gate(Gate(0, True, 0, 0))
    journal.applied(10, {"prompt": "techno"}, 0.2)
    journal.gate(Gate(16_000, False, 16_000, 320))
    journal.gate(Gate(20_000, True, 16_320, 0))
    journal.applied(30, {"reset": True})
    journal.close(32_000)
    arguments = ("--model", model, "--backend", "torch", "--threads", "1")
    diffusion = ("--decoder", "diffusion", "--diffusion-weights", weights)
    code, out, err = run("replay", folder, tmp_path / "diffusion.wav", *arguments, *diffusion)
    assert code == 0, err
    assert "Wrote 1.0 s" in out
    code, _, err = run("replay", folder, tmp_path / "codec.wav", *arguments)
    assert code == 0, err
    heard, plain = (soundfile.read(tmp_path / name)[0] for name in ("diffusion.wav", "codec.wav"))
    assert heard.shape == plain.shape == (32_000, 2)
    assert not heard[16_400:20_000].any() and not plain[16_400:20_000].any()
    for part in (heard[:16_000], heard[21_000:26_000], heard[-5_000:]):
        assert np.abs(part).max() > 1e-4
    assert not np.array_equal(heard, plain)


def test_a_melody_for_a_model_that_follows_none_is_refused_at_the_start(
    run: Run, tiny_model_dir: Path, tmp_path: Path
) -> None:
    soundfile.write(tmp_path / "song.wav", np.zeros(1000), 32_000)
    model = ("--model", tiny_model_dir, "--melody", tmp_path / "song.wav")
    for command in (("render", tmp_path / "x.wav"), ("play", "--wav-out", tmp_path / "x.wav", "--osc-port", "0")):
        code, _, err = run(*command, *model)
        assert code == 2
        assert "follows no melody: load a model that does, such as facebook/musicgen-melody" in err
        assert not (tmp_path / "x.wav").exists()


def test_play_stops_after_its_seconds_with_a_summary(run: Run, tiny_model_dir: Path, tmp_path: Path) -> None:
    arguments = ("--model", tiny_model_dir, "--seconds", "0.5", "--osc-port", "0", "--wav-out", tmp_path / "heard.wav")
    code, out, err = run("play", *arguments)
    assert code == 0, err
    assert "Played 0." in out
    assert "xruns" in out
    assert "x real time" in out
    assert soundfile.info(tmp_path / "heard.wav").duration >= 0.5


def test_a_full_disk_is_a_sentence_for_each_file_the_music_plays_to_its_end_and_the_exit_code_tells(
    run: Run, tiny_model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = WavWriter.write

    def fill_up(file: WavWriter, sound: NDArray[np.float32]) -> None:
        write(file, sound)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(WavWriter, "write", fill_up)
    model = ("--model", tiny_model_dir, "--seconds", "1.2", "--osc-port", "0")
    code, out, err = run("play", *model, "--wav-out", tmp_path / "all.wav", "--record", tmp_path / "take")
    assert code == 1
    assert "Played" in out
    full = "(No space left on device)"
    assert sorted(err.splitlines()) == [
        f"Nothing more goes into {tmp_path / 'all.wav'} {full}; what it has stays, and the music goes on.",
        f"The recording in {tmp_path / 'take'} has ended early {full}; the music goes on.",
    ]
    assert soundfile.info(tmp_path / "all.wav").frames > 0
    assert soundfile.info(tmp_path / "take" / "heard.wav").frames > 0


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_ctrl_c_ends_everything_with_a_summary(tiny_model_dir: Path, tmp_path: Path) -> None:
    with start("play", "--model", tiny_model_dir, "--osc-port", "0", "--wav-out", "x.wav", cwd=tmp_path) as process:
        assert process.stdout is not None
        while "Ctrl-C" not in (line := process.stdout.readline()):
            assert line, process.communicate()[1]
        time.sleep(0.5)
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 0
    assert "Played" in out
    assert err == ""
    psutil.wait_procs(family, timeout=10)
    assert not [child for child in family if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


def _no_output() -> bool:
    try:
        choose(devices())
    except UserError:
        return True
    return False


@pytest.mark.skipif(not _no_output(), reason="this machine has an audio output: take it away to test without")
def test_without_a_device_it_says_so_and_writes_a_file(tiny_model_dir: Path, tmp_path: Path) -> None:
    arguments = ("--model", tiny_model_dir, "--seconds", "0.5", "--osc-port", "0")
    with start("play", *arguments, cwd=tmp_path) as process:
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    (written,) = tmp_path.glob("streamer-*.wav")
    assert "no audio output device" in err or "PortAudio" in err
    assert written.name in err
    assert soundfile.info(written).duration >= 0.5


def test_models_are_listed_with_what_to_choose_by(run: Run) -> None:
    code, out, _ = run("models")
    assert code == 0
    lines = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert lines["Backend:"].split()[1].rstrip(".") in ("native", "onnx", "torch")
    assert len([name for name in lines if name.startswith("facebook/")]) == 10
    assert "mono" in lines["nano"] and "here" in lines["nano"]
    for expected in ("3.29 B", "stereo", "17.6 GB"):
        assert expected in lines["facebook/musicgen-stereo-large"]
    assert "Licence of nano: MIT." in out
    assert "Licence of facebook/*: CC-BY-NC-4.0: not for commercial use." in out
    assert "melody in their name follow a tune" in " ".join(out.split())


def test_audiocrafts_files_are_converted(run: Run, tiny_model_dir: Path, tmp_path: Path) -> None:
    source = audiocraft_twin(tiny_model_dir, tmp_path / "audiocraft")
    code, out, err = run("convert", source, tmp_path / "saved")
    assert code == 0, err
    assert "Saved" in out
    code, _, err = run("render", tmp_path / "out.wav", "--model", tmp_path / "saved", "--seconds", "0.5")
    assert code == 0, err
    code, _, err = run("convert", source, tmp_path / "saved")
    assert code == 2
    assert "exists already" in err
