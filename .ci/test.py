"""Run the tests: most of them on all cores, then those that need a core to themselves; ruff and mypy run beside.

Usage: .venv/bin/python .ci/test.py [--heavy] [ARGUMENTS OF PYTEST]

With --heavy only the tests that need heavy real parts. The exit status is 0 when everything passed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parent.parent
NO_TESTS = 5  # pytest's exit status when it found none, as one of our passes may
PARALLEL = ["-n", str(os.cpu_count() or 2), "--dist", "worksteal"]


def main() -> None:
    arguments = sys.argv[1:]
    if arguments[:1] == ["--heavy"]:
        status = pytest("heavy", [], arguments[1:])
        sys.exit(0 if status == NO_TESTS and arguments[1:] else status)
    with tempfile.TemporaryFile("w+") as said:
        checks = start_checks(said)
        statuses = [
            pytest("not heavy and not realtime", PARALLEL, arguments),
            pytest("realtime and not heavy", [], arguments),
        ]
        clean = checks.wait() == 0
        said.seek(0)
        print(said.read(), end="", flush=True)
    ran = [status for status in statuses if status != NO_TESTS]
    sys.exit(0 if clean and ran and not any(ran) else 1)


def pytest(marks: str, how: list[str], arguments: list[str]) -> int:
    command = [sys.executable, "-m", "pytest", "-m", marks, *how, *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


def start_checks(said: IO[str]) -> subprocess.Popen[str]:
    """Ruff and mypy, as a process beside the tests."""
    command = [os.environ.get("MAKE", "make"), "--no-print-directory", "check"]
    return subprocess.Popen(command, cwd=ROOT, stdout=said, stderr=subprocess.STDOUT, text=True)


if __name__ == "__main__":
    main()
