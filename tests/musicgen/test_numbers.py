"""A model that computes no numbers: said in one sentence, to the streams that it happened to, and to no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from musicgen import Ensemble, ModelError, MusicGen, NotANumber, Stream
from streamer import Controls, Engine, UserError
from streamer.engine.events import Collapsed, Event
from streamer.engine.together import read_together


class Poisoned:
    """A backend that gives NaN to some streams at some of their steps, counted from when they are named."""

    def __init__(self, backend: Any, sick: dict[Any, range]) -> None:
        self._backend = backend
        self._sick = sick
        self._steps: Counter[Any] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)

    def step(self, states: Sequence[Any], *given: Any) -> NDArray[np.float32]:
        logits: NDArray[np.float32] = self._backend.step(states, *given)
        for state, own in zip(states, logits, strict=True):
            if state in self._sick:
                self._steps[state] += 1
                own[0, 0, 3] += np.nan if self._steps[state] in self._sick[state] else 0
        return logits


@pytest.fixture
def poison(tiny_model: MusicGen, monkeypatch: pytest.MonkeyPatch) -> dict[Any, range]:
    """Which pasts are given NaN, and where."""
    sick: dict[Any, range] = {}
    monkeypatch.setattr(tiny_model, "backend", Poisoned(tiny_model.backend, sick))
    return sick


def test_a_stream_says_in_one_sentence_that_its_model_computes_no_numbers(
    tiny_model: MusicGen, poison: dict[Any, range]
) -> None:
    stream = tiny_model.stream("deep house", seed=1)
    expected = stream.next_chunk(20)
    poison[stream.past.state] = range(10, 20)
    stream.reset(1)
    for _ in range(2):  # for as long as it lasts
        with pytest.raises(NotANumber, match=r"no numbers \(NaN or infinity\): .*\.$") as caught:
            stream.next_chunk(20)
        assert caught.value.streams == [stream]
    assert isinstance(caught.value, ModelError)
    poison.clear()
    stream.reset(1)
    np.testing.assert_array_equal(stream.next_chunk(20), expected)


def test_neighbours_in_the_batch_lose_nothing(tiny_model: MusicGen, poison: dict[Any, range]) -> None:
    """Not even one that was older, and had its frame already when it happened."""

    def streams() -> list[Stream]:
        made = [tiny_model.stream("deep house", seed=seed) for seed in (1, 2, 3)]
        made[2].next_chunk(3)
        return made

    _, second, third = streams()
    expected = [[stream.next_chunk(6) for _ in range(3)] for stream in (second, third)]
    sick, second, third = streams()
    poison[sick.past.state] = range(2, 3)
    with pytest.raises(NotANumber) as caught:
        Ensemble([sick, second, third]).next_chunks(6)
    assert caught.value.streams == [sick]
    heard = [Ensemble([second, third]).next_chunks(6) for _ in range(3)]
    for own, wanted in zip(zip(*heard, strict=True), expected, strict=True):
        np.testing.assert_allclose(np.concatenate(own), np.concatenate(wanted), atol=1e-5)


def test_one_of_several_engines_is_brought_back_while_the_other_plays_on(
    tiny_model: MusicGen, poison: dict[Any, range]
) -> None:
    alone = Engine(tiny_model, Controls(seed=2), channels=1).read(64_000)
    told = list[Event]()
    engines = [Engine(tiny_model, Controls(seed=seed), channels=1, tell=told.append) for seed in (1, 2)]
    poison[_past(engines[0])] = range(90, 91)
    brought_back, heard = read_together(engines, 64_000)
    np.testing.assert_allclose(heard, alone, atol=1e-5)
    (collapsed,) = told
    assert isinstance(collapsed, Collapsed)
    assert "no numbers" in collapsed.sentence
    assert np.abs(brought_back[-3200:]).max() > 0.01


def test_an_engine_ends_with_the_sentence_where_going_back_does_not_help(
    tiny_model: MusicGen, poison: dict[Any, range]
) -> None:
    told = list[Event]()
    engine = Engine(tiny_model, Controls(seed=1), channels=1, tell=told.append)
    poison[_past(engine)] = range(40, 10_000)
    with pytest.raises(UserError, match="no numbers"):
        engine.read(10 * 32_000)
    assert len(told) == 1


def _past(engine: Engine) -> Any:
    stream: Any = engine.stream
    return stream.past.state
