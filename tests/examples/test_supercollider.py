"""The SuperCollider script, run by sclang without a screen."""

import os
import shutil
from collections.abc import Callable

import pytest

from tests.examples.conftest import EXAMPLES, Instrument, Peer

SCRIPT = EXAMPLES / "supercollider" / "musicgen-streamer.scd"
SCLANG = shutil.which("sclang")


@pytest.mark.heavy
@pytest.mark.skipif(SCLANG is None, reason="SuperCollider is not installed: apt install supercollider-language")
def test_the_script_plays_the_instrument_and_hears_it(instrument: Instrument, launch: Callable[..., Peer]) -> None:
    environment = os.environ | {
        "MUSICGEN_PORT": str(instrument.server.port),
        "QT_QPA_PLATFORM": "offscreen",
        "QTWEBENGINE_DISABLE_SANDBOX": "1",
    }
    assert SCLANG is not None
    sclang = launch([SCLANG, "-D", str(SCRIPT)], env=environment)
    sclang.wait(lambda: instrument.heard("play"), "play arriving", seconds=60)
    swell = ("ramp/beats", ("temperature", 1.25, 16.0))
    sclang.wait(lambda: swell in instrument.asked, "the swell of the temperature arriving")
    assert instrument.heard("prompt") == ["ambient pads, slow, warm"]
    assert instrument.heard("prompt2") == ["deep house, 120 bpm"]
    assert ("ramp/beats", ("prompt/2/weight", 1.0, 32.0)) in instrument.asked
    assert (instrument.controls.get("tempo"), instrument.controls.get("quantise")) == (120, "bar")
    answer = f"MusicGen Streamer answers on port {instrument.server.port}"
    sclang.wait(lambda: answer in sclang.printed, "the pong coming back")
    instrument.controls.set(prompt="changed by hand")
    sclang.wait(lambda: "prompt: changed by hand" in sclang.printed, "the subscription telling of a change")
    assert "ERROR" not in sclang.printed
