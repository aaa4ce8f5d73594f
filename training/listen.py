"""Fit the codec's encoder anew to a decoder and codebooks that stay as they are.

    python -m training.listen --codec runs/shipped/codec.pt --model musicgen/models/nano --out runs/listen --minutes 8

What a code sounds like is the decoder's matter, which code a sound gets the encoder's. So the encoder may be trained
again without the language model's noticing: from songs, which must sound through the frozen decoder as they did before,
and from what the model itself plays, where the codes behind the sound are known and have to be found again.
"""

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F
from transformers import EncodecModel

from musicgen import Ensemble, MusicGen
from training import loop
from training.codec import (
    BATCH,
    CROP,
    HOP,
    RATE,
    STEADY,
    WAVE,
    Songs,
    checkpoint,
    codebooks,
    load_codec,
    look_up,
    nearest,
    run,
    turn,
    validate,
)
from training.compose import STYLES
from training.losses import WINDOWS, spectral_losses
from training.muon import Muon

LEAD = 16  # frames of a played crop that are not asked for: the encoder has not heard what came before them
ECHO = 0.5  # weight of finding the codes of what the model played


def play(folder: Path, frames: int, seed: int) -> NDArray[np.int64]:
    """Codes (styles, codebooks, frames) of one stream of each style."""
    model = MusicGen.load(str(folder), threads=1)
    streams = [model.stream(seed=seed + i) for i in range(len(STYLES))]
    for stream, style in zip(streams, STYLES, strict=True):
        stream.set_prompt(style)
    ensemble = Ensemble(streams)
    return np.stack([np.stack(ensemble.next_frames()) for _ in range(frames)], 2)


def quantize(model: EncodecModel, latents: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents (batch, frames, width) on the fixed codes, with straight-through gradients; how far off they were."""
    rest, total, commitment = latents, torch.zeros_like(latents), latents.new_zeros(())
    for book in codebooks(model):
        chosen = F.embedding(nearest(rest.detach().reshape(-1, rest.shape[-1]), book.embed), book.embed).view_as(rest)
        commitment = commitment + (rest - chosen).pow(2).mean()
        total, rest = total + chosen, rest - chosen
    return latents + (total - latents).detach(), commitment


def echo(model: EncodecModel, codes: torch.Tensor) -> torch.Tensor:
    """How far from the latents of codes (batch, codebooks, frames) the encoder finds their sound: 0 is exact."""
    with torch.no_grad():
        wanted = look_up(model, codes)
        sound = run(model.decoder.layers, wanted.mT)
    found = run(model.encoder.layers, sound).mT
    return (found - wanted)[:, LEAD:].pow(2).mean() / wanted.var()


def train_step(
    model: EncodecModel, audio: torch.Tensor, codes: torch.Tensor, rng: np.random.Generator
) -> dict[str, torch.Tensor]:
    """Gradients of the encoder from songs (batch, samples) and from played codes; returns the parts of the loss."""
    latents = run(model.encoder.layers, torch.cat([audio, turn(audio, rng)])[:, None]).mT
    plain, turned = latents.chunk(2)
    unsteady = (plain - turned).pow(2).mean() / latents.var()
    hidden, commitment = quantize(model, turned)
    output = run(model.decoder.layers, hidden.mT)[:, 0]
    parts = spectral_losses(output, audio, RATE, rng.choice(WINDOWS, 3, replace=False).tolist())
    parts["l1"] = F.l1_loss(output, audio) / audio.abs().mean().clamp_min(1e-3)
    parts.update(commitment=commitment, unsteady=unsteady, echo=echo(model, codes))
    heard = parts["mel"] + 0.5 * parts["stft"] + WAVE * (parts["l1"] + parts["complex"])
    torch.autograd.backward(heard + STEADY * unsteady + 0.25 * commitment + ECHO * parts["echo"])
    return {name: value.detach() for name, value in parts.items()}


def crops(played: NDArray[np.int64], rng: np.random.Generator) -> torch.Tensor:
    """Random pieces of what was played, (`BATCH` / 2, codebooks, frames)."""
    frames = LEAD + CROP // HOP
    rows = rng.integers(len(played), size=BATCH // 2)
    starts = rng.integers(played.shape[2] - frames, size=len(rows))
    return torch.from_numpy(np.stack([played[r, :, s : s + frames] for r, s in zip(rows, starts, strict=True)]))


def optimizers(model: EncodecModel) -> list[torch.optim.Optimizer]:
    """Muon for the encoder's kernels, AdamW for the rest of it."""
    parameters = dict(model.encoder.named_parameters())
    kernels = [p for name, p in parameters.items() if name.endswith("weight.original1")]
    others = [p for name, p in parameters.items() if not name.endswith("weight.original1")]
    return [Muon(kernels, lr=1e-2), torch.optim.AdamW(others, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.0)]


def train(arguments: argparse.Namespace, played: NDArray[np.int64]) -> None:
    """The whole stage, on this worker."""
    path = arguments.out / "codec.pt"
    model = load_codec(path if path.exists() else arguments.codec).train()
    state: dict[str, Any] = loop.load(path) if path.exists() else {"step": 0, "minutes": 0.0}
    opts = optimizers(model)
    full = loop.rates(opts)
    for optimizer, stored in zip(opts, state.get("optimizers", []), strict=False):
        optimizer.load_state_dict(stored)
    songs, step, saved = Songs(arguments.data), state["step"], time.monotonic()
    log, clock = loop.Log(arguments.out / "log.jsonl"), loop.Clock(arguments.minutes, state["minutes"])
    for step, progress in loop.steps(clock, step, arguments.steps):  # noqa: B020
        rng = loop.draws(arguments.seed, step)
        factor = loop.trapezoid(progress, 0.7)
        loop.prepare(opts, full, factor)
        parts = train_step(model, songs.crops(rng, BATCH), crops(played, rng), rng)
        loop.average_gradients(model.encoder.parameters())
        nn.utils.clip_grad_norm_(model.encoder.parameters(), 10.0)
        for optimizer in opts:
            optimizer.step()
        if step % 25 == 0:
            log(step=step, minutes=clock.spent(), **{name: float(value) for name, value in parts.items()})
        if loop.agree(time.monotonic() - saved) > 120:
            checkpoint(path, model, opts, step + 1, clock.spent())
            log(step=step, **(validate(model, arguments.held_out) if loop.rank() == 0 else {}))
            saved = time.monotonic()
    checkpoint(path, model, opts, step + 1, clock.spent())
    log(step=step, done=True, **validate(model, arguments.held_out))


def parser() -> argparse.ArgumentParser:
    """The command line of this stage."""
    parser = loop.options(__doc__, Path("runs/listen"), minutes=8)
    parser.add_argument("--codec", type=Path, default=Path("runs/codec/codec.pt"))
    parser.add_argument("--model", type=Path, default=Path("musicgen/models/nano"), help="an exported folder, to play")
    parser.add_argument("--frames", type=int, default=400, help="that it plays in each style")
    parser.add_argument("--data", type=Path, default=Path("data/songs"), help="folder of rendered songs")
    parser.add_argument("--held-out", type=Path, default=Path("data/held-out"), help="songs that are only listened to")
    return parser


def main() -> None:
    """Read the command line, play, train."""
    arguments = parser().parse_args()
    loop.launch(train, arguments.workers, arguments, play(arguments.model, arguments.frames, arguments.seed))


if __name__ == "__main__":
    loop.tune_allocator("training.listen")
    main()
