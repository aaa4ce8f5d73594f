"""A model that follows a score: each column carries what its frame was told, and whoever consumes it again knows it.

The oracle is transformers' own decoder with a hook that adds the projected features to what it embeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from musicgen import MusicGen, Stream, StreamingPolicy
from musicgen import score as scores
from musicgen.score import FEATURES, FIELDS, Fields
from tests.musicgen.oracle import Oracle
from tests.musicgen.test_endless import delayed_columns
from tests.musicgen.tiny import tiny_checkpoint

PROMPT = "slow ambient strings"
POLICIES = {
    "shadow": StreamingPolicy(keep=8, max_position=24),
    "burst": StreamingPolicy(keep=8, max_position=24, policy="burst"),
    "little room": StreamingPolicy(keep=1, max_position=7),
}


def scored(folder: Path, hidden: int = 64, size: float = 0.5) -> Path:
    """A checkpoint with a projection beside it that nobody trained."""
    matrix = np.random.default_rng(11).normal(0, size, (hidden, FEATURES)).astype(np.float16)
    scores.save(folder / scores.FILE, matrix)
    return folder


def written(seed: int) -> scores.Score:
    """A score that says something else of every frame, of some only a part, of some nothing."""

    def ask(number: int) -> Fields | None:
        assert number >= 0
        random = np.random.default_rng((seed, number))
        row = np.array([*random.random(2), random.uniform(50, 180), random.integers(4096), random.integers(12),
                        *random.integers(0, 2, 4), random.random()], np.float32)  # fmt: skip
        row[random.random(len(FIELDS)) < random.choice([0.0, 0.5, 0.95])] = np.nan
        return None if random.random() < 0.1 else row

    return ask


class ScoreOracle(Oracle):
    """transformers' decoder, told of a score by a hook on one of its embeddings."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        table = scores.load(folder, self.model.decoder.config.hidden_size)
        assert table is not None
        self.matrix = torch.from_numpy(table.table)

    @contextmanager
    def told(self, fields: Fields) -> Iterator[None]:
        """The conditional row, the first one, embeds its columns under this score (T, fields)."""
        vectors = torch.from_numpy(scores.features(fields)) @ self.matrix

        def add(module: Any, given: Any, embedded: torch.Tensor) -> torch.Tensor:
            embedded = embedded.clone()
            embedded[0] += vectors
            return embedded

        hook = self.model.decoder.model.decoder.embed_tokens[0].register_forward_hook(add)
        try:
            yield
        finally:
            hook.remove()


class Witness:
    """Writes down what a stream's steps computed, and from where on its lane remembers."""

    def __init__(self, stream: Stream, monkeypatch: pytest.MonkeyPatch) -> None:
        self.logits: dict[int, NDArray[np.float32]] = {}  # of each step, as it was last made
        self.begins: dict[int, int] = {}
        self.fields: dict[int, Fields] = {}
        backend, past = stream.model.backend, stream.past
        step, tell = backend.step, past.tell

        def telling(fields: Fields | None) -> Any:
            self.fields[past.line.steps] = scores.unknown(1)[0] if fields is None else fields
            return tell(fields)

        def stepping(states: Any, *given: Any) -> NDArray[np.float32]:
            logits = step(states, *given)
            self.logits[past.line.steps] = logits[0]
            self.begins[past.line.steps] = past.line.steps - past.state.position
            return logits

        monkeypatch.setattr(past, "tell", telling)
        monkeypatch.setattr(backend, "step", stepping)

    def check(self, oracle: ScoreOracle, model: MusicGen, played: NDArray[np.int64], guidance: float = 3.0) -> None:
        """Every step of every lane computed what transformers does, and drew the likeliest tokens of it."""
        delays = np.array(model.pattern.delays)
        assert len(set(self.begins.values())) > 1
        for begin in set(self.begins.values()):
            steps = [step for step, own in self.begins.items() if own == begin and step <= played.shape[1]]
            if not steps:
                continue
            heard = played[:, begin : max(steps)]
            told = np.stack([self.fields[step] for step in range(begin, begin + heard.shape[1] + 1)])
            with oracle.told(told):
                expected = oracle.logits(PROMPT, delayed_columns(heard, model)).numpy()
            for step in steps:
                own = expected[step - begin]
                np.testing.assert_allclose(self.logits[step], own, atol=2e-4, rtol=2e-4)
                likeliest = (own[1] + guidance * (own[0] - own[1])).argmax(-1)
                for codebook, frame in enumerate(step - delays):
                    if 0 <= frame < played.shape[1]:
                        assert played[codebook, frame] == likeliest[codebook]


def played(stream: Stream, count: int) -> NDArray[np.int64]:
    return np.stack([stream.next_frame() for _ in range(count)], axis=1)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("channels", [1, 2])
def test_every_token_is_transformers_told_of_the_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: int, policy: str
) -> None:
    """Through re-anchors of every kind: a lane that joins late is a fresh stream with the score of its frames."""
    folder = scored(tiny_checkpoint(tmp_path, channels=channels, seed=2))
    model, oracle = MusicGen.load(str(folder), backend="torch"), ScoreOracle(folder)
    stream = model.stream(PROMPT, seed=4, top_k=1, policy=POLICIES[policy])
    stream.set_score(written(1))
    witness = Witness(stream, monkeypatch)
    witness.check(oracle, model, played(stream, 70))
