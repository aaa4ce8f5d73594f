"""nano, loaded once for all that is served in tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from musicgen import MusicGen
from tests.streamer.serve.served import Served


@pytest.fixture(scope="session")
def nano() -> MusicGen:
    """The model, its step on one thread."""
    return MusicGen.load("nano", threads=1)


@pytest.fixture(scope="module")
def served(nano: MusicGen) -> Iterator[Served]:
    """A server of one place, for whoever is on this machine."""
    with Served(nano, 1) as made:
        yield made
