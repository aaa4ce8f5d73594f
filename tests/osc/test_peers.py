"""Programs that speak OSC, in both directions: liblo's command line tools and Pure Data."""

from __future__ import annotations

import queue
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from osc.server import OscServer
from tests.osc.desk import Desk

PATIENCE = 15.0  # seconds for a program to start on a busy machine

liblo = pytest.mark.skipif(
    not (shutil.which("oscsend") and shutil.which("oscdump")), reason="install the package liblo-tools"
)
puredata = pytest.mark.skipif(not shutil.which("pd"), reason="install the package puredata-core")


@contextmanager
def printing(*command: str) -> Iterator[queue.Queue[str]]:
    """Run a program that goes on until it is ended; what it prints comes line by line."""
    program = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert program.stdout is not None
        for line in program.stdout:
            lines.put(line.strip())

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield lines
    finally:
        program.kill()
        program.wait()
        reader.join()
        assert program.stdout is not None
        program.stdout.close()


def wait_for(lines: queue.Queue[str], wanted: str, nudge: Callable[[], None] = lambda: None) -> list[str]:
    """All lines up to one that holds `wanted`; `nudge` is called now and then until it comes."""
    found: list[str] = []
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        nudge()
        try:
            found.append(lines.get(timeout=0.3))
            while wanted not in found[-1]:
                found.append(lines.get(timeout=0.3))
        except queue.Empty:
            continue
        return found
    raise AssertionError(f"no line with {wanted!r} in {found}")


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def oscsend(server: OscServer, *arguments: str) -> None:
    subprocess.run(["oscsend", "127.0.0.1", str(server.port), *arguments], check=True, timeout=PATIENCE)


@liblo
def test_liblo_steers_and_hears_back(running: OscServer, desk: Desk) -> None:
    port = free_port()
    with printing("oscdump", "-L", str(port)) as lines:

        def subscribe() -> None:
            oscsend(running, "/mg/subscribe", "i", str(port))

        wait_for(lines, "/mg/temperature f 1.0", subscribe)
        oscsend(running, "/mg/prompt", "s", "lo-fi jazz")
        wait_for(lines, '/mg/prompt s "lo-fi jazz"')
        oscsend(running, "/mg/mute", "T")
        wait_for(lines, '/mg/mute/str s "on"')
        oscsend(running, "/mg/topk", "h", "9999")
        wait_for(lines, "/mg/topk i 2048")
        running.publish("status/rtf", 3.5)
        wait_for(lines, "/mg/status/rtf f 3.5")
    assert (desk.values["prompt"], desk.values["mute"], desk.values["topk"]) == ("lo-fi jazz", True, 2048)


@puredata
def test_a_pure_data_patch_steers_and_hears_back(running: OscServer, desk: Desk) -> None:
    patch = Path(__file__).with_name("peer.pd")
    quiet = ("-nogui", "-noaudio", "-nomidi", "-noprefs")
    with printing("pd", *quiet, "-open", str(patch), "-send", f"osc-port {running.port}") as lines:
        heard = wait_for(lines, "mg mute str off")
        desk.apply([("volume", -24.0)])
        heard += wait_for(lines, "mg volume str")
    assert desk.values["prompt"] == "lo-fi jazz 120 bpm", "the atoms of a message box, and a number as it was typed"
    assert desk.values["topk"] == 40, "sent as 40.0"
    assert desk.values["temperature"] == 2.0
    assert "reply: list mg temperature 2" in heard, "9 was clamped, and sent back"
    assert "reply: list mg volume -24" in heard
    assert "reply: list mg volume norm 0.5" in heard
    assert running.counts.errors == 0
