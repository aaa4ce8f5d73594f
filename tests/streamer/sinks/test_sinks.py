"""What is heard arrives encoded: every sample once, under its name, and without harm where the place is lost."""

from __future__ import annotations

import io
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timezone
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

pytest.importorskip("av", reason="install the extra background")

from streamer.audio.playback import Playback
from streamer.audio.sinks.encoder import KINDS, Encoder
from streamer.audio.sinks.feed import Feed
from streamer.audio.sinks.hls import Hls
from streamer.audio.sinks.hours import Hours
from streamer.process.ring import Ring
from tests.streamer.sinks.tone import LEFT, RATE, RIGHT, decoded, notes, tone


@pytest.mark.parametrize("form", ["mp3", "opus", "flac", "ogg-flac"])
def test_what_is_encoded_is_heard_again(form: str) -> None:
    file = io.BytesIO()
    encoder = Encoder(file, KINDS[form], RATE, 2, tags={"title": "two notes"})
    for start in range(0, 2 * RATE, 4800):
        encoder.write(tone(4800, start))
    encoder.close()
    sound = decoded(io.BytesIO(file.getvalue()))
    assert abs(len(sound) - 2 * RATE) < 4000
    assert notes(sound[: 2 * RATE]) == pytest.approx((LEFT, RIGHT), abs=1)


def test_files_of_an_hour_hold_every_sample_once_and_the_oldest_go(tmp_path: Path) -> None:
    now = 1000.25
    sink = Hours(tmp_path, "flac", 3, zone=timezone.utc, length=2, clock=lambda: now)
    sink.open(RATE, 2, "a title")
    blocks = [tone(4801, 4801 * number) for number in range(90)]
    sound = np.concatenate(blocks)
    for block in blocks:
        now += len(block) / RATE
        sink.write(block)
        assert len(list(tmp_path.iterdir())) <= 3
    sink.close()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [f"1970-01-01 00-16-{second}+0000.flac" for second in ("44", "46", "48")]
    pieces = [decoded(file) for file in files]
    assert [len(piece) for piece in pieces[:-1]] == [2 * RATE, 2 * RATE]
    kept = np.concatenate(pieces)
    np.testing.assert_allclose(kept, sound[-len(kept) :], atol=2e-7)


def test_segments_play_and_a_restart_goes_on_behind_them(tmp_path: Path) -> None:
    for _ in range(2):
        sink = Hls(tmp_path)
        sink.open(RATE, 2, "")
        for start in range(0, 15 * RATE, RATE):
            sink.write(tone(RATE, start))
        sink.close()
    text = sink.list.read_text()
    again = text.rindex("#EXT-X-DISCONTINUITY")
    assert (text[:again].count(".ts"), text[again:].count(".ts")) == (3, 3) and "#EXT-X-ENDLIST" not in text
    first = next(line for line in text.splitlines() if line.endswith(".ts"))
    assert notes(decoded(tmp_path / first)[RATE : 5 * RATE]) == pytest.approx((LEFT, RIGHT), abs=1)


def test_segments_do_not_pile_up(tmp_path: Path) -> None:
    sink = Hls(tmp_path)
    sink.open(8000, 1, "")
    for _ in range(300):
        sink.write(np.zeros((8000, 1), np.float32))
    sink.close()
    assert len(list(tmp_path.glob("*.ts"))) <= 22
    sink.open(8000, 1, "")
    sink.close()
    assert len(list(tmp_path.glob("*.ts"))) <= 12


@pytest.mark.heavy
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="install ffmpeg (apt)")
def test_ffmpeg_plays_the_list(tmp_path: Path) -> None:
    sink = Hls(tmp_path / "live")
    sink.open(RATE, 2, "")
    for start in range(0, 13 * RATE, RATE):
        sink.write(tone(RATE, start))
    sink.close()
    heard = tmp_path / "heard.wav"
    command = ["ffmpeg", "-v", "error", "-live_start_index", "0", "-i", str(sink.list), "-t", "10", str(heard)]
    subprocess.run(command, check=True, timeout=60)
    assert notes(decoded(heard)[RATE : 9 * RATE]) == pytest.approx((LEFT, RIGHT), abs=1)


class Flaky:
    """A place that can be lost."""

    name = "the place"

    def __init__(self) -> None:
        self.there, self.opened, self.titles = True, 0, list[str]()
        self.heard: list[NDArray[np.float32]] = []

    def _look(self) -> None:
        if not self.there:
            raise OSError("it is gone")

    def open(self, rate: int, channels: int, title: str) -> None:
        self._look()
        self.opened += 1
        self.titles.append(title)

    def write(self, sound: NDArray[np.float32]) -> None:
        self._look()
        self.heard.append(sound)

    def retitle(self, title: str) -> None:
        self._look()
        self.titles.append(title)

    def close(self) -> None:
        self._look()

    def abandon(self) -> None:
        pass


class Booth:
    """A feed that the test steps, by a clock that it moves."""

    def __init__(self) -> None:
        self.ring = Ring(RATE, 1)
        self.playback = Playback(self.ring, RATE)
        self.place, self.told, self.now = Flaky(), list[str](), 0.0
        self.feed = Feed(self.playback, self.place, self.told.append, pauses=(1.0, 4.0), clock=lambda: self.now)
        self.tap = self.feed.tap

    def play(self, seconds: float = 0.1) -> None:
        self.tap.take(np.ones((round(seconds * RATE), 1), np.float32))
        self.now += seconds
        self.feed.step()


@pytest.fixture
def booth() -> Iterator[Booth]:
    made = Booth()
    yield made
    made.ring.close()


def test_what_is_lost_is_tried_again_ever_more_seldom_and_said_once(booth: Booth) -> None:
    booth.play()
    assert booth.feed.connected
    booth.play()
    booth.place.there = False
    for _ in range(200):
        booth.play()
    assert not booth.feed.connected and len(booth.told) == 1 and "it is gone" in booth.told[0]
    booth.place.there = True
    heard = len(booth.place.heard)
    for _ in range(60):
        booth.play()
    assert booth.feed.connected and booth.place.opened == 2 and booth.told[1:] == ["the place takes the music again."]
    assert booth.feed.losses == 1 and len(booth.place.heard) > heard
    total = sum(map(len, booth.place.heard))
    assert booth.feed.samples == total and booth.feed.samples + booth.feed.lost == round(booth.now * RATE)


def test_a_place_hears_what_plays_when_that_changes(booth: Booth) -> None:
    booth.feed.title("one")
    booth.play()
    booth.play()
    booth.feed.title("two")
    booth.play()
    booth.play()
    assert booth.place.titles == ["one", "two"]
