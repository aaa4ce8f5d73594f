"""Servers on a real Ray cluster: they come as they are needed, nodes are killed, servers rolled: no session is lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("ray", reason="install the extra ray")

ROOT = Path(__file__).parents[3]
LIMIT = 600.0
"""Seconds: some two minutes where nothing else runs."""


def apart(*command: str) -> list[str]:
    """A command in a network and among processes of its own: nothing is reached from outside, and nothing stays."""
    # Root needs no user namespace, and in a changed root it gets none.
    own = [] if os.name == "posix" and os.geteuid() == 0 else ["--map-root-user"]
    spaces = ["--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "unchanged"]
    return ["unshare", *own, *spaces, "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *command]


def _may_be_apart() -> bool:
    if not sys.platform.startswith("linux") or not (shutil.which("unshare") and shutil.which("ip")):
        return False
    return subprocess.run(apart("true"), capture_output=True, timeout=60).returncode == 0


pytestmark = [
    pytest.mark.heavy,
    pytest.mark.realtime,
    pytest.mark.skipif(
        sys.platform.startswith("linux") and shutil.which("ip") is None, reason="install iproute2 (apt)"
    ),
    pytest.mark.skipif(not _may_be_apart(), reason="this system lets nobody make a network of one's own"),
]


def test_servers_come_and_die_and_are_rolled_and_every_session_goes_on() -> None:
    own = {"PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory(prefix="ray") as folder:  # sockets lie in there: their addresses have to be short
        told = subprocess.run(
            apart(sys.executable, "-m", "tests.streamer.serve.cluster_story", "2", "1"),
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
