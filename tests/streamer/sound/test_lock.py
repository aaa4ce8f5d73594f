from __future__ import annotations

import numpy as np
import pytest

from streamer.sound.dynamics import Samples
from streamer.sound.lock import LISTENING, LOCKED, LOST, OFF, Lock
from streamer.sound.stretch import AHEAD, DUE, Stretch
from streamer.sound.tracker import SURE, Tracker
from tests.streamer.drums import RATE, drums, kicks

STEP = RATE // 50


def stretched(sound: Samples, speed: float) -> tuple[Samples, float]:
    stretch = Stretch(RATE, sound.shape[1])
    out = [stretch.process(sound[at : at + STEP], speed) for at in range(0, len(sound), STEP)]
    assert abs(stretch.owed) < 2.5 * DUE * RATE
    return np.concatenate([*out, stretch.drain()]), stretch.owed


def sine(seconds: float, channels: int = 1) -> Samples:
    time = np.arange(round(seconds * RATE)) / RATE
    return np.stack([0.3 * np.sin(2 * np.pi * 440 * time)] * channels, axis=1).astype(np.float32)


@pytest.mark.parametrize("speed", [0.96, 1.02])
def test_music_gets_faster_and_slower_by_what_is_asked_for(speed: float) -> None:
    sound = drums(120, 4)
    out, owed = stretched(sound, speed)
    assert len(sound) - len(out) == pytest.approx((speed - 1) * len(sound) - owed, abs=1)


@pytest.mark.parametrize("speed", [0.97, 1.03])
def test_a_held_note_keeps_its_pitch_its_level_and_has_no_click(speed: float) -> None:
    out, _ = stretched(sine(4), speed)
    note = sine(4)
    assert np.abs(np.diff(out[:, 0])).max() < 1.01 * np.abs(np.diff(note[:, 0])).max()
    level = np.sqrt((out[: len(out) // STEP * STEP, 0].reshape(-1, STEP) ** 2).mean(axis=1))
    assert level.min() > 0.97 * level.max()
    spectrum = np.abs(np.fft.rfft(out[:RATE, 0] * np.hanning(RATE)))
    assert abs(int(spectrum.argmax()) - 440) <= 1


def test_both_channels_are_edited_at_one_place() -> None:
    sound = np.concatenate([drums(120, 4), 0.5 * drums(120, 4)], axis=1)
    out, _ = stretched(sound, 1.03)
    assert np.allclose(out[:, 1], 0.5 * out[:, 0], atol=1e-6)


def test_until_the_speed_changes_sound_only_comes_later() -> None:
    sound = drums(120, 2)
    stretch = Stretch(RATE, 1)
    out = stretch.process(sound, 1.0)
    assert stretch.held == round(AHEAD * RATE)
    assert np.array_equal(np.concatenate([out, stretch.drain()]), sound)


def attacks(sound: Samples) -> list[float]:
    """The steepest rise of the level within 6 ms around each kick, dB."""
    totals = np.concatenate([[0.0], np.cumsum(np.diff(sound[:, 0].astype(float), prepend=0) ** 2)])
    level = 10 * np.log10(totals[96:] - totals[:-96] + 1e-7)
    rise = level[192:] - level[:-192]
    return [float(rise[at - 640 : at + 640].max()) for at in (kicks(sound)[1:-1] * RATE).astype(int) - 192]


@pytest.mark.parametrize("speed", [0.96, 1.02])
def test_no_attack_is_lost(speed: float) -> None:
    before, after = attacks(drums(120, 12)), attacks(stretched(drums(120, 12), speed)[0])
    assert abs(len(before) - len(after)) <= 1
    assert min(before) > 10
    assert np.allclose(before[: len(after)], after[: len(before)], atol=0.5)


def test_where_attacks_leave_no_place_the_sound_runs_on() -> None:
    """And what could not be done is not made good at once when they end."""
    clicks = np.zeros((2 * RATE, 1), np.float32)
    clicks[:: RATE // 50] = 0.5
    stretch = Stretch(RATE, 1)
    out = np.concatenate([stretch.process(clicks[at : at + STEP], 1.04) for at in range(0, len(clicks), STEP)])
    assert np.array_equal(out, clicks[: len(out)])
    assert 0 < stretch.owed < 0.05 * RATE


@pytest.mark.parametrize(("bpm", "asked"), [(97.3, 100.0), (141.0, 136.0)])
def test_the_beat_is_found_near_the_tempo_asked_for(bpm: float, asked: float) -> None:
    tracker = Tracker(RATE, asked)
    tracker.hear(drums(bpm, 10, late=0.3)[:, 0])
    away = (tracker.phase - (10 - 0.3) * bpm / 60 + 0.5) % 1 - 0.5
    assert abs(away) * 60 / bpm < 0.02
    assert tracker.bpm == pytest.approx(bpm, rel=0.005)
    assert tracker.confidence > SURE


def test_a_beat_is_no_more_sure_when_there_is_none() -> None:
    tracker = Tracker(RATE, 120.0)
    tracker.hear(drums(120, 8)[:, 0])
    assert tracker.confidence > SURE
    tracker.hear((0.1 * np.random.default_rng(0).normal(size=12 * RATE)).astype(np.float32))
    assert tracker.confidence < SURE


class Stage:
    """A lock whose sound is heard at a steady tempo, from beat 0 on."""

    def __init__(self, bpm: float, unheard: bool = False) -> None:
        self.bpm = bpm
        self.lock = Lock(RATE, 1)
        self.lock.begin(bpm, unheard)
        self.heard = np.zeros((0, 1), np.float32)

    def play(self, sound: Samples, chunk: int = STEP) -> Samples:
        out = [self.heard]
        taken = len(self.heard)
        for at in range(0, len(sound), chunk):
            beat = (taken + self.lock.held) / RATE * self.bpm / 60
            out.append(self.lock.process(sound[at : at + chunk], self.bpm, beat))
            taken += len(out[-1])
        self.heard = np.concatenate(out)
        return self.heard

    def away(self, after: float) -> list[float]:
        """How late kicks and beats are heard apart, seconds."""
        found = kicks(self.heard)
        beat = 60 / self.bpm
        return [float((kick / beat + 0.5) % 1 - 0.5) * beat for kick in found[found > after]]


def test_music_that_is_too_fast_comes_onto_the_beat_and_stays_there() -> None:
    stage = Stage(120)
    stage.play(drums(122, 20, late=0.2))
    assert stage.lock.state == LOCKED
    away = stage.away(after=14)
    assert len(away) > 6
    assert max(map(abs, away)) < 0.02


def test_music_that_has_been_listened_to_begins_on_the_beat() -> None:
    stage = Stage(120, unheard=True)
    stage.play(drums(121, 12, late=0.2))
    assert stage.lock.state == LOCKED
    away = stage.away(after=0.1)
    assert len(away) > 2
    assert max(map(abs, away)) < 0.02


def test_chunks_of_any_size_make_the_same_sound() -> None:
    sound = drums(122, 9, late=0.2)
    whole = Stage(120).play(sound)
    other = Stage(120).play(sound, 3 * STEP + 7)
    both = min(len(whole), len(other))
    assert both > 8 * RATE
    assert np.array_equal(whole[:both], other[:both])


def test_where_no_beat_is_heard_the_music_runs_on_as_it_is() -> None:
    stage = Stage(120, unheard=True)
    noise = (0.1 * np.random.default_rng(0).normal(size=(14 * RATE, 1))).astype(np.float32)
    heard = stage.play(noise)
    assert stage.lock.state == LOST
    assert len(heard) > RATE
    assert np.array_equal(heard, noise[len(noise) - stage.lock.held - len(heard) :][: len(heard)])


def test_off_it_holds_nothing_back() -> None:
    lock, sound = Lock(RATE, 1), drums(120, 1)
    assert lock.process(sound, 120, 0) is sound
    assert (lock.state, lock.held) == (OFF, 0)
    lock.begin(120)
    assert lock.state == LISTENING
    out = lock.process(sound, 120, 0)
    assert lock.held >= round(AHEAD * RATE)
    assert np.array_equal(np.concatenate([out, lock.end(sound)]), np.concatenate([sound, sound]))
    assert (lock.state, lock.held) == (OFF, 0)
