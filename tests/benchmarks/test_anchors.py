"""What is said of anchors, on sounds whose answers are known, and the whole command on a tiny model."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import anchors
from tests.musicgen.tiny import tiny_checkpoint
from training.compose.arrange import STYLES

RATE = 32_000
SIDE = round(anchors.SIDE * RATE)


def groove(beat: float, late: float = 0.0) -> anchors.Audio:
    """Eight seconds of noises on a beat, of which the last four come later by so many seconds."""
    random = np.random.default_rng(0)
    sound = 0.001 * random.normal(size=2 * SIDE)
    for moment in np.arange(0.1, 7.7, beat):
        start = round((moment + (late if moment > anchors.SIDE else 0.0)) * RATE)
        sound[start : start + RATE // 10] += 0.3 * random.normal(size=RATE // 10) * np.geomspace(1, 1e-3, RATE // 10)
    return sound.astype(np.float32)


def test_a_groove_that_goes_on_is_told_from_one_that_stumbles() -> None:
    steady, stumbling = (groove(0.6, late) for late in (0.0, 0.25))
    _, _, goes_on = anchors.likeness(steady[:SIDE], steady[SIDE:])
    _, _, stumbles = anchors.likeness(stumbling[:SIDE], stumbling[SIDE:])
    assert goes_on > 0.7
    assert stumbles < 0.3


def test_another_chord_is_less_alike_than_the_same() -> None:
    time = np.arange(SIDE) / RATE
    first, other = (
        np.sum([np.sin(2 * np.pi * pitch * time) for pitch in pitches], axis=0).astype(np.float32)
        for pitches in ((220.0, 277.2, 329.6), (233.1, 293.7, 349.2))
    )
    again = first[::-1] / 2
    assert anchors.likeness(first, again)[0] > anchors.likeness(first, other)[0] + 0.2
    assert anchors.likeness(first, first)[1] < anchors.likeness(first, other)[1]


def test_the_command_finds_every_anchor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tiny_checkpoint(
        tmp_path,
        sampling_rate=RATE,
        ratios=(8, 5, 4),
        streaming={"policy": "reanchor", "keep": 60, "max_position": 200},
    )
    monkeypatch.setattr(anchors, "STYLES", STYLES[:2])
    monkeypatch.setattr(sys, "argv", ["anchors", "--model", str(folder), "--minutes", "0.25", "20", "60"])
    anchors.main()
    short, long = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert (short["keep"], long["keep"]) == (20, 60)
    # tiny's frames are 5 ms: 3000 of them, the first anchor after 200, the others after 180 and 140
    assert short["at_anchors"]["places"] == 2 * sum(800 <= 200 + 180 * n <= 2200 for n in range(16))
    assert long["at_anchors"]["places"] == 2 * sum(800 <= 200 + 140 * n <= 2200 for n in range(21))
