"""A source for whole instruments: the engine itself, on the model that plays sines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from osc.values import Value
from streamer.engine.core import Core
from streamer.process.job import Job, Tell
from tests.streamer.sine import SineModel


def job(rate: int = 8000) -> Job:
    """The job of humming."""
    return Job("tests.streamer.humming:hum", rate, 2, imports=("streamer.engine.core", "tests.streamer.sine"))


def hum(tell: Tell, values: Mapping[str, Value], rate: int, channels: int) -> tuple[Core, dict[str, Any]]:
    """The factory."""
    core = Core(SineModel(sample_rate=8000), values, sample_rate=rate, channels=channels, tell=tell)
    return core, {"model": "sine", "licence": "MIT", "defaults": {}}
