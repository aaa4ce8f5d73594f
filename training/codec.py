"""Train nano's codec: transformers' causal EnCodec, 32 kHz, 50 Hz, four codebooks of 1024.

    python -m training.codec --data data/songs --out runs/codec --minutes 30

First a plain autoencoder with a little noise in the latent, then k-means on its latents gives the codebooks, then all
trains together. Starting with codebooks at once collapses to a single code.

A tone only sounds as a tone when its phase runs on from frame to frame, which a small decoder cannot invent: so the
distances hear phase, below 2 kHz. Above, phase would cost bits and make the same sound come as other codes each time;
so the latents of a crop and of its twin, whose high phases are turned, are drawn together, and the decoder starts from
the twin.
"""

import argparse
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F
from transformers import EncodecConfig, EncodecModel

from training import loop
from training.losses import LOW, WINDOWS, si_sdr, spectral_losses
from training.muon import Muon

RATE = 32000
HOP = 640
BLOCK, REACH = 200, 2  # frames that are encoded at once; frames before them that the convolutions need
CODEBOOKS, CODES, WIDTH = 4, 1024, 64

WARMUP_STEPS = 300  # without codebooks
CROP = 32 * HOP  # 0.64 s
BATCH = 8  # crops of a step on each worker, where no other number is asked for
WAVE = 1.0  # weight of the distances that hear phase
STEADY = 0.3  # weight of the distance between the latents of a crop and of its twin
POOL_SECONDS = 8 * 3600  # at most this much audio in RAM


def codec_config(filters: int = 16) -> EncodecConfig:
    """The codec's architecture: causal, so that decoding needs no look-ahead at all."""
    return EncodecConfig(
        sampling_rate=RATE,
        audio_channels=1,
        normalize=False,
        target_bandwidths=[CODEBOOKS * 50 * 10 / 1000],
        upsampling_ratios=[8, 5, 4, 4],
        num_filters=filters,
        hidden_size=WIDTH,
        codebook_dim=WIDTH,
        codebook_size=CODES,
        num_residual_layers=1,
        num_lstm_layers=1,
        use_causal_conv=True,
        pad_mode="constant",
        use_conv_shortcut=False,
        norm_type="weight_norm",
    )


# --- a faster forward over the same modules -----------------------------------------------------------------------


def convolve(layer: Any, x: torch.Tensor) -> torch.Tensor:
    """`EncodecConv1d` on (batch, channels, 1, time), channels last: spares oneDNN's reordering of every operand."""
    conv = layer.conv
    stride, reach = conv.stride[0], (conv.kernel_size[0] - 1) * conv.dilation[0] + 1
    x = F.pad(x, (reach - stride, -x.shape[-1] % stride))
    if x.shape[1] == 1:  # the waveform: a matrix product over its windows, which leaves channels last
        windows = x[:, 0].unfold(-1, reach, stride)
        return F.linear(windows, conv.weight.squeeze(1), conv.bias).permute(0, 3, 1, 2)
    return F.conv2d(x, conv.weight.unsqueeze(2), conv.bias, (1, stride), 0, (1, conv.dilation[0]))


def deconvolve(layer: Any, x: torch.Tensor) -> torch.Tensor:
    """`EncodecConvTranspose1d`, causal, with a kernel of twice the stride: one matrix product and one addition."""
    conv = layer.conv
    stride = conv.stride[0]
    channels, outputs, _ = conv.weight.shape
    x = F.pad(x.permute(0, 2, 3, 1).squeeze(1), (0, 0, 1, 0))  # (batch, time + 1, channels), silence before the first
    kernel = conv.weight.permute(0, 2, 1).reshape(channels, 2 * stride * outputs)
    y: torch.Tensor = x @ kernel
    overlapped: torch.Tensor = y[:, 1:, : stride * outputs] + y[:, :-1, stride * outputs :]
    biased: torch.Tensor = overlapped.reshape(x.shape[0], 1, -1, outputs) + conv.bias.to(y.dtype)
    return biased.permute(0, 3, 1, 2)


def recur(layer: Any, x: torch.Tensor) -> torch.Tensor:
    """`EncodecLSTM`: residual, over time."""
    sequence = x.squeeze(2).permute(2, 0, 1).contiguous()
    # bfloat16 recurrences are slower than float32 on CPU at these sizes.
    with torch.autocast(x.device.type, enabled=False):
        y: torch.Tensor = layer.lstm(sequence.float())[0] + sequence.float()
    return y.permute(1, 2, 0).unsqueeze(2).contiguous(memory_format=torch.channels_last)


def run(layers: Iterable[Any], x: torch.Tensor) -> torch.Tensor:
    """`EncodecEncoder` or `EncodecDecoder` on (batch, channels, time); equal to their own forward."""
    x = x.unsqueeze(2).contiguous(memory_format=torch.channels_last)
    for layer in layers:
        match type(layer).__name__:
            case "EncodecConv1d":
                x = convolve(layer, x)
            case "EncodecConvTranspose1d":
                x = deconvolve(layer, x)
            case "EncodecLSTM":
                x = recur(layer, x)
            case "EncodecResnetBlock":
                _, narrow, _, widen = layer.block
                x = x + convolve(widen, F.elu(convolve(narrow, F.elu(x))))
            case "ELU":
                x = F.elu(x)
    return x.squeeze(2)


# --- the quantizer in training ------------------------------------------------------------------------------------


def codebooks(model: Any) -> list[Any]:
    """The model's codebook modules."""
    return [layer.codebook for layer in model.quantizer.layers]


class Quantizer:
    """Residual vector quantization with codebooks that follow the latents by exponential averages (no gradients).

    The codebooks live in the EncodecModel's own buffers: ``embed``, ``embed_avg`` and ``cluster_size``.
    """

    decay = 0.99
    dead = 0.1  # a code that is used less than this share of the average is moved onto a recent latent

    def __init__(self, model: EncodecModel) -> None:
        self.books = codebooks(model)

    def start(self, latents: torch.Tensor, seed: int) -> None:
        """Initialise all codebooks by k-means on latents (vectors, width) and on what each stage leaves over."""
        generator = torch.Generator().manual_seed(seed)
        rest = latents
        for book in self.books:
            centres = k_means(rest, CODES, generator)
            book.embed.copy_(centres)
            book.embed_avg.copy_(centres)
            book.cluster_size.fill_(1.0)
            rest = rest - F.embedding(nearest(rest, book.embed), book.embed)

    def __call__(
        self, latents: torch.Tensor, stages: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Quantize, and move the codebooks.

        Parameters
        ----------
        latents
            float32, (batch, width, frames).
        stages
            int64, (batch,): how many codebooks each example uses, 1 to 4.
        generator
            Chooses the latents that replace dead codes.

        Returns
        -------
        tuple
            Quantized latents with straight-through gradients; commitment loss; codes (codebooks, vectors).
        """
        batch, width, frames = latents.shape
        flat = latents.mT.reshape(-1, width)
        used = stages.repeat_interleave(frames)
        rest, total = flat, torch.zeros_like(flat)
        commitment = flat.new_zeros(())
        codes: list[torch.Tensor] = []
        statistics: list[torch.Tensor] = []
        for stage, book in enumerate(self.books):
            indices = nearest(rest.detach(), book.embed)
            chosen = F.embedding(indices, book.embed)
            active = (used > stage)[:, None]
            commitment = commitment + ((rest - chosen).pow(2) * active).mean()
            statistics += self._statistics(rest.detach(), indices)
            total = total + chosen * active
            rest = rest - chosen
            codes.append(indices)
            self._candidates(book, rest.detach() + chosen, generator)
        loop.sum_over_workers(*statistics)
        for book, counts, sums in zip(self.books, statistics[::2], statistics[1::2], strict=True):
            self._follow(book, counts, sums)
        straight = flat + (total - flat).detach()
        return straight.view(batch, frames, width).mT, commitment, torch.stack(codes)

    def _statistics(self, vectors: torch.Tensor, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        counts = torch.bincount(indices, minlength=CODES).to(vectors.dtype)
        sums = torch.zeros(CODES, WIDTH, device=vectors.device).index_add_(0, indices, vectors)
        return counts, sums

    def _candidates(self, book: Any, vectors: torch.Tensor, generator: torch.Generator) -> None:
        picked = torch.randint(len(vectors), (CODES,), generator=generator).to(vectors.device)
        book.spare = vectors[picked]

    def _follow(self, book: Any, counts: torch.Tensor, sums: torch.Tensor) -> None:
        book.cluster_size.lerp_(counts, 1 - self.decay)
        book.embed_avg.lerp_(sums, 1 - self.decay)
        dead = book.cluster_size < self.dead * counts.sum() / CODES
        if bool(dead.any()):
            # Every worker has its own latents, but all must hold the same codebooks: rank 0's replacements count.
            spare = book.spare * (loop.rank() == 0)
            loop.sum_over_workers(spare)
            average = counts.sum() / CODES
            book.cluster_size[dead] = average
            book.embed_avg[dead] = spare[dead] * average
        size = book.cluster_size.clamp_min(1e-5)
        book.embed.copy_(book.embed_avg / size[:, None])


def nearest(vectors: torch.Tensor, book: torch.Tensor) -> torch.Tensor:
    """Index of the nearest code of each vector, as `EncodecEuclideanCodebook.quantize` finds it."""
    return (2 * vectors @ book.mT - book.pow(2).sum(1)).argmax(1)


def k_means(vectors: torch.Tensor, count: int, generator: torch.Generator, rounds: int = 10) -> torch.Tensor:
    """Lloyd's algorithm from random vectors; empty clusters start again elsewhere."""
    centres = vectors[torch.randperm(len(vectors), generator=generator)[:count].to(vectors.device)]
    for _ in range(rounds):
        indices = nearest(vectors, centres)
        counts = torch.bincount(indices, minlength=count)
        sums = torch.zeros_like(centres).index_add_(0, indices, vectors)
        random = vectors[torch.randint(len(vectors), (count,), generator=generator).to(vectors.device)]
        centres = torch.where((counts > 0)[:, None], sums / counts.clamp_min(1)[:, None], random)
    return centres


# --- data ---------------------------------------------------------------------------------------------------------


class Songs:
    """Rendered songs in RAM as int16; a folder that is still being filled is looked at again by `refresh`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.names: set[str] = set()
        self.songs: list[NDArray[np.int16]] = []
        self.refresh()

    def refresh(self) -> None:
        """Read songs that appeared since, up to `POOL_SECONDS` in all; a share for each worker."""
        held = sum(len(song) for song in self.songs)
        for path in sorted(self.folder.glob("*.npy"))[loop.rank() :: loop.workers()]:
            if path.name in self.names:
                continue
            if held > POOL_SECONDS * RATE / loop.workers():
                return
            self.songs.append(np.load(path))
            self.names.add(path.name)
            held += len(self.songs[-1])

    def crops(self, rng: np.random.Generator, count: int) -> torch.Tensor:
        """Random crops, (count, `CROP`), float32, at gains of -9 to +2 dB (renders are loudness-normalised)."""
        batch = np.empty((count, CROP), np.float32)
        for row in batch:
            song = self.songs[rng.integers(len(self.songs))]
            start = rng.integers(len(song) - CROP)
            row[:] = song[start : start + CROP] * (10 ** (rng.uniform(-9, 2) / 20) / 32768)
        return torch.from_numpy(batch)


# --- training -----------------------------------------------------------------------------------------------------


def optimizers(model: EncodecModel) -> list[torch.optim.Optimizer]:
    """Muon for the weight-normed kernels' directions, AdamW for gains, biases and LSTMs."""
    parameters = dict(model.named_parameters())
    kernels = [p for name, p in parameters.items() if name.endswith("weight.original1")]
    others = [p for name, p in parameters.items() if not name.endswith("weight.original1")]
    return [Muon(kernels, lr=2e-2), torch.optim.AdamW(others, lr=1e-3, betas=(0.9, 0.98), weight_decay=0.0)]


def turn(audio: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """The same sound with other phases above `LOW` Hz: turned by one random angle a crop.

    Parameters
    ----------
    audio
        float32, (batch, samples).
    """
    batch, samples = audio.shape
    angle = torch.from_numpy(rng.uniform(-np.pi, np.pi, (batch, 1)).astype(np.float32)).to(audio.device)
    hertz = torch.fft.rfftfreq(samples, 1 / RATE, device=audio.device)
    high = ((hertz - LOW) / LOW).clamp(0, 1)  # over an octave, so that the border does not ring
    turned = torch.polar(torch.ones((), device=audio.device), angle * high)
    twin: torch.Tensor = torch.fft.irfft(torch.fft.rfft(audio) * turned, n=samples)
    return twin


def train_step(
    model: EncodecModel, quantizer: Quantizer, audio: torch.Tensor, rng: np.random.Generator, quantize: bool
) -> dict[str, torch.Tensor]:
    """Forward and backward on one batch of (batch, samples); returns the parts of the loss."""
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    # float32: an encoder that was trained and used in bfloat16 on AMX gave other codes elsewhere (training/README.md).
    latents = run(model.encoder.layers, torch.cat([audio, turn(audio, rng)])[:, None])
    plain, turned = latents.chunk(2)
    unsteady = (plain - turned).pow(2).mean() / latents.var()  # no reward for smaller latents
    commitment = latents.new_zeros(())
    if quantize:
        stages = torch.from_numpy(np.where(rng.random(len(audio)) < 0.15, rng.integers(1, 4, len(audio)), CODEBOOKS))
        hidden, commitment, _ = quantizer(turned, stages.to(audio.device), generator)
    else:
        noise = torch.randn(turned.shape, generator=generator).to(audio.device)
        hidden = turned + 0.1 * turned.detach().std() * noise
    with loop.mixed(audio.device):
        output = run(model.decoder.layers, hidden).float()[:, 0]
    windows = rng.choice(WINDOWS, 3, replace=False).tolist()
    parts = spectral_losses(output, audio, RATE, windows)
    parts["l1"] = F.l1_loss(output, audio) / audio.abs().mean().clamp_min(1e-3)
    parts.update(commitment=commitment, unsteady=unsteady)
    heard = parts["mel"] + 0.5 * parts["stft"] + WAVE * (parts["l1"] + parts["complex"])
    loss = heard + STEADY * unsteady + 0.25 * commitment
    torch.autograd.backward(loss)
    parts["loss"] = loss
    parts["si_sdr"] = si_sdr(output.detach(), audio)
    return {name: value.detach() for name, value in parts.items()}


def latents_for_start(model: EncodecModel, songs: Songs, seed: int, device: torch.device) -> torch.Tensor:
    """About 16 000 latent vectors, the same on all workers (each gives a share)."""
    shares = torch.zeros(loop.workers(), 64 // loop.workers(), BATCH * CROP // HOP, WIDTH, device=device)
    with torch.no_grad():
        for i in range(shares.shape[1]):
            audio = songs.crops(np.random.default_rng([seed, 99, loop.rank(), i]), BATCH).to(device)
            shares[loop.rank(), i] = run(model.encoder.layers, audio[:, None]).mT.reshape(-1, WIDTH)
    loop.sum_over_workers(shares)
    return shares.reshape(-1, WIDTH)


def usage(model: EncodecModel, batch: int) -> list[float]:
    """Share of each codebook's codes that its running average still sees at ``batch`` crops a step."""
    floor = 0.1 * batch * loop.workers() * CROP / HOP / CODES
    return [round(float((book.cluster_size > floor).float().mean()), 3) for book in codebooks(model)]


def validate(model: EncodecModel, folder: Path) -> dict[str, float]:
    """Distances on up to 16 excerpts of 4 s of held-out songs, through the real codes."""
    paths = sorted(folder.glob("*.npy"))[:16]
    if not paths:
        return {}
    device = next(model.parameters()).device
    audio = torch.from_numpy(np.stack([np.load(p)[8 * RATE : 12 * RATE] for p in paths]).astype(np.float32) / 32768)
    output = decode(model, encode(model, audio.to(device)))
    parts = spectral_losses(output, audio.to(device), RATE)
    parts["si_sdr"] = si_sdr(output, audio.to(device))
    return {f"held_out_{name}": float(value) for name, value in parts.items()}


@torch.no_grad()
def latents(model: Any, audio: torch.Tensor) -> torch.Tensor:
    """The encoder's output (batch, width, frames) for audio (batch, samples).

    Its convolutions run on blocks, which stay in the processor's cache: twice as fast as whole songs. Each block sees
    the frames before it as far as convolutions reach back, so nothing else changes.
    """
    layers = list(model.encoder.layers)
    recurrent = next(i for i, layer in enumerate(layers) if type(layer).__name__ == "EncodecLSTM")
    parts = []
    for first in range(0, -(-audio.shape[-1] // HOP), BLOCK):
        seen = min(first, REACH)
        piece = audio[:, None, (first - seen) * HOP : (first + BLOCK) * HOP]
        parts.append(run(layers[:recurrent], piece)[..., seen:])
    return run(layers[recurrent:], torch.cat(parts, -1))


@torch.no_grad()
def encode(model: Any, audio: torch.Tensor) -> torch.Tensor:
    """Codes (batch, codebooks, frames) of audio (batch, samples); in float32, as whoever loads the codec encodes."""
    rest = latents(model, audio).mT
    codes = []
    for book in codebooks(model):
        indices = nearest(rest.reshape(-1, WIDTH), book.embed).view(rest.shape[:2])
        rest = rest - F.embedding(indices, book.embed)
        codes.append(indices)
    return torch.stack(codes, 1)


def look_up(model: Any, codes: torch.Tensor) -> torch.Tensor:
    """Latents (batch, frames, width) of codes (batch, codebooks, frames)."""
    return torch.stack([F.embedding(codes[:, k], book.embed) for k, book in enumerate(codebooks(model))]).sum(0)


@torch.no_grad()
def decode(model: Any, codes: torch.Tensor) -> torch.Tensor:
    """Audio (batch, samples) of codes (batch, codebooks, frames)."""
    return run(model.decoder.layers, look_up(model, codes).mT)[:, 0]


def checkpoint(path: Path, model: EncodecModel, opts: list[torch.optim.Optimizer], step: int, minutes: float) -> None:
    """Save on rank 0; the others hold the same."""
    if loop.rank() == 0:
        state = {"model": model.state_dict(), "optimizers": [o.state_dict() for o in opts]}
        loop.save(path, {**state, "step": step, "minutes": minutes, "filters": model.config.num_filters})


def load_codec(path: Path) -> EncodecModel:
    """The codec of a checkpoint, in evaluation mode."""
    state = loop.load(path)
    model = EncodecModel(codec_config(state["filters"]))
    model.load_state_dict(state["model"])
    model.train(False)
    return model


def train(arguments: argparse.Namespace) -> None:
    """The whole stage, on this worker."""
    torch.manual_seed(arguments.seed)
    device = loop.pick_device()
    path = arguments.out / "codec.pt"
    model = EncodecModel(codec_config(arguments.filters)).train().to(device)
    opts = optimizers(model)
    step, minutes = 0, 0.0
    if path.exists():
        state = loop.load(path)
        model.load_state_dict(state["model"])
        for optimizer, stored in zip(opts, state["optimizers"], strict=True):
            optimizer.load_state_dict(stored)
        step, minutes = state["step"], state["minutes"]
    quantizer, songs = Quantizer(model), Songs(arguments.data)
    log, clock = loop.Log(arguments.out / "log.jsonl"), loop.Clock(arguments.minutes, minutes)
    full = loop.rates(optimizers(model))
    saved = since = time.monotonic()
    for step, progress in loop.steps(clock, step, arguments.steps):  # noqa: B020
        rng = loop.draws(arguments.seed, step)
        if step == arguments.warmup:
            quantizer.start(latents_for_start(model, songs, arguments.seed, device), arguments.seed)
        factor = loop.trapezoid(progress, 0.5) * min(1.0, (step + 1) / 20)
        loop.prepare(opts, full, factor)
        audio = songs.crops(rng, arguments.batch).to(device)
        parts = train_step(model, quantizer, audio, rng, step >= arguments.warmup)
        loop.average_gradients(model.parameters())
        nn.utils.clip_grad_norm_(model.parameters(), 10.0)
        for optimizer in opts:
            optimizer.step()
        if step % 25 == 0:
            now = time.monotonic()
            values = {name: float(value) for name, value in parts.items()}
            log(step=step, minutes=clock.spent(), seconds=(now - since) / 25, songs=len(songs.songs), **values)
            since = now
        if loop.agree(time.monotonic() - saved) > 120:
            checkpoint(path, model, opts, step + 1, clock.spent())
            songs.refresh()
            figures = validate(model, arguments.held_out) if loop.rank() == 0 else {}
            log(step=step, usage=usage(model, arguments.batch), **figures)
            saved = time.monotonic()
    checkpoint(path, model, opts, step + 1, clock.spent())
    log(step=step, done=True, usage=usage(model, arguments.batch), **validate(model, arguments.held_out))


def parser() -> argparse.ArgumentParser:
    """The command line of this stage."""
    parser = loop.options(__doc__, Path("runs/codec"), minutes=30)
    parser.add_argument("--data", type=Path, default=Path("data/songs"), help="folder of rendered songs")
    parser.add_argument("--held-out", type=Path, default=Path("data/held-out"), help="songs that are only listened to")
    parser.add_argument("--filters", type=int, default=16, help="channels at the full sample rate")
    parser.add_argument("--batch", type=int, default=BATCH, help="crops of a step on each worker")
    parser.add_argument("--warmup", type=int, default=WARMUP_STEPS, help="first steps, without codebooks")
    return parser


def main() -> None:
    """Read the command line and train."""
    arguments = parser().parse_args()
    loop.launch(train, arguments.workers, arguments)


if __name__ == "__main__":
    loop.tune_allocator("training.codec")
    main()
