"""The plug-in live in a host: blocks that came too late, at every rate and block size a musician may set.

Usage: python -m benchmarks.plugin [--seconds 60] [--instances 1] [--together] [--model nano] [48000/64 44100/512 ...]

jalv hosts the built LV2 under JACK's dummy driver; a client of ours hears what it plays. A block that comes too late
fades to silence, so its last sample is an exact zero: that is what is counted, from the moment on at which all
instances sound. Beside it stand JACK's own xruns, how long JACK stood still before each break and at the longest, the
most of a block's time that all clients together have used, and the share of a core that the engine, the hosts and JACK
have taken. The dummy driver makes good what it was late by at once, as no device does: where the whole machine stands
still for longer than `lead`, as a virtual one does at times, a break follows.

With several instances there are as many hosts in the one server, each with a prompt and a seed of its own, all played
by one engine. With --together all settings play at once, each in a server of its own, by one engine too.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.udp_client import SimpleUDPClient

from streamer.surfaces.bridge import endpoint
from streamer.surfaces.bridge.install import BUILT
from streamer.surfaces.bridge.osc import way

URI = "urn:musicgen-streamer:plugin"
PATIENCE = 60.0  # seconds until there must be sound
NAMES = {"jalv": "-n", "jalv.gtk3": "--jack-name"}  # how each is told its name
MOST_TOLD = 10  # breaks
SHORTLY = 0.3  # seconds
PROGRAMS = ("jackd", "jack_wait", "jalv")
SETTINGS = list(itertools.product((44100, 48000, 96000), (64, 128, 512, 2048)))
PROMPTS = ("lo-fi hip hop", "house", "slow waltz on a piano", "synthwave", "rock", "ambient pad", "funk", "jazz trio")


@dataclass(frozen=True)
class Hosts:
    """Hosts that run, each with one instance: how JACK's server is called, and the processes."""

    server: str
    jack: psutil.Process
    hosts: Sequence[psutil.Process]

    def ports(self, number: int) -> str:
        """What the names of a host's ports begin with."""
        return f"mgs{number}:"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", type=setting, nargs="*", default=SETTINGS, metavar="RATE/BLOCK")
    parser.add_argument("--seconds", type=float, default=60.0, help="of music, each")
    parser.add_argument("--instances", type=int, default=1, choices=range(1, len(PROMPTS) + 1))
    parser.add_argument("--together", action="store_true", help="all settings at once")
    parser.add_argument("--model", default="nano")
    options = parser.parse_args()
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing or not BUILT.is_dir():
        programs = ", ".join(PROGRAMS)
        sys.exit(f"This needs the built plug-in and {programs} (Debian and Ubuntu: apt-get install jackd2 jalv).")
    with tempfile.TemporaryDirectory() as name, engine(Path(name), options.model) as port:
        context = multiprocessing.get_context("spawn")  # ears of one process would hear in turn
        with ProcessPoolExecutor(len(options.settings) if options.together else 1, context) as pool:
            tasks = [
                pool.submit(measured, Path(name), rate, block, options.seconds, options.instances, port)
                for rate, block in options.settings
            ]
            for task in tasks:
                print(json.dumps(task.result()), flush=True)


def setting(words: str) -> tuple[int, int]:
    rate, block = words.split("/")
    return int(rate), int(block)


@contextlib.contextmanager
def engine(home: Path, model: str, port: int = 0) -> Iterator[int]:
    """An engine that serves from a folder; its OSC port, a free one if none is named."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", port))
        port = int(one.getsockname()[1])
    command = [sys.executable, "-m", "streamer.surfaces.bridge", "--home", str(home), "--model", model]
    with running([*command, "--osc-port", str(port)], dict(os.environ)):
        wait_for(lambda: bool(endpoint.read(home / endpoint.RUNNING)), "an engine")
        yield port


def measured(home: Path, rate: int, block: int, seconds: float, instances: int = 1, osc: int = 0) -> dict[str, Any]:
    """How so many seconds went, by the engine of a folder, which is told by OSC what each of several is to play."""
    with hosting(home, rate, block, instances) as hosts:
        if instances > 1:
            tell_apart(osc, instances)
        return {"rate": rate, "block": block} | heard(hosts, block, round(seconds * rate / block), home)


def tell_apart(osc: int, instances: int) -> None:
    """A prompt and a seed of its own for each instance."""
    client = SimpleUDPClient("127.0.0.1", osc)
    for number, prompt in enumerate(PROMPTS[:instances], start=1):
        client.send_message(f"/mg/{way(number)}prompt", prompt)
        client.send_message(f"/mg/{way(number)}seed", number)


def asked(osc: int, path: str) -> object:
    """The value at a path such as `2/volume`; None where no answer has come."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line, contextlib.suppress(TimeoutError):
        line.settimeout(1.0)
        line.sendto(OscMessageBuilder(f"/mg/get/{path}").build().dgram, ("127.0.0.1", osc))
        return next(iter(OscMessage(line.recv(4096)).params), None)
    return None


def player(home: Path) -> list[psutil.Process]:
    """The processes of a folder's engine."""
    parent = psutil.Process(int(endpoint.read(home / endpoint.RUNNING)["pid"]))
    return [parent, *parent.children(recursive=True)]


@contextlib.contextmanager
def hosting(
    home: Path,
    rate: int,
    block: int,
    instances: int = 1,
    program: str = "jalv",
    environment: Mapping[str, str] | None = None,
) -> Iterator[Hosts]:
    """So many hosts, each with an instance of the plug-in, in one JACK server: jalv, or its sister with a window."""
    server = f"mg{os.getpid()}"
    own = {"JACK_DEFAULT_SERVER": server, "LV2_PATH": str(BUILT / "lv2"), endpoint.HOME: str(home)}
    own |= {"JACK_NO_AUDIO_RESERVATION": "1", "JACK_NO_START_SERVER": "1"}
    environment = {**os.environ, **own, **(environment or {})}
    driver = f"jackd -n {server} -R -P70 -S -d dummy -r {rate} -p {block} -C 2 -P 2".split()
    with contextlib.ExitStack() as stack:
        jack = stack.enter_context(running(driver, environment))
        subprocess.run(["jack_wait", "-s", server, "-w", "-t", "60"], check=True, stdout=subprocess.DEVNULL)
        # They read commands, and end with them: their input stays open.
        names = [f"mgs{number}" for number in range(instances)]
        hosts = [
            stack.enter_context(running([program, "-x", NAMES[program], name, URI], environment)) for name in names
        ]
        yield Hosts(server, jack, hosts)


def heard(hosts: Hosts, block: int, blocks: int, home: Path) -> dict[str, Any]:
    """What a client of the server hears of the hosts, in so many blocks from the moment on at which all sound."""
    import jack

    client = jack.Client("ears", servername=hosts.server)
    ports = inputs(client, hosts)
    last = np.ones((blocks, len(ports), 2), np.float32)
    times = np.zeros(blocks)
    counts = {"blocks": 0, "xruns": 0}
    sounding: set[int] = set()

    @client.set_process_callback  # type: ignore[untyped-decorator, unused-ignore]
    def listen(_: int) -> None:
        at, ends = counts["blocks"], [[side.get_array()[-1] for side in pair] for pair in ports]
        sounding.update(number for number, pair in enumerate(ends) if any(pair))
        if at < blocks and len(sounding) == len(ports):
            last[at], times[at] = ends, time.monotonic()
            counts["blocks"] = at + 1

    @client.set_xrun_callback  # type: ignore[untyped-decorator, unused-ignore]
    def count(_: float) -> None:
        counts["xruns"] += counts["blocks"] > 0

    with client:
        wait_for(lambda: connected(client, hosts, ports), "jalv")
        wait_for(lambda: counts["blocks"] > 0, "sound")
        groups = {"engine": player(home), "hosts": hosts.hosts, "jack": [hosts.jack]}
        begun, first = time.monotonic(), {name: spent(group) for name, group in groups.items()}
        load = 0.0
        while counts["blocks"] < blocks:
            time.sleep(0.2)
            load = max(load, client.cpu_load())
        took = time.monotonic() - begun
        cores = {f"{name}_cores": round((spent(group) - first[name]) / took, 2) for name, group in groups.items()}
    short = (last == 0).all(axis=2)
    begins = np.flatnonzero((short[1:] & ~short[:-1]).any(axis=1)) + 1
    # How long JACK itself had stood still shortly before each: it then asks for all that at once.
    stood = np.diff(times, prepend=times[0])
    before = [int(1000 * stood[(times > times[at] - SHORTLY) & (times <= times[at])].max()) for at in begins]
    told = {"blocks": blocks, "short": int(short.sum()), "breaks": len(begins), "jack_stood_ms": before[:MOST_TOLD]}
    told |= {
        "xruns": counts["xruns"],
        "longest_stand_ms": int(1000 * stood.max()),
        "worst_load_percent": round(load, 1),
    }
    return {"instances": len(ports), **told, **cores}


def inputs(client: Any, hosts: Hosts) -> list[list[Any]]:
    """Ports of a JACK client that can hear all hosts: a pair for each."""
    numbers = range(len(hosts.hosts))
    return [[client.inports.register(f"in_{number}_{side}") for side in ("left", "right")] for number in numbers]


def connected(client: Any, hosts: Hosts, ports: list[list[Any]]) -> bool:
    """Whether a client's ports hear the hosts; what can be connected by now is."""
    import jack

    with contextlib.suppress(jack.JackError):  # a host's ports are there before it is active
        for number, pair in enumerate(ports):
            sources = client.get_ports(hosts.ports(number), is_audio=True, is_output=True)
            for source, target in zip(sources, pair, strict=False):
                if not target.connections:
                    client.connect(source, target)
    return all(port.connections for pair in ports for port in pair)


def spent(group: Sequence[psutil.Process]) -> float:
    """The processor's time that processes have taken, seconds."""
    times = [process.cpu_times() for process in group]
    return float(sum(one.user + one.system for one in times))


@contextlib.contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[psutil.Process]:
    """A program that runs meanwhile, and says nothing."""
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield psutil.Process(process.pid)
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
