"""A model that follows a score: each column carries what its frame was told, and whoever consumes it again knows it.

The oracle is transformers' own decoder with a hook that adds the projected features to what it embeds.
"""

from __future__ import annotations

import json
import shutil
import struct
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import save_file

from musicgen import Ensemble, ModelError, MusicGen, Stream, StreamingPolicy, StreamState
from musicgen import score as scores
from musicgen.backends import obstacle
from musicgen.load.checkpoint import load_checkpoint
from musicgen.load.with_transformers import convert
from musicgen.past import State
from musicgen.score import FEATURES, FIELDS, Fields, ScoreEmbedding
from tests.musicgen.load.test_lora import save_adapter
from tests.musicgen.oracle import Oracle
from tests.musicgen.test_endless import delayed_columns
from tests.musicgen.tiny import tiny_checkpoint

BACKENDS = ("torch", "native", "onnx")
PROMPT = "slow ambient strings"
KINDS: dict[str, dict[str, Any]] = {"mono": {}, "stereo": {"channels": 2}, "melody": {"melody": True}}
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
    """Writes down what every step of every stream computed, and from which of its steps on the lane remembers."""

    def __init__(self, model: MusicGen, monkeypatch: pytest.MonkeyPatch) -> None:
        self.computed: dict[State, dict[int, tuple[int, NDArray[np.float32]]]] = defaultdict(dict)
        self.model, self.streams = model, list[Stream]()
        step = model.backend.step

        def stepping(states: list[State], *given: Any) -> NDArray[np.float32]:
            logits = step(states, *given)
            for stream in self.streams:
                if stream.past.state in states:
                    steps, own = stream.past.line.steps, logits[states.index(stream.past.state)]
                    self.computed[stream.past.state][steps] = steps - stream.past.state.frames, own
            return logits

        monkeypatch.setattr(model.backend, "step", stepping)

    def check(self, oracle: ScoreOracle, stream: Stream, frames: NDArray[np.int64], told: Fields) -> int:
        """All steps since frame 0 computed what transformers does of these frames; how many lanes there were."""
        lanes: dict[int, list[int]] = defaultdict(list)
        for step, (begin, _) in self.computed[stream.past.state].items():
            if step < frames.shape[1]:
                lanes[begin].append(step)
        for begin, steps in lanes.items():
            with oracle.told(told[begin : max(steps) + 1]):
                columns = delayed_columns(frames[:, begin : max(steps)], self.model)
                expected = oracle.logits(PROMPT, columns).numpy()
            found = np.stack([self.computed[stream.past.state][step][1] for step in steps])
            np.testing.assert_allclose(found, expected[np.array(steps) - begin], atol=2e-4, rtol=2e-4)
        return len(lanes)


def played(stream: Stream, count: int) -> NDArray[np.int64]:
    return np.stack([stream.next_frame() for _ in range(count)], axis=1)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_token_is_transformers_told_of_the_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, policy: str
) -> None:
    """Through re-anchors of every kind: a lane that joins late is a fresh stream with the score of its frames."""
    if (kind, policy) == ("melody", "burst"):
        pytest.skip("a melody model has no burst")
    folder = scored(tiny_checkpoint(tmp_path, seed=2, **KINDS[kind]))
    model, oracle = MusicGen.load(str(folder), backend="torch"), ScoreOracle(folder)
    stream, ask = model.stream(PROMPT, seed=4, top_k=1, guidance=3.0, policy=POLICIES[policy]), written(1)
    stream.set_score(ask)
    witness = Witness(model, monkeypatch)
    witness.streams.append(stream)
    frames = played(stream, 70)
    told = np.stack([scores.unknown(1)[0] if (row := ask(number)) is None else row for number in range(70)])
    assert witness.check(oracle, stream, frames, told) > 2
    with oracle.told(told[: POLICIES[policy].max_position]):  # the first lane's tokens, by transformers' own logits
        columns = delayed_columns(frames[:, : POLICIES[policy].max_position - 1], model)
        logits = oracle.logits(PROMPT, columns).numpy()
    likeliest = (logits[:, 1] + 3.0 * (logits[:, 0] - logits[:, 1])).argmax(-1)
    for codebook, delay in enumerate(model.pattern.delays):
        np.testing.assert_array_equal(
            frames[codebook, : len(likeliest) - delay], likeliest[delay:, codebook], strict=False
        )


class Studio:
    """A scored model on each backend, and its oracle."""

    def __init__(self, folder: Path) -> None:
        self.plain = tiny_checkpoint(folder / "plain", heads=1, seed=2)
        self.folder = scored(Path(shutil.copytree(self.plain, folder / "scored")))
        self.oracle = ScoreOracle(self.folder)
        self.models = {name: self.load(name, self.folder) for name in BACKENDS if not obstacle(name)}

    @staticmethod
    def load(backend: str, folder: Path) -> MusicGen:
        return MusicGen.load(str(folder), backend=backend, threads=1)


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Studio:
    return Studio(tmp_path_factory.mktemp("studio"))


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    if reason := obstacle(request.param):
        pytest.skip(reason)
    return str(request.param)


COUNTS = st.integers(1, 30)
MOVES = st.one_of(
    st.tuples(st.just("play"), COUNTS),
    st.tuples(st.just("ask"), st.integers(0, 3)),
    *(st.tuples(st.just(move), COUNTS) for move in ("redraw", "hand over", "reanchor", "continue", "turn")),
)


@example("little room", [("play", 6), ("redraw", 1), ("hand over", 1)])
@example("little room", [("play", 6), ("hand over", 1), ("redraw", 1), ("hand over", 1)])
@settings(max_examples=12)
@given(st.sampled_from(sorted(POLICIES)), st.lists(MOVES, min_size=3, max_size=9))
def test_whatever_happens_a_column_keeps_what_its_frame_was_told(
    studio: Studio, policy: str, moves: list[tuple[str, int]]
) -> None:
    """Re-anchored, redrawn, handed to a successor as bytes, or gone on from: what is computed is what transformers
    computes of these frames under the score that each of them was given with."""
    model = studio.models["torch"]
    with pytest.MonkeyPatch.context() as patch:
        witness, frames, told = Witness(model, patch), np.zeros((4, 0), np.int64), scores.unknown(0)
        stream, other = (model.stream(PROMPT, seed=4, top_k=3, policy=POLICIES[policy]) for _ in range(2))
        witness.streams += [stream, other]
        for move, number in [("ask", 1), *moves, ("play", 30)]:
            if move == "play":
                stream.next_chunk(number)
                frames = np.concatenate([frames, stream.trace.frames], axis=1)
                told = np.concatenate([told, stream.trace.fields])
            elif move == "ask":
                stream.set_score(written(number) if number else None)  # 0: nothing more from here on
            elif move == "redraw":
                stream.redraw()
            else:
                witness.check(studio.oracle, stream, frames, told)
                witness.computed.clear()
                other.set_score(stream.score)
                if move == "hand over":
                    other.restore(StreamState.from_bytes(stream.state().to_bytes()))
                    stream, other = other, stream
                    continue
                if move == "continue" or not frames.size:
                    frames = np.random.default_rng(number).integers(0, 64, (4, number))
                    told = scores.unknown(number) if number % 3 else scores.unknown(number) * 0 + 1
                frames, told = (
                    frames[:, -min(number, stream.memory_frames) :],
                    told[-min(number, stream.memory_frames) :],
                )
                if move == "reanchor":
                    stream.reanchor(frames, 7, told)
                elif move == "continue":
                    stream.continue_from(frames, 7, told if number % 3 == 0 else None)
                else:
                    assert len(list(other.approach(frames, 7, 3, 2, told))) == 3
                    stream.trade(other, None)
        assert witness.check(studio.oracle, stream, frames, told)


def test_a_score_is_asked_by_the_number_of_the_frame_that_is_given(studio: Studio) -> None:
    """Whether the past was played or given, and wherever the count of its columns begins."""
    model, asked = studio.models["torch"], list[int]()
    stream, spare = (model.stream(PROMPT, policy=StreamingPolicy(8, 24)) for _ in range(2))
    for one in (stream, spare):
        one.set_score(lambda number: asked.append(number))
    played(stream, 2)
    assert asked == [0, 1, 2, 3, 4]  # three steps ahead of the frame that is whole
    stream.redraw()
    played(stream, 1)
    assert asked[5:] == [2, 3, 4, 5]
    stream.reanchor(np.zeros((4, 5), np.int64), 1)
    assert asked[9:] == [3, 4, 5]
    spare.restore(stream.state())
    played(spare, 30)
    assert asked[12:] == list(range(6, 36))
    spare.continue_from(np.zeros((4, 40), np.int64), 1)
    played(spare, 1)
    assert asked[42:] == [0, 1, 2, 3]


def test_without_a_score_the_tokens_are_those_of_a_model_without_one(studio: Studio, backend: str) -> None:
    """To the bit, also where a score is asked and knows nothing."""
    streams = [
        model.stream(PROMPT, seed=3, policy=POLICIES["shadow"])
        for model in (studio.load(backend, studio.plain), studio.models[backend], studio.models[backend])
    ]
    streams[2].set_score(lambda number: None if number % 2 else scores.unknown(1)[0])
    expected, *found = (played(stream, 60) for stream in streams)
    for one in found:
        np.testing.assert_array_equal(one, expected)


def test_neighbours_in_a_batch_follow_their_own_scores(studio: Studio, backend: str) -> None:
    model = studio.models[backend]

    def streams() -> list[Stream]:
        made = [model.stream(PROMPT, seed=3, top_k=1, policy=POLICIES["shadow"]) for _ in range(3)]
        made[0].set_score(written(1))
        made[2].set_score(written(2))
        return made

    together = Ensemble(streams())
    found = np.stack([together.next_frames() for _ in range(40)], axis=2)
    alone = [played(stream, 40) for stream in streams()]
    assert not np.array_equal(alone[0], alone[1]) and not np.array_equal(alone[0], alone[2])
    for one, other in zip(found, alone, strict=True):
        np.testing.assert_array_equal(one, other)


def test_in_the_native_backend_what_is_consumed_anew_is_the_same_to_the_bit(studio: Studio) -> None:
    if "native" not in studio.models:
        pytest.skip(obstacle("native"))
    shadow, burst = (
        studio.models["native"].stream(PROMPT, seed=3, policy=POLICIES[name]) for name in ("shadow", "burst")
    )
    ask = written(1)

    def no_bars(number: int) -> Fields | None:
        """A shadow waits for the bar, a burst does not."""
        row = ask(number)
        if row is not None:
            row[FIELDS.index("bar")] = np.nan
        return row

    for stream in (shadow, burst):
        stream.set_score(no_bars)
    np.testing.assert_array_equal(played(burst, 80), played(shadow, 80))


def test_an_anchor_takes_over_where_a_bar_begins(studio: Studio, backend: str) -> None:
    """If frames are told where the bar is, and one begins in time; as ever else."""
    policy = StreamingPolicy(keep=4, max_position=40)  # a shadow starts 10 steps earlier where bars are told

    def anchors(bar_of: Callable[[int], float]) -> list[int]:
        """The frames whose first codebook a lane draws that has just taken over."""
        stream = studio.models[backend].stream(PROMPT, seed=3, policy=policy)
        rows = scores.unknown(200)
        rows[:, FIELDS.index("bar")] = [bar_of(number) for number in range(200)]
        stream.set_score(lambda number: rows[number])
        found, position = [], 0
        for _ in range(140):
            stream.next_frame()
            if stream.position < position:
                found.append(stream.frames_begun)
            position = stream.position
        return found

    assert anchors(lambda number: number / 7 % 1) == [35, 56, 84, 112, 140]
    assert anchors(lambda number: float("nan")) == [40, 76, 112]
    assert anchors(lambda number: number / 1000) == [40, 66, 92, 118]


def test_what_a_score_raises_the_next_frame_raises_and_nothing_has_moved(studio: Studio) -> None:
    model = studio.models["torch"]
    stream, same = (model.stream(PROMPT, seed=3) for _ in range(2))
    played(stream, 5)
    stream.set_score(lambda number: 1 // 0)  # type: ignore[arg-type,return-value]
    with pytest.raises(ZeroDivisionError):
        stream.next_frame()
    stream.set_score(None)
    np.testing.assert_array_equal(played(stream, 5), played(same, 10)[:, 5:])


def test_a_state_without_a_score_is_read(studio: Studio) -> None:
    """As an engine of an older version has left it."""
    stream, spare = (studio.models["torch"].stream(PROMPT, seed=3, top_k=1) for _ in range(2))
    played(stream, 9)
    data = stream.state().to_bytes()
    size = struct.unpack_from("<I", data)[0]
    header = json.loads(data[4 : 4 + size])
    assert header.pop("fields") == []
    head = json.dumps(header).encode()
    spare.restore(StreamState.from_bytes(struct.pack("<I", len(head)) + head + data[4 + size :]))
    np.testing.assert_array_equal(played(spare, 9), played(stream, 9))


def test_a_model_without_the_file_refuses_a_score(studio: Studio) -> None:
    model = studio.load("torch", studio.plain)
    assert not model.follows_score
    assert studio.models["torch"].follows_score
    stream = model.stream(PROMPT)
    stream.set_score(None)
    with pytest.raises(ModelError, match="follows no score"):
        stream.set_score(written(1))


def test_a_model_that_is_converted_still_follows_it(studio: Studio, tmp_path: Path) -> None:
    convert(str(studio.folder), tmp_path / "saved")
    assert MusicGen.load(str(tmp_path / "saved"), backend="torch").follows_score


def test_an_adapter_follows_its_base_models_score_or_its_own(tmp_path: Path) -> None:
    base = scored(tiny_checkpoint(tmp_path / "base"))
    save_adapter(base, tmp_path / "adapter", r=2, lora_alpha=4, target_modules=["q_proj"])
    assert MusicGen.load(str(tmp_path / "adapter"), backend="torch").follows_score
    scores.save(tmp_path / "adapter" / scores.FILE, np.ones((64, FEATURES)))
    own = load_checkpoint(str(tmp_path / "adapter")).score
    assert own is not None
    np.testing.assert_array_equal(own.table, 1)


def test_a_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    matrix = np.random.default_rng(0).normal(size=(32, FEATURES)).astype(np.float32)
    scores.save(tmp_path / scores.FILE, matrix)
    loaded = scores.load(tmp_path, 32)
    assert loaded is not None
    np.testing.assert_allclose(loaded.table, matrix.T, atol=2e-3)
    assert (tmp_path / scores.FILE).stat().st_size < 32 * FEATURES * 2 + 400
    assert scores.load(tmp_path / "elsewhere", 32) is None


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda file: file.update(version="0"), "other score inputs"),
        (lambda file: file.update(fields="beat,bar"), "other score inputs"),
        (lambda file: file.update(about={}), "other score inputs"),
        (lambda file: file.update(weight=np.zeros((32, 63), np.float16)), r"\(32, 64\)"),
        (lambda file: file.update(weight=np.zeros((31, 64), np.float16)), r"\(32, 64\)"),
        (lambda file: file.update(weight=np.zeros((32, 64), np.int16)), "I16"),
        (lambda file: file.update(weight=np.full((32, 64), np.nan, np.float32)), "no numbers"),
        (lambda file: file.update(name="score.bias"), "holds no score.weight"),
        (lambda file: file.update(cut=40), "cannot be read"),
        (lambda file: file.update(cut=0), "cannot be read"),
        (lambda file: file.update(raw=b"version https://git-lfs.github.com/spec/v1\noid"), "git lfs pull"),
    ],
)
def test_a_file_of_another_make_is_refused_with_what_to_do(
    tmp_path: Path, change: Callable[[dict[str, Any]], None], reason: str
) -> None:
    file: dict[str, Any] = {"version": scores.VERSION, "fields": ",".join(FIELDS), "name": scores.WEIGHT}
    file["weight"] = np.zeros((32, FEATURES), np.float32)
    change(file)
    about = file.get("about", {"version": file["version"], "fields": file["fields"]})
    path = tmp_path / scores.FILE
    save_file({file["name"]: file["weight"]}, path, about)
    data = path.read_bytes()
    path.write_bytes(file.get("raw", data[: file.get("cut", len(data))]))
    with pytest.raises(ModelError, match=reason) as refusal:
        scores.load(tmp_path, 32)
    assert str(path) in str(refusal.value)


NUMBERS = st.one_of(st.floats(width=32), st.floats(0, 1, width=32), st.integers(0, 4095).map(float))


@given(st.lists(st.lists(NUMBERS, min_size=10, max_size=10), min_size=1, max_size=5), st.booleans())
def test_no_score_makes_anything_but_numbers(rows: list[list[float]], native: bool) -> None:
    """What lies outside of a field's range counts as unknown, in a step too, with the native library and without; a row
    alone is to the bit what it is among others."""
    fields = np.array(rows, np.float32)
    taken = scores.features(fields)
    assert np.isfinite(taken).all()
    table = np.random.default_rng(0).normal(size=(FEATURES, 64)).astype(np.float32)
    embedding = ScoreEmbedding(table, native=native)
    for own, expected in zip(fields, taken @ embedding.table, strict=True):
        vector = embedding.vector(own)
        assert (vector is None) == (not scores.features(own[None]).any())
        np.testing.assert_allclose(np.zeros(64) if vector is None else vector, expected, atol=1e-4, rtol=1e-5)
    embedded = np.ones((len(fields), 64), np.float32)
    embedding.add(embedded, fields)
    for own, found in zip(fields, embedded, strict=True):
        vector = embedding.vector(own)
        np.testing.assert_array_equal(found, 1 if vector is None else np.float32(1) + vector)
