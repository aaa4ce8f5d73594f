"""Recordings: a WAV that is right at any time, and a journal that plays the performance again to the bit."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from musicgen import MusicGen
from osc.values import Value
from streamer.audio.files import WavWriter, as_24_bits, as_integers, wav_header
from streamer.audio.flac import FlacWriter
from streamer.audio.playback import Playback
from streamer.audio.recorder import SOUND, Recorder, sound_in
from streamer.audio.tap import Tap
from streamer.control.change import Change, Frame
from streamer.control.journal import NAME, Gate, Header, Journal, read_journal
from streamer.control.moves import Passage
from streamer.control.table import PARAMETERS
from streamer.engine.core import Core, defaults
from streamer.errors import UserError
from streamer.instrument import Instrument
from streamer.offline.replay import replay
from streamer.process.job import Job, Source, Tell
from streamer.process.ring import Ring
from streamer.sound.dynamics import Samples
from tests.musicgen.tiny import tiny_checkpoint
from tests.streamer.sine import SineModel
from tests.streamer.test_instrument import Client, until

RATE = 48_000
posix = pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")


def sines(tell: Tell, values: Mapping[str, Value], rate: int, channels: int) -> tuple[Source, dict[str, Any]]:
    """The factory of an engine whose model plays sines."""
    model = SineModel(look_ahead=300)
    core = Core(model, values, sample_rate=rate, channels=channels, tell=tell)
    return core, {"model": "sine", "licence": "MIT", "defaults": defaults(model)}


JOB = Job("tests.streamer.test_recording:sines", RATE, 2)
HEADER = Header("sine", "", "", 0, RATE, 2, {}, {})


# The file


@given(st.lists(st.integers(0, 700), max_size=6), st.integers(1, 3))
@settings(deadline=None, max_examples=25)
def test_a_wav_file_is_right_after_every_write(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], channels: int
) -> None:
    path = tmp_path_factory.mktemp("wav") / "a.wav"
    noise = np.random.default_rng(1).uniform(-1, 1, (sum(sizes), channels)).astype(np.float32)
    wav, done = WavWriter(path, RATE, channels), 0
    for size in sizes:
        wav.write(noise[done : done + size])
        done += size
        read, rate = soundfile.read(path, dtype="int32", always_2d=True)
        assert rate == RATE
        np.testing.assert_array_equal(
            read >> 8, np.clip(np.rint(noise[:done].astype(float) * 2**23), -(2**23), 2**23 - 1)
        )
    wav.close()


@given(st.lists(st.integers(0, 9000), max_size=6), st.integers(1, 2))
@settings(deadline=None, max_examples=25)
def test_a_flac_file_can_be_read_after_every_write_up_to_its_last_whole_block(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], channels: int
) -> None:
    path = tmp_path_factory.mktemp("flac") / "a.flac"
    noise = np.random.default_rng(1).uniform(-1.1, 1.1, (sum(sizes), channels)).astype(np.float32)
    whole = np.clip(np.rint(noise.astype(float) * 2**23), -(2**23), 2**23 - 1)
    flac, done = FlacWriter(path, RATE, channels), 0
    for size in sizes:
        flac.write(noise[done : done + size])
        done += size
        assert 0 <= done - flac.samples <= 4096
        if flac.samples:
            read, rate = soundfile.read(path, dtype="int32", always_2d=True)
            assert (len(read), rate) == (flac.samples, RATE)
            np.testing.assert_array_equal(read >> 8, whole[: len(read)])
    flac.close()
    assert flac.samples == done
    if done:
        np.testing.assert_array_equal(soundfile.read(path, dtype="int32", always_2d=True)[0] >> 8, whole)


@posix
def test_of_a_flac_file_whose_writer_is_killed_all_but_a_tenth_of_a_second_is_there(tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
import numpy as np
from streamer.audio.flac import FlacWriter
noise = np.random.default_rng(1).uniform(-1, 1, (12_000, 2)).astype(np.float32)
flac = FlacWriter(Path(sys.argv[1]), 48_000, 2)
while True:
    flac.write(noise)
    print("wrote", flush=True)
"""
    path = tmp_path / "a.flac"
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        try:
            lines = [writer.stdout.readline() for _ in range(12)]
        finally:
            writer.kill()
        lines += writer.stdout.readlines()
    written = 12_000 * lines.count("wrote\n")
    heard, rate = soundfile.read(path, dtype="int32")
    assert written >= 12 * 12_000 and len(heard) > written - rate / 10
    noise = as_integers(np.random.default_rng(1).uniform(-1, 1, (12_000, 2)).astype(np.float32))
    np.testing.assert_array_equal(heard >> 8, np.resize(noise, heard.shape))


def test_beyond_4_gb_it_is_rf64(tmp_path: Path) -> None:
    """A sparse file with the header of five hours and a half."""
    samples = 20_000 * RATE
    path = tmp_path / "long.wav"
    with path.open("wb") as file:
        file.write(wav_header(samples, RATE, 2))
        file.truncate(len(wav_header(0, RATE, 2)) + samples * 6)
    info = soundfile.info(path)
    assert (info.format, info.frames, info.samplerate, info.channels) == ("RF64", samples, RATE, 2)


def test_24_bits_reach_from_end_to_end() -> None:
    bits = as_24_bits(np.array([[-1.0, 1.0, 0.0, 2**-23]], np.float32))
    assert bits.tolist() == [[0, 0, 128], [255, 255, 127], [0, 0, 0], [1, 0, 0]]


# The tap


@given(st.lists(st.tuples(st.integers(1, 900), st.booleans()), max_size=30))
def test_the_tap_gives_every_sample_once_or_counts_it(blocks: list[tuple[int, bool]]) -> None:
    tap, taken, given_in = Tap(200, 1), [], 0
    for size, drained in blocks:
        tap.take(np.arange(given_in, given_in + size, dtype=np.float32)[:, None])
        given_in += size
        if drained:
            taken.append(tap.sound())
    taken.append(tap.sound())
    heard = np.concatenate(taken)
    assert len(heard) + tap.lost == given_in
    if not tap.lost:
        np.testing.assert_array_equal(heard[:, 0], np.arange(given_in))
    assert (np.diff(heard[:, 0]) > 0).all()


# The journal


def test_a_journal_reads_as_it_was_written_and_up_to_where_it_was_cut_off(tmp_path: Path) -> None:
    journal = Journal()
    journal.begin(5, {"prompt": "räin", "seed": 3}, first=True)
    journal.applied(7.25, {"volume": -6.0})
    journal.open(tmp_path / NAME, HEADER)
    journal.gate(Gate(0, True, 5, 0))
    journal.applied(8, {"reset": True})
    journal.begin(500, {"prompt": "räin"}, first=False)
    with (tmp_path / NAME).open("a") as file:
        file.write('{"frame": 9, "val')
    found = read_journal(tmp_path / NAME)
    assert found.header == HEADER
    assert [(life.sample, life.values, life.first) for life in found.lives] == [
        (5, {"prompt": "räin", "seed": 3}, True),
        (500, {"prompt": "räin"}, False),
    ]
    assert [(change.values, change.at) for change in found.lives[0].changes] == [
        ({"volume": -6.0}, Frame(7.25)),
        ({"reset": True}, Frame(8)),
    ]
    assert found.gates == [Gate(0, True, 5, 0)]
    assert found.samples is None


def test_a_recording_that_begins_late_has_all_changes_and_they_took_little_memory(tmp_path: Path) -> None:
    journal, luck = Journal(), random.Random(0)
    prompts = [f"{luck.choice(('dark', 'warm'))} house, {luck.randint(60, 200)} bpm" for _ in range(5000)]
    tracemalloc.start()
    journal.begin(0, {"prompt": "techno"}, first=True)
    for frame, prompt in enumerate(prompts):
        journal.applied(50 * frame, {"prompt": prompt})
    taken = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert taken < 100 * len(prompts)  # bytes
    assert journal.open(tmp_path / NAME, HEADER)
    changes = read_journal(tmp_path / NAME).lives[0].changes
    assert [(change.at, change.values["prompt"]) for change in changes] == [
        (Frame(50 * frame), prompt) for frame, prompt in enumerate(prompts)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]\n",
        "{}\n",
        '{"journal": 2}\n',
        '{"journal": 1, "complete": true}\n',
        "no\n",
        '{"journal": 1, "complete": false}\n',
    ],
)
def test_a_journal_that_cannot_be_replayed_is_a_sentence(tmp_path: Path, text: str) -> None:
    (tmp_path / NAME).write_text(text)
    with pytest.raises(UserError, match="journal"):
        read_journal(tmp_path / NAME)


@posix
@pytest.mark.parametrize("form", ["wav", "flac"])
def test_a_full_disk_ends_the_recording_with_a_sentence_and_not_the_music(tmp_path: Path, form: str) -> None:
    import resource

    ring, reports = Ring(RATE, 2), list[str]()
    playback, journal = Playback(ring, RATE), Journal()
    recorder = Recorder(playback, journal, reports.append, form)
    recorder.start(tmp_path, HEADER)
    noise = np.random.default_rng(1)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limit[1]))
    try:
        out = np.zeros((480, 2), np.float32)
        deadline = time.monotonic() + 20
        while not reports:
            assert time.monotonic() < deadline
            ring.write(noise.uniform(-0.5, 0.5, (min(480, ring.room), 2)).astype(np.float32))
            playback.fill(out)
            journal.applied(1, {"prompt": "x" * 500})
            time.sleep(0.005)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, handler)
        recorder.stop()
        ring.close()
    assert "has ended early" in reports[0]
    heard = soundfile.read(sound_in(tmp_path))[0]
    assert len(heard) > 2000 or form == "flac"  # whose first block may not have had room


# Again


def moves(count: int, song: Path) -> list[dict[str, Value]]:
    """What a restless hand does; some of its passages and rewinds are there, some are not."""
    chance, elsewhere, round_and_round = random.Random(5), random.Random(6), random.Random(7)
    numbers = [
        p for p in PARAMETERS if p.kind in ("float", "int") and p.name not in ("lead", "lora", "topk", "topp", "cfg")
    ]
    made: list[dict[str, Value]] = []
    for _ in range(count):
        batch: dict[str, Value] = {}
        for parameter in chance.sample(numbers, chance.randint(0, 2)):
            batch[parameter.name] = parameter.from_norm(chance.random())
        if chance.random() < 0.3:
            batch["prompt"] = chance.choice(["rain", "calm piano", "techno", ""])
        if chance.random() < 0.2:
            batch["mute"] = chance.random() < 0.3
        if chance.random() < 0.1:
            batch[chance.choice(["reset", "stop", "play", "panic"])] = True
        if elsewhere.random() < 0.1:
            batch["rewind"] = elsewhere.choice([0.2, 0.7, 1.5, 100.0])
        if elsewhere.random() < 0.1:
            batch["continue"] = Passage(str(song), elsewhere.random(), 2.0 + 1.5 * elsewhere.random()).text
        if round_and_round.random() < 0.15:
            batch |= round_and_round.choice([{"capture": 0.25}, {"capture": 0.5}, {"release": True}, {"overdub": True}])
        made.append(batch or {"play": True})
    return made


@posix
def test_500_moves_and_a_killed_engine_are_played_again_to_the_bit(tmp_path: Path) -> None:
    reports = list[str]()
    song = tmp_path / "song.wav"
    soundfile.write(song, 0.2 * np.sin(np.arange(3 * RATE) / 50), RATE)
    instrument = Instrument(JOB, {"seed": 3}, port=0, record=tmp_path / "take", report=reports.append)
    instrument.start()
    try:
        chance = random.Random(1)
        for number, batch in enumerate(moves(500, song)):
            at = time.time() + chance.choice([0.15, 0.3, -0.1]) if chance.random() < 0.3 else None
            instrument.controls.apply(list(batch.items()), at=at)
            if number == 250:
                instrument.controls.act("play")
                assert instrument.worker.pid is not None
                os.kill(instrument.worker.pid, signal.SIGKILL)
                until(lambda: instrument.worker.restarts == 1 and instrument.worker.alive)
            time.sleep(chance.random() * 0.02)
        instrument.controls.act("play")
        time.sleep(0.5)
    finally:
        instrument.close()
    entries = [json.loads(line) for line in (tmp_path / "take" / NAME).read_text().splitlines()]
    assert sum("begin" in entry for entry in entries) == 2
    assert sum("values" in entry for entry in entries) > 200
    for move in ("rewind", "continue", "capture"):
        assert sum(move in entry.get("values", {}) for entry in entries) > 10
    for move in ("rewind", "continue"):
        assert any(report.startswith(f"{move}: ") for report in reports), "none of them was refused"
    assert not any("early" in report for report in reports)
    replay(SineModel(look_ahead=300), tmp_path / "take", tmp_path / "again.wav")
    heard = soundfile.read(tmp_path / "take" / SOUND, dtype="int32")[0]
    again = soundfile.read(tmp_path / "again.wav", dtype="int32")[0]
    assert len(heard) > 3 * RATE
    assert (heard != 0).mean() > 0.1
    np.testing.assert_array_equal(again, heard)


@posix
def test_of_a_killed_instrument_all_is_there_and_can_be_played_again(tmp_path: Path) -> None:
    """kill -9 of the parent while it records: the header is right, whole lines count, and a replay is to the bit."""
    code = """
import sys, time
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from streamer.instrument import Instrument
from tests.streamer.test_recording import JOB
if __name__ == "__main__":
    instrument = Instrument(JOB, {"seed": 3}, port=0, record=Path(sys.argv[2]), report=lambda sentence: None)
    instrument.start()
    print("plays", flush=True)
    for number in range(100_000):
        instrument.controls.set(prompt=f"{number} rains", volume=-number % 20)
        if number % 20 == 19:
            instrument.controls.set(rewind=0.2)
        time.sleep(0.02)
"""
    (tmp_path / "parent.py").write_text(code)
    take = tmp_path / "take"
    command = [sys.executable, str(tmp_path / "parent.py"), str(Path(__file__).parents[2]), str(take)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as parent:
        try:
            assert parent.stdout is not None and parent.stdout.readline() == "plays\n"
            until(lambda: soundfile.info(take / SOUND).frames > 2 * RATE)
        finally:
            parent.kill()
    frames = soundfile.info(take / SOUND).frames
    assert (take / SOUND).stat().st_size - len(wav_header(0, RATE, 2)) - frames * 6 in range(6 * RATE)
    with (take / NAME).open("a") as journal:  # a line that was not written to its end
        journal.write('{"frame": 7, "val')
    assert read_journal(take / NAME).samples is None
    assert replay(SineModel(look_ahead=300), take, tmp_path / "again.wav") == frames
    heard, again = (soundfile.read(path, dtype="int32")[0] for path in (take / SOUND, tmp_path / "again.wav"))
    np.testing.assert_array_equal(again, heard)


def test_a_recording_begins_and_ends_over_osc_in_the_form_that_was_chosen(tmp_path: Path) -> None:
    instrument = Instrument(JOB, {}, port=0, record_as="flac", recordings=tmp_path, report=print)
    instrument.start()
    client = Client(instrument.server.port)
    try:
        instrument.controls.set(prompt="rain")
        client.send("/mg/record", "my take")
        assert client.hear("/mg/record").params == ["my take"]
        client.send("/mg/record", "../elsewhere")
        assert "cannot be a recording's name" in client.hear("/mg/error").params[1]
        time.sleep(0.7)
        instrument.controls.set(prompt="techno")
        time.sleep(0.7)
        client.send("/mg/record", 0)
        assert client.hear("/mg/record").params == ["my take"]
        client.send("/mg/record", "my take")
        assert "there is a recording in" in client.hear("/mg/error").params[1]
    finally:
        client.close()
        instrument.close()
    replay(SineModel(look_ahead=300), tmp_path / "my take", tmp_path / "again.wav")
    assert sound_in(tmp_path / "my take").name == "heard.flac"
    heard = soundfile.read(sound_in(tmp_path / "my take"), dtype="int32")[0]
    assert len(heard) > RATE
    np.testing.assert_array_equal(soundfile.read(tmp_path / "again.wav", dtype="int32")[0], heard)
    downloaded = tmp_path / "downloaded.jsonl"  # from the page, say
    shutil.copy(tmp_path / "my take" / NAME, downloaded)
    replay(SineModel(look_ahead=300), downloaded, tmp_path / "once more.wav")
    np.testing.assert_array_equal(soundfile.read(tmp_path / "once more.wav", dtype="int32")[0], heard)


# With another model


def take(folder: Path, changes: list[Change], values: dict[str, Value] | None = None) -> Path:
    """A recording of 2 s at 16 kHz, in mono, of a model with 50 frames a second."""
    folder.mkdir()
    journal = Journal()
    journal.open(folder / NAME, Header("elsewhere", "", "native", 1, 16_000, 1, {}, {}))
    began: dict[str, Value] = {"seed": 4, "guard": False, "prompt": "rain"}
    journal.begin(0, began | (values or {}), first=True)
    journal.gate(Gate(0, True, 0, 0))
    for change in changes:
        assert isinstance(change.at, Frame)
        journal.applied(change.at.number, change.values)
    journal.close(32_000)
    return folder


@pytest.mark.parametrize("ratios", [(8, 5, 4, 4), (8, 5, 4, 2)], ids=["25 frames a second", "50 frames a second"])
def test_the_same_moves_with_a_model_of_another_layout(tmp_path: Path, ratios: tuple[int, ...]) -> None:
    """Stereo, with twice the codebooks and half the rate: what changed at 1 s changes at 1 s."""
    folder = tiny_checkpoint(tmp_path / "model", channels=2, sampling_rate=16_000, ratios=ratios)
    model = MusicGen.load(str(folder), backend="torch")
    silent = take(tmp_path / "silent", [Change({"mute": True}, Frame(50))])
    assert replay(model, silent, tmp_path / "a.wav", report=pytest.fail) == 32_000
    sound = soundfile.read(tmp_path / "a.wav")[0]
    assert np.abs(sound[12_000:15_500]).max() > 1e-4
    assert np.abs(sound[17_500:]).max() == 0
    turned = take(tmp_path / "turned", [Change({"rewind": 0.5}, Frame(60)), Change({"rewind": 9.0}, Frame(70))])
    reports = list[str]()
    assert replay(model, turned, tmp_path / "b.wav", report=reports.append) == 32_000
    assert len(reports) == 1 and reports[0].startswith("rewind: only the last ")


def test_what_another_model_cannot_do_is_told_and_left_out(tmp_path: Path, tiny_model: MusicGen) -> None:
    soundfile.write(tmp_path / "tune.wav", 0.1 * np.sin(np.arange(32_000) / 20), 32_000)
    tune = str(tmp_path / "tune.wav")
    folder = take(tmp_path / "take", [Change({"melody": tune}, Frame(20))], {"melody": tune, "lora": 0.5})
    reports = list[str]()
    assert replay(tiny_model, folder, tmp_path / "again.wav", report=reports.append) == 32_000
    assert [report.partition(":")[0] for report in reports] == ["melody", "lora", "melody"]
    assert "follows no melody" in reports[0] and "has no LoRA adapter" in reports[1]


def test_a_decoder_of_whole_pieces_leaves_turns_out_and_says_so(tmp_path: Path, tiny_model: MusicGen) -> None:
    folder = take(tmp_path / "take", [Change({"rewind": 0.5}, Frame(60)), Change({"volume": -6.0}, Frame(70))])
    reports = list[str]()

    def decode(frames: Any, seed: int) -> Samples:
        return np.full((frames.shape[1] * 640, 1), 0.1, np.float32)

    assert replay(tiny_model, folder, tmp_path / "a.wav", decode=decode, report=reports.append) == 32_000
    assert reports == ["this decoder makes whole pieces: passages and rewinds are left out"]


def test_a_decoder_of_whole_pieces_plays_blends_fades_and_glides_again(tmp_path: Path, tiny_model: MusicGen) -> None:
    moves = [
        Change({"prompt2": "piano", "weight2": 0.7}, Frame(10)),
        Change({"prompt": "techno", "temperature": 0.8}, Frame(25), over=0.4),
        Change({"negative": "rain", "seed": 3}, Frame(55)),
        Change({"reset": True}, Frame(60)),
    ]
    pieces = list[int]()

    def decode(frames: Any, seed: int) -> Samples:
        pieces.append(frames.shape[1])
        return np.full((frames.shape[1] * 640, 1), 0.1, np.float32)

    folder = take(tmp_path / "take", moves)
    assert replay(tiny_model, folder, tmp_path / "a.wav", decode=decode, report=pytest.fail) == 32_000
    assert len(pieces) == 2 and pieces[0] == 61
