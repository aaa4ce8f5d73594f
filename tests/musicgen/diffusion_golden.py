"""What AudioCraft 1.3.0 itself makes of the networks in ``diffusion_files.py``, for ``diffusion_golden.json``.

Run once, beside AudioCraft's sources, julius and einops (``pip download --no-deps``, unpacked into one folder):

    python -m tests.musicgen.diffusion_golden FOLDER > tests/musicgen/diffusion_golden.json

Only the modules that compute are imported; xformers, which they name and these settings never call, is stood in for.
"""

import importlib
import json
import sys
import types
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from tests.musicgen.diffusion_files import FRAMES, HOP, KINDS, RATE, noise_of, numbers, package

PICKED = 24  # samples of each result, evenly spaced


def pick(sound: Tensor) -> list[float]:
    flat = sound.flatten()
    return [round(float(value), 7) for value in flat[:: len(flat) // PICKED][:PICKED]]


def modules(folder: Path) -> tuple[Any, Any, Any]:
    """AudioCraft's ``unet`` and ``diffusion_schedule``, and julius."""
    sys.path.insert(0, str(folder))
    xformers: Any = types.ModuleType("xformers")
    xformers.ops = types.SimpleNamespace(unbind=torch.unbind)
    sys.modules["xformers"] = xformers
    for name in ("audiocraft", "audiocraft.models", "audiocraft.modules"):  # without what their __init__ imports
        empty: Any = types.ModuleType(name)
        empty.__path__ = [str(folder / name.replace(".", "/"))]
        sys.modules[name] = empty
    names = ("audiocraft.models.unet", "audiocraft.modules.diffusion_schedule", "julius")
    unet, schedule, julius = map(importlib.import_module, names)
    return unet, schedule, julius


def main(folder: Path) -> None:
    unet, schedule, julius = modules(folder)
    latents, reference = numbers(1, 1, 128, FRAMES), numbers(2, FRAMES * HOP)
    out: dict[str, Any] = {}
    bands, total = package(), torch.zeros(1, 1, FRAMES * HOP)
    for index, kind in enumerate(KINDS):
        config = bands[index]["cfg"]
        network = unet.DiffusionUnet(chin=1, num_steps=1000, **config.diffusion_unet).eval()
        network.load_state_dict(bands[index]["model_state"])
        processor = schedule.SampleProcessor()
        if config.processor.use:
            options = {key: value for key, value in config.processor.items() if key not in ("use", "name")}
            if not isinstance(options["power_std"], float):
                options["power_std"] = torch.tensor(list(options["power_std"]))
            processor = schedule.MultiBandProcessor(sample_rate=RATE, **options)
            processor.load_state_dict(bands[index]["processor_state"])
        process = schedule.NoiseSchedule(**config.schedule, sample_processor=processor, device="cpu")
        noise = noise_of(index, FRAMES * HOP)
        with torch.no_grad(), patch("torch.randn_like", lambda like, noise=noise: noise().view(like.shape)):
            sound = process.generate_subsampled(network, torch.randn_like(total), condition=latents)
            estimates = {step: network(reference[None, None], step, latents).sample for step in (999, 49)}
        total += sound
        out[kind] = {"noise": {step: pick(found) for step, found in estimates.items()}, "sound": pick(sound)}
    split = julius.SplitBands(n_bands=32, sample_rate=RATE)
    pairs = zip(split(total[0, 0]), split(reference), strict=True)
    out["equalised"] = pick(sum(band * (wanted.std() / band.std()) for band, wanted in pairs))
    json.dump(out, sys.stdout, indent=1)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
