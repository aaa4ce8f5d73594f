"""What continuous integration does: everything that the README promises, on a bare machine.

Usage: python3 .ci/ci.py

In a bare root: set up and play without a compiler, with ONNX Runtime too; build a wheel, install it beside, play it;
then `make test-all`, which installs a compiler, and play once more. All of it runs whatever failed before, so that one
run tells the whole story. Where no bare root can be made it says so and runs `make test-all` as it is.
"""

from __future__ import annotations

import subprocess
import sys
import time

from fresh import PROJECT, ROOT, BareRoot, NoBareRoot, bare_root

PLAY = "python3 .ci/hear.py make play SECONDS=10 ARGS='--wav-out /tmp/heard.wav --force {}'"
WHEEL = "/root/wheel/bin/"
STEPS = {
    "set up without a compiler": "! command -v c++ && ! command -v cc && python3 .ci/setup.py play",
    "play without a compiler": PLAY.format(""),
    "play with ONNX Runtime, where nothing can be compiled": (
        ".venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[onnx]' && "
        f"{PLAY.format('--backend onnx')}"
    ),
    "build a wheel": "make wheel",
    "install the wheel": (
        f"python3 -m venv /root/wheel && {WHEEL}python -m pip install -q --disable-pip-version-check "
        "-c constraints.txt dist/*.whl"
    ),
    "play from the wheel": (
        f"cd /root && python3 {PROJECT}/.ci/hear.py {WHEEL}streamer play --backend native --seconds 10 "
        "--wav-out /tmp/heard.wav --force"
    ),
    "make test-all": "make test-all ARGS=--nothing-to-install",
    "play with a compiler": PLAY.format(""),
}


def main() -> None:
    start = time.monotonic()
    try:
        with bare_root() as root:
            failed = [title for title in STEPS if not passes(root, title)]
    except NoBareRoot as why:
        print(f"\n!!! NO BARE MACHINE: {why} A left-over of this machine may hide a missing step.\n", flush=True)
        failed = ["make test-all"] if subprocess.run(["make", "test-all"], cwd=ROOT).returncode else []
    minutes = (time.monotonic() - start) / 60
    print(f"\n{minutes:.0f} minutes. {'FAILED: ' + ', '.join(failed) if failed else 'Everything passed.'}", flush=True)
    sys.exit(1 if failed else 0)


def passes(root: BareRoot, title: str) -> bool:
    print(f"\n=== {title}", flush=True)
    start = time.monotonic()
    status = root.run(STEPS[title])
    print(f"=== {title}: {'failed' if status else 'passed'} in {time.monotonic() - start:.0f} s", flush=True)
    return status == 0


if __name__ == "__main__":
    main()
