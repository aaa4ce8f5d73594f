"""Whatever a user gives the command line: one sentence and an exit code, and no file of theirs is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from streamer.control.controls import Controls
from streamer.instrument import Instrument
from streamer.offline.render import render, seeds
from tests.musicgen.audiocraft_files import audiocraft_twin
from tests.streamer.sine import SineModel
from tests.streamer.test_cli import Run, run, start  # noqa: F401  (run is a fixture)

ROOT = Path(__file__).parents[2]
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 64_000)
FOREIGN = os.fsdecode(b"\xff\xfe.wav")
posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX names, signals and devices")


def half_a_flac(path: Path) -> None:
    soundfile.write(path, NOISE, 32_000)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


FILES: dict[str, Callable[[Path], object]] = {
    "none.wav": lambda path: None,
    "half.flac": half_a_flac,
    "sound.raw": lambda path: path.write_bytes(bytes(64_000)),
    "empty.wav": lambda path: path.write_bytes(b""),
    "text.wav": lambda path: path.write_text("RIFF, or so"),
    "no-samples.wav": lambda path: soundfile.write(path, np.zeros(0), 32_000),
    "folder.wav": lambda path: path.mkdir(),
    "nan.wav": lambda path: soundfile.write(path, np.full(64_000, np.nan), 32_000, "FLOAT"),
    "inf.wav": lambda path: soundfile.write(path, np.full(64_000, np.inf), 32_000, "FLOAT"),
    "loud.wav": lambda path: soundfile.write(path, NOISE * 1e30, 32_000, "FLOAT"),
    "slow.wav": lambda path: soundfile.write(path, NOISE[:1000], 1),
    "n" * 300 + ".wav": lambda path: None,
    os.fsdecode(b"none-\xff.wav"): lambda path: None,
}
"""Names, and what makes something bad of each."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with one good file."""
    monkeypatch.chdir(tmp_path)
    soundfile.write("good.wav", NOISE, 32_000)
    return tmp_path


def check(result: tuple[int, str, str]) -> str:
    """One sentence on stderr and exit code 2: not a traceback, nor our words for one; returns the sentence."""
    code, _, err = result
    assert code == 2, err
    (sentence,) = err.splitlines()
    assert "Traceback" not in sentence
    assert "should not happen" not in sentence
    return sentence


@posix
@pytest.mark.parametrize("name", FILES)
def test_a_bad_sound_file_is_a_sentence_in_every_command(
    run: Run,  # noqa: F811
    folder: Path,
    tiny_model_dir: Path,
    name: str,
) -> None:
    FILES[name](folder / name)
    there = set(folder.iterdir())
    model = ("--model", tiny_model_dir, "--seconds", "5", "--backend", "torch")
    check(run("render", "out.wav", "--continue-from", name, *model))
    check(run("render", "out.wav", "--melody", name, *model))
    check(run("play", "--wav-out", "out.wav", "--melody", name, *model, "--osc-port", "0"))
    check(run("evaluate", name, "--melody", "good.wav"))
    check(run("evaluate", "good.wav", "--melody", name))
    check(run("convert", name, "saved"))
    check(run("render", "out.wav", "--model", name))
    assert set(folder.iterdir()) == there


@posix
@pytest.mark.parametrize(
    "name", ["n" * 300 + ".wav", "folder.wav", "none/x.wav", "good.wav/x.wav", "x.raw", "/dev/null/x.wav"]
)
def test_a_place_that_nothing_can_be_written_to_is_a_sentence(
    run: Run,  # noqa: F811
    folder: Path,
    tiny_model_dir: Path,
    name: str,
) -> None:
    (folder / "folder.wav").mkdir()
    model = ("--model", tiny_model_dir, "--seconds", "0.1", "--backend", "torch")
    check(run("render", name, *model))
    if name != "x.raw":  # which a WAV may be called
        check(run("play", "--wav-out", name, *model, "--osc-port", "0"))
    if not name.startswith(("folder", "x.raw")):
        check(run("convert", tiny_model_dir, name))


@pytest.mark.parametrize("name", ["", "n" * 300, "~nobody-at-all/x", os.fsdecode(b"\xff"), "good.wav", "a/b/c", "."])
def test_a_model_that_is_none_is_a_sentence(run: Run, folder: Path, name: str) -> None:  # noqa: F811
    check(run("render", "out.wav", "--model", name))
    check(run("convert", name, "saved"))
    assert not Path("out.wav").exists() and not Path("saved").exists()


def test_a_file_with_1024_channels_is_continued(run: Run, folder: Path, tiny_model_dir: Path) -> None:  # noqa: F811
    soundfile.write("wide.wav", np.repeat(NOISE[:32_000, None], 1024, axis=1), 32_000, "PCM_U8")
    model = ("--model", tiny_model_dir, "--seconds", "1.2", "--backend", "torch")
    code, _, err = run("render", "out.wav", "--continue-from", "wide.wav", *model)
    assert code == 0, err


@posix
def test_a_sparse_file_of_10_gb_is_a_sentence(run: Run, folder: Path) -> None:  # noqa: F811
    soundfile.write("huge.w64", NOISE, 32_000, format="W64")
    header = bytearray(Path("huge.w64").read_bytes())
    size = 10 * 2**30
    at = header.index(b"data")
    header[16:24] = size.to_bytes(8, "little")
    header[at + 16 : at + 24] = (size - at).to_bytes(8, "little")
    Path("huge.w64").write_bytes(header)
    os.truncate("huge.w64", size)
    assert soundfile.info("huge.w64").duration > 10_000
    assert "--from and --to" in check(run("render", "out.wav", "--seconds", "9e9", "--continue-from", "huge.w64"))
    check(run("evaluate", "huge.w64", "--melody", "good.wav"))


# ----------------------------------------------------------------------------------------- names that are hard to write


@posix
@pytest.mark.parametrize("name", [FOREIGN, "n" * 240 + ".wav", "-.wav", "a [bold]b.wav", "\x1b[31mred.wav"])
def test_a_name_that_the_system_takes_is_written_read_and_continued(
    run: Run,  # noqa: F811
    folder: Path,
    tiny_model_dir: Path,
    name: str,
) -> None:
    model = ("--model", tiny_model_dir, "--backend", "torch")
    code, _, err = run("render", f"./{name}", "--seconds", "0.5", *model)
    assert code == 0, err
    assert Path(name).is_file()
    code, _, err = run("render", "on.wav", "--continue-from", f"./{name}", "--seconds", "0.7", *model)
    assert code == 0, err
    code, _, err = run("evaluate", f"./{name}", "--melody", f"./{name}")
    assert code == 0, err
    assert {path.name for path in folder.iterdir()} == {name, "on.wav", "good.wav"}


# ----------------------------------------------------------------------------------------------------- nothing is lost


def test_what_is_read_is_never_written_over(run: Run, folder: Path, tiny_model_dir: Path) -> None:  # noqa: F811
    before = Path("good.wav").read_bytes()
    Path("link.wav").symlink_to("good.wav")
    model = ("--model", tiny_model_dir, "--seconds", "5", "--force")
    for target in ("good.wav", "./good.wav", "link.wav", folder / "good.wav"):
        for source in ("--continue-from", "--melody"):
            assert "would be lost" in check(run("render", target, source, "good.wav", *model))
            play = ("play", "--osc-port", "0", "--wav-out")
            assert "would be lost" in check(run(*play, target, source, "good.wav", *model))
    assert Path("good.wav").read_bytes() == before


def test_a_file_is_replaced_only_by_force(run: Run, folder: Path, tiny_model_dir: Path) -> None:  # noqa: F811
    before = Path("good.wav").read_bytes()
    model = ("--model", tiny_model_dir, "--seconds", "0.3", "--backend", "torch")
    for command in (("render", "good.wav"), ("play", "--osc-port", "0", "--wav-out", "good.wav")):
        Path("good.wav").write_bytes(before)
        assert "add --force" in check(run(*command, *model))
        assert Path("good.wav").read_bytes() == before
        code, _, err = run(*command, *model, "--force")
        assert code == 0, err
        assert soundfile.info("good.wav").duration < 2
    Path("many-2.wav").write_bytes(before)
    assert "many-2.wav" in check(run("render", "many.wav", "--variations", "3", *model))


def test_a_converted_model_is_replaced_only_by_force(run: Run, folder: Path, tiny_model_dir: Path) -> None:  # noqa: F811
    source = audiocraft_twin(tiny_model_dir, folder / "audiocraft")
    (folder / "own").mkdir()
    Path("own/diary.txt").write_text("dear")
    assert "add --force" in check(run("convert", source, "own"))
    assert "no model" in check(run("convert", source, "own", "--force"))
    assert Path("own/diary.txt").read_text() == "dear"
    assert run("convert", source, "saved")[0] == 0
    assert "add --force" in check(run("convert", source, "saved"))
    Path("saved/old.txt").write_text("from before")
    code, _, err = run("convert", source, "saved", "--force")
    assert code == 0, err
    assert Path("saved/config.json").is_file() and not Path("saved/old.txt").exists()
    assert "would be lost" in check(run("convert", "saved", "saved", "--force"))
    assert {path.name for path in folder.iterdir()} == {"good.wav", "audiocraft", "own", "saved"}


def test_of_two_renders_into_one_file_both_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"

    def another(done: float) -> None:
        if not path.exists():
            render(SineModel(), Controls(), 0.5, path, overwrite=False)

    written = render(SineModel(), Controls(), 1.0, path, another, overwrite=False)
    assert written == [tmp_path / "out-2.wav"]
    assert soundfile.info(path).duration == 0.5
    assert soundfile.info(written[0]).duration == 1.0
    assert len(list(tmp_path.iterdir())) == 2


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_render_that_is_ended_leaves_nothing_behind(tiny_model_dir: Path, tmp_path: Path, number: int) -> None:
    model = ("--model", tiny_model_dir, "--backend", "torch", "--seconds", "1e6")
    with start("render", "out.flac", *model, cwd=tmp_path) as process:
        while not (parts := list(tmp_path.iterdir())):
            assert process.poll() is None
            time.sleep(0.05)
        assert [part.suffix for part in parts] == [".part"]
        time.sleep(0.2)
        process.send_signal(number)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert err == ""
    assert list(tmp_path.iterdir()) == []


_IN_A_FINALISER = """
import time
from streamer.cli.console import ended_by_signals
from streamer.reporting import silence_harm
class Slow:
    def __del__(self):
        print("in there", flush=True)
        end = time.monotonic() + 1
        while time.monotonic() < end: pass
with silence_harm(), ended_by_signals():
    Slow()
    while True: time.sleep(0.01)
"""


@posix
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_comes_where_no_exception_is_heard_ends_it_all_the_same(number: int) -> None:
    command = [sys.executable, "-c", _IN_A_FINALISER]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "in there\n"
            process.send_signal(number)
            _, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, err) == (128 + number, "")


_WHILE_IT_IMPORTS = """
import signal, sys
from streamer.cli import start
class Needed:
    def find_spec(self, name, path, target=None):
        if name == "streamer.cli.main":
            signal.raise_signal(signal.SIGTERM)
sys.meta_path.insert(0, Needed())
sys.argv[1:] = ["background", "--help"]
start.main()
"""


@posix
def test_a_container_that_is_stopped_at_once_stops() -> None:
    """Process 1 gets no signal that it has no handler for, and would play on until it is killed."""
    done = subprocess.run([sys.executable, "-c", _WHILE_IT_IMPORTS], cwd=ROOT, capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGTERM, b"", b"")


# --------------------------------------------------------------------------------------------- streams that are in need


def shell(line: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A line for the shell, in which `streamer` is ours."""
    words = f"{sys.executable} -m streamer.cli.main"
    return subprocess.run(
        ["sh", "-c", line.replace("streamer", words)],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT), "JACK_NO_START_SERVER": "1"} | environment,
        capture_output=True,
        text=True,
        encoding="latin-1",
    )


@posix
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_output_in_a_poor_encoding_is_written_as_far_as_it_goes(
    tiny_model_dir: Path, tmp_path: Path, encoding: str
) -> None:
    model = f"--model {tiny_model_dir} --seconds 0.3 --backend torch --prompt 'ça, 音楽 ♫'"
    for line in (
        "streamer play --help",
        f"streamer play {model} --osc-port 0 --wav-out a.wav",
        f"streamer render b.wav {model}",
        "streamer models",
        "streamer render '音/楽.wav' || true",
    ):
        done = shell(line, tmp_path, PYTHONIOENCODING=encoding, PYTHONUTF8="0")
        assert done.returncode == 0, done.stderr
        assert "Traceback" not in done.stderr and "should not happen" not in done.stderr


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("streamer models > /dev/full", 1),
        ("streamer models --json > /dev/full", 1),
        ("streamer play --help > /dev/full", 1),
        ("streamer models >&-", 1),
        ("streamer models 2> /dev/full > models.txt", 0),
        ("streamer models 2>&- > models.txt", 0),
        ("streamer render none/x.wav 2> /dev/full", 2),
        ("streamer render none/x.wav 2>&-", 2),
        ("streamer render none/x.wav 0<&- >&- 2>&-", 2),
        ("streamer models | head -1 > models.txt", 0),
    ],
)
def test_a_stream_that_is_full_or_closed_is_no_traceback(tmp_path: Path, line: str, code: int) -> None:
    done = shell(line, tmp_path)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr
    assert len(done.stderr.splitlines()) == (code == 1)
    for path in tmp_path.iterdir():
        assert path.read_text().splitlines()


@posix
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("streams", ["> /dev/full 2> /dev/full", ">&- 2>&-", "2>&1 | true"])
def test_music_goes_on_when_nothing_can_be_said(tiny_model_dir: Path, tmp_path: Path, streams: str) -> None:
    model = f"--model {tiny_model_dir} --seconds 0.5 --backend torch"
    shell(f"streamer play {model} --osc-port 0 --wav-out a.wav {streams}", tmp_path)
    assert soundfile.info(tmp_path / "a.wav").duration >= 0.5


# -------------------------------------------------------------------------------------------------------- rates, seeds


def test_the_largest_seed_counts_on_from_0(run: Run, folder: Path, tiny_model_dir: Path) -> None:  # noqa: F811
    assert seeds(2**31 - 2, 4) == [2**31 - 2, 2**31 - 1, 0, 1]
    model = ("--model", tiny_model_dir, "--backend", "torch", "--seconds", "0.2", "--threads", "1")
    code, out, err = run("render", "a.wav", "--variations", "2", "--seed", str(2**31 - 1), *model)
    assert code == 0, err
    assert f"a-1.wav: seed {2**31 - 1}," in out and "a-2.wav: seed 0," in out
    code, _, err = run("render", "zero.wav", "--seed", "0", *model)
    assert code == 0, err
    alone, batched = soundfile.read("zero.wav")[0], soundfile.read("a-2.wav")[0]
    assert np.abs(alone - batched).max() < 1e-3  # torch's batches round otherwise
    assert np.abs(alone - soundfile.read("a-1.wav")[0]).max() > 1e-2


@pytest.mark.parametrize(("option", "rate"), [((), 32_000), (("--rate", "44100"), 44_100)])
def test_render_and_play_without_a_device_agree_in_rate(
    run: Run,  # noqa: F811
    folder: Path,
    tiny_model_dir: Path,
    option: tuple[str, ...],
    rate: int,
) -> None:
    model = ("--model", tiny_model_dir, "--backend", "torch", "--seconds", "0.2", *option)
    for command in (("render", "a.wav"), ("play", "--osc-port", "0", "--wav-out", "b.wav")):
        code, _, err = run(*command, *model)
        assert code == 0, err
    assert soundfile.info("a.wav").samplerate == soundfile.info("b.wav").samplerate == rate


@pytest.mark.parametrize("stopped", [False, True])
def test_play_leaves_a_file_of_the_seconds_asked_for(
    run: Run,  # noqa: F811
    folder: Path,
    tiny_model_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    stopped: bool,
) -> None:
    begin = Instrument.start

    def start(instrument: Instrument) -> None:
        begin(instrument)
        instrument.playback.playing = not stopped

    monkeypatch.setattr(Instrument, "start", start)
    model = ("--model", tiny_model_dir, "--backend", "torch")
    code, _, err = run("play", "--osc-port", "0", "--wav-out", "b.wav", "--seconds", "0.2", *model)
    assert code == 0, err
    assert 0.2 <= soundfile.info("b.wav").duration < 1.0


def test_where_a_page_is_to_be_needs_a_page(run: Run, folder: Path) -> None:  # noqa: F811
    assert "add --web" in check(run("play", "--web-host", "0.0.0.0"))


def test_a_rate_that_the_format_cannot_hold_is_a_sentence(run: Run, folder: Path) -> None:  # noqa: F811
    assert "choose one of 8000" in check(run("render", "a.opus", "--rate", "44100"))


def test_a_prompt_that_is_too_long_is_cut_with_a_word(run: Run, folder: Path, tiny_model_dir: Path) -> None:  # noqa: F811
    model = ("--model", tiny_model_dir, "--backend", "torch", "--seconds", "0.1")
    code, _, err = run("render", "a.wav", "--prompt", "ä" * 512, *model)
    assert (code, err) == (0, "")
    code, _, err = run("render", "b.wav", "--prompt", "ä" * 513, *model)
    assert code == 0
    assert err == "--prompt is longer than 1024 bytes: what is beyond them is left out.\n"


@pytest.mark.parametrize("command", [("render", "a.wav"), ("play", "--wav-out", "a.wav")])
@pytest.mark.parametrize(
    ("option", "value", "sentence"),
    [
        ("--key", "nonsense", "--key takes a key, not 'nonsense': write one like D minor, F# major or Bb minor"),
        ("--quantise", "3", "--quantise takes one of off, beat, bar, 2 bars, 4 bars, not '3'"),
    ],
)
def test_a_word_that_an_option_does_not_know_is_answered_at_once(
    run: Run,  # noqa: F811
    folder: Path,
    command: tuple[str, ...],
    option: str,
    value: str,
    sentence: str,
) -> None:
    assert run(*command, option, value) == (2, "", sentence + "\n")
    assert not Path("a.wav").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("nowhere", "x.mp3"), "The file x.mp3 has another ending than .wav: name a WAV file"),
        (("nowhere", "good.wav"), "The file good.wav exists already: choose another name"),
        (("nowhere", "x.wav"), "There is no recording in nowhere: name a folder that was recorded into"),
    ],
)
def test_replay_names_files_as_they_are(
    run: Run,  # noqa: F811
    folder: Path,
    arguments: tuple[str, str],
    sentence: str,
) -> None:
    assert run("replay", *arguments) == (2, "", sentence + "\n")
