"""A source that counts its samples, so that a lost or repeated one shows; for tests of everything after the engine."""

from __future__ import annotations

import logging
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osc.tree import Value
from streamer.control.controls import Controls
from streamer.errors import UserError
from streamer.process.worker import Batch, Job

NAME = "tests.streamer.counter:count"
ENDLESS = "a melody that takes for ever to read"
TOPK = 123  # the default of a model that counts

log = logging.getLogger("streamer.engine.engine")


def job(rate: int, channels: int = 2, **arguments: Value) -> Job:
    """The job of counting."""
    return Job(NAME, rate, channels, arguments, ("numpy",))


def count(
    values: dict[str, Value], rate: int, channels: int, sine: bool = False, problem: str = ""
) -> tuple[Counter, dict[str, Any]]:
    """The factory."""
    if problem:
        raise RuntimeError(problem)
    return Counter(Controls(**values), rate, channels, sine), {
        "model": "counter",
        "imports": ["tests.streamer.marker"],
        "licence": "MIT",
        "defaults": {"topk": TOPK},
    }


class Counter:
    """Channel 0 is 1, 2, 3 ...; channel 1 the seed as it is now (or a sine)."""

    def __init__(self, controls: Controls, rate: int, channels: int, sine: bool) -> None:
        self.controls = controls
        self._rate = rate
        self._channels = channels
        self._sine = sine
        self._done = 0
        self._prompt = ""

    def prepare(self, batch: Batch) -> None:
        if ("prompt", "unspeakable") in batch:
            raise ValueError("no such word")
        if ("prompt", "warn") in batch:
            log.warning("as asked: %s", "a warning")
        while ("melody", ENDLESS) in batch:
            time.sleep(1)

    def collapses(self) -> list[str]:
        prompt, self._prompt = self._prompt, str(self.controls.get("prompt"))
        return ["At 0:00: it fell apart."] if self._prompt == "collapse" != prompt else []

    def read(self, samples: int) -> NDArray[np.float32]:
        prompt = self.controls.get("prompt")
        if prompt == "end":
            raise UserError("it ends here, as asked")
        if prompt == "crash":
            raise RuntimeError("crashed as asked")
        while prompt == "stall":
            time.sleep(0.01)
        numbers = np.arange(self._done + 1, self._done + samples + 1)
        self._done += samples
        block = np.full((samples, self._channels), self.controls.get("seed"), np.float32)
        if self._sine:
            block[:, -1] = np.sin(2 * np.pi * 440 / self._rate * numbers)
        block[:, 0] = numbers
        return block
