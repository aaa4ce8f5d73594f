"""What the engine has done with goes back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

WORK = """
import threading
from pathlib import Path
import numpy as np
from streamer.process.heap import keep_little

def held():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1000

def encode():
    pieces = [np.ones(750_000, np.float32) for _ in range(16)]
    most.append(held())

most = []
np.ones(7_500_000, np.float32)  # as a model is loaded: from now on the C library would keep pieces up to this size
keep_little()
before = held()
thread = threading.Thread(target=encode)
thread.start()
thread.join()
print(most[0] - before, held() - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep nothing")
def test_large_pieces_that_a_thread_has_done_with_are_not_kept() -> None:
    said = subprocess.run([sys.executable, "-c", WORK], check=True, capture_output=True, text=True).stdout
    meanwhile, after = map(float, said.split())
    assert meanwhile > 40  # MB
    assert after < 15
