"""MultiBand Diffusion: another decoder for frames of the 32 kHz EnCodec, slow and of a higher quality.

Four networks, one for each part of the spectrum, turn noise into sound, led by the codec's latents. The sum of the
four is then equalised to what EnCodec itself makes of the same frames (San Roman et al. 2023, "From Discrete Tokens to
High-Fidelity Audio Using Multi-Band Diffusion"). Arithmetic and file are those of AudioCraft
(``models/multibanddiffusion.py``, ``models/unet.py``, ``modules/diffusion_schedule.py``), which the tests compare with.

A network looks at all of its input at once, so nothing here streams: this is for files.
"""

from __future__ import annotations

import collections
import itertools
import math
import typing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.fft
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from musicgen.codec import CodecWeights, look_ahead, open_decoder
from musicgen.decoder import sinusoids
from musicgen.errors import ModelError
from musicgen.load.hub import download
from musicgen.load.settings import Settings, read_pickle

if TYPE_CHECKING:
    from musicgen.model import MusicGen

HUB_ID, FILE = "facebook/multiband-diffusion", "mbd_musicgen_32khz.th"
LICENCE = "CC-BY-NC-4.0"

STRIDE_OF_STEPS = 50
"""Of the steps that a network was trained on one in so many is taken: 20 of 1000, as in AudioCraft."""
EQUALISER_BANDS = 32
LONGEST, OVERLAP = 1500, 50
"""Frames that a network looks at together, 30 s: as many as AudioCraft's MusicGen makes at once. Longer music goes
through it in windows that share the overlap."""


class MultiBandDiffusion:
    """The diffusion decoder for one model. Immutable. Made by :meth:`load`."""

    def __init__(self, bands: Sequence[Band], codec: CodecWeights) -> None:
        self._bands = bands
        self._codec = codec

    @classmethod
    def load(cls, source: str | Path, model: MusicGen) -> MultiBandDiffusion:
        """Read AudioCraft's file of diffusion networks.

        Parameters
        ----------
        source
            See :func:`find_file`.
        model
            What is to be decoded: a mono model with the codec of Meta's checkpoints.

        Raises
        ------
        ModelError
            The model has another codec, or the file cannot be had or used; the message says why.
        """
        check_model(model)
        return cls(read_bands(find_file(source), model.codec), model.codec)

    @torch.inference_mode()
    def decode(
        self, frames: NDArray[np.integer[Any]], seed: int, progress: Callable[[int, int], None] | None = None
    ) -> NDArray[np.float32]:
        """The sound of a whole piece.

        Parameters
        ----------
        frames
            (K, F) integers.
        seed
            Of the noise that it begins with: the same seed gives the same samples.
        progress
            Told, as done and total, of the steps.

        Returns
        -------
        NDArray
            float32 (F * hop, 1).
        """
        if not frames.shape[1]:
            return np.zeros((0, 1), np.float32)
        reference = torch.from_numpy(self._plain(frames)[:, 0]).to(self._codec.table.device)
        codes = torch.as_tensor(frames).to(self._codec.table.device, torch.int64)
        latents = F.embedding(codes + self._codec.offsets, self._codec.table).sum(0).T[None].float()
        generator = torch.Generator(reference.device).manual_seed(seed)

        def noise() -> Tensor:
            return torch.randn(len(reference), generator=generator, device=reference.device)

        total = sum(len(band.schedule.steps) - 1 for band in self._bands)
        done = itertools.count(1)
        sound = torch.zeros_like(reference)
        for band in self._bands:
            sound += band.generate(latents, noise, lambda: progress and progress(next(done), total))
        equalised: NDArray[np.float32] = equalise(sound, reference, self._codec.sample_rate)[:, None].cpu().numpy()
        return equalised

    def _plain(self, frames: NDArray[np.integer[Any]]) -> NDArray[np.float32]:
        """The codec's own decode, a second at a time: all of a long piece at once would need gigabytes."""
        codec = open_decoder(self._codec)
        chunks = [codec.decode(frames[:, start : start + 50]) for start in range(0, frames.shape[1], 50)]
        return np.concatenate([*chunks, codec.flush()])


def check_model(model: MusicGen) -> None:
    """Refuse a model whose frames the released networks do not know.

    Raises
    ------
    ModelError
        It says why.
    """
    if model.channels != 1:
        raise ModelError(
            f"{model.name} is stereo, and MultiBand Diffusion decodes mono only: use a mono model, or the codec."
        )
    codec = model.codec
    shape = (codec.sample_rate, codec.hop, codec.codebooks, codec.codebook_size, codec.table.shape[1])
    if shape != (32_000, 640, 4, 2048, 128) or look_ahead(codec) == 0:
        raise ModelError(
            f"{model.name} has a codec of its own, and MultiBand Diffusion knows only the 32 kHz EnCodec with 4 "
            "codebooks of 2048: use a mono model of facebook/musicgen-*, or the codec."
        )


# ------------------------------------------------------------------------------------------------------- the process


@dataclass(frozen=True)
class Schedule:
    """How noise gives way to sound: the reverse of a diffusion whose betas follow a power law.

    Attributes
    ----------
    kept
        How much of the sound's power is left after each training step, (steps,) float32: the products of 1 - beta.
    steps
        Those that are taken, from the last one down to 0.
    clip
        No sample leaves -clip..clip; 0 for no limit.
    noise_scale
        Of all noise.
    """

    kept: Tensor
    steps: tuple[int, ...]
    clip: float
    noise_scale: float

    @classmethod
    def powers(
        cls, first: float, last: float, exponent: float, count: int, clip: float = 5.0, noise_scale: float = 1.0
    ) -> Schedule:
        """Betas that rise from first to last, linear in their root."""
        betas = torch.linspace(first ** (1 / exponent), last ** (1 / exponent), count) ** exponent
        steps = (*range(count - 1, 0, -STRIDE_OF_STEPS), 0)
        return cls((1 - betas).cumprod(0), steps, clip, noise_scale)

    def reverse(self, noise: Callable[[], Tensor], estimate: Callable[[Tensor, int], Tensor]) -> Tensor:
        """From noise to sound, by the steps taken (Ho et al. 2020, algorithm 2).

        Parameters
        ----------
        noise
            Gives new noise of the sound's shape at every call.
        estimate
            (noisy sound, step) -> the noise in it.
        """
        now = noise() * self.noise_scale
        for step, following in itertools.pairwise(self.steps):
            kept, kept_then = self.kept[step], self.kept[following]
            alpha = kept / kept_then
            error = estimate(now, step) * self.noise_scale
            now = (now - (1 - alpha) / (1 - kept).sqrt() * error) / alpha.sqrt()
            if following:
                variance = (1 - kept_then) / (1 - kept) * (1 - alpha)
                now = now + variance.sqrt() * noise() * self.noise_scale
            if self.clip:
                now = now.clamp(-self.clip, self.clip)
        return now


@dataclass(frozen=True)
class Levels:
    """What brings a network's output back to the levels of music: networks work on sound whose bands are as strong as
    those of noise.

    Attributes
    ----------
    filters
        Low-passes between the bands, (bands - 1, taps).
    gains, means
        (bands,).
    """

    filters: Tensor
    gains: Tensor
    means: Tensor

    def restore(self, sound: Tensor) -> Tensor:
        """From the network's levels to those of music, (samples,)."""
        bands = split_bands(sound, self.filters)
        parts = (band * gain + mean for band, gain, mean in zip(bands, self.gains, self.means, strict=True))
        return sum(parts, torch.zeros_like(sound))


@dataclass(frozen=True)
class Band:
    """One of the networks, with how it is used."""

    network: Unet
    schedule: Schedule
    levels: Levels | None

    def generate(self, latents: Tensor, noise: Callable[[], Tensor], tick: Callable[[], object]) -> Tensor:
        """This band's part of the sound, (samples,).

        Parameters
        ----------
        latents
            (1, features, frames).
        noise
            Gives new noise (samples,) at every call.
        tick
            Called after every step.
        """

        def estimate(now: Tensor, step: int) -> Tensor:
            found = in_windows(lambda part, leading: self.network(part[None, None], step, leading)[0, 0], now, latents)
            tick()
            return found

        sound = self.schedule.reverse(noise, estimate)
        return sound if self.levels is None else self.levels.restore(sound)


def in_windows(look: Callable[[Tensor, Tensor], Tensor], sound: Tensor, latents: Tensor) -> Tensor:
    """Look at a sound of any length in windows of `LONGEST` frames, and fade from each view to the next.

    Every step of the diffusion is joined so, not only its end: all windows turn the same noise into the same sound,
    and there is no seam (Bar-Tal et al. 2023, "MultiDiffusion", for pictures). What fits into one window is looked at
    as it is.
    """
    frames = latents.shape[-1]
    if frames <= LONGEST:
        return look(sound, latents)
    hop = len(sound) // frames
    length, fade = LONGEST * hop, OVERLAP * hop
    ramp = (torch.arange(length, device=sound.device) + 0.5).clamp(max=fade) / fade
    weight = torch.minimum(ramp, ramp.flip(0))
    seen, weights = torch.zeros_like(sound), torch.zeros_like(sound)
    for start in (*range(0, frames - LONGEST, LONGEST - OVERLAP), frames - LONGEST):
        window = slice(start * hop, start * hop + length)
        seen[window] += weight * look(sound[window], latents[..., start : start + LONGEST])
        weights[window] += weight
    return seen / weights


# --------------------------------------------------------------------------------------------------------- the bands


def lowpass_filters(bands: int, rate: int) -> Tensor:
    """Low-passes (bands - 1, taps) between bands that are equally wide in mel: sinc functions under a Hann window that
    holds 8 zero crossings of the lowest one (as julius has them).
    """
    top = 2595 * math.log10(1 + rate / 2 / 700)
    cutoffs = [700 * (10 ** (top * i / bands / 2595) - 1) / rate for i in range(1, bands)]
    half = int(8 / cutoffs[0] / 2)
    time = torch.arange(-half, half + 1, dtype=torch.float64)
    window = torch.hann_window(2 * half + 1, periodic=False, dtype=torch.float64)
    filters = torch.stack([2 * cutoff * torch.sinc(2 * cutoff * time) * window for cutoff in cutoffs])
    return (filters / filters.sum(1, keepdim=True)).float()


def split_bands(sound: Tensor, filters: Tensor) -> Iterator[Tensor]:
    """The bands of a sound (samples,) from the lowest to the highest, as long as it is. Their sum is the sound."""
    half = filters.shape[1] // 2
    padded = F.pad(sound[None, None], (half, half), mode="replicate")[0, 0]
    size = scipy.fft.next_fast_len(len(padded), real=True)  # what wraps around falls on what is cut off
    spectrum = torch.fft.rfft(padded, size)
    below = torch.zeros_like(sound)
    for taps in filters:
        low = torch.fft.irfft(spectrum * torch.fft.rfft(taps, size), size)[2 * half :][: len(sound)]
        yield low - below
        below = low
    yield sound - below


def equalise(sound: Tensor, reference: Tensor, rate: int) -> Tensor:
    """The sound (samples,) with every one of `EQUALISER_BANDS` bands as strong as in the reference."""
    filters = lowpass_filters(EQUALISER_BANDS, rate).to(sound.device)
    out = torch.zeros_like(sound)
    for band, wanted in zip(split_bands(sound, filters), split_bands(reference, filters), strict=True):
        strength = band.std()
        if strength > 0:  # a silent band has nothing to be made louder
            out += band * (wanted.std() / strength)
    return out


# ------------------------------------------------------------------------------------------------------- the network


@dataclass(frozen=True)
class Shape:
    """Of a network.

    Attributes
    ----------
    widths
        Channels of the sound, then after every layer down.
    kernel, stride, residuals, groups
        Of every layer: its convolution, how many residual blocks follow, and the groups of its norms.
    steps
        Training steps that it has embeddings for.
    embeds_everywhere
        Whether every layer down is told the step, or the first one only.
    latent
        Features of the codec's latents.
    bottleneck
        "lstm", "transformer", or "cross": a transformer that looks at the latents by cross-attention.
    """

    widths: tuple[int, ...]
    kernel: int
    stride: int
    residuals: int
    groups: int
    steps: int
    embeds_everywhere: bool
    latent: int
    bottleneck: str


class Unet(nn.Module):
    """Estimates the noise in a noisy sound. Modules are called as in AudioCraft's ``DiffusionUnet``, whose weights they
    take.
    """

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        pairs = list(itertools.pairwise(shape.widths))
        self.encoders = nn.ModuleList(_Down(above, below, shape) for above, below in pairs)
        self.decoders = nn.ModuleList(_Up(below, above, shape) for above, below in reversed(pairs))
        self.embedding = nn.Embedding(shape.steps, shape.widths[1])
        told = shape.widths[2:] if shape.embeds_everywhere else ()
        self.embeddings = nn.ModuleList(nn.Embedding(shape.steps, width) for width in told)
        self.conv_codec = nn.Conv1d(shape.latent, shape.widths[-1], 1)
        self._crosses = shape.bottleneck == "cross"
        if shape.bottleneck == "lstm":
            self.bilstm = _Lstm(shape.widths[-1])
        else:
            self.transformer = _Transformer(shape.widths[-1], self._crosses)

    def forward(self, noisy: Tensor, step: int, latents: Tensor) -> Tensor:
        """The noise, (1, 1, samples), in a noisy sound of that shape, led by latents (1, features, frames)."""
        tables = [self.embedding, *self.embeddings]
        x, skipped = noisy, []
        for encoder, table in itertools.zip_longest(self.encoders, tables):
            x = encoder(x)
            if table is not None:
                x = x + table.weight[step][:, None]
            skipped.append(x)
        leading = self.conv_codec(latents)
        if self._crosses:
            x = self.transformer(x, leading)
        else:
            # the skip past the bottleneck is led, too: AudioCraft adds in place, and its weights are trained so
            skipped[-1] = x = x + F.interpolate(leading, x.shape[-1])
            x = self.bilstm(x) if hasattr(self, "bilstm") else self.transformer(x)
        for decoder in self.decoders:
            skip = skipped.pop()
            x = decoder(x[..., : skip.shape[-1]] + skip)
        noise: Tensor = x[..., : noisy.shape[-1]]
        return noise


class _Residual(nn.Module):
    def __init__(self, width: int, dilation: int, groups: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(groups, width), nn.GroupNorm(groups, width)
        self.conv1 = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.conv2 = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.conv2(F.relu(self.norm2(self.conv1(F.relu(self.norm1(x))))))
        return x + added


def _residuals(width: int, shape: Shape) -> nn.Sequential:
    return nn.Sequential(*(_Residual(width, 2**i, shape.groups) for i in range(shape.residuals)))


class _Down(nn.Module):
    def __init__(self, inputs: int, outputs: int, shape: Shape) -> None:
        super().__init__()
        padding = (shape.kernel - shape.stride) // 2
        self.conv = nn.Conv1d(inputs, outputs, shape.kernel, shape.stride, padding, bias=False)
        self.norm = nn.GroupNorm(shape.groups, outputs)
        self.res_blocks = _residuals(outputs, shape)

    def forward(self, x: Tensor) -> Tensor:
        filled = F.pad(x, (0, -x.shape[-1] % self.conv.stride[0]))
        out: Tensor = self.res_blocks(F.relu(self.norm(self.conv(filled))))
        return out


class _Up(nn.Module):
    def __init__(self, inputs: int, outputs: int, shape: Shape) -> None:
        super().__init__()
        padding = (shape.kernel - shape.stride) // 2
        self.res_blocks = _residuals(inputs, shape)
        self.norm = nn.GroupNorm(shape.groups, inputs)
        self.convtr = nn.ConvTranspose1d(inputs, outputs, shape.kernel, shape.stride, padding, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.convtr(F.relu(self.norm(self.res_blocks(x))))
        return out


class _Lstm(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(width, width, num_layers=2, bidirectional=True)
        self.linear = nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear(self.lstm(x.permute(2, 0, 1))[0])
        return out.permute(1, 2, 0)


class _Transformer(nn.Module):
    """Six layers of eight heads with sinusoidal positions, (1, width, time) to the same."""

    def __init__(self, width: int, crosses: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(width, crosses) for _ in range(6))

    def forward(self, x: Tensor, source: Tensor | None = None) -> Tensor:
        x, source = _positioned(x), None if source is None else _positioned(source)
        for layer in self.layers:
            x = layer(x, source)
        return x.transpose(1, 2)


def _positioned(x: Tensor) -> Tensor:
    """(1, width, time) to (1, time, width) with positions."""
    return x.transpose(1, 2) + torch.from_numpy(sinusoids(x.shape[2], x.shape[1])).to(x.device)


class _Layer(nn.Module):
    """A layer with its norms behind. What enters the layer asks in its cross-attention, too, as AudioCraft has it."""

    def __init__(self, width: int, crosses: bool) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(width, 8, bias=False, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(width, 2048, bias=False), nn.Linear(2048, width, bias=False)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        if crosses:
            self.cross_attention = nn.MultiheadAttention(width, 8, bias=False, batch_first=True)
            self.norm_cross = nn.LayerNorm(width)

    def forward(self, x: Tensor, source: Tensor | None) -> Tensor:
        y = self.norm1(x + self.self_attn(x, x, x, need_weights=False)[0])
        if source is not None:
            y = self.norm_cross(y + self.cross_attention(x, source, source, need_weights=False)[0])
        out: Tensor = self.norm2(y + self.linear2(F.relu(self.linear1(y))))
        return out


# ---------------------------------------------------------------------------------------------------------- the file


def find_file(source: str | Path = HUB_ID) -> Path:
    """The file of the networks.

    Parameters
    ----------
    source
        The file, a folder with it under its released name, or a repository of the hub, which is downloaded from unless
        it is already here.

    Raises
    ------
    ModelError
        It cannot be had; the message says where it comes from and where to put it.
    """
    path = Path(source).expanduser()
    if path.is_file():
        return path
    how = f"download {FILE} from {HUB_ID} of the hub where there is a network, and name the file"
    if path.is_dir():
        if (path / FILE).is_file():
            return path / FILE
        raise ModelError(f"The folder {path} holds no {FILE}: {how}.")
    try:
        found = download(str(source), [FILE, "README.md"]) / FILE
    except ModelError as error:
        raise ModelError(
            f"There are no diffusion weights '{source}' here, nor can they be downloaded: {how}."
        ) from error
    if not found.is_file():
        raise ModelError(f"'{source}' of the hub holds no {FILE}: {how}.")
    return found


class _Node:
    """What is made of OmegaConf's classes, which the released file has for its configuration: attributes, no code."""


_STAND_INS: list[tuple[Any, str]] = [
    *(
        (_Node, f"omegaconf.{name}")
        for name in (
            "dictconfig.DictConfig",
            "listconfig.ListConfig",
            "nodes.AnyNode",
            "base.ContainerMetadata",
            "base.Metadata",
        )
    ),
    (typing.Any, "typing.Any"),
    (collections.defaultdict, "collections.defaultdict"),
    *((kind, f"builtins.{kind.__name__}") for kind in (dict, list, tuple, str, int, float, bool)),
]


def _plain(node: Any) -> Any:
    """What a configuration of OmegaConf holds, as dictionaries, lists and values."""
    content = vars(node).get("_content", vars(node).get("_val")) if isinstance(node, _Node) else node
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    return [_plain(value) for value in content] if isinstance(content, list) else content


def read_bands(path: Path, codec: CodecWeights) -> list[Band]:
    """The networks of a file, on the codec's device, in float32.

    The file is a pickle: ``{"n_bands", "sample_rate", 0: {"cfg", "model_state", "processor_state"}, 1: ...}``. It is
    opened in torch's restricted way, and nothing in it is run.

    Raises
    ------
    ModelError
        It is damaged, could run code, or holds what cannot be used with this codec.
    """
    package = read_pickle(path, f"get {FILE} from {HUB_ID}, or from somebody you trust", _STAND_INS)
    rate, count = package.get("sample_rate"), package.get("n_bands")
    if rate != codec.sample_rate or not isinstance(count, int) or count < 1:
        raise ModelError(
            f"{path} holds no networks for {codec.sample_rate} Hz (it says: {count} for {rate} Hz): "
            f"get {FILE} from {HUB_ID}."
        )
    return [_band(path, package.get(i), codec) for i in range(count)]


def _band(path: Path, part: Any, codec: CodecWeights) -> Band:
    if not isinstance(part, dict) or not isinstance(config := _plain(part.get("cfg")), dict):
        raise ModelError(f"{path} is incomplete: download it again.")
    settings = Settings(path, config)
    try:
        network = _network(_shape(settings), part["model_state"], codec)
        levels = _levels(settings, part["processor_state"], codec)
    except (KeyError, RuntimeError, AttributeError, TypeError) as error:
        raise ModelError(f"The weights in {path} do not fit its configuration: download it again.") from error
    return Band(network, _schedule(settings), levels)


def _shape(settings: Settings) -> Shape:
    """Of ``cfg.diffusion_unet``; what the networks here do not have is refused."""
    known = {"hidden", "depth", "growth", "max_channels", "emb_all_layers", "kernel", "stride", "res_blocks"}
    known |= {"norm_groups", "dropout", "codec_dim", "bilstm", "transformer", "cross_attention"}
    for name in sorted(settings.get("diffusion_unet", dict).keys() - known):
        settings.require(f"diffusion_unet.{name}", None)
    settings.require("channels", 1)
    widths, width = [1], settings.get("diffusion_unet.hidden", int)
    for _ in range(settings.get("diffusion_unet.depth", int)):
        widths.append(width)
        width = int(width * settings.get("diffusion_unet.growth", float))
        width = min(width, settings.get("diffusion_unet.max_channels", int, 10_000))
    return Shape(
        widths=tuple(widths),
        kernel=settings.get("diffusion_unet.kernel", int),
        stride=settings.get("diffusion_unet.stride", int),
        residuals=settings.get("diffusion_unet.res_blocks", int),
        groups=settings.get("diffusion_unet.norm_groups", int),
        steps=settings.get("schedule.num_steps", int),
        embeds_everywhere=settings.get("diffusion_unet.emb_all_layers", bool, False),
        latent=settings.get("diffusion_unet.codec_dim", int),
        bottleneck=_bottleneck(settings),
    )


def _bottleneck(settings: Settings) -> str:
    if settings.get("diffusion_unet.transformer", bool, False):
        return "cross" if settings.get("diffusion_unet.cross_attention", bool, False) else "transformer"
    settings.require("diffusion_unet.bilstm", True)  # without either the latents would lead to nothing
    return "lstm"


def _network(shape: Shape, state: dict[str, Tensor], codec: CodecWeights) -> Unet:
    with torch.device("meta"):  # the file's own tensors take their places: nothing is in memory twice
        network = Unet(shape)
    named = {name.replace(".mha.", "."): tensor.float() for name, tensor in state.items()}
    network.load_state_dict(named, assign=True)
    if shape.latent != codec.table.shape[1]:
        raise RuntimeError("the networks are led by latents of another codec")
    return network.eval().requires_grad_(False).to(codec.table.device)


def _levels(settings: Settings, state: dict[str, Tensor], codec: CodecWeights) -> Levels | None:
    """Of ``cfg.processor`` and what its ``MultiBandProcessor`` counted while it was trained."""
    if not settings.get("processor.use", bool, False):
        return None
    settings.require("processor.name", "multi_band_processor")
    settings.require("processor.n_bands", len(state["sum_x"]))
    power = settings.at("processor.power_std")
    means, squares, targets = (state[name].float() / state["counts"] for name in ("sum_x", "sum_x2", "sum_target_x2"))
    deviations = (squares - means**2).clamp(min=0).sqrt()
    # AudioCraft divides by the noise's power, not by its root, here and in training: so must this
    gains = (deviations / targets) ** torch.tensor(power if power is not None else 1.0)
    filters = state["split_bands.lowpass.filters"][:, 0].float()
    device = codec.table.device
    return Levels(filters.to(device), gains.to(device), means.to(device))


def _schedule(settings: Settings) -> Schedule:
    settings.require("schedule.repartition", "power")
    settings.require("schedule.n_bands", None)
    return Schedule.powers(
        first=settings.get("schedule.beta_t0", float),
        last=settings.get("schedule.beta_t1", float),
        exponent=settings.get("schedule.beta_exp", float, 1.0),
        count=settings.get("schedule.num_steps", int),
        clip=float(settings.get("schedule", dict).get("clip", 5.0) or 0.0),  # nothing is not the same as not said
        noise_scale=settings.get("schedule.noise_scale", float, 1.0),
    )
