"""The LV2 in jalv: live under JACK, and its window under an X server without a screen."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from benchmarks.plugin import URI, measured, running, wait_for
from tests.plugin.conftest import PATIENCE
from tests.streamer.bridge.client import Client


def needs(*programs: str) -> None:
    """Skip the test where one of them is missing."""
    missing = [name for name in programs if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not there: {', '.join(missing)} (apt-get install jackd2 jalv xdotool xvfb)")


@pytest.mark.heavy
@pytest.mark.realtime
def test_a_live_host_hears_hardly_a_block_too_late(built: Path, home: Path) -> None:
    needs("jackd", "jack_wait", "jalv")
    heard = measured(home, 48000, 512, 5.0)
    assert heard["blocks"] == 469
    assert heard["short"] < 0.05 * heard["blocks"], heard  # none on a machine that does nothing else: docs/daw.md


@pytest.mark.heavy
def test_a_prompt_typed_into_the_window_reaches_the_engine(
    built: Path, home: Path, environment: dict[str, str]
) -> None:
    needs("jackd", "jack_wait", "jalv.gtk3", "Xvfb", "xdotool")
    if "#DPF_UI" not in "".join(path.read_text() for path in (built / "lv2").rglob("*.ttl")):
        pytest.skip("the plug-in is built without its window: install libcairo2-dev and libx11-dev, then it again")
    server, display = f"window{os.getpid()}", f":{os.getpid() % 10000 + 100}"
    own = {"JACK_DEFAULT_SERVER": server, "LV2_PATH": str(built / "lv2"), "DISPLAY": display}
    client = Client.of(home, session="observer", number=8)
    client.until(lambda: bool(client.welcome))
    osc = int(client.welcome["osc"])
    with contextlib.ExitStack() as all_of_them:
        for command in (["Xvfb", display], f"jackd -n {server} -S -d dummy -r 48000 -p 1024".split()):
            all_of_them.enter_context(running(command, environment | own))
        subprocess.run(["jack_wait", "-s", server, "-w", "-t", "20"], check=True)
        all_of_them.enter_context(running(["jalv.gtk3", URI], environment | own))
        wait_for(lambda: hand(own, "search", "--name", "^MusicGen Streamer$").returncode == 0, "the window")
        wait_for(lambda: typed(own, "waltz") and asked(osc, "/mg/get/prompt") == "waltz", "the prompt")
    client.close()


def typed(own: dict[str, str], words: str) -> bool:
    """Click into the field, take out what is there, type, press Enter."""
    hand(own, "mousemove", "200", "78", "click", "1")
    hand(own, "key", *["BackSpace"] * 40)
    hand(own, "type", "--delay", "30", words + "x")
    hand(own, "key", "BackSpace", "Return")
    time.sleep(0.5)
    return True


def hand(own: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["xdotool", *arguments], env={**os.environ, **own}, capture_output=True, timeout=PATIENCE)


def asked(port: int, address: str) -> object:
    """What OSC answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.settimeout(5)
        one.sendto(OscMessageBuilder(address).build().dgram, ("127.0.0.1", port))
        return OscMessage(one.recv(65536)).params[0]
