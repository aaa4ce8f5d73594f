"""torchaudio and transformers import beside whatever torch is installed."""

import subprocess
import sys

import numpy as np
import pytest

from musicgen.melody import MelodyEncoder


def test_transformers_can_be_imported_in_a_fresh_interpreter() -> None:
    code = "import musicgen, torchaudio; from transformers import MusicgenForConditionalGeneration, EncodecModel"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_importing_musicgen_waits_for_neither() -> None:
    code = "import musicgen, sys; assert not {'torchaudio', 'transformers', 'scipy'} & sys.modules.keys()"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_torchaudio_resamples() -> None:
    import torch
    import torchaudio

    tone = torch.sin(2 * torch.pi * 440 * torch.arange(48000) / 48000)
    expected = torch.sin(2 * torch.pi * 440 * torch.arange(32000) / 32000)
    resampled = torchaudio.functional.resample(tone, 48000, 32000)
    torch.testing.assert_close(resampled[1000:-1000], expected[1000:-1000], atol=1e-2, rtol=0)


def test_a_library_that_does_not_fit_is_put_aside() -> None:
    """Whatever torchaudio is installed here: one whose library cannot be loaded still imports."""
    code = """
import importlib.util, torch
refused = []
def refuse(path):
    refused.append(path)
    raise OSError("Could not load this library: " + str(path))
torch.ops.load_library = refuse
import musicgen
assert importlib.util.find_spec("torchaudio")  # as transformers looks for it
import torchaudio
assert torchaudio.functional.resample(torch.zeros(100), 2, 1).shape == (50,)
assert refused and not torchaudio._extension._IS_TORCHAUDIO_EXT_AVAILABLE
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_without_torchaudio_the_error_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchaudio", None)
    with pytest.raises(ModuleNotFoundError, match="torchaudio"):
        MelodyEncoder(None, None, 235, 12).melody(np.zeros(10), 8000)


def test_any_other_error_of_torchaudios_is_its_own() -> None:
    code = """
import torch
def fail(path): raise RuntimeError("broken")
torch.ops.load_library = fail
import musicgen
try: import torchaudio
except RuntimeError as error: print(error)
"""
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.stdout == "broken\n", result.stderr
