"""A glide begins where the value stands, moves one way, and ends exactly where it was asked to."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from osc.parameter import Parameter
from streamer.control.glides import Glide, Glides, can_glide
from streamer.control.table import PARAMETERS

NUMBERS = [parameter for parameter in PARAMETERS if can_glide(parameter)]
VOLUME = next(parameter for parameter in PARAMETERS if parameter.name == "volume")
TEMPERATURE = next(parameter for parameter in PARAMETERS if parameter.name == "temperature")


@given(st.sampled_from(NUMBERS), st.floats(0, 1), st.floats(0, 1), st.integers(0, 10**6), st.integers(1, 3000))
def test_it_goes_one_way_from_start_to_target(p: Parameter, a: float, b: float, frame: int, frames: int) -> None:
    start, target = float(p.from_norm(a)), float(p.from_norm(b))
    glide = Glide(p, start, target, frame, frames)
    way = [float(glide.at(f)) for f in range(frame, frame + frames + 2)]
    assert way[0] == start
    assert way[-1] == way[-2] == target
    slack = 1e-9 * max(1.0, abs(start), abs(target))
    rising = target >= start
    assert all((y >= x - slack) if rising else (y <= x + slack) for x, y in pairwise(way))


def test_decibels_glide_evenly() -> None:
    glide = Glide(VOLUME, 0.0, -10.0, 0, 100)
    assert [glide.at(f) for f in (10, 50, 90)] == [pytest.approx(v) for v in (-1.0, -5.0, -9.0)]


def test_a_logarithmic_fader_glides_by_equal_ratios() -> None:
    glide = Glide(TEMPERATURE, 0.5, 2.0, 0, 100)
    assert float(glide.at(50)) == pytest.approx(1.0)


def test_a_new_glide_takes_over() -> None:
    glides = Glides()
    glides.start(Glide(VOLUME, 0.0, -40.0, 0, 100))
    stands = float(glides.at(50)["volume"])
    glides.start(Glide(VOLUME, stands, 0.0, 50, 20))
    assert float(glides.at(60)["volume"]) == pytest.approx(-10.0)
    assert glides.at(70) == {"volume": 0.0}
    assert len(glides) == 0 and glides.at(71) == {}


def test_a_value_that_is_set_ends_the_glide() -> None:
    glides = Glides()
    glides.start(Glide(VOLUME, 0.0, -40.0, 0, 100))
    glides.stop(["volume", "prompt"])
    assert glides.at(50) == {}


def test_texts_and_switches_do_not_glide() -> None:
    assert {p.name for p in PARAMETERS if not can_glide(p)} >= {"prompt", "negative", "melody", "mute", "guard"}
