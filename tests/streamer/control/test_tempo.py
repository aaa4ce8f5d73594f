"""Beats fall where a metronome's would, to the frame, and a change of tempo loses none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.control.tempo import BEATS_PER_BAR, FASTEST, SLOWEST, Tempo

bpms = st.floats(SLOWEST, FASTEST)
frames = st.integers(0, 10_000_000)
quanta = st.sampled_from([1, 4, 8, 16])


def test_at_120_bpm_a_beat_is_25_frames_and_a_bar_100() -> None:
    tempo = Tempo(120.0)
    assert tempo.beat_at(25) == 1.0
    assert tempo.next(1, 1) == 25
    assert tempo.next(1, BEATS_PER_BAR) == 100


def test_a_change_on_the_beat_waits_for_nothing() -> None:
    assert Tempo(120.0).next(100, BEATS_PER_BAR) == 100
    assert Tempo(120.0).next(0, BEATS_PER_BAR) == 0


def test_without_a_quantum_the_next_frame_will_do() -> None:
    assert Tempo(97.3).next(12_345, 0) == 12_345


def test_no_drift_in_ten_hours_at_a_tempo_that_fits_no_frame() -> None:
    tempo = Tempo(124.0)
    last = 10 * 60 * 124
    assert tempo.frame_at(last) == 10 * 60 * 50 * 60
    gaps = {tempo.frame_at(beat + 1) - tempo.frame_at(beat) for beat in range(1000)}
    assert gaps == {24, 25}


@given(bpms, frames, quanta)
def test_the_next_boundary_is_the_first_frame_at_or_after_it(bpm: float, frame: int, beats: int) -> None:
    tempo = Tempo(bpm)
    due = tempo.next(frame, beats)
    assert due >= frame
    assert due - frame <= beats * 3000 / bpm + 1
    multiple = round(tempo.beat_at(due) / beats)
    reached = min((abs(tempo.beat_at(due) - m * beats), m) for m in (multiple - 1, multiple, multiple + 1))[1] * beats
    if tempo.beat_at(due) < reached - 1e-5:
        reached -= beats
    assert 0 <= tempo.beat_at(due) - reached + 1e-5 <= bpm / 3000 + 2e-5


@given(bpms, bpms, frames, st.integers(0, 100_000))
def test_a_change_of_tempo_keeps_the_beat(before: float, after: float, frame: int, later: int) -> None:
    old = Tempo(before)
    new = old.at(frame, after)
    assert new.beat_at(frame) == pytest.approx(old.beat_at(frame))
    assert new.beat_at(frame + later) - new.beat_at(frame) == pytest.approx(later * after / 3000)


def test_a_restart_puts_the_first_beat_on_its_frame() -> None:
    assert Tempo(97.0).restarted(1234).beat_at(1234) == 0.0


@pytest.mark.parametrize("bpm", [0.0, -1.0, 301.0, float("nan"), float("inf")])
def test_what_is_no_tempo_is_refused(bpm: float) -> None:
    with pytest.raises(ValueError, match="no tempo"):
        Tempo(bpm)
