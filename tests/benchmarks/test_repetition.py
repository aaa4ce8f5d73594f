"""What is measured of background music: a half minute that comes again is found, and one that does not is not."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.repetition import repetition
from streamer.surfaces.programme.passages import STEP
from tests.streamer.programme.test_wander import song


def test_a_half_minute_that_comes_again_is_found_where_it_is() -> None:
    heard = song(400, 1)
    heard[1800:1960] = heard[200:360] - 2.0  # softer, too
    found = repetition(heard)
    # two seconds of beginnings are the same for all of their length, those around them for most of it
    assert 3 <= int(str(found["repetitions"])) < 60
    assert found["later_than_5_min"] == found["repetitions"]
    assert float(str(found["alike_most"])) > 0.99
    first, second = np.array(found["alike_most_at_s"])
    assert second - first == pytest.approx(1600 * STEP, abs=1)


def test_music_that_goes_on_does_not_come_again() -> None:
    found = repetition(song(400, 1))
    assert found["repetitions"] == 0 and float(str(found["alike_most"])) < 0.3


def test_of_less_than_a_minute_there_is_nothing_to_say() -> None:
    with pytest.raises(SystemExit, match="within 90 s"):
        repetition(song(40, 1))
