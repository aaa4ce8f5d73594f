"""Long plays of the engine, as fast as it can be read: it has no clock, so this is what an hour on stage is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from musicgen import MusicGen
from musicgen.backends import obstacle
from streamer import Controls, Engine
from streamer.engine.events import Event
from tests.musicgen.tiny import tiny_checkpoint

RATE, HOP = 8000, 160  # 50 frames a second, as ever
KEEP, LIFE = 97, 300
CHUNK = 100  # frames; prime to what an anchor lasts, so that every position is seen


@pytest.mark.skipif(bool(obstacle("native")), reason="takes minutes without the native backend")
@pytest.mark.parametrize("minutes", [8, pytest.param(60, marks=pytest.mark.heavy)])
def test_an_hour_is_like_its_first_minutes(tmp_path: Path, minutes: int) -> None:
    """Memory, positions, time, anchors and sound; and nothing that the guard would have to answer."""
    folder = tiny_checkpoint(
        tmp_path, layers=1, heads=1, codebooks=2, causal_codec=True, lstm_layers=1, filters=2,
        sampling_rate=RATE, ratios=(8, 5, 4), streaming={"policy": "reanchor", "keep": KEEP, "max_position": LIFE},
    )  # fmt: skip
    model = MusicGen.load(str(folder), backend="native", threads=1)
    assert (model.sample_rate, model.hop) == (RATE, HOP)
    told = list[Event]()
    engine = Engine(model, Controls(seed=1, cfg=1, topk=0), channels=1, chunk_frames=CHUNK, tell=told.append)
    stream: Any = engine.stream
    memory, process, resident = stream.past.state.memory, psutil.Process(), 0
    positions, levels, anchors = set[int](), list[float](), 0
    for second in range(0, minutes * 60, 2):
        before = stream.past.state.position
        sound = engine.read(2 * RATE)
        levels.append(10 * np.log10(np.mean(np.square(sound, dtype=np.float64))))
        positions.add(stream.past.state.position)
        anchors += stream.past.state.position < before
        if second == minutes * 10:
            resident = process.memory_info().rss
    assert process.memory_info().rss - resident < 4 * 2**20
    assert stream.past.state.memory is memory
    # every position that a lane has after its first anchor, and no other
    assert positions == set(range(KEEP, LIFE))
    # no drift: what is made and not read yet is a chunk, and what the limiter looks ahead
    ahead = engine.frames_done * HOP - minutes * 60 * RATE
    assert 0 <= ahead <= (CHUNK + 1) * HOP
    steps = engine.frames_done + 1  # the second codebook waits a step
    assert anchors == (steps - LIFE) // (LIFE - KEEP) + 1
    # 2 s are never quieter or louder than usual
    assert np.ptp(levels[15:]) < 3
    assert abs(np.mean(levels[-30:]) - np.mean(levels[15:45])) < 0.5
    assert told == []
