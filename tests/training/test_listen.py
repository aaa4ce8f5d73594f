"""The encoder can be fitted anew, and the one that is shipped hears what its decoder plays."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import EncodecModel

from musicgen import MusicGen
from training import codec, export, listen, loop, unpack
from training.compose import compose
from training.losses import spectral_losses
from training.render import HELD_OUT, render

NANO = Path(unpack.__file__).parent.parent / "musicgen/models/nano"


def test_only_the_encoder_learns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listen, "BATCH", 2)
    songs, rng = tmp_path / "songs", np.random.default_rng(0)
    songs.mkdir()
    np.save(songs / "0.npy", rng.integers(-9000, 9000, 13 * codec.RATE, dtype=np.int16))
    model = EncodecModel(codec.codec_config(4))
    for book in codec.codebooks(model):
        book.embed.normal_()
    codec.checkpoint(tmp_path / "codec.pt", model, [], 0, 0.0)
    played = rng.integers(codec.CODES, size=(2, codec.CODEBOOKS, 80))
    options = ["--codec", str(tmp_path / "codec.pt"), "--data", str(songs), "--held-out", str(songs)]
    for last in ("1", "2"):
        listen.train(listen.parser().parse_args([*options, "--out", str(tmp_path), "--steps", last]), played)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line.get("done")] == [0, 1]
    after = loop.load(tmp_path / "codec.pt")["model"]
    changed = {name for name, value in model.state_dict().items() if not torch.equal(value, after[name])}
    assert changed and all(name.startswith("encoder.") for name in changed)


def test_what_was_shipped_can_be_unpacked_and_packed_again(tmp_path: Path) -> None:
    unpack.unpack(NANO, tmp_path)
    audio, words, model = (tmp_path / name for name in ("codec.pt", "text.pt", "model.pt"))
    export.export(audio, words, model, tmp_path / "no metrics", tmp_path / "nano")
    for shard in export.SHARDS:
        assert (tmp_path / "nano" / shard).read_bytes() == (NANO / shard).read_bytes()


def test_a_song_keeps_its_sound_through_nanos_codec() -> None:
    sound = render(compose(HELD_OUT + 4, 10.0))
    nano = MusicGen.load("nano", threads=1)
    heard = nano.stream(seed=1).continue_from(nano.encode(sound[:, None]), 1)[:, 0]
    output, original = (torch.from_numpy(x[: len(heard)])[None] for x in (heard, sound))
    # Opus at three times the rate stands at 1.2; an encoder that does not fit its decoder at 1.7.
    assert float(spectral_losses(output, original, codec.RATE)["mel"]) < 0.8
