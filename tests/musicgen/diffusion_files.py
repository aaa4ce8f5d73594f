"""AudioCraft's file of diffusion networks, with small random ones: layout and names are those that its loader takes."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import musicgen  # noqa: F401  (first: it makes transformers importable beside any torchaudio)

# isort: split
import numpy as np
import torch
from omegaconf import OmegaConf
from torch import Tensor

from musicgen.diffusion.bands import lowpass_filters
from musicgen.diffusion.network import Shape, Unet

RATE = 32_000
KINDS = ("transformer", "cross", "lstm")
FRAMES, HOP = 5, 640


def numbers(seed: int, *shape: int) -> Tensor:
    """Normal random numbers that are the same everywhere and for ever: NumPy has frozen this generator."""
    return torch.from_numpy(np.random.RandomState(seed).standard_normal(shape).astype(np.float32))


def noise_of(seed: int, samples: int) -> Callable[[], Tensor]:
    """New noise at every call."""
    source = np.random.RandomState(seed)
    return lambda: torch.from_numpy(source.standard_normal(samples).astype(np.float32))


def configuration(kind: str, latent: int, processed: bool) -> dict[str, Any]:
    """As AudioCraft's ``config/solver/diffusion/default.yaml`` has it, but small; links as Hydra leaves them."""
    return {
        "solver": "diffusion",
        "sample_rate": RATE,
        "channels": 1,
        "n_q": 4,
        "diffusion_unet": {
            "hidden": 8,
            "depth": 3,
            "res_blocks": 2,
            "norm_groups": 4,
            "kernel": 8,
            "stride": 4,
            "growth": 2,
            "max_channels": 24,
            "dropout": 0.0,
            "emb_all_layers": kind != "lstm",
            "bilstm": kind == "lstm",
            "codec_dim": latent,
            "transformer": kind != "lstm",
            "cross_attention": kind == "cross",
        },
        "processor": {
            "name": "multi_band_processor",
            "use": processed,
            "n_bands": 4,
            "num_samples": 10_000,
            "power_std": 0.4 if kind == "transformer" else [0.75, 0.4, 0.4, 0.2],
        },
        "schedule": {
            "repartition": "power",
            "variable_step_batch": True,
            "beta_t0": 1e-5,
            "beta_t1": 2.9e-2,
            "beta_exp": 7.5,
            "num_steps": 1000,
            "variance": "beta",
            "clip": {"transformer": 30.0, "cross": 5.0, "lstm": 0.0}[kind],
            "rescale": 1.0,
            "n_bands": None,
            "noise_scale": 0.5 if kind == "lstm" else 1.0,
        },
        "generate": {"audio": {"sample_rate": "${sample_rate}"}, "lengths": [1, 2.5]},
    }


def network_state(kind: str, latent: int, seed: int) -> dict[str, Tensor]:
    """Weights of a network, under AudioCraft's names."""
    shape = Shape((1, 8, 16, 24), 8, 4, 2, 4, 1000, kind != "lstm", latent, kind)
    state = {}
    for number, (name, tensor) in enumerate(Unet(shape).state_dict().items()):
        values = numbers(1000 * seed + number, *tensor.shape)
        if "norm" in name or "bias" in name:
            values = 0.1 * values + ("weight" in name)
        elif "embedding" not in name:
            values *= (values[0].numel()) ** -0.5
        for attention in ("self_attn", "cross_attention"):
            name = name.replace(f"{attention}.", f"{attention}.mha.")
        state[name] = values
    return state


def processor_state(seed: int) -> dict[str, Tensor]:
    """What a ``MultiBandProcessor`` has counted of music with weak high bands."""
    return {
        "counts": torch.tensor([100.0]),
        "sum_x": 0.1 * numbers(seed, 4),
        "sum_x2": torch.tensor([9.0, 4.0, 1.0, 0.25]),
        "sum_target_x2": torch.tensor([5.0, 10.0, 30.0, 55.0]),
        "split_bands.lowpass.filters": lowpass_filters(4, RATE)[:, None],
    }


def package(kinds: tuple[str, ...] = (*KINDS, "transformer"), latent: int = 128) -> dict[Any, Any]:
    """The content of a file, a network for each kind; the first one's sound needs no processor."""
    bands: dict[Any, Any] = {"n_bands": len(kinds), "sample_rate": RATE}
    for index, kind in enumerate(kinds):
        bands[index] = {
            "cfg": OmegaConf.create(configuration(kind, latent, processed=index > 0)),
            "model_state": network_state(kind, latent, index),
            "processor_state": processor_state(index) if index else {},
        }
    return bands


def write(path: Path, content: dict[Any, Any] | None = None) -> Path:
    torch.save(package() if content is None else content, path)
    return path
