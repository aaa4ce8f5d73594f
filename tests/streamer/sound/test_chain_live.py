"""A chain of hosted effects on the live instrument: in snapshots, in recordings, and after a crash."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
from pythonosc.udp_client import SimpleUDPClient

from streamer.audio.recorder import SOUND
from streamer.instrument import Instrument
from streamer.offline.replay import replay
from tests.streamer.sine import SineModel
from tests.streamer.sound.plugins import build
from tests.streamer.test_recording import JOB
from tests.streamer.test_supervisor import until

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="hosted effects are not for Windows")

QUIET = "lv2:urn:mg:rude; gain=0.01"
"""Takes 40 dB off: what is heard says whether it plays."""
PATIENCE = 90.0  # seconds: a busy machine takes its time to start a process


@pytest.fixture
def instrument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Instrument]:
    monkeypatch.setenv("LV2_PATH", "")  # to be as it was afterwards
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr("streamer.sound.hosted.remote.LOAD_SECONDS", PATIENCE)
    folder = tmp_path / "lv2"
    folder.mkdir()
    build(folder)
    made = Instrument(JOB, {"seed": 5, "lead": 800.0}, port=0)
    made.start()
    yield made
    made.close()


def heard(instrument: Instrument, quiet: bool) -> None:
    """Wait until the music is heard for half a second as it should be."""
    levels: list[bool] = []

    def settled() -> bool:
        time.sleep(0.05)
        level = instrument.status().level
        levels.append(-75 < level < -38 if quiet else level > -30)
        return len(levels) > 10 and all(levels[-10:])

    until(settled, PATIENCE)


@pytest.mark.realtime
def test_a_chain_is_in_snapshots_and_recordings_and_comes_back_after_a_crash(
    instrument: Instrument, tmp_path: Path
) -> None:
    osc = SimpleUDPClient("127.0.0.1", instrument.server.port)
    heard(instrument, quiet=False)
    instrument.record(tmp_path / "take")
    osc.send_message("/mg/fx/1/load", QUIET)
    heard(instrument, quiet=True)
    osc.send_message("/mg/snapshot/save", "quiet")
    osc.send_message("/mg/fx/1/param/gain", 1.0)
    heard(instrument, quiet=False)
    osc.send_message("/mg/snapshot/load", "quiet")
    heard(instrument, quiet=True)
    osc.send_message("/mg/fx/1/load", "")
    heard(instrument, quiet=False)
    osc.send_message("/mg/undo", [])
    heard(instrument, quiet=True)
    instrument.recorder.stop()

    pid, restarts = instrument.worker.pid, instrument.worker.restarts
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    until(lambda: instrument.worker.restarts == restarts + 1 and instrument.worker.alive, PATIENCE)
    heard(instrument, quiet=True)

    replay(SineModel(look_ahead=300), tmp_path / "take", tmp_path / "again.wav", report=pytest.fail)
    paths = (tmp_path / "take" / SOUND, tmp_path / "again.wav")
    take, again = (soundfile.read(path, dtype="int32")[0] for path in paths)
    np.testing.assert_array_equal(again, take)
