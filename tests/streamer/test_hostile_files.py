"""Files that are too large, too wide or no sound, and disks that take no more: a sentence, and nothing is lost."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from streamer.audio.files import as_integers
from streamer.audio.flac import FlacWriter
from streamer.audio.null import NullPlayer
from streamer.audio.playback import Playback
from streamer.audio.recorder import SOUND, Recorder
from streamer.control.journal import NAME, Journal
from streamer.engine.beginning import Excerpt, read_beginning
from streamer.engine.melodies import Melodies
from streamer.errors import UserError
from streamer.instrument import Instrument
from streamer.process.ring import Ring
from streamer.sound.files import COARSER, mixed, read
from tests.streamer import counter
from tests.streamer.sine import SineModel
from tests.streamer.test_instrument import Client, until
from tests.streamer.test_recording import HEADER, RATE
from tests.streamer.test_wrong_turns import FILES

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")
MEGABYTE = 2**20


# ---- what is read


@pytest.fixture
def peak() -> Iterator[Callable[[], int]]:
    """The most bytes that were held since the test began."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()


class Hearing(SineModel):
    """A model that encodes, too."""

    def encode(self, sound: Any) -> Any:
        return np.zeros((1, len(sound) // self.hop), np.int64)


def sparse(path: Path, rate: int, channels: int, samples: int) -> None:
    """A file of zeros that takes no room on the disk."""
    soundfile.write(path, np.zeros((1, channels)), rate, "PCM_16", format="W64")
    header = bytearray(path.read_bytes()[: -2 * channels])
    size = len(header) + samples * channels * 2
    at = header.index(b"data")
    header[16:24] = size.to_bytes(8, "little")
    header[at + 16 : at + 24] = (size - at).to_bytes(8, "little")
    path.write_bytes(header)
    os.truncate(path, size)
    assert soundfile.info(path).frames == samples


@posix
@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_a_sentence_for_a_melody_and_a_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, peak: Callable[[], int]
) -> None:
    monkeypatch.chdir(tmp_path)
    FILES[name](Path(name))
    with pytest.raises(UserError):
        Melodies(SineModel()).prepare(name)  # as an engine does for /mg/melody
    with pytest.raises(UserError):
        read_beginning(Excerpt(Path(name)), Hearing())
    assert peak() < 100 * MEGABYTE


@posix
@pytest.mark.parametrize(("rate", "channels", "samples"), [(768_000, 2, 4_000_000), (44_100, 1024, 50_000)])
def test_a_fine_and_a_wide_file_are_followed_and_continued_in_little_memory(
    tmp_path: Path, rate: int, channels: int, samples: int, peak: Callable[[], int]
) -> None:
    sparse(tmp_path / "vast.w64", rate, channels, samples)
    Melodies(SineModel()).prepare(str(tmp_path / "vast.w64"))
    beginning = read_beginning(Excerpt(tmp_path / "vast.w64"), Hearing())
    assert len(beginning.sound) == pytest.approx(samples / rate * 32_000, abs=640)
    assert peak() < 100 * MEGABYTE  # as it lies on the disk it would take 30 and 195


@posix
@pytest.mark.heavy
@pytest.mark.parametrize(("rate", "channels"), [(768_000, 2), (96_000, 2), (44_100, 1024)])
def test_ten_gigabytes_are_followed_for_their_first_minutes_below_two(
    tmp_path: Path, rate: int, channels: int, peak: Callable[[], int]
) -> None:
    sparse(tmp_path / "vast.w64", rate, channels, 10 * 2**30 // (2 * channels))
    Melodies(SineModel()).prepare(str(tmp_path / "vast.w64"))
    read_beginning(Excerpt(tmp_path / "vast.w64", 0.0, 100.0), Hearing())
    assert peak() < 2048 * MEGABYTE


@posix
def test_what_is_finer_than_a_model_hears_sounds_the_same_coarser(tmp_path: Path) -> None:
    wave = 0.5 * np.sin(2 * np.pi * 440 * np.arange(384_000) / 192_000)
    soundfile.write(tmp_path / "fine.wav", wave, 192_000, "FLOAT")
    sound, rate = read(tmp_path / "fine.wav", shape=mixed)
    assert rate == COARSER and len(sound) == 192_000
    inner = slice(2_000, -2_000)
    np.testing.assert_allclose(sound[inner, 0], wave[::2][inner], atol=1e-3)


# ---- what is recorded


class Failing:
    """A file on a disk that takes so many bytes, and then none."""

    def __init__(self, file: Any, room: int, number: int) -> None:
        self._file, self._room, self._number = file, room, number

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, data: memoryview) -> int:
        if self._file.tell() + len(data) > self._room:
            part = max(0, self._room - self._file.tell())
            if not part:
                raise OSError(self._number, os.strerror(self._number))
            data = data[:part]
        return int(self._file.write(data))


class Studio:
    """A recorder, the clock that plays to it, and what it reported."""

    def __init__(self, folder: Path) -> None:
        self.reports = list[str]()
        self.folder = folder
        self.ring = Ring(RATE, 2)
        self.playback, self.journal = Playback(self.ring, RATE), Journal()
        self.recorder = Recorder(self.playback, self.journal, self.reports.append)
        self.recorder.start(folder, HEADER)
        self.player = NullPlayer(self.playback)
        self.player.start()

    def play_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline
            self.ring.write(np.full((min(4800, self.ring.room), 2), 0.5, np.float32))
            time.sleep(0.005)

    def goes_on(self) -> None:
        """The music does, and nothing is recorded any more."""
        before = self.playback.samples
        self.play_until(lambda: self.playback.samples > before + 4800)
        assert self.recorder.folder is None and not self.playback.taps

    def close(self) -> None:
        self.recorder.stop()
        self.player.close()
        self.ring.close()


@pytest.fixture
def ring() -> Iterator[Ring]:
    made = Ring(8000, 2)
    yield made
    made.close()


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    made = Studio(tmp_path / "take")
    yield made
    made.close()


@posix
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_disk_that_takes_no_more_ends_the_recording_and_keeps_what_it_took(studio: Studio, number: int) -> None:
    take: Any = studio.recorder._take
    take._writer._file = Failing(take._writer._file, 200_000, number)
    studio.play_until(lambda: studio.reports)
    (report,) = studio.reports
    assert report == f"The recording in {studio.folder} has ended early ({os.strerror(number)}); the music goes on."
    studio.goes_on()
    heard, _ = soundfile.read(studio.folder / SOUND)
    assert len(heard) == (200_000 - 80) // 6
    assert (heard != 0).mean() > 0.5


@posix
@pytest.mark.parametrize("room", [5_000, 60_000, 200_000])
def test_a_disk_that_takes_no_more_leaves_whole_blocks_of_flac(tmp_path: Path, room: int) -> None:
    """Of the first block or of a later one: each time the writer says so, and what is there can be read."""
    noise = np.random.default_rng(1).uniform(-1, 1, (9_000, 2)).astype(np.float32)
    flac: Any = FlacWriter(tmp_path / "a.flac", RATE, 2)
    flac._blocks._file = Failing(flac._blocks._file, room, errno.ENOSPC)
    given = 0
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        while given < 100 * len(noise):
            given += len(noise)
            flac.write(noise)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        flac.close()
    flac.close()
    size = (tmp_path / "a.flac").stat().st_size
    assert size <= room and room - size < 30_000
    if flac.samples:
        heard = soundfile.read(tmp_path / "a.flac", dtype="int32")[0]
        assert len(heard) == flac.samples
        np.testing.assert_array_equal(heard >> 8, np.resize(as_integers(noise), heard.shape))
    assert (flac.samples > 0) == (room > 30_000)


def test_a_recording_has_one_of_two_forms(ring: Ring) -> None:
    with pytest.raises(UserError, match="a recording is wav or flac, and not mp3"):
        Recorder(Playback(ring, RATE), Journal(), print, "mp3")


@posix
def test_a_folder_that_is_removed_ends_the_recording_with_a_sentence(studio: Studio) -> None:
    studio.play_until(lambda: studio.playback.samples > 4800)
    shutil.rmtree(studio.folder)
    studio.play_until(lambda: studio.reports)
    assert studio.reports == [
        f"The recording in {studio.folder} has ended early (its file was removed); the music goes on."
    ]
    studio.goes_on()


@posix
def test_a_journal_that_cannot_be_written_ends_the_recording_with_a_sentence(studio: Studio) -> None:
    journal: Any = studio.journal
    journal._file.close()
    studio.journal.applied(1, {"volume": -6.0})
    studio.play_until(lambda: studio.reports)
    assert "has ended early" in studio.reports[0]
    studio.goes_on()
    assert soundfile.info(studio.folder / SOUND).frames > 0


@posix
def test_a_place_that_cannot_be_recorded_into_is_a_sentence_and_nothing_stays_there(tmp_path: Path, ring: Ring) -> None:
    (tmp_path / "file").write_text("mine")
    recorder = Recorder(Playback(ring, RATE), Journal(), print)
    with pytest.raises(UserError, match="cannot record into /proc/take"):
        recorder.start(Path("/proc/take"), HEADER)
    with pytest.raises(UserError, match="cannot record into"):
        recorder.start(tmp_path / "file" / "take", HEADER)
    (tmp_path / "half" / NAME).mkdir(parents=True)
    with pytest.raises(UserError, match="there is a recording"):
        recorder.start(tmp_path / "half", HEADER)
    assert [path.name for path in (tmp_path / "half").iterdir()] == [NAME]
    assert recorder.folder is None


def test_a_recording_and_its_end_are_seen_in_the_status(tmp_path: Path) -> None:
    instrument = Instrument(counter.job(8000), {}, port=0, recordings=tmp_path, report=print)
    instrument.start()
    client = Client(instrument.server.port)
    try:
        client.send("/mg/subscribe")
        client.send("/mg/record", "take")
        while client.hear("/mg/status/recording").params != [str(tmp_path / "take")]:
            pass
        shutil.rmtree(tmp_path / "take")
        while client.hear("/mg/status/recording").params != [""]:
            pass
        before = instrument.status().seconds
        until(lambda: instrument.status().seconds > before + 0.2)
    finally:
        client.close()
        instrument.close()


@posix
def test_two_players_never_mix_in_one_file(tmp_path: Path, ring: Ring) -> None:
    path = tmp_path / "one.wav"
    code = """
import sys
from pathlib import Path
from streamer.audio.files import WavWriter
file = WavWriter(Path(sys.argv[1]), 8000, 2, replace=True)
print("open", flush=True)
sys.stdin.read()
"""
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "open\n"
        before = path.read_bytes()
        player = NullPlayer(Playback(ring, 8000), path)
        with pytest.raises(UserError, match="another player writes into it: choose another name"):
            player.start()
        assert path.read_bytes() == before
        other.communicate()
    player = NullPlayer(Playback(ring, 8000), path)
    player.start()
    player.close()
    assert soundfile.info(path).samplerate == 8000
