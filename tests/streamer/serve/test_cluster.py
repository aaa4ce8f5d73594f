"""Servers on a real Ray cluster: they come as they are needed, nodes are killed, servers rolled: no session is lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="install the extra ray")

from tests.streamer.alone import alone, needs

ROOT = Path(__file__).parents[3]
LIMIT = 600.0
"""Seconds: some two minutes where nothing else runs."""


SPACES = ["--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "unchanged"]
"""Processes of its own beside the network: nothing stays."""

pytestmark = [pytest.mark.heavy, pytest.mark.realtime, *needs(spaces=SPACES)]


def test_servers_come_and_die_and_are_rolled_and_go_again_and_every_session_goes_on() -> None:
    own = {"PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory(prefix="ray") as folder:  # sockets lie in there: their addresses have to be short
        told = subprocess.run(
            alone(sys.executable, "-m", "tests.streamer.serve.cluster_story", "2", "1", spaces=SPACES),
            cwd=ROOT,
            env=os.environ | own | {"RAY_TMPDIR": folder},
            capture_output=True,
            text=True,
            timeout=LIMIT,
        )
    lines = [line for line in told.stdout.splitlines() if line.startswith('{"lost"')]
    assert lines, told.stdout[-2000:] + told.stderr[-2000:]
    found = json.loads(lines[-1])
    assert found["lost"] == [] and found["sessions"] == 3
    assert len(found["killed"]) == 2
    assert max(found["reconnects"]) >= 1  # somebody was where a node died
    assert found["left"] == 2 and found["running"] == 1  # one of the two was at the server that went
