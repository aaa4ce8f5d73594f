"""What is heard: every sample in order, gates and gaps without a click, honest counts, a true WAV."""

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

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.audio import files
from streamer.audio.devices import Device, choose
from streamer.audio.files import WavWriter
from streamer.audio.null import NullPlayer
from streamer.audio.playback import Playback, decibels
from streamer.errors import UserError
from streamer.process.ring import Ring

RATE = 8000
FADE = 80  # 10 ms
STEEPEST = np.pi / 2 / FADE * 1.01  # of a raised cosine


@pytest.fixture
def ring() -> Iterator[Ring]:
    made = Ring(RATE, 2)
    made.lead = 4000
    yield made
    made.close()


def feed(ring: Ring, samples: int) -> None:
    """Append ones on the left (a step shows any click) and a counter on the right, as much as there is room for."""
    samples = min(samples, ring.room)
    start = ring.written
    block = np.ones((samples, 2), np.float32)
    block[:, 1] = np.arange(start, start + samples) + 1
    ring.write(block)


def until(condition: Callable[[], bool | None], seconds: float = 20) -> None:
    """Wait for something that is sure to come; the bound only keeps a broken build from hanging."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.01)


def pull(playback: Playback, samples: int) -> NDArray[np.float32]:
    out = np.full((samples, 2), np.nan, np.float32)
    playback.fill(out)
    return out


moves = st.lists(
    st.one_of(
        st.tuples(st.just("feed"), st.integers(1, 900)),
        st.tuples(st.just("pull"), st.integers(1, 400)),
        st.tuples(st.sampled_from(["play", "stop", "panic"]), st.just(0)),
    ),
    max_size=80,
)


@settings(deadline=None, max_examples=150)
@given(moves=moves, lead=st.integers(100, 2000))
def test_nothing_clicks_and_no_frame_is_lost_whatever_happens(moves: list[tuple[str, int]], lead: int) -> None:
    ring = Ring(4000, 2)
    ring.lead = lead
    playback = Playback(ring, RATE)
    heard = [np.zeros((1, 2), np.float32)]
    panicked = False
    try:
        for move, size in moves:
            if move == "feed":
                feed(ring, size)
            elif move == "pull":
                heard.append(pull(playback, size))
            else:
                getattr(playback, move)()
                panicked |= move == "panic"
    finally:
        ring.close()
    sound = np.concatenate(heard)
    assert np.isfinite(sound).all()
    assert np.abs(np.diff(sound[:, 0])).max(initial=0) <= STEEPEST
    gain = sound[:, 0]
    # The last frame of a closing fade has gain 0: its number cannot be seen, so the counter may jump by one there.
    numbers = np.rint(sound[gain > 0, 1] / gain[gain > 0])
    if not panicked and len(numbers) > 1:
        assert numbers[0] == 1
        assert set(np.diff(numbers)) <= {1, 2}
        assert playback.samples == numbers[-1] + (gain[-1] == 0 and playback.samples > numbers[-1])


def test_a_stalled_producer_is_one_underrun_and_a_fade_of_real_sound(ring: Ring) -> None:
    ring.lead = 1000
    playback = Playback(ring, RATE)
    feed(ring, 1000)
    sound = np.concatenate([pull(playback, 128) for _ in range(12)])
    assert playback.underruns == 1
    assert playback.xruns == 1
    loud = sound[:, 0] > 0
    assert sound[:FADE, 0].min() > 0
    assert loud.sum() >= 1000 - 128 - FADE  # at most a block and a fade are kept back
    assert not loud[1000:].any()
    feed(ring, 6000)
    again = np.concatenate([pull(playback, 128) for _ in range(5)])
    assert again[-1, 0] == 1
    assert playback.underruns == 1


@pytest.mark.parametrize("left", [300, 1500, 3000])
def test_a_successors_music_begins_behind_a_fade(ring: Ring, left: int) -> None:
    ring.lead = 4000
    playback = Playback(ring, RATE)
    feed(ring, 4000)
    heard = [pull(playback, 4000 - left)]
    ring.cut()
    ring.lead = 8000
    ring.write(np.full((4000, 2), -1, np.float32))
    heard += [pull(playback, 128) for _ in range(30)]
    left_channel = np.concatenate(heard)[:, 0]
    assert np.abs(np.diff(left_channel)).max() <= STEEPEST
    assert left_channel.max() == 1
    assert left_channel[-1] == -1
    assert playback.underruns == 1


def test_silence_before_the_first_sound_and_after_stop_is_no_underrun(ring: Ring) -> None:
    playback = Playback(ring, RATE)
    pull(playback, 64)
    feed(ring, 4000)
    pull(playback, 512)
    playback.stop()
    pull(playback, 512)
    assert not playback.sounding
    waiting = ring.fill
    pull(playback, 512)
    assert ring.fill == waiting
    assert playback.underruns == 0


def test_play_goes_on_where_stop_stopped(ring: Ring) -> None:
    playback = Playback(ring, RATE)
    feed(ring, RATE)
    pull(playback, 500)
    playback.stop()
    before = pull(playback, 500)
    playback.play()
    after = pull(playback, 500)
    last = np.rint(before[FADE - 2, 1] / before[FADE - 2, 0])
    first = np.rint(after[0, 1] / after[0, 0])
    assert first == last + 2  # the frame between has gain 0


def test_panic_is_silent_within_a_fade_and_forgets_the_queue(ring: Ring) -> None:
    playback = Playback(ring, RATE)
    feed(ring, 4000)
    pull(playback, 500)
    playback.panic()
    assert not pull(playback, 500)[FADE - 1 :].any()
    pull(playback, 1)
    assert ring.fill == 0
    playback.play()
    feed(ring, 8000)
    assert np.rint(pull(playback, 500)[-1, 1]) > 4000


def test_the_lead_grows_to_what_the_device_needs(ring: Ring) -> None:
    ring.lead = 10
    playback = Playback(ring, RATE)
    for _ in range(50):
        feed(ring, ring.room)
        pull(playback, 1024)
    assert ring.lead >= 1024 + FADE
    assert playback.underruns == 0
    assert playback.samples >= 40 * 1024


def test_the_level_is_that_of_the_block(ring: Ring) -> None:
    playback = Playback(ring, RATE)
    ring.lead = RATE
    sine = 0.5 * np.sin(2 * np.pi * 100 * np.arange(RATE) / RATE)
    ring.write(np.stack([sine, sine], axis=1).astype(np.float32))
    pull(playback, 800)
    pull(playback, 800)
    assert playback.peak == pytest.approx(0.5, rel=1e-3)
    assert decibels(0.5) == pytest.approx(-6.02, abs=0.01)
    assert decibels(0.0) == -120


def test_the_callback_makes_no_arrays(ring: Ring) -> None:
    playback = Playback(ring, RATE)
    out = np.zeros((1024, 2), np.float32)
    feed(ring, RATE)
    playback.fill(out)
    tracemalloc.start()
    try:
        for _ in range(5):
            playback.fill(out)
        playback.stop()
        playback.fill(out)
        assert tracemalloc.get_traced_memory()[1] < out.nbytes / 2
    finally:
        tracemalloc.stop()


def test_the_null_clock_writes_what_would_be_heard(ring: Ring, tmp_path: Path) -> None:
    playback = Playback(ring, RATE)
    rng = np.random.default_rng(0)
    ring.lead = 3000
    played = rng.uniform(-0.9, 0.9, (3000, 2)).astype(np.float32)
    ring.write(played)
    player = NullPlayer(playback, tmp_path / "heard.wav")
    player.start()
    until(lambda: playback.samples >= 2000)
    playback.stop()
    until(lambda: not playback.sounding)
    player.close()
    assert not player.running()
    assert not player.cut_short
    heard, rate = soundfile.read(tmp_path / "heard.wav", dtype="float32")
    assert rate == RATE
    start = int(np.abs(heard - played[1000]).sum(axis=1).argmin()) - 1000
    np.testing.assert_allclose(heard[start + FADE + 1 : start + 1900], played[FADE + 1 : 1900], atol=2 / 2**23)


def test_a_wav_without_its_folder_is_refused_in_a_sentence(ring: Ring, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="There is no folder"):
        NullPlayer(Playback(ring, RATE), tmp_path / "nowhere" / "x.wav")
    (tmp_path / "taken.wav").mkdir()
    with pytest.raises(UserError, match="Cannot write"):
        NullPlayer(Playback(ring, RATE), tmp_path / "taken.wav").start()


class FullDisk(WavWriter):
    """A file on a disk that takes a second, and then none for that reason."""

    number = 0

    def write(self, sound: NDArray[np.float32]) -> None:
        super().write(sound[: max(0, RATE - self.samples)])
        if self.samples >= RATE:
            raise OSError(self.number, os.strerror(self.number))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EFBIG])
def test_a_disk_that_takes_no_more_ends_the_file_and_not_the_music(
    ring: Ring, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(FullDisk, "number", number)
    monkeypatch.setattr(files, "WavWriter", FullDisk)
    said = list[str]()
    playback, path = Playback(ring, RATE), tmp_path / "heard.wav"
    player = NullPlayer(playback, path, said.append, block_seconds=0.2)
    player.start()
    assert player.name == str(path)
    play_until(ring, lambda: said)
    before = playback.samples
    play_until(ring, lambda: playback.samples > before + 4000)
    assert player.running() and player.cut_short and player.name == "no device"
    player.close()
    assert said == [f"Nothing more goes into {path} ({os.strerror(number)}); what it has stays, and the music goes on."]
    assert soundfile.info(path).frames == RATE


@pytest.mark.skipif(sys.platform == "win32", reason="there an open file cannot be removed")
def test_a_file_that_is_removed_is_told_of_and_the_music_goes_on(ring: Ring, tmp_path: Path) -> None:
    said = list[str]()
    playback, path = Playback(ring, RATE), tmp_path / "gone" / "heard.wav"
    path.parent.mkdir()
    player = NullPlayer(playback, path, said.append)
    player.start()
    play_until(ring, lambda: playback.samples > 1000)
    shutil.rmtree(path.parent)
    play_until(ring, lambda: said)
    player.close()
    assert said == [f"Nothing more goes into {path} (its file was removed); what it has stays, and the music goes on."]


def play_until(ring: Ring, condition: Callable[[], object]) -> None:
    """Feed a player until something is so."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        feed(ring, 1000)
        time.sleep(0.005)


@pytest.mark.skipif(sys.platform == "win32", reason="needs named pipes")
def test_what_is_no_file_is_not_written_into(ring: Ring, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.wav"
    os.mkfifo(pipe)
    with pytest.raises(UserError, match=r"Cannot write .*it is no file .*choose another name"):
        NullPlayer(Playback(ring, RATE), pipe).start()
    assert pipe.is_fifo()


DEVICES = [
    Device(0, "HDA Intel: ALC257 (hw:0,0)", 44100, 2, False),
    Device(3, "USB Audio", 48000, 8, True),
    Device(4, "USB Audio 2", 48000, 2, False),
]


@pytest.mark.parametrize(("choice", "index"), [(None, 3), ("0", 0), ("4", 4), ("usb audio", 3), ("alc", 0), ("o 2", 4)])
def test_a_device_is_chosen_by_number_or_part_of_its_name(choice: str | None, index: int) -> None:
    assert choose(DEVICES, choice).index == index


def test_a_device_that_is_not_there_is_answered_with_those_that_are() -> None:
    with pytest.raises(UserError, match=r"no output device .nosuch.;.*0 \(HDA Intel.*3 \(USB Audio\)"):
        choose(DEVICES, "nosuch")
    with pytest.raises(UserError, match="no audio output device: plug one in"):
        choose([])


def test_without_portaudio_the_sentence_names_the_command_that_installs_it() -> None:
    code = """
import ctypes.util, sys
ctypes.util.find_library = lambda name: None
from streamer.errors import UserError
from streamer.audio.devices import devices
try:
    devices()
except UserError as error:
    print(error)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    if sys.platform == "linux":
        assert "sudo apt install libportaudio2" in said
    elif not said:
        pytest.skip("the wheel brings its own PortAudio here")
