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
    heard = measured(home, 48000, 512, 5.0)
    assert heard["blocks"] == 469
    assert heard["short"] < 0.05 * heard["blocks"], heard  # none on a machine that does nothing else: docs/daw.md
