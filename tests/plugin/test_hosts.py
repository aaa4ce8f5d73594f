"""The VST3 in hosts of others: pedalboard and dawdreamer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.plugin.conftest import PATIENCE, longest_silence, music

# These hosts are GPL: they run in processes of their own, and only where somebody has installed them.

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
