"""The hour's figures, on sounds whose answers are known, and the whole command on a tiny model."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import hour
from tests.musicgen.tiny import tiny_checkpoint
from training import judge, loop
from training.compose.arrange import STYLES
from training.compose.families import FAMILIES
from training.evaluate.studio import WINDOW

RATE = 32_000


@pytest.mark.parametrize("rate", [RATE, 48_000])
@pytest.mark.parametrize("a_second", [1.0, 4.0, 8.0])
def test_onsets_are_counted(a_second: float, rate: int) -> None:
    random = np.random.default_rng(0)
    sound = 0.001 * random.normal(size=20 * rate)
    for beat in np.arange(0.2, 19.8, 1 / a_second):
        start = round(beat * rate)
        sound[start : start + rate // 10] += 0.3 * random.normal(size=rate // 10) * np.geomspace(1, 1e-3, rate // 10)
    assert hour.onsets(sound.astype(np.float32), rate) == pytest.approx(a_second, rel=0.05)


def test_the_centroid_is_where_the_sound_is() -> None:
    time = np.arange(RATE) / RATE
    sound = (np.sin(2 * np.pi * 1000 * time) + np.sin(2 * np.pi * 3000 * time)).astype(np.float32)
    assert hour.centroid(sound, RATE) == pytest.approx(2000, rel=0.04)
    assert hour.centroid(np.zeros(RATE, np.float32), RATE) == 0


def jury(path: Path) -> Path:
    """A file as training.evaluate leaves it, of listeners that never learnt anything."""
    inputs = len(judge.features(np.zeros(round(WINDOW * RATE), np.float32)))
    networks = {
        "style": judge.Network(inputs, len(STYLES)),
        "instruments": judge.Network(inputs, len(FAMILIES)),
        "key": judge.KeyProfiles(),
    }
    loop.save(path, {"of": "", **{name: network.state_dict() for name, network in networks.items()}})
    return path


def test_a_minute_is_reported_and_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny_checkpoint(
        tmp_path / "tiny", layers=1, heads=1, codebooks=2, vocab=64, lstm_layers=1, filters=2,
        streaming={"policy": "reanchor", "keep": 30, "max_position": 130},
    )  # fmt: skip
    arguments = ["--minutes", "1", "--model", str(folder), "--backend", "torch", "--out", str(tmp_path / "out" / "h")]
    arguments += ["--prompt", "house", "--jury", str(jury(tmp_path / "jury.pt"))]
    monkeypatch.setattr(sys, "argv", ["hour", *arguments])
    hour.main()
    report = json.loads((tmp_path / "out" / "h.json").read_text())
    (minute,) = report["minutes"]
    steps = report["frames"] + 1  # the second codebook waits a step
    assert report["frames"] in range(3000, 3011)
    assert report["anchors"] == (steps - 130) // 100 + 1
    assert report["clicks"]["joins"]["places"] in range(26, 30)
    assert -60 < minute["loudness_lufs"] < 0
    assert 0 < minute["repeated"] < 0.5  # random tokens, 64 of them
    assert minute["style"] in STYLES
    assert 0 <= minute["style_as_asked"] <= 1
    assert hour.styles(np.zeros(RATE, np.float32), RATE, None, []) == {}
    assert (tmp_path / "out" / "h.png").read_bytes().startswith(b"\x89PNG")
