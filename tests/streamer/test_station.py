"""A station plays its programme, tells systemd and Prometheus how it goes, and takes over what is written meanwhile."""

from __future__ import annotations

import contextlib
import socket
import threading
import urllib.request
from pathlib import Path

import pytest

pytest.importorskip("av", reason="install the extra background")
pytest.importorskip("prometheus_client", reason="install the extra background")

from streamer.control.snapshots import Snapshots
from streamer.instrument import Instrument
from streamer.station import Station
from streamer.surfaces.metrics import MOST, Metrics
from streamer.surfaces.programme.watching import Watched
from streamer.surfaces.watchdog import Watchdog
from tests.streamer import counter
from tests.streamer.test_instrument import until

RATE = 8000
PROGRAMME = """\
outputs:
  - files: {folder}
    format: flac
entries:
  - prompt: {prompt}
    takeover: 0 s
"""


def test_a_station_plays_tells_and_takes_over(tmp_path: Path) -> None:
    page, folder, told = tmp_path / "day.yaml", tmp_path / "hours", list[str]()
    page.write_text(PROGRAMME.format(folder=folder, prompt="piano"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)
        dog = Watchdog({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "400000"})
        instrument = Instrument(counter.job(RATE), {}, port=0, report=told.append)
        watched = Watched(page, told.append)
        station = Station(
            instrument, watched, "salt", told.append, snapshots=Snapshots(tmp_path / "snapshots"), watchdog=dog
        )
        try:
            station.start()
            assert instrument.controls.get("prompt") == "piano"
            assert systemd.recv(1000) == b"READY=1"
            assert systemd.recv(1000) == b"WATCHDOG=1\nSTATUS=piano"
            until(lambda: station.feeds[0].connected)
            metrics = Metrics(station.figures, "127.0.0.1", 0)
            with urllib.request.urlopen(f"http://127.0.0.1:{metrics.port}/metrics", timeout=30) as answer:
                text = answer.read().decode()
            metrics.close()
            assert 'musicgen_streamer_entry{title="piano"} 1.0' in text
            assert f'musicgen_streamer_output_connected{{output="the folder {folder}"}} 1.0' in text
            page.write_text(PROGRAMME.format(folder=folder, prompt="organ and bells"))
            until(lambda: instrument.controls.get("prompt") == "organ and bells")
            page.write_text("entries: [")
            until(lambda: any("line 1" in sentence for sentence in told))
            station.check()
        finally:
            station.close()
            instrument.close()
    (file,) = folder.iterdir()
    assert file.suffix == ".flac" and file.stat().st_size > 1000


@pytest.mark.heavy
def test_who_asks_for_figures_a_letter_at_a_time_takes_few_threads_and_gives_way() -> None:
    metrics = Metrics(list, "127.0.0.1", 0)
    before = threading.active_count()
    try:
        with contextlib.ExitStack() as there:
            slow = []
            for _ in range(3 * MOST):
                slow.append(there.enter_context(socket.create_connection(("127.0.0.1", metrics.port), timeout=30)))
                slow[-1].sendall(b"GET /met")
            for gone in slow[: 2 * MOST]:
                with contextlib.suppress(ConnectionResetError):
                    assert gone.recv(100) == b""
            until(lambda: threading.active_count() <= before + MOST)
            with urllib.request.urlopen(f"http://127.0.0.1:{metrics.port}/metrics", timeout=30) as answer:
                assert answer.status == 200
    finally:
        metrics.close()


def test_a_station_that_takes_no_blocks_is_not_called_alive(tmp_path: Path) -> None:
    page = tmp_path / "day.yaml"
    page.write_text("entries: [{prompt: piano}]")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        dog = Watchdog({"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "100000"})
        instrument = Instrument(counter.job(RATE), {}, port=0, report=lambda sentence: None)
        station = Station(instrument, Watched(page, print), "", print, watchdog=dog)
        try:
            station.start()
            instrument.player.close()
            systemd.settimeout(1.0)
            with pytest.raises(TimeoutError):  # one look may have been on its way
                for _ in range(50):
                    systemd.recv(1000)
        finally:
            station.close()
            instrument.close()


def test_outside_of_systemd_nobody_is_told() -> None:
    dog = Watchdog({})
    dog.ready()
    dog.alive("piano")
    dog.stopping()
    assert dog.every == 0.0
