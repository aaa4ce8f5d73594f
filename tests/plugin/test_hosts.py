"""The plug-in in hosts that people use: JALV under JACK (LV2), pedalboard and dawdreamer (VST3)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.plugin.conftest import PATIENCE, longest_silence, music

URI = "urn:musicgen-streamer:plugin"
SERVER = f"plugin{os.getpid()}"


@pytest.fixture
def jack(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """A JACK server without a sound card, with blocks of the test's choice; what its clients need to be told."""
    if any(shutil.which(name) is None for name in ("jackd", "jalv", "jack_wait")):
        pytest.skip("JACK and JALV are not there: install jackd2 and jalv")
    environment = {"JACK_NO_AUDIO_RESERVATION": "1", "JACK_NO_START_SERVER": "1", "JACK_DEFAULT_SERVER": SERVER}
    command = ["jackd", "-n", SERVER, "-R", "-P70", "-S", "-d", "dummy", "-r", "48000", "-p", str(request.param)]
    server = subprocess.Popen(
        command, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        subprocess.run(["jack_wait", "-s", SERVER, "-w", "-t", "20"], env=os.environ | environment, capture_output=True)
        yield environment
    finally:
        server.terminate()
        server.wait(30)


RECORD = """
import sys, time, jack, numpy as np
client = jack.Client("ear", no_start_server=True)
ports = [client.inports.register(name) for name in ("l", "r")]
blocks = []
client.set_process_callback(lambda n: blocks.append(np.stack([port.get_array().copy() for port in ports], axis=1)))
client.activate()
until = time.monotonic() + 60
while not (found := client.get_ports("MusicGen.*", is_output=True, is_audio=True)) and time.monotonic() < until:
    time.sleep(0.05)
for output, port in zip(found, ports):
    client.connect(output, port)
while not any(block.any() for block in blocks) and time.monotonic() < until:
    time.sleep(0.05)
time.sleep(float(sys.argv[1]))
client.deactivate()
np.save(sys.argv[2], np.concatenate(blocks))
"""


@pytest.mark.realtime
@pytest.mark.parametrize("jack", [512, 2048], indirect=True)
def test_jalv_plays_without_a_hole(
    jack: dict[str, str], environment: dict[str, str], built: Path, tmp_path: Path
) -> None:
    pytest.importorskip("jack")
    environment |= jack | {"LV2_PATH": f"{built / 'lv2'}:/usr/lib/lv2"}
    output = tmp_path / "heard.npy"
    host = subprocess.Popen(
        ["jalv", "-n", "mgs", "-x", URI], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        command = [sys.executable, "-c", RECORD, "4", str(output)]
        subprocess.run(command, env=environment, check=True, timeout=PATIENCE)
    finally:
        host.kill()
        host.wait(30)
    heard = music(np.load(output))
    assert len(heard) > 100_000 and np.abs(heard).max() > 0.02
    assert longest_silence(heard) < 100


# ---- GPL hosts: in processes of their own, and only where somebody has installed them

BOUNCE = """
import json, sys
import numpy as np
plugin, what, block, rate, output = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
if what == "pedalboard":
    from pedalboard import load_plugin
    one = load_plugin(plugin, initialization_timeout=0)
    one.seed = 5
    one.guidance = 4.0
    sound = one.process([], duration=1.0, sample_rate=rate, num_channels=2, buffer_size=block)
    state = one.raw_state
    other = load_plugin(plugin, initialization_timeout=0)
    other.raw_state = state
    print(json.dumps({"parameters": len(one.parameters), "seed": other.seed, "guidance": other.guidance}))
else:
    import dawdreamer
    engine = dawdreamer.RenderEngine(rate, block)
    one = engine.make_plugin_processor("mg", plugin)
    engine.load_graph([(one, [])])
    engine.render(1.0)
    sound = engine.get_audio()
    print(json.dumps({"parameters": len(one.get_parameters_description())}))
np.save(output, np.asarray(sound).T)
"""


@pytest.mark.heavy
@pytest.mark.parametrize("host", ["pedalboard", "dawdreamer"])
def test_a_vst3_bounce_is_the_same_at_any_block_size(
    host: str, built: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    pytest.importorskip(host, reason=f"the host is not there: install {host}")
    plugin = next((built / "vst3").iterdir())
    heard = []
    for number, (block, rate) in enumerate(((512, 48000), (512, 48000), (2048, 48000), (64, 48000), (512, 44100))):
        output = tmp_path / f"{number}.npy"
        command = [sys.executable, "-c", BOUNCE, str(plugin), host, str(block), str(rate), str(output)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        facts = json.loads(done.stdout.strip().splitlines()[-1])
        assert facts["parameters"] >= 25
        if host == "pedalboard":
            assert facts["seed"] == 5 and facts["guidance"] == pytest.approx(4.0, abs=0.01)
        sound = music(np.load(output))
        assert np.abs(sound).max() > 0.05 and longest_silence(sound) < 50
        heard.append(sound)
    for other in heard[1:4]:
        shorter = min(len(other), len(heard[0]))
        assert shorter > 20_000 and np.array_equal(other[:shorter], heard[0][:shorter])
