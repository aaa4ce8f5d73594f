"""The exported folder is one that transformers and the streamer load unmodified, and the same bytes each time."""

import json
from pathlib import Path
from typing import Any, cast

import pytest
import torch

import musicgen  # noqa: F401 (lets transformers import torchaudio, so it comes first)

# isort: split
from safetensors import safe_open
from transformers import AutoTokenizer, EncodecModel, MusicgenForConditionalGeneration

from musicgen import MusicGen, score
from training import codec, export, model, text, unpack


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("checkpoints")
    audio = EncodecModel(codec.codec_config(4))
    for book in codec.codebooks(audio):
        book.embed.normal_()
    codec.checkpoint(folder / "codec.pt", audio, [], 1, 0.0)
    model.checkpoint(folder / "model.pt", model.Nano(model.decoder_config(64, 1)), [], 1, 0.0)
    return folder / "codec.pt", folder / "model.pt"


@pytest.fixture(scope="module")
def exported(checkpoints: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("nano")
    export.export(checkpoints[0], None, checkpoints[1], Path("none"), out)
    return out


def test_transformers_loads_every_weight(exported: Path, checkpoints: tuple[Path, Path]) -> None:
    whole, report = cast(Any, MusicgenForConditionalGeneration).from_pretrained(
        exported, dtype=torch.float32, output_loading_info=True
    )
    assert not any(report.values())
    trained = model.load_nano(checkpoints[1])
    for name, weight in trained.state_dict().items():
        if name.startswith("score."):
            continue  # what transformers does not know lies in a file of its own
        torch.testing.assert_close(whole.state_dict()[name], weight, atol=2e-3, rtol=2e-3)
    codes = torch.randint(codec.CODES, (1, codec.CODEBOOKS, 10))
    ours = codec.decode(codec.load_codec(checkpoints[0]), codes)
    theirs = whole.audio_encoder.decode(codes[None], [None]).audio_values[:, 0]
    torch.testing.assert_close(theirs, ours, atol=5e-3, rtol=5e-2)


def test_what_a_score_adds_comes_back_and_a_model_without_it_has_no_file(
    exported: Path, checkpoints: tuple[Path, Path], tmp_path: Path
) -> None:
    assert not (exported / score.FILE).exists() and not MusicGen.load(str(exported)).follows_score
    nano = model.load_nano(checkpoints[1])
    torch.nn.init.normal_(nano.score.weight)
    model.checkpoint(tmp_path / "told.pt", nano, [], 1, 0.0)
    export.export(checkpoints[0], None, tmp_path / "told.pt", Path("none"), tmp_path / "told")
    assert MusicGen.load(str(tmp_path / "told")).follows_score
    unpack.unpack(tmp_path / "told", tmp_path)
    back = model.load_nano(tmp_path / "model.pt")
    torch.testing.assert_close(back.score.weight, nano.score.weight, atol=2e-3, rtol=2e-3)
    export.export(checkpoints[0], None, checkpoints[1], Path("none"), tmp_path / "told")
    assert not (tmp_path / "told" / score.FILE).exists(), "left from the other model"


def test_generate_takes_the_tokenizers_output_as_it_is(exported: Path) -> None:
    whole: Any = MusicgenForConditionalGeneration.from_pretrained(exported, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(exported)
    inputs = tokenizer(["deep house, 122 bpm", "rain"], padding=True, return_tensors="pt")
    audio = whole.generate(**inputs, max_new_tokens=8)
    assert audio.shape[0] == 2
    assert bool(audio.isfinite().all())


def test_streamer_loads_it_with_its_policy(exported: Path) -> None:
    stream = MusicGen.load(str(exported)).stream(prompt="deep house, 122 bpm", seed=1)
    frames = [stream.next_frame() for _ in range(3)]
    assert all(frame.shape == (codec.CODEBOOKS,) and int(frame.max()) < codec.CODES for frame in frames)
    settings = json.loads((exported / "generation_config.json").read_text())
    assert settings["streaming"] == {"policy": "reanchor", "keep": export.KEEP, "max_position": model.LENGTH}


def test_text_encoder_and_the_codecs_decoder_are_files_of_their_own(exported: Path) -> None:
    own = {export.TEXT: "text_encoder.", export.PLAYER: "audio_encoder.decoder."}
    for shard in export.SHARDS:
        with safe_open(exported / shard, "pt") as file:
            names = list(file.keys())
        assert names and (exported / shard).stat().st_size < 50e6
        for place, start in own.items():
            assert {name.startswith(start) for name in names} == {place == shard}


def test_nothing_of_the_machine_it_was_made_on_is_shipped(exported: Path) -> None:
    made_on = str(text.folder().parents[1])
    for file in exported.glob("*.json"):
        assert made_on not in file.read_text(encoding="utf-8"), file.name


def test_same_checkpoints_same_bytes(exported: Path, checkpoints: tuple[Path, Path], tmp_path: Path) -> None:
    export.export(checkpoints[0], None, checkpoints[1], Path("none"), tmp_path)
    for path in exported.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


@pytest.mark.parametrize(
    ("asked", "read"),
    [
        ("house in D flat major", "house in C sharp major"),
        ("Gb minor, rock", "f sharp minor, rock"),
        ("G-flat minor groove", "F sharp minor groove"),
        ("funk, A sharp minor", "funk, B flat minor"),
        ("a sharp snare and a flat bass", "a sharp snare and a flat bass"),
        ("F sharp major", "F sharp major"),
    ],
)
def test_keys_are_read_alike_however_they_are_spelt(exported: Path, asked: str, read: str) -> None:
    plain, _ = text.load(None)
    for spelling in (AutoTokenizer.from_pretrained(exported), MusicGen.load(str(exported)).prompts):
        numbers = spelling(asked)["input_ids"] if callable(spelling) else spelling._text_encoder.tokenize(asked)
        assert numbers == plain(read)["input_ids"]
