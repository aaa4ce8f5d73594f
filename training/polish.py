"""Refine nano's codec by ear: its decoder alone, against discriminators that hear complex spectra.

    python -m training.polish --codec runs/codec/codec.pt --data data/songs --out runs/polish --minutes 15

Encoder and codebooks stay as they are, and so do all codes: this may run before, beside or after the language model's
training. Above 2 kHz the latents know no phase (see `training.codec`), so the decoder has to invent it; that a tone's
phase runs on from frame to frame is what distances between magnitudes hear badly and a discriminator hears well.
"""

import argparse
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm
from transformers import EncodecModel

from training import loop
from training.codec import HOP, RATE, codec_config, encode, load_codec, look_up, run, validate
from training.losses import WINDOWS, level_distance, spectral_losses, spectrum
from training.muon import Muon
from training.tones import attack_distance, comb_distance, fine_distances, rho_distance

SIZES = (4096, 1024, 256)  # windows of the discriminators: one hears tones, one onsets
CHANNELS = (8, 16, 16)
BATCH = 4  # crops of a step on each worker, where no other number is asked for
POOL = 2000  # songs at most: each is encoded when it is first drawn
CROP, RUN_UP = 100, 8  # frames of a crop; frames before it, in which the decoder's memory fills
ALONE = 60  # first steps, in which only the discriminators learn
# Weights beside the distances between magnitudes.
PHASE, LEVEL, COMB, RHO, FINE, TONES, ATTACKS = 0.5, 5.0, 0.15, 1.5, 0.5, 1.0, 1.0
ADVERSARIAL, FEATURES = 0.15, 0.6
# Hz: up to here the codes tell phase (coherence with the original 0.8 at 600 Hz, 0.1 at 850 Hz). Asked for it above,
# the decoder falls silent: so it had lost 8 dB between 800 and 2000 Hz.
TOLD = 750


class Crops:
    """Pieces of rendered songs and their codes. A song is encoded once, at a gain and with a shift of its own.

    Parameters
    ----------
    folder
        What `training.render` wrote.
    model
        Whose codes: they are made when a song is first drawn.
    """

    def __init__(self, folder: Path, model: EncodecModel) -> None:
        self._paths = sorted(folder.glob("*.npy"))[:POOL][loop.rank() :: loop.workers()]
        self._model = model
        self._songs: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}

    def _song(self, number: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Codes (codebooks, frames) and samples as float16, whole frames."""
        if number not in self._songs:
            rng = np.random.default_rng(number)
            pcm = np.load(self._paths[number])[rng.integers(HOP) :]
            gain = 10 ** (rng.uniform(-9, 2) / 20) / 32768  # renders are loudness-normalised
            audio = torch.from_numpy(pcm[: len(pcm) // HOP * HOP].astype(np.float32) * np.float32(gain))
            device = next(self._model.parameters()).device
            codes = encode(self._model, audio[None].to(device))[0].short().cpu()
            self._songs[number] = codes, audio.half()
        return self._songs[number]

    def draw(self, rng: np.random.Generator, count: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Codes (count, codebooks, `RUN_UP` + `CROP`) and the audio of their last `CROP` frames, (count, samples)."""
        codes, audio = [], []
        for _ in range(count):
            tokens, samples = self._song(int(rng.integers(len(self._paths))))
            first = int(rng.integers(tokens.shape[1] - RUN_UP - CROP))
            codes.append(tokens[:, first : first + RUN_UP + CROP])
            audio.append(samples[(first + RUN_UP) * HOP : (first + RUN_UP + CROP) * HOP])
        return torch.stack(codes).long(), torch.stack(audio).float()


class Discriminator(nn.Module):
    """Convolutions over one complex spectrogram; says, at every place, how real it sounds.

    Parameters
    ----------
    size
        Window of the spectrogram in samples.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        widths = (2, *CHANNELS)
        self.layers = nn.ModuleList(weight_norm(nn.Conv2d(a, b, (3, 9), (1, 2), (1, 4))) for a, b in pairwise(widths))
        self.last = weight_norm(nn.Conv2d(CHANNELS[-1], 1, 3, 1, 1))

    def forward(self, audio: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Scores (batch, 1, windows, places) of audio (batch, samples), and what every layer felt."""
        z = spectrum(audio, self.size).mT
        # Loudness to the power 0.3: quiet partials count too.
        x = torch.stack([z.real, z.imag], 1) * (z.real**2 + z.imag**2 + 1e-8)[:, None] ** -0.35
        felt = []
        for layer in self.layers:
            x = F.leaky_relu(layer(x), 0.2)
            felt.append(x)
        scores: torch.Tensor = self.last(x)
        return scores, felt


def judge_step(critics: nn.ModuleList, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """Hinge loss of the discriminators, with its backward pass."""
    total = real.new_zeros(())
    for critic in critics:
        scores = critic(torch.cat([real, fake]))[0].float()
        on_real, on_fake = scores.chunk(2)
        total = total + F.relu(1 - on_real).mean() + F.relu(1 + on_fake).mean()
    torch.autograd.backward(total)
    return total.detach()


def persuade(critics: nn.ModuleList, real: torch.Tensor, fake: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """What the decoder minimises: the discriminators' disbelief, and how differently they feel about real and fake."""
    disbelief, distance = real.new_zeros(()), real.new_zeros(())
    for critic in critics:
        scores, felt = critic(torch.cat([real, fake]))
        disbelief = disbelief - scores.float().chunk(2)[1].mean()
        for x in felt:
            wanted, given = x.float().chunk(2)
            distance = distance + F.l1_loss(given, wanted.detach()) / wanted.detach().abs().mean()
    return disbelief / len(critics), distance / (len(critics) * len(CHANNELS))


def decode(model: EncodecModel, codes: torch.Tensor) -> torch.Tensor:
    """What the decoder being trained makes of codes (batch, codebooks, frames), after `RUN_UP`: (batch, samples)."""
    layers = list(model.decoder.layers)
    with loop.mixed(codes.device):
        x = run(layers[:-1], look_up(model, codes).mT)
    # bfloat16's last bits would be a noise of their own in the waveform.
    return run(layers[-1:], x.float())[:, 0, RUN_UP * HOP :]


def distances(output: torch.Tensor, audio: torch.Tensor, windows: Sequence[int] = WINDOWS) -> dict[str, torch.Tensor]:
    """How far the decoder's output is from the original, (batch, samples) each; ``heard`` is what counts in all."""
    parts = spectral_losses(output, audio, RATE, windows, TOLD)
    parts["level"] = level_distance(output, audio, RATE)
    parts["comb"], parts["rho"] = comb_distance(output, audio), rho_distance(output, audio)
    parts["fine"], parts["tones"] = fine_distances(output, audio)
    parts["attacks"] = attack_distance(output, audio)
    weighed = PHASE * parts["complex"] + LEVEL * parts["level"] + COMB * parts["comb"] + RHO * parts["rho"]
    weighed = weighed + FINE * parts["fine"] + TONES * parts["tones"] + ATTACKS * parts["attacks"]
    return {**parts, "heard": parts["mel"] + 0.5 * parts["stft"] + weighed}


def train_step(
    model: EncodecModel,
    critics: nn.ModuleList,
    pieces: tuple[torch.Tensor, torch.Tensor],
    rng: np.random.Generator,
    alone: bool,
) -> dict[str, torch.Tensor]:
    """Gradients of the discriminators, and, unless they learn ``alone``, of the decoder; returns the losses.

    ``pieces`` are what `Crops.draw` draws.
    """
    codes, audio = pieces
    judged_crops = (len(audio) + 1) // 2  # the discriminators take more time than all the rest
    with torch.set_grad_enabled(not alone):
        output = decode(model, codes)
    with loop.mixed(audio.device):
        judged = judge_step(critics, audio[:judged_crops], output[:judged_crops].detach())
    if alone:
        return {"critics": judged}
    parts = distances(output, audio, rng.choice(WINDOWS, 3, replace=False).tolist())
    critics.requires_grad_(False)
    with loop.mixed(audio.device):
        disbelief, distance = persuade(critics, audio[:judged_crops], output[:judged_crops])
    loss = parts["heard"] + ADVERSARIAL * disbelief + FEATURES * distance
    torch.autograd.backward(loss)
    critics.requires_grad_(True)
    parts.update(critics=judged, disbelief=disbelief, distance=distance)
    return {name: value.detach() for name, value in parts.items()}


def optimizers(model: EncodecModel, critics: nn.ModuleList) -> list[torch.optim.Optimizer]:
    """Muon for the kernels of the decoder and of the discriminators, AdamW for the rest of both.

    With AdamW alone the discriminators learn more slowly: their hinge loss, 6 at first, was 5.1 after 120 steps, with
    Muon 4.6.
    """
    (kernels, others), (theirs, their_others) = (
        [[p for name, p in part.named_parameters() if name.endswith("original1") == kernel] for kernel in (True, False)]
        for part in (model.decoder, critics)
    )
    return [
        Muon(kernels, lr=5e-3),
        torch.optim.AdamW(others, lr=3e-4, betas=(0.8, 0.98), weight_decay=0.0),
        Muon(theirs, lr=2e-2),
        torch.optim.AdamW(their_others, lr=4e-3, betas=(0.8, 0.98), weight_decay=0.0),
    ]


def checkpoint(
    path: Path, parts: tuple[EncodecModel, nn.ModuleList], opts: list[torch.optim.Optimizer], step: int, minutes: float
) -> None:
    """Save on rank 0, as `training.codec` does, with the discriminators beside."""
    if loop.rank() == 0:
        model, critics = parts
        state: dict[str, Any] = {"model": model.state_dict(), "critics": critics.state_dict()}
        state |= {"optimizers": [o.state_dict() for o in opts], "filters": model.config.num_filters}
        loop.save(path, {**state, "step": step, "minutes": minutes})


def train(arguments: argparse.Namespace) -> None:
    """The whole stage, on this worker."""
    torch.manual_seed(arguments.seed)
    device, path = loop.pick_device(), arguments.out / "codec.pt"
    state = loop.load(path if path.exists() else arguments.codec)
    model = EncodecModel(codec_config(state["filters"])).train().to(device)
    model.load_state_dict(state["model"])
    critics = nn.ModuleList(Discriminator(size) for size in SIZES).to(device)
    opts = optimizers(model, critics)
    step, minutes = 0, 0.0
    if path.exists():
        critics.load_state_dict(state["critics"])
        for optimizer, stored in zip(opts, state["optimizers"], strict=True):
            optimizer.load_state_dict(stored)
        step, minutes = state["step"], state["minutes"]
    encoder: Any = load_codec(arguments.codes) if arguments.codes else model
    crops = Crops(arguments.data, encoder.to(device))
    log, clock = loop.Log(arguments.out / "log.jsonl"), loop.Clock(arguments.minutes, minutes)
    full = loop.rates(optimizers(model, critics))
    saved = time.monotonic()
    for step, progress in loop.steps(clock, step, arguments.steps):  # noqa: B020
        rng = loop.draws(arguments.seed, step)
        factor = loop.trapezoid(progress, 0.6) * min(1.0, (step + 1) / 20)
        loop.prepare(opts, full, factor)
        codes, audio = crops.draw(rng, arguments.batch)
        parts = train_step(model, critics, (codes.to(device), audio.to(device)), rng, step < arguments.alone)
        trained = [*model.decoder.parameters(), *critics.parameters()]
        loop.average_gradients(trained)
        nn.utils.clip_grad_norm_(critics.parameters(), 10.0)
        nn.utils.clip_grad_norm_(model.decoder.parameters(), 10.0)
        for optimizer in opts:
            optimizer.step()
        if step % 25 == 0:
            log(step=step, minutes=clock.spent(), **{name: float(value) for name, value in parts.items()})
        if loop.agree(time.monotonic() - saved) > 240:
            checkpoint(path, (model, critics), opts, step + 1, clock.spent())
            log(step=step, **(validate(model, arguments.held_out) if loop.rank() == 0 else {}))
            saved = time.monotonic()
    checkpoint(path, (model, critics), opts, step + 1, clock.spent())
    log(step=step, done=True, **validate(model, arguments.held_out))


def parser() -> argparse.ArgumentParser:
    """The command line of this stage."""
    parser = loop.options(__doc__, Path("runs/polish"), minutes=15)
    parser.add_argument("--codec", type=Path, default=Path("runs/codec/codec.pt"))
    parser.add_argument("--codes", type=Path, help="checkpoint whose encoder makes the same codes sooner: not widened")
    parser.add_argument("--data", type=Path, default=Path("data/songs"), help="folder of rendered songs")
    parser.add_argument("--held-out", type=Path, default=Path("data/held-out"), help="songs that are only listened to")
    parser.add_argument("--batch", type=int, default=BATCH, help="crops of a step on each worker")
    parser.add_argument("--alone", type=int, default=ALONE, help="first steps, in which only the discriminators learn")
    return parser


def main() -> None:
    """Read the command line and train."""
    arguments = parser().parse_args()
    loop.launch(train, arguments.workers, arguments)


if __name__ == "__main__":
    loop.tune_allocator("training.polish")
    main()
