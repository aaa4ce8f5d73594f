"""At which frame a change of the music is heard, in tokens: each tells of the prompt that it was drawn under."""

from collections.abc import Iterable
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray

import musicgen.stream
from musicgen import MusicGen
from osc.values import Value
from streamer.control.change import Change, Frame
from streamer.engine.core import Core
from streamer.engine.steering import APART

OLD, NEW = "deep house", "jazz piano"


class Stage:
    """An engine whose tokens are 1 where the prompt was the new one as they were drawn, else 0."""

    def __init__(self, model: MusicGen, monkeypatch: pytest.MonkeyPatch, chunk_frames: int = 1) -> None:
        self.core = Core(model, {"prompt": OLD, "guard": False}, chunk_frames=chunk_frames)
        self.steps = 0

        def drawn(logits: NDArray[np.float32], *_: object) -> NDArray[np.int64]:
            self.steps += 1
            stream = cast(Any, self.core.stream)
            return np.full(logits.shape[1], stream.prompt == NEW)

        monkeypatch.setattr(musicgen.stream, "sample", drawn)

    def change(self, values: dict[str, Value], at: float | None = None, over: float = 0.0) -> None:
        self.core.change(Change(values, None if at is None else Frame(at), over=over))

    def play(self, until: int) -> NDArray[np.int64]:
        """The frames up to this one."""
        frames = []
        while self.core.frames_done < until:
            if count := self.core.due():
                self.core.play(count)
                frames.append(self.core.stream.trace.frames)
        return np.concatenate(frames, axis=1)


def switched(frames: NDArray[np.int64], at: int) -> bool:
    """Whether all frames before this one are the old prompt's, and from there on the new one's."""
    return not frames[:, :at].any() and bool(frames[:, at:].all())


@pytest.mark.parametrize("chunk_frames", [1, 4])
@pytest.mark.parametrize("frame", [1, 2, 20])
def test_a_prompt_with_a_moment_is_heard_in_its_frame_and_not_before(
    tiny_model: MusicGen, monkeypatch: pytest.MonkeyPatch, frame: int, chunk_frames: int
) -> None:
    stage = Stage(tiny_model, monkeypatch, chunk_frames)
    stage.change({"prompt": NEW, "temperature": 0.7, "volume": -6.0}, frame)
    assert switched(stage.play(40), frame)


def test_a_prompt_that_comes_now_is_heard_in_the_next_frame(
    tiny_model: MusicGen, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tiny_model, monkeypatch)
    before = stage.play(9)
    stage.change({"prompt": NEW})
    assert switched(np.concatenate([before, stage.play(30)], axis=1), 9)


def costs(stage: Stage, changes: Iterable[tuple[float, dict[str, Value]]], until: int) -> int:
    """The steps that these changes, before these frames, take beyond one a frame."""
    for frame, values in changes:
        stage.change(values, frame)
    start = stage.core.frames_done, stage.steps
    stage.play(until)
    return stage.steps - start[1] - (stage.core.frames_done - start[0])


def test_a_fader_that_is_moved_takes_no_steps_but_for_its_start(
    tiny_model: MusicGen, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(tiny_model, monkeypatch)
    stage.play(5)
    begun = int(tiny_model.pattern.line().delays.max())
    faders: list[tuple[float, dict[str, Value]]] = [(10 + n, {"temperature": 1 + n / 100}) for n in range(0, 60, 3)]
    assert costs(stage, faders, 80) == begun
    prompts: list[tuple[float, dict[str, Value]]] = [(100 + APART * n, {"prompt": (NEW, OLD)[n % 2]}) for n in range(4)]
    assert costs(stage, prompts, 150) == 4 * begun


def test_what_fades_takes_no_step_more(tiny_model: MusicGen, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(tiny_model, monkeypatch)
    stage.play(5)
    stage.change({"prompt": NEW, "temperature": 0.5}, over=0.5)
    assert costs(stage, [], 40) == 0
    assert costs(stage, [(50, {"volume": -3.0}), (60, {"mute": True})], 80) == 0  # of a gain the stream hears nothing
