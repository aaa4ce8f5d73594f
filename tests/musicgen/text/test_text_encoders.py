"""What reads the prompt is the checkpoint's choice."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from musicgen import ModelError, MusicGen
from tests.musicgen.audiocraft_files import audiocraft_twin
from tests.musicgen.oracle import Oracle
from tests.musicgen.tiny import tiny_checkpoint


@pytest.mark.parametrize("melody", [False, True])
@pytest.mark.parametrize("kind", ["flan-t5", "bert"])
def test_stream_equals_generate(tmp_path: Path, kind: str, melody: bool) -> None:
    folder = tiny_checkpoint(tmp_path, text_encoder=kind, melody=melody, seed=6)
    expected = Oracle(folder).generate("calm piano with rain", 40, seed=7, top_k=50, guidance_scale=3.0)
    model = MusicGen.load(str(folder), backend="torch")
    stream = model.stream("calm piano with rain", seed=7, top_k=50, guidance=3.0)
    played = np.stack([stream.next_frame() for _ in range(expected.shape[1])], 1)
    np.testing.assert_array_equal(played, expected)


def test_an_audiocraft_checkpoint_with_flan_t5(tmp_path: Path) -> None:
    twin = tiny_checkpoint(tmp_path / "twin", text_encoder="flan-t5")
    folder = audiocraft_twin(
        twin, tmp_path / "audiocraft", **{"conditioners.description.t5.name": "google/flan-t5-base"}
    )
    shutil.move(folder / "t5-base", folder / "flan-t5-base")
    streams = [MusicGen.load(str(path), backend="torch").stream("deep house", seed=1) for path in (twin, folder)]
    for _ in range(20):
        np.testing.assert_array_equal(streams[0].next_frame(), streams[1].next_frame())


@pytest.mark.parametrize("kind", ["clap", "whisper", None])
def test_one_that_reads_no_text_is_refused_with_the_reason(
    tiny_model_dir: Path, tmp_path: Path, kind: str | None
) -> None:
    folder = Path(shutil.copytree(tiny_model_dir, tmp_path / "copy"))
    config = json.loads((folder / "config.json").read_text())
    config["text_encoder"]["model_type"] = kind
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"reads its prompts with .*T5, BERT"):
        MusicGen.load(str(folder))
