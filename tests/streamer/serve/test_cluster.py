"""Servers on two nodes of a real Ray cluster: nodes are killed at random, servers are rolled, no session is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="install the extra ray")

ROOT = Path(__file__).parents[3]
APART = ["unshare", "-rnpf", "--mount-proc", "--kill-child", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
"""A network and processes of its own: nothing is reached from outside, and nothing stays."""


@pytest.mark.heavy
@pytest.mark.realtime
@pytest.mark.skipif(not shutil.which("unshare") or not shutil.which("ip"), reason="needs Linux's namespaces")
def test_nodes_die_and_servers_are_rolled_and_every_session_goes_on() -> None:
    story = [sys.executable, "-m", "tests.streamer.serve.cluster_story", "2", "1"]
    own = {"PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
    told = subprocess.run([*APART, *story], cwd=ROOT, env=os.environ | own, capture_output=True, text=True, timeout=900)
    lines = [line for line in told.stdout.splitlines() if line.startswith('{"lost"')]
    assert lines, told.stdout[-2000:] + told.stderr[-2000:]
    found = json.loads(lines[-1])
    assert found["lost"] == [] and found["sessions"] == 3
    assert len(found["killed"]) == 2
    assert max(found["reconnects"]) >= 1  # somebody was where a node died
