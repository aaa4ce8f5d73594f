"""Music that goes round in circles is asked to move on, once for each time, and is then left as it was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from streamer.control.controls import Controls
from streamer.surfaces.programme.passages import ALIKE, ROW, STEP, Ear, Heard, piece, shown
from streamer.surfaces.programme.wander import FREER, SPELL, Wander, circles

RATE = 8000


def song(seconds: float, seed: int) -> Heard:
    """Rows of notes at random, some at a time, with something between them."""
    luck = np.random.default_rng(seed)
    rows = round(seconds / STEP)
    notes = 4.0 * np.repeat(luck.random((rows // 3 + 1, ROW)) < 0.1, 3, axis=0)[:rows]
    return (8.0 + notes + 0.3 * luck.normal(size=notes.shape)).astype(np.float32)


def round_and_round(seconds: float, bar: float, seed: int) -> Heard:
    """A bar of that for ever, with noise of its own each time."""
    rows, luck = round(seconds / STEP), np.random.default_rng(seed)
    looped = np.tile(song(bar, seed), (round(seconds / bar) + 1, 1))[:rows]
    return (looped + 0.5 * luck.normal(size=looped.shape)).astype(np.float32)


def tones(seconds: float, seed: int, bar: float | None = None) -> NDArray[np.float32]:
    """Three notes at a time, half a second each, as sound; those of a bar again and again where one is given."""
    luck = np.random.default_rng(seed)
    parts = []
    for number in range(round(seconds / 0.5)):
        if bar and number % round(bar / 0.5) == 0:
            luck = np.random.default_rng(seed)
        pitches = 110 * 2 ** (luck.integers(0, 48, 3) / 12)
        at = np.arange(RATE // 2)[:, None] / RATE
        parts.append(0.2 * np.sin(2 * np.pi * pitches * at).sum(axis=1) * np.exp(-4 * at[:, 0]))
    return np.concatenate(parts)[:, None].astype(np.float32)


def test_a_note_is_heard_as_its_name() -> None:
    ear = Ear(48_000)
    rows = []
    for start in range(0, 48_000, 480):
        at = (np.arange(480) + start)[:, None] / 48_000
        rows += ear.hear(np.sin(2 * np.pi * 440.0 * at).astype(np.float32))
    assert len(rows) == 5
    assert {int(row.argmax()) for row in rows} == {36}  # three octaves above 55 Hz


def test_silence_is_left_out() -> None:
    assert Ear(RATE).hear(np.zeros((3 * RATE, 2), np.float32)) == []


@pytest.mark.parametrize("bar", [2.8, 5.4, 14.0])
def test_a_bar_that_goes_round_for_a_minute_and_a_half_is_a_circle(bar: float) -> None:
    assert circles(round_and_round(90, bar, 1))


def test_music_that_goes_on_is_none() -> None:
    assert not any(circles(song(90, seed)) for seed in range(5))
    assert not circles(song(59, 1))


def test_what_is_louder_is_still_alike() -> None:
    rows = song(30, 3)
    one, other = (piece(shown(own), 0) for own in (rows, rows + 3.0))
    assert float(one @ other) == pytest.approx(1.0, abs=1e-3)
    assert float(one @ piece(shown(song(30, 4)), 0)) < ALIKE / 2


def fed(wander: Wander, sound: NDArray[np.float32], controls: Controls | None = None) -> list[float]:
    """The temperature after every second of it, where there are controls to ask."""
    found = []
    for start in range(0, len(sound), RATE):
        wander.write(sound[start : start + RATE])
        if controls:
            found.append(round(float(controls.get("temperature")), 3))
    return found


def test_music_that_goes_round_is_freer_for_a_moment() -> None:
    controls = Controls(temperature=1.05)
    wander = Wander(controls)
    wander.open(RATE, 1, "")
    found = fed(wander, tones(85, 1, bar=4.0), controls)
    begins = found.index(round(1.05 * FREER, 3))
    assert begins >= 59
    assert found[begins : begins + round(SPELL)].count(round(1.05 * FREER, 3)) == pytest.approx(SPELL, abs=1)
    assert found[-1] == 1.05 and wander.spells == 1
    assert set(fed(wander, tones(70, 2), controls)) == {1.05}


def test_what_was_heard_of_another_entry_does_not_count() -> None:
    wander = Wander(Controls())
    wander.open(RATE, 1, "")
    fed(wander, tones(50, 1, bar=4.0))
    wander.retitle("something else")
    fed(wander, tones(50, 1, bar=4.0))
    assert wander.spells == 0


def test_music_with_a_seed_of_its_own_is_left_as_it_is() -> None:
    wander = Wander(Controls(), lambda: True)
    wander.open(RATE, 1, "")
    fed(wander, tones(75, 1, bar=4.0))
    assert wander.spells == 0


def test_what_somebody_asked_for_meanwhile_stands() -> None:
    controls = Controls(temperature=1.0)
    wander = Wander(controls)
    wander.open(RATE, 1, "")
    sound = tones(90, 1, bar=4.0)
    fed(wander, sound[: 65 * RATE])
    assert wander.spells == 1
    controls.ask([("temperature", 0.8)])
    fed(wander, sound[65 * RATE : 80 * RATE])
    assert controls.get("temperature") == pytest.approx(0.8)


def test_at_the_end_the_music_is_left_as_it_was() -> None:
    controls = Controls(temperature=1.0)
    wander = Wander(controls)
    wander.open(RATE, 1, "")
    fed(wander, tones(65, 1, bar=4.0))
    assert wander.spells == 1
    wander.close()
    assert controls.get("temperature") == pytest.approx(1.0)
