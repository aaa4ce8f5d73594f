"""The stages chain: songs to codec to codes to model, each resumed by running it again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from training import codec, loop, model, tokens


def steps_logged(folder: Path) -> list[int]:
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [line["step"] for line in lines if line.get("done")]


@pytest.fixture
def songs(tmp_path: Path) -> Path:
    folder = tmp_path / "songs"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for seed in range(3):
        facts: dict[str, Any] = {"seed": seed, "style": "house", "bpm": 120.0, "captions": ["house, 120 bpm", "sunny"]}
        np.save(folder / f"{seed}.npy", rng.integers(-9000, 9000, 11 * codec.RATE, dtype=np.int16))
        (folder / f"{seed}.json").write_text(json.dumps(facts))
    return folder


def test_every_stage_goes_on_where_it_was_stopped(songs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "WARMUP_STEPS", 1)
    monkeypatch.setattr(codec, "BATCH", 2)
    monkeypatch.setattr(model, "COLUMNS", model.LENGTH)
    runs = {name: tmp_path / name for name in ("codec", "tokens", "model")}
    for last in ("2", "3"):
        options = ["--data", str(songs), "--held-out", str(songs), "--out", str(runs["codec"]), "--filters", "4"]
        codec.train(codec.parser().parse_args([*options, "--steps", last]))
    assert steps_logged(runs["codec"]) == [1, 2]

    cache = runs["tokens"] / "cache"
    cache.mkdir(parents=True)
    tokens.encode_songs(runs["codec"] / "codec.pt", songs, cache)
    tokens.pack(songs, cache, runs["tokens"])
    codes, _, entries = tokens.load(runs["tokens"])
    assert codes.shape == (3 * 550, codec.CODEBOOKS)
    assert all(any(named for _, _, named in entry["texts"]) for entry in entries)

    for last in ("1", "2"):
        options = ["--tokens", str(runs["tokens"]), "--out", str(runs["model"]), "--width", "64", "--layers", "1"]
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
