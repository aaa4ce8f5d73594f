"""A melody without its drums and bass: which of Demucs' stems are followed, and what is said where Demucs is missing.

Demucs is its own: a model of its class with few random weights, in the hub's cache as the released one would lie there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import huggingface_hub
import numpy as np
import pytest
import torch
from demucs.apply import apply_model
from demucs.htdemucs import HTDemucs
from numpy.typing import NDArray
from safetensors.torch import save_file
from transformers import MusicgenMelodyFeatureExtractor

from musicgen import ModelError, stems
from musicgen.melody import MelodyEncoder

SOURCES = ["drums", "bass", "other", "vocals"]
RATE = 32_000
SHAPE: dict[str, Any] = {"sources": SOURCES, "channels": 8, "t_layers": 1, "t_heads": 2, "segment": 2}


@pytest.fixture(autouse=True)
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache of the hub, offline, and nothing remembered of other tests."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    stems._separator.cache_clear()
    yield tmp_path
    stems._separator.cache_clear()


@pytest.fixture
def separator(hub: Path) -> HTDemucs:
    """What lies there, as Demucs saves it."""
    torch.manual_seed(1)
    model: HTDemucs = HTDemucs(**SHAPE).eval()
    snapshot = hub / "models--adefossez--HTDemucs/snapshots/0123"
    snapshot.mkdir(parents=True)
    (hub / "models--adefossez--HTDemucs/refs").mkdir()
    (hub / "models--adefossez--HTDemucs/refs/main").write_text("0123")
    (snapshot / "htdemucs.yaml").write_text("models: ['tiny']\n")
    weights = {name: weight.contiguous() for name, weight in model.state_dict().items()}
    said = {"klass": "demucs.htdemucs.HTDemucs", "args": "[]", "kwargs": json.dumps(SHAPE)}
    save_file(weights, snapshot / "tiny.safetensors", metadata=said)
    return model


def noise(channels: int, rate: int, seconds: float = 3.0) -> NDArray[np.float32]:
    return np.random.default_rng(7).normal(0, 0.1, (int(seconds * rate), channels)).astype(np.float32)


def test_vocals_and_the_rest_are_heard_but_neither_drums_nor_bass(separator: HTDemucs) -> None:
    sound = noise(2, 44_100)
    with torch.no_grad():
        drums, bass, other, vocals = apply_model(separator, torch.from_numpy(sound.T)[None], shifts=0)[0]
    heard, rate = stems.melodic(sound, 44_100)
    assert rate == 44_100
    torch.testing.assert_close(torch.from_numpy(heard.T), vocals + other)
    assert not torch.allclose(drums + bass, vocals + other, rtol=0.1)


@pytest.mark.parametrize(("channels", "given"), [(1, 32_000), (2, 48_000), (6, 44_100)])
def test_the_chroma_is_what_transformers_makes_of_demucs_stems(separator: HTDemucs, channels: int, given: int) -> None:
    """Its feature extractor takes all four stems and chooses, as AudioCraft's conditioner does."""
    extractor = cast(Any, MusicgenMelodyFeatureExtractor)(sampling_rate=RATE)
    encoder = MelodyEncoder(extractor, None, 235, 12)
    sound = noise(channels, given)
    import torchaudio

    mix = torchaudio.functional.resample(torch.from_numpy(sound.T), given, 44_100)
    mix = mix.expand(2, -1) if channels == 1 else mix[:2]
    with torch.no_grad():
        four = apply_model(separator, mix[None], shifts=0)
    expected = extractor(four, sampling_rate=44_100, return_tensors="pt")["input_features"][0]
    heard = encoder.melody(*stems.melodic(sound, given)).chroma
    assert np.array_equal(heard, expected)
    assert not np.array_equal(heard, encoder.melody(sound, given).chroma)


def test_the_same_file_is_the_same_melody(separator: HTDemucs) -> None:
    sound = noise(2, 44_100)
    np.testing.assert_array_equal(stems.melodic(sound, 44_100)[0], stems.melodic(sound, 44_100)[0])


def test_without_weights_the_sentence_says_where_they_come_from() -> None:
    with pytest.raises(ModelError, match=r"weights .*hub: connect it once"):
        stems.melodic(noise(1, RATE), RATE)


def test_without_demucs_the_sentence_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "demucs.pretrained", None)
    with pytest.raises(ModelError, match=r"pip install 'musicgen-streamer\[demucs\]'"):
        stems.melodic(noise(1, RATE), RATE)
