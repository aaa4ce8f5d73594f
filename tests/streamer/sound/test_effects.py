"""The built-in effects do what their knobs say, nothing at rest, and never click, howl or drift."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.control.table import EFFECTS, TABLE
from streamer.sound.dynamics import Samples
from streamer.sound.effects import ECHO_BEATS, ECHO_FEEDBACK, LOWEST_CUT, Amounts, Effects

RATE, FRAME = 32_000, 640
ALL = Amounts(lowcut=120.0, tilt=4.0, echo=0.5, space=0.5, width=0.5)


def noise(frames: int, seed: int = 0, mono: bool = True) -> Samples:
    made = np.random.default_rng(seed).standard_normal((frames * FRAME, 1 if mono else 2)) * 0.1
    return np.repeat(made, 2, 1).astype(np.float32) if mono else made.astype(np.float32)


def tone(hertz: float, frames: int) -> Samples:
    wave = 0.3 * np.sin(2 * np.pi * hertz * np.arange(frames * FRAME) / RATE)
    return np.repeat(wave[:, None], 2, 1).astype(np.float32)


def effects(amounts: Amounts, bpm: float = 120.0) -> Effects:
    made = Effects(RATE, FRAME)
    made.set(amounts, bpm)
    return made


def level(samples: Samples) -> float:
    return float(20 * np.log10(np.sqrt((samples.astype(np.float64) ** 2).mean()) + 1e-12))


def gain(amounts: Amounts, hertz: float) -> float:
    """What the effects do to a tone once they have settled, dB."""
    sound = tone(hertz, 100)
    return level(effects(amounts).process(sound)[-50 * FRAME :]) - level(sound[-50 * FRAME :])


def test_at_rest_not_a_bit_changes() -> None:
    sound = noise(20, mono=False)
    assert effects(Amounts()).process(sound) is sound


def test_back_at_rest_not_a_bit_changes() -> None:
    made = effects(ALL)
    made.process(noise(50))
    made.set(Amounts(), 120.0)
    made.process(noise(2))
    sound = noise(5, seed=3)
    assert made.process(sound) is sound


def test_what_rested_comes_back_without_old_echoes() -> None:
    made = effects(ALL)
    made.process(noise(100))
    made.set(Amounts(), 120.0)
    made.process(noise(1))
    made.set(ALL, 120.0)
    assert np.abs(made.process(np.zeros((50 * FRAME, 2), np.float32))).max() == 0.0


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 7), min_size=1, max_size=8), st.integers(0, FRAME - 1))
def test_how_it_is_cut_changes_no_bit(cuts: list[int], missing: int) -> None:
    """Of a codec that looks ahead, some samples of the first frame are missing."""
    sound = noise(sum(cuts), mono=False)[missing:]
    at = np.maximum(np.cumsum([0, *cuts]) * FRAME - missing, 0)
    made = effects(ALL)
    parts = [made.process(sound[a:b]) for a, b in pairwise(at)]
    assert np.array_equal(np.concatenate(parts), effects(ALL).process(sound))


@pytest.mark.parametrize(("hertz", "least", "most"), [(30.0, -32.0, -18.0), (120.0, -8.0, -4.0), (1000.0, -0.5, 0.1)])
def test_low_cut(hertz: float, least: float, most: float) -> None:
    assert least < gain(Amounts(lowcut=120.0), hertz) < most


def test_tilt_raises_what_is_above_over_what_is_below() -> None:
    bright = Amounts(tilt=6.0)
    assert gain(bright, 8000.0) - gain(bright, 100.0) == pytest.approx(6.0, abs=0.8)
    assert gain(Amounts(tilt=-6.0), 100.0) == pytest.approx(3.0, abs=0.3)


@pytest.mark.parametrize("bpm", [20.0, 97.0, 120.0, 300.0])
def test_echoes_fall_on_dotted_eighths(bpm: float) -> None:
    click = np.zeros((200 * FRAME, 2), np.float32)
    click[0] = 0.5
    made = effects(Amounts(echo=1.0), bpm)
    made.process(np.zeros((FRAME, 2), np.float32))  # the amount has arrived
    heard = np.flatnonzero(np.abs(made.process(click)[:, 0]) > 0.01)
    step = max(round(60 / bpm * ECHO_BEATS * RATE), FRAME)
    assert heard[:2].tolist() == [0, step]
    assert len(heard) < 3 or heard[2] == 2 * step
    assert ECHO_FEEDBACK < 1


def test_width_opens_mono_and_leaves_the_sum_alone() -> None:
    sound = noise(100)
    wide = effects(Amounts(width=1.0)).process(sound)
    assert np.corrcoef(wide[:, 0], wide[:, 1])[0, 1] < 0.6
    assert np.abs(wide.mean(1) - sound.mean(1)).max() < 1e-6


def test_width_leaves_the_bass_in_the_middle() -> None:
    wide = effects(Amounts(width=1.0)).process(tone(50.0, 100))
    assert level(wide[:, :1] - wide[:, 1:]) < level(wide) - 12


def test_a_room_rings_and_dies_away() -> None:
    made = effects(Amounts(space=1.0))
    made.process(noise(50))
    tail = [level(made.process(np.zeros((25 * FRAME, 2), np.float32))) for _ in range(8)]  # half seconds
    assert tail[0] > -60
    assert all(later < earlier - 5 for earlier, later in pairwise(tail))


def turns() -> Iterator[Amounts]:
    while True:
        yield ALL
        yield Amounts()
        yield Amounts(lowcut=LOWEST_CUT, tilt=-12.0, echo=1.0, space=0.0, width=1.0)


def test_turning_every_knob_does_not_click() -> None:
    """The second difference of a low tone is tiny; a jump would stand out of it."""
    sound = tone(60.0, 120)
    made, out = effects(Amounts()), []
    for number, amounts in zip(range(12), turns(), strict=False):
        made.set(amounts, 120.0 + number)
        out.append(made.process(sound[number * 10 * FRAME : (number + 1) * 10 * FRAME]))
    bend = np.abs(np.diff(np.concatenate(out), 2, axis=0)).max()
    assert bend < 0.01


def test_at_the_loudest_setting_it_stays_where_it_was() -> None:
    """A minute of the hour at the loudest setting: the room and the echo have turned round a hundred times by then."""
    made = effects(Amounts(lowcut=400.0, tilt=12.0, echo=1.0, space=1.0, width=1.0))
    seconds = noise(1000)
    levels = [level(made.process(seconds)) for _ in range(3)]
    assert max(levels) - min(levels) < 0.2


def test_the_table_rests_where_the_effects_rest() -> None:
    assert Amounts(*(float(TABLE[name].default) for name in EFFECTS)) == Amounts()
    assert TABLE["lowcut"].low == LOWEST_CUT
