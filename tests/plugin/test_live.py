"""The LV2 in jalv, live under JACK's dummy driver."""

from __future__ import annotations

import contextlib
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from pythonosc.udp_client import SimpleUDPClient

from benchmarks.plugin import (
    PROGRAMS,
    PROMPTS,
    Hosts,
    asked,
    connected,
    engine,
    hosting,
    inputs,
    measured,
    player,
    tell_apart,
    wait_for,
)
from streamer.surfaces.bridge.osc import way

INSTANCES = 4
SILENT = 0.01  # of full scale


@pytest.fixture
def programs() -> None:
    """The host and its server."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        pytest.skip(f"not there: {', '.join(missing)} (apt-get install jackd2 jalv)")


@pytest.mark.heavy
@pytest.mark.realtime
def test_a_live_host_hears_hardly_a_block_too_late(programs: None, built: Path, home: Path) -> None:
    # Other programs may hold the machine up for a while: a plug-in that is late by itself is late every time.
    tries = (measured(home, 48000, 512, 4.0) for _ in range(10))
    assert any(heard["blocks"] == 375 and heard["short"] < 20 for heard in tries)


@pytest.mark.heavy
def test_four_hosts_play_music_of_their_own_from_one_engine(programs: None, built: Path, tmp_path: Path) -> None:
    with engine(tmp_path, "nano") as osc, hosting(tmp_path, 48000, 1024, INSTANCES) as hosts, peaks(hosts) as heard:
        wait_for(lambda: all(level > SILENT for level in heard()), "the sound of all")
        tell_apart(osc, INSTANCES)
        told = [f"{way(number)}{name}" for number in range(1, INSTANCES + 1) for name in ("prompt", "seed")]
        wishes = [wish for number, prompt in enumerate(PROMPTS[:INSTANCES], start=1) for wish in (prompt, number)]
        wait_for(lambda: [asked(osc, path) for path in told] == wishes, "a prompt and a seed for each")
        wait_for(lambda: len(set(heard())) == INSTANCES, "music of each one's own")
        # The hosts come in no order: each number is one of them, and none of the others.
        for silenced in range(1, INSTANCES + 1):
            SimpleUDPClient("127.0.0.1", osc).send_message(f"/mg/{way(silenced)}volume", -60.0)
            wait_for(partial(so_many_silent, heard, silenced), f"the end of {silenced}")
        assert len(player(tmp_path)) == 2, "one process keeps the model, and one plays for all"


def so_many_silent(heard: Callable[[], list[float]], wanted: int) -> bool:
    return sum(level < SILENT for level in heard()) == wanted


@contextlib.contextmanager
def peaks(hosts: Hosts) -> Iterator[Callable[[], list[float]]]:
    """How loud each host was in the last second."""
    import jack

    client = jack.Client("ears", servername=hosts.server)
    ports = inputs(client, hosts)
    latest: deque[list[float]] = deque(maxlen=client.samplerate // client.blocksize)

    @client.set_process_callback  # type: ignore[untyped-decorator, unused-ignore]
    def listen(_: int) -> None:
        latest.append([max(float(np.abs(side.get_array()).max()) for side in pair) for pair in ports])

    def heard() -> list[float]:
        return [float(one) for one in np.max(np.array(list(latest)), axis=0)]

    with client:
        wait_for(lambda: connected(client, hosts, ports) and len(latest) > 0, "the hosts")
        yield heard
