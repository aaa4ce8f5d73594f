"""Sound files that are damaged or lie: they are heard, or one sentence says why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamer.engine.beginning import Excerpt, check_excerpt
from streamer.errors import UserError
from streamer.sound.files import mixed, read
from tests.streamer.sound.damaged import RATE, mutants, seeds


def hear(path: Path) -> bool:
    """Whether it can be heard; where not, whoever asked gets one sentence."""
    try:
        check_excerpt(Excerpt(path))
        sound, rate = read(path, shape=mixed)
    except UserError as error:
        sentence = str(error)
        assert sentence.isprintable() and 20 < len(sentence) < 400, sentence
        return False
    assert sound.ndim == 2 and sound.shape[1] == 1 and np.isfinite(sound).all() and rate > 0
    return True


def test_the_files_are_good_before_they_are_damaged(tmp_path: Path) -> None:
    made = seeds()
    assert len(made) >= 8
    for number, (ending, content) in enumerate(made):
        path = tmp_path / f"{number}.{ending}"
        path.write_bytes(content)
        assert hear(path)
        sound, rate = read(path, shape=mixed)
        assert abs(len(sound) / rate - 0.25) < 0.15 and (rate == RATE or ending == "ogg")


@pytest.mark.parametrize("seed", range(3))
def test_a_damaged_file_is_heard_or_refused_in_a_sentence(tmp_path: Path, seed: int) -> None:
    heard = 0
    for ending, content in mutants(seed, 150):
        path = tmp_path / f"sound.{ending}"
        path.write_bytes(content)
        heard += hear(path)
    assert 15 < heard < 135  # some damage is past hearing, and some does not show
