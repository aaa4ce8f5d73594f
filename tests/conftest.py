"""Fixtures that several rooms' tests share."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: tiny tensors gain nothing from threads
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test reaches for the hub

import signal
from pathlib import Path

import hypothesis
import pytest

from musicgen import MusicGen  # before transformers, see musicgen/_torchaudio.py
from tests.musicgen.tiny import tiny_checkpoint

# A shell that runs the tests in the background has Ctrl-C ignored, and every child would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says nothing about its correctness on a shared machine.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")


@pytest.fixture(scope="session")
def tiny_model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small random mono MusicGen checkpoint (32 kHz, 50 Hz frames, 4 codebooks, looks ahead), as a folder."""
    return tiny_checkpoint(tmp_path_factory.mktemp("tiny") / "mono")


@pytest.fixture(scope="session")
def tiny_model(tiny_model_dir: Path) -> MusicGen:
    """``tiny_model_dir``, loaded."""
    return MusicGen.load(str(tiny_model_dir), backend="torch")
