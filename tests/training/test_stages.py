"""The stages chain: songs to codec to codes to model, each resumed by running it again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from training import captions, codec, loop, model, polish, score, text, tokens, told
from training.compose import compose


def steps_logged(folder: Path) -> list[int]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line["step"] for line in lines if line.get("done")]


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    folder = tmp_path / "songs"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for seed in (0, 16, 32):  # the first is kept apart
        song = compose(seed, 11.0)
        facts: dict[str, Any] = {name: getattr(song, name) for name in ("seed", "seconds", "style", "bpm")}
        facts |= {"tonic": song.tonic, "mode": song.mode, "captions": ["house, 120 bpm", "sunny"]}
        facts |= {"instruments": song.instruments, "drums": song.has_drums}
        np.save(folder / f"{seed}.npy", rng.integers(-9000, 9000, 11 * codec.RATE, dtype=np.int16))
        (folder / f"{seed}.json").write_text(json.dumps(facts))
    return folder


def test_every_stage_goes_on_where_it_was_stopped(songs: Path, tmp_path: Path) -> None:
    runs = {name: tmp_path / name for name in ("codec", "tokens", "polish", "model")}
    for last in ("2", "3"):
        options = ["--data", str(songs), "--held-out", str(songs), "--out", str(runs["codec"]), "--filters", "4"]
        options += ["--batch", "2", "--warmup", "1"]
        codec.train(codec.parser().parse_args([*options, "--steps", last]))
    assert steps_logged(runs["codec"]) == [1, 2]

    cache, *others = (runs["tokens"] / name for name in ("cache", "scores", "told"))
    for folder in (cache, *others):
        folder.mkdir(parents=True)
    tokens.encode_songs(runs["codec"] / "codec.pt", songs, cache)
    tokens.write_scores(songs, cache, runs["tokens"])
    tokens.write_codebooks(runs["codec"] / "codec.pt", runs["tokens"] / "codebooks.npy")
    tokens.pack(songs, cache, None, runs["tokens"], workers=2)
    codes, scores, inputs, states, entries = tokens.load(runs["tokens"])
    assert codes.shape == (3 * 550, codec.CODEBOOKS)
    np.testing.assert_array_equal(scores[550:1100], score.of_song(compose(16, 11.0), 550))
    np.testing.assert_array_equal(inputs[550:1100], told.of_song(compose(16, 11.0), 550))
    tokenizer, encoder = text.load(None)
    for entry in entries:
        assert len(entry["texts"]) == 2 + captions.PLAIN
        for caption, (first, length) in zip(entry["captions"], entry["texts"], strict=True):
            (alone,) = text.encode([caption], tokenizer, encoder)
            np.testing.assert_allclose(states[first : first + length], alone, atol=0.02)

    for last in ("2", "3"):
        options = ["--codec", str(runs["codec"] / "codec.pt"), "--data", str(songs), "--out", str(runs["polish"])]
        options += ["--batch", "2", "--alone", "1"]
        polish.train(polish.parser().parse_args([*options, "--held-out", str(songs), "--steps", last]))
    assert steps_logged(runs["polish"]) == [1, 2]
    before, after = (loop.load(runs[name] / "codec.pt")["model"] for name in ("codec", "polish"))
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed and all(name.startswith("decoder.") for name in changed), "codes must stay what they are"

    for last in ("1", "2"):
        options = ["--tokens", str(runs["tokens"]), "--out", str(runs["model"]), "--width", "64", "--layers", "1"]
        options += ["--columns", str(model.LENGTH), "--helpers", last]
        model.train(model.parser().parse_args([*options, "--steps", last]))
    assert steps_logged(runs["model"]) == [0, 1]
    assert loop.load(runs["model"] / "model.pt")["step"] == 2


def test_a_crashed_save_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.pt"
    loop.save(path, {"step": 1})

    def crash(state: object, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", crash)
    with pytest.raises(OSError, match="no space"):
        loop.save(path, {"step": 2})
    assert loop.load(path) == {"step": 1}


def test_the_text_encoder_goes_on_where_it_was_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text, "BATCH", 8)
    for last in ("1", "2"):
        text.train(text.parser().parse_args(["--out", str(tmp_path), "--songs", "20", "--steps", last]))
    assert steps_logged(tmp_path) == [0, 1]
    tokenizer, tuned = text.load(tmp_path / "text.pt")
    _, published = text.load(None)
    (after,), (before,) = (text.encode(["house, 120 bpm"], tokenizer, model) for model in (tuned, published))
    assert after.shape == before.shape and not np.array_equal(after, before)
