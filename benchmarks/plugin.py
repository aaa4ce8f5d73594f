"""The plug-in live in a host: blocks that came too late, at every rate and block size a musician may set.

Usage: python -m benchmarks.plugin [--seconds 60] [--rates 44100 48000 96000] [--blocks 64 128 512 2048] [--model nano]

jalv hosts the built LV2 under JACK's dummy driver; a client of ours hears what it plays. A block that comes too late
fades to silence, so its last sample is an exact zero: that is what is counted, from the first sound on. Beside it stand
JACK's own xruns, and the most of a block's time that all clients together have used.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from streamer.surfaces.bridge import endpoint
from streamer.surfaces.bridge.install import BUILT

URI = "urn:musicgen-streamer:plugin"
PATIENCE = 60.0  # seconds until there must be sound
PROGRAMS = ("jackd", "jack_wait", "jalv")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="of music, each")
    parser.add_argument("--rates", type=int, nargs="+", default=[44100, 48000, 96000])
    parser.add_argument("--blocks", type=int, nargs="+", default=[64, 128, 512, 2048])
    parser.add_argument("--model", default="nano")
    options = parser.parse_args()
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing or not BUILT.is_dir():
        programs = ", ".join(PROGRAMS)
        sys.exit(f"This needs the built plug-in and {programs} (Debian and Ubuntu: apt-get install jackd2 jalv).")
    with tempfile.TemporaryDirectory() as name, engine(Path(name), options.model):
        for rate in options.rates:
            for block in options.blocks:
                print(json.dumps(measured(Path(name), rate, block, options.seconds)), flush=True)


@contextlib.contextmanager
def engine(home: Path, model: str) -> Iterator[None]:
    """An engine that serves from a folder."""
    command = [sys.executable, "-m", "streamer.surfaces.bridge", "--home", str(home), "--model", model]
    with running([*command, "--osc-port", "0"], dict(os.environ)):
        wait_for(lambda: bool(endpoint.read(home / endpoint.RUNNING)), "an engine")
        yield


def measured(home: Path, rate: int, block: int, seconds: float) -> dict[str, Any]:
    """How so many seconds went, by the engine of a folder."""
    server = f"mg{os.getpid()}"
    own = {"JACK_DEFAULT_SERVER": server, "LV2_PATH": str(BUILT / "lv2"), endpoint.HOME: str(home)}
    environment = {**os.environ, **own}
    driver = f"jackd -n {server} -R -P70 -S -d dummy -r {rate} -p {block} -C 2 -P 2".split()
    with running(driver, environment):
        subprocess.run(["jack_wait", "-s", server, "-w", "-t", "20"], check=True, stdout=subprocess.DEVNULL)
        # It reads commands, and ends with them: its input stays open.
        with running(["jalv", "-n", "mgs", URI], environment):
            return {"rate": rate, "block": block} | heard(server, block, round(seconds * rate / block))


def heard(server: str, block: int, blocks: int) -> dict[str, Any]:
    """What a client of the server hears of the host, in so many blocks from the first sound on."""
    import jack

    client = jack.Client("ears", servername=server)
    ports = [client.inports.register(f"in_{side}") for side in ("left", "right")]
    last = np.ones((blocks, 2), np.float32)
    counts = {"blocks": 0, "xruns": 0}

    @client.set_process_callback  # type: ignore[untyped-decorator, unused-ignore]
    def listen(_: int) -> None:
        at, sides = counts["blocks"], [port.get_array() for port in ports]
        if at < blocks and (at > 0 or any(side.any() for side in sides)):
            last[at] = [side[-1] for side in sides]
            counts["blocks"] = at + 1

    @client.set_xrun_callback  # type: ignore[untyped-decorator, unused-ignore]
    def count(_: float) -> None:
        counts["xruns"] += counts["blocks"] > 0

    def connected() -> bool:
        sources = client.get_ports("mgs:", is_audio=True, is_output=True)
        with contextlib.suppress(jack.JackError):  # its ports are there before it is active
            for source, target in zip(sources, ports, strict=False):
                if not target.connections:
                    client.connect(source, target)
        return all(port.connections for port in ports)

    with client:
        wait_for(connected, "jalv")
        wait_for(lambda: counts["blocks"] > 0, "sound")
        load = 0.0
        while counts["blocks"] < blocks:
            time.sleep(0.2)
            load = max(load, client.cpu_load())
    short = int((last[1:] == 0).all(axis=1).sum())
    return {"blocks": blocks, "short": short, "xruns": counts["xruns"], "worst_load_percent": round(load, 1)}


@contextlib.contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[None]:
    """A program that runs meanwhile, and says nothing."""
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(there: Callable[[], bool], what: str) -> None:
    """Wait until something is there, for as long as the patience lasts."""
    until = time.monotonic() + PATIENCE
    while not there():
        if time.monotonic() > until:
            raise TimeoutError(f"{what} has not come in {PATIENCE:.0f} s")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
