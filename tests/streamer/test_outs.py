"""Which channels the music is on, and a click that is on the beat to the sample."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from streamer.audio.click import Click, Count
from streamer.audio.outs import Outs, channels_of
from streamer.audio.playback import Playback
from streamer.audio.rerate import Rerate
from streamer.errors import UserError
from streamer.instrument import Instrument
from streamer.process.ring import Ring
from streamer.reporting import mention
from tests.streamer import humming

RATE = 8000
FADE = 80


@pytest.fixture
def ring() -> Iterator[Ring]:
    made = Ring(40_000, 2)
    made.lead = 4000
    yield made
    made.close()


def numbered(ring: Ring, samples: int) -> None:
    """Samples that tell their own number, exactly: right the negative of left."""
    numbers = np.arange(samples, dtype=np.float32)
    filled(ring, np.stack([numbers, -numbers], axis=1))


def filled(ring: Ring, sound: NDArray[np.float32]) -> None:
    """All of a sound waits, although so much lead is not asked for."""
    ring.lead = len(sound)
    ring.write(sound)
    ring.lead = 4000


def clicking(count: Count) -> Click:
    click = Click(RATE, lambda: count, mention)
    click.look()
    return click


def struck(tones: NDArray[np.float32]) -> list[int]:
    """Where tones begin: nothing is as loud as their first samples, and they are far apart."""
    loud = np.flatnonzero(np.abs(tones) > 0.2)
    return cast(list[int], loud[np.diff(loud, prepend=-1000) > 500].tolist())


@pytest.mark.parametrize(("text", "channels"), [("3,4", (3, 4)), ("2", (2,)), (" 4 3 ", (4, 3)), ("", ())])
def test_channels_are_counted_from_one(text: str, channels: tuple[int, ...]) -> None:
    assert channels_of(text, "--channels") == channels


@pytest.mark.parametrize("text", ["0", "0,1", "1,1", "1,2,3", "a", "-1", "1.5", "65", "²", "99999999999999"])
def test_what_are_no_channels_is_a_sentence(text: str) -> None:
    with pytest.raises(UserError, match="--channels takes one channel or two different ones"):
        channels_of(text, "--channels")


def test_the_music_is_on_its_channels_and_nothing_on_the_others(ring: Ring) -> None:
    playback = Playback(ring, RATE)
    playback.outs = Outs((4, 2))
    numbered(ring, 4000)
    assert playback.channels == 4
    out = np.full((1000, 4), np.nan, np.float32)
    for _ in range(3):
        playback.fill(out)
    np.testing.assert_array_equal(out[:, 3], np.arange(2000, 3000))
    np.testing.assert_array_equal(out[:, 1], -np.arange(2000, 3000))
    assert not out[:, [0, 2]].any()


def test_a_click_is_on_the_beat_of_the_music_that_is_heard_to_the_sample(ring: Ring) -> None:
    """The music's own numbers tell which sample of it is heard with each tone; the beat began before it."""
    playback = Playback(ring, RATE)
    playback.outs = Outs((1, 2), clicking((1234, 150.0, 7.5)), (3,))
    heard = []
    out = np.zeros((128, 3), np.float32)
    numbered(ring, 33_000)
    for block in range(250):
        if block == 100:
            playback.stop()
        if block == 110:
            playback.play()
        playback.fill(out)
        heard.append(out.copy())
    sound = np.concatenate(heard)
    assert [float(sound[at, 0]) for at in struck(sound[:, 2])] == [2834 + 3200 * number for number in range(9)]
    assert playback.underruns == 0


@settings(deadline=None)
@given(
    bpm=st.floats(30, 300),
    beats=st.floats(-50, 500),
    at=st.integers(0, 5000),
    blocks=st.lists(st.integers(1, 700), min_size=1, max_size=60),
)
def test_blocks_of_any_size_have_every_beat_once_at_its_nearest_sample(
    bpm: float, beats: float, at: int, blocks: list[int]
) -> None:
    click = clicking((at, bpm, beats))
    heard, first = [], 3000
    for size in blocks:
        out = np.zeros(size, np.float32)
        click.fill(out, first, size)
        heard.append(out)
        first += size
    apart = 60 / bpm * RATE
    passed = (np.array([3000, first]) - at) / apart + beats
    places = at + (np.arange(math.floor(passed[0]), math.ceil(passed[1]) + 1) - beats) * apart
    expected = [place for place in np.floor(places + 0.5) if 3000 <= place < first]
    assert [3000 + one for one in struck(np.concatenate(heard))] == expected


def test_the_first_beat_of_a_bar_is_higher() -> None:
    click = clicking((0, 240.0, 0.0))
    out = np.zeros(12_000, np.float32)
    click.fill(out, 0, len(out))
    pitches = [np.abs(np.fft.rfft(out[at : at + 240], 8000)).argmax() for at in range(0, 12_000, 2000)]
    assert pitches == pytest.approx([1600, 1000, 1000, 1000, 1600, 1000], abs=20)


def test_another_tempo_counts_from_its_own_sample_on_and_a_frame_that_follows_changes_nothing() -> None:
    now: Count = (0, 120.0, 0.0)
    click = Click(RATE, lambda: now, mention)
    click.look()
    now = (4160, 120.0, 1.04)
    click.look()
    now = (9000, 240.0, 2.25)  # from here on a beat has 2000 samples
    click.look()
    out = np.zeros(16_000, np.float32)
    click.fill(out, 0, len(out))
    assert struck(out) == [0, 4000, 8000, 10_500, 12_500, 14_500]


def test_a_glide_of_the_tempo_is_on_the_beat_with_the_longest_lead_too() -> None:
    """Two seconds of frames, each in its own tempo, are on their way before the first of them is heard."""
    frame = RATE // 50
    bpm = 120 + 0.2 * np.arange(100)
    beats = np.concatenate([[0.0], np.cumsum(bpm / 3000)])
    counts = iter([(frame * at, float(tempo), float(beats[at])) for at, tempo in enumerate(bpm)])
    click = Click(RATE, lambda: next(counts), mention)
    for _ in bpm:
        click.look()
    out = np.zeros(100 * frame, np.float32)
    click.fill(out, 0, len(out))
    places = np.interp(np.arange(math.ceil(beats[-1])), beats, frame * np.arange(101))
    np.testing.assert_allclose(struck(out), places, atol=1)


def test_without_a_beat_there_is_no_click() -> None:
    out = np.zeros(16_000, np.float32)
    clicking((0, 0.0, 0.0)).fill(out, 0, len(out))
    assert not out.any()


def test_an_instrument_writes_music_and_click_onto_their_channels_and_says_which(tmp_path: Path) -> None:
    path = tmp_path / "heard.wav"
    instrument = Instrument(
        humming.job(), {"tempo": 200.0}, wav=path, channels=(3, 4), clicks=(1,), port=0, report=mention
    )
    try:
        instrument.start()
        deadline = time.monotonic() + 60
        while instrument.status().seconds < 3:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        now = instrument.status()
        assert (now.channels, now.click) == ("3,4", "1")
    finally:
        instrument.close()
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert (sound.shape[1], rate) == (4, RATE)
    assert not sound[:, 1].any() and sound[:, 2].any() and sound[:, 3].any()
    at = struck(sound[:, 0])
    if instrument.playback.underruns == 0:  # where the machine was too slow, there is silence between them
        assert set(np.diff(at)) == {2400} and len(at) >= 8
    else:
        assert len(at) >= 8


def test_a_device_of_another_rate_hears_the_same_music(ring: Ring) -> None:
    playback = Playback(ring, RATE)
    filled(ring, np.sin(2 * np.pi * 500 * np.arange(24_000) / RATE).astype(np.float32)[:, None].repeat(2, 1))
    rerate = Rerate(playback, 11_025)
    assert 0 < rerate.latency < 0.15
    blocks = []
    for _ in range(40):
        out = np.full((256, 2), np.nan, np.float32)
        rerate.fill(out)
        blocks.append(out)
    sound = np.concatenate(blocks)[2048:]
    assert np.isfinite(sound).all()
    expected = np.exp(-2j * np.pi * 500 / 11_025 * np.arange(len(sound)))
    amplitude = 2 * abs((sound[:, 0] * expected).mean())
    assert amplitude == pytest.approx(1.0, abs=0.01)
    rest = np.sqrt(np.mean(sound[:, 0] ** 2) - amplitude**2 / 2) if np.mean(sound[:, 0] ** 2) > amplitude**2 / 2 else 0
    assert rest < 0.01


@pytest.mark.parametrize("rate", [11_025, 7_350, 16_000])
@pytest.mark.parametrize("size", [16, 300, 1024])
def test_a_device_of_another_rate_hears_it_as_much_later_as_is_said(ring: Ring, rate: int, size: int) -> None:
    playback = Playback(ring, RATE, fade_seconds=0.005)
    sound = np.zeros((24_000, 2), np.float32)
    sound[8000:] = 0.5
    filled(ring, sound)
    rerate = Rerate(playback, rate)
    out, heard = np.zeros((size, 2), np.float32), []
    for _ in range(round(2 * rate / size)):
        rerate.fill(out)
        heard.append(out.copy())
    rises = int((np.concatenate(heard)[:, 0] > 0.25).argmax())
    assert rises / rate == pytest.approx(1.0 + rerate.latency, abs=1.5 / rate + 1.5 / RATE)


@pytest.mark.parametrize("size", [64, 512, 4096])
def test_long_blocks_of_a_device_of_another_rate_are_asked_for_in_one_piece(ring: Ring, size: int) -> None:
    """So that the least lead is one that they can be played with: nothing is interrupted."""
    playback = Playback(ring, RATE)
    rerate = Rerate(playback, 11_025)
    ring.lead = 1
    out, tone = np.zeros((size, 2), np.float32), np.full((ring.capacity, 2), 0.1, np.float32)
    for _ in range(40):
        ring.write(tone[: ring.room])
        rerate.fill(out)
    assert playback.sounding and playback.underruns == 0
