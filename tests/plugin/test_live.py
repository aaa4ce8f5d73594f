"""The LV2 in jalv, live under JACK's dummy driver."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from benchmarks.plugin import PROGRAMS, measured


@pytest.mark.heavy
@pytest.mark.realtime
def test_a_live_host_hears_hardly_a_block_too_late(built: Path, home: Path) -> None:
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not there: {', '.join(missing)} (apt-get install jackd2 jalv)")
    # Other programs may hold the machine up for a while: a plug-in that is late by itself is late every time.
    tries = (measured(home, 48000, 512, 4.0) for _ in range(10))
    assert any(heard["blocks"] == 375 and heard["short"] < 20 for heard in tries)
