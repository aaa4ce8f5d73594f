"""Fixtures that several rooms' tests share."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: tiny tensors gain nothing from threads
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test reaches for the hub

from pathlib import Path

import pytest

import musicgen  # noqa: F401  (before transformers, see musicgen/_torchaudio.py)
from tests.musicgen.tiny import tiny_checkpoint


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random mono MusicGen checkpoint (32 kHz, 50 Hz frames, 4 codebooks, looks ahead), as a folder."""
    return tiny_checkpoint(tmp_path_factory.mktemp("tiny") / "mono")
