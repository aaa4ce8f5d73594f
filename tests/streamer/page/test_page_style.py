"""nano itself, played by the page: what is typed there is what comes out of the page's ear."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.signal import stft

pytest.importorskip("fastapi", reason="install the extra web")
pytest.importorskip("playwright.sync_api", reason="install the extra browser")

from benchmarks.listen import playing
from tests.streamer.page.paged import RATE
from tests.streamer.page.visitor import CHROMIUM, Visitor, captured, eventually, listen

pytestmark = [pytest.mark.heavy, pytest.mark.skipif(not CHROMIUM, reason="install the package chromium")]

DRUMS, PIANO = "drum and bass, fast breakbeats, 174 bpm", "solo piano, slow, gentle"
APART = 1.7
"""How much more one of them strikes than the other: 2.4 times at least were measured, of 15 seeds."""
SECONDS, PATIENCE = 10.0, 240.0


def test_the_style_that_is_typed_is_the_style_that_is_heard(chromium: Any) -> None:
    with playing("--wav-out", "heard.wav") as instrument:
        visitor = Visitor(chromium, instrument.address, taken=True)
        listen(visitor, 1500)
        write(visitor, DRUMS)
        visitor.page.wait_for_timeout(8000)  # the music turns within some bars
        drums = strikes(captured(visitor, SECONDS))
        write(visitor, PIANO)
        eventually(lambda: strikes(captured(visitor, SECONDS)) * APART < drums, PATIENCE)
        write(visitor, DRUMS)
        eventually(lambda: strikes(captured(visitor, SECONDS)) * APART**0.5 > drums, PATIENCE)
        visitor.close()


def write(visitor: Visitor, prompt: str) -> None:
    visitor.page.fill("#prompt", prompt)
    visitor.page.fill("#fade", "0")
    visitor.page.click("#prompt-form button")


def strikes(heard: Any) -> float:
    """How much the spectrum rises where it rises most: at the tenth of the moments that drums strike in.

    A hole that a busy machine tears is two of these moments, and changes little.
    """
    _, _, spectrum = stft(heard.mean(1), RATE, nperseg=2048, noverlap=1536)
    rises = np.maximum(0.0, np.diff(np.log1p(1000 * np.abs(spectrum)), axis=1)).mean(0)
    return float(np.percentile(rises, 90))
