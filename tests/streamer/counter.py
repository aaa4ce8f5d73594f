"""A source that counts its samples, so that a lost or repeated one shows; for tests of everything after the engine."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from osc.values import Value
from streamer.control.change import Change, Frame
from streamer.control.table import TABLE
from streamer.engine.events import Applied, Collapsed
from streamer.errors import UserError
from streamer.process.events import Noted, Report
from streamer.process.job import Job, Tell

NAME = "tests.streamer.counter:count"
ENDLESS = "a melody that takes for ever to read"
TOPK = 123  # the default of a model that counts
FRAME_RATE = 50


def job(rate: int, channels: int = 2, *, loads: bool = False, **arguments: Value) -> Job:
    """The job of counting; with something to load it can be spared, and a successor counts on."""
    return Job(NAME, rate, channels, arguments, ("numpy",), loader="tests.streamer.counter:load" if loads else "")


def load(spare: bool = True, broken: str = "", threaded: bool = False, stuck: bool = False, **_: Value) -> bool:
    """The loader: whether a spare may load as well. A process with threads of the model's own is never forked."""
    if threaded:
        threading.Thread(target=threading.Event().wait, daemon=True).start()
    while stuck:
        time.sleep(1)
    if broken and Path(broken).exists():
        raise RuntimeError("cannot be loaded again")
    Path(broken or os.devnull).write_text("loaded once")
    return spare


def count(
    tell: Tell,
    values: Mapping[str, Value],
    rate: int,
    channels: int,
    sine: bool = False,
    problem: str = "",
    loaded: bool = False,
    state: bytes = b"",
    **_: Value,
) -> tuple[Counter, dict[str, Any]]:
    """The factory."""
    if problem:
        raise RuntimeError(problem)
    return Counter(tell, values, rate, channels, sine, int(state or b"0")), {
        "spare": loaded,
        "model": "counter",
        "imports": ["tests.streamer.marker"],
        "licence": "MIT",
        "defaults": {"topk": TOPK},
    }


class Counter:
    """Channel 0 is 1, 2, 3 ...; channel 1 the seed as it is now (or a sine). Changes act on their samples."""

    def __init__(
        self, tell: Tell, values: Mapping[str, Value], rate: int, channels: int, sine: bool, done: int
    ) -> None:
        self.values: dict[str, Value] = {name: parameter.default for name, parameter in TABLE.items()}
        self.values |= {"topk": TOPK} | dict(values)
        self._tell = tell
        self._rate = rate
        self._channels = channels
        self._sine = sine
        self._done = self._began = done
        self._changes: list[Change] = []
        self._encoded: list[str] = []

    @property
    def pulse(self) -> tuple[float, float]:
        return 120.0, self._done / self._rate * 2

    @property
    def frontier(self) -> int:
        return self._done - self._began

    def give_time(self, seconds: float) -> None:
        pass

    def state(self) -> bytes:
        return b"none" if self.values["prompt"] == "unspoken" else str(self._done).encode()

    def change(self, change: Change) -> None:
        self._changes.append(change)

    def stands(self, names: Iterable[str]) -> dict[str, Value]:
        ahead = dict(self.values)
        for change in self._changes:
            ahead |= change.values
        return {name: ahead[name] for name in names if name in self.values}

    def frame_at(self, sample: float, values: Mapping[str, Value]) -> float:
        return sample / self._rate * FRAME_RATE

    def prepare(self, values: Mapping[str, Value], over: float = 0.0) -> list[Noted]:
        prompt = str(values.get("prompt", ""))
        if prompt == "unspeakable":
            raise ValueError("no such word")
        if prompt == "how many?":
            raise ValueError(f"{len(self._encoded)} prompts were encoded")
        if prompt == "warn":
            self._tell(Report("as asked: a warning"))
        if prompt == "long":
            return [Noted("prompt", "as asked: a word on it")]
        if prompt.startswith("slow"):
            time.sleep(0.2)
        self._encoded.append(prompt)
        while values.get("melody") == ENDLESS:
            time.sleep(1)
        return []

    def read(self, samples: int) -> NDArray[np.float32]:
        block = np.concatenate([self._make(part) for part in self._parts(samples)])
        if self._sine:
            block[:, -1] = np.sin(2 * np.pi * 440 / self._rate * block[:, 0].astype(np.float64))
        return block

    def _parts(self, samples: int) -> Iterable[int]:
        """The lengths between changes, which are applied before each."""
        end = self._done + samples
        while True:
            changes, self._changes = self._changes, []
            for change in changes:
                if self._sample(change) > self._done:
                    self._changes.append(change)
                else:
                    self._apply(change)
            yield min([end, *map(self._sample, self._changes)]) - self._done
            if self._done >= end:
                return

    def _sample(self, change: Change) -> int:
        return round(change.at.number / FRAME_RATE * self._rate) if isinstance(change.at, Frame) else 0

    def _apply(self, change: Change) -> None:
        late = max(0.0, (self._done - self._sample(change)) / self._rate) if change.at else 0.0
        before = self.values["prompt"]
        self.values |= {name: value for name, value in change.values.items() if name in self.values}
        frame = self._done / self._rate * FRAME_RATE
        self._tell(Applied(frame, change.values, change.at, change.origin if change.at else None, late))
        if self.values["prompt"] == "collapse" != before:
            self._tell(Collapsed(0, "At 0:00: it fell apart."))

    def _make(self, samples: int) -> NDArray[np.float32]:
        prompt = self.values["prompt"]
        if prompt == "end":
            raise UserError("it ends here, as asked")
        if prompt == "crash":
            raise RuntimeError("crashed as asked")
        while prompt == "stall":
            time.sleep(0.01)
        numbers = np.arange(self._done + 1, self._done + samples + 1)
        self._done += samples
        block = np.full((samples, self._channels), self.values["seed"], np.float32)
        block[:, 0] = numbers
        return block
